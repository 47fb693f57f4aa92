"""Makes links to stored files, and checks them, with the keys of the settings or of the cluster."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from actors.media.links import check_link, expiry, link_key, sign_link
from actors.settings import Settings
from actors.store import Store


@dataclass(frozen=True, slots=True)
class Link:
    """Where a file can be fetched without a key.

    Args:
        url: a path if the settings do not say where customers reach the API.
    """

    url: str
    expires_at: datetime


class Linker:
    """Signs and checks. The cluster's own key is made by whoever needs it first, and kept in Redis."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings
        self._keys: tuple[bytes, ...] = ()

    async def link(self, instance_id: str, media_id: str) -> Link:
        """A link to a file, whether or not it is stored yet.

        Raises:
            StoreUnavailable
        """
        expires = expiry(time.time(), self._settings.media.link_lifetime)
        query = sign_link(await self._known(), instance_id, media_id, expires)
        path = f"/v1/media/{instance_id}/{media_id}?{urlencode(query)}"
        return Link(f"{self._settings.gateway.public_url or ''}{path}", datetime.fromtimestamp(expires, UTC))

    async def check(self, instance_id: str, media_id: str, *, expires: str, signature: str) -> None:
        """Let a link pass.

        Raises:
            MediaError: LINK_INVALID or LINK_EXPIRED.
            StoreUnavailable
        """
        check_link(
            await self._known(),
            instance_id,
            media_id,
            expires=expires,
            signature=signature,
            now=time.time(),
        )

    async def _known(self) -> tuple[bytes, ...]:
        if not self._keys:
            given = [key.get_secret_value() for key in self._settings.media.link_keys]
            self._keys = tuple(link_key(secret) for secret in given or [await self._own()])
        return self._keys

    async def _own(self) -> str:
        redis, key = self._store.redis, self._store.keys.shared("media_link_key")
        fresh = secrets.token_hex(32)

        async def first() -> str:
            await redis.set(key, fresh, nx=True)
            return str(await redis.get(key))

        return await self._store.run(first, timeout=5)
