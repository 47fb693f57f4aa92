"""The chats of an instance in Redis, the newest first, within a bound of their number."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from actors.instance.chats.record import ChatRecord
from actors.instance.mailbox import Mailbox
from actors.store import StaleEpoch

log = logging.getLogger(__name__)

KEYS = ("owner", "chat_list", "chat_times", "chat_cursor", "chat_account")
_SAVE = Path(__file__).parent / "lua" / "save.lua"


class ChatShelf:
    """Reads and keeps chats. Keeping needs the epoch, reading does not.

    All raise StoreUnavailable.
    """

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._store = mailbox.store

    async def cursor(self) -> int:
        """Up to which sequence number the mailbox was read for the chats."""
        redis = self._store.redis
        return int(await self._store.run(lambda: redis.get(self._mailbox.key("chat_cursor")), timeout=5) or 0)

    async def account(self) -> str | None:
        """Phone number (E.164) of the account whose chats they are, None if that is not known."""
        redis = self._store.redis
        key = self._mailbox.key("chat_account")
        found: str | None = await self._store.run(lambda: redis.get(key), timeout=5)
        return found

    async def get(self, ids: Sequence[str]) -> dict[str, ChatRecord]:
        """Those of these chats that are known."""
        if not ids:
            return {}
        redis = self._store.redis
        found = await self._store.run(lambda: redis.hmget(self._mailbox.key("chat_list"), ids), timeout=5)
        return {id_: record for id_, text in zip(ids, found, strict=True) if (record := _read(text))}

    async def order(self) -> list[tuple[str, int]]:
        """Every chat and when its newest message was written (ms since 1970), the newest first."""
        redis = self._store.redis
        key = self._mailbox.key("chat_times")
        found = await self._store.run(
            lambda: redis.zrange(key, 0, -1, desc=True, withscores=True), timeout=10
        )
        return [(id_, int(time)) for id_, time in found]

    async def save(
        self,
        epoch: int,
        before: int,
        after: int,
        chats: Mapping[str, ChatRecord] | Iterable[ChatRecord],
        *,
        account: str | None = None,
        fresh: bool = False,
    ) -> bool:
        """Keep chats, and that the mailbox was read up to ``after`` for them.

        Args:
            account: whose chats they are; None: as before.
            fresh: forget all others.

        Returns:
            False: nothing was done, somebody has moved on from ``before``.

        Raises:
            StaleEpoch
        """
        records = chats.values() if isinstance(chats, Mapping) else chats
        told = [(record.id, record.at_ms, record.model_dump_json()) for record in records]
        outcome, value = await self._store.script(
            _SAVE,
            keys=[self._mailbox.key(name) for name in KEYS],
            args=[
                epoch,
                before,
                after,
                self._mailbox.settings.chats,
                account or "",
                int(fresh),
                *(part for record in told for part in record),
            ],
        )
        if outcome == "stale":
            raise StaleEpoch(epoch, int(value) or None)
        return bool(outcome == "ok" or int(value) == after)


def _read(text: str | None) -> ChatRecord | None:
    if text is None:
        return None
    try:
        return ChatRecord.model_validate_json(text)
    except ValidationError:
        # Written by another version: what comes next of the chat makes it anew.
        log.warning("a chat cannot be read")
        return None
