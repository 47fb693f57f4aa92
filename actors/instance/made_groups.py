"""A group is created once for an Idempotency-Key, also if its request is repeated after a crash.

WhatsApp has no key of its own for this. What is asked for is written down before WhatsApp is asked, and what
came of it after. Between the two nobody knows whether there is a group: who repeats the request then gets the
group that has come to be since, if there is one that fits.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from actors.instance.errors import CallFailed, store_failures
from actors.instance.mailbox import Mailbox
from actors.registry import now
from actors.store import StaleEpoch

_WRITE = Path(__file__).parent / "lua" / "made_write.lua"

CLOCKS_DIFFER = timedelta(minutes=2)
"""How far WhatsApp's clock may be behind ours."""

REFUSED = frozenset({"bad_request", "rejected", "rate_limited", "group_forbidden", "group_unknown"})
"""What WhatsApp, or the engine, says no with: there is no group, for certain."""

Made = dict[str, Any]


class Attempt(BaseModel):
    """A request to create a group.

    Args:
        fingerprint: equal for equal requests.
        began_at: when WhatsApp was about to be asked for the first time.
        made: the group, once it is known to be there.
    """

    fingerprint: str
    began_at: datetime
    made: Made | None = None


class MadeGroups:
    """Creates groups, each key once.

    Args:
        mailbox: whose instance it is.
        epoch: ours.
        ttl: seconds a key is remembered.
        create: asks WhatsApp for a new group: its name, and who shall be in it.
        groups: all that the account is in.
        own: identities of the account, as members of groups have them: phone number and LID.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        epoch: int,
        ttl: int,
        *,
        create: Callable[[str, Sequence[str]], Awaitable[Made]],
        groups: Callable[[], Awaitable[list[Made]]],
        own: Callable[[], set[str]],
    ) -> None:
        self._mailbox = mailbox
        self._epoch = epoch
        self._ttl = ttl
        self._create = create
        self._groups = groups
        self._own = own
        self._one_at_a_time = asyncio.Lock()

    async def once(self, key: str, name: str, people: Sequence[str]) -> Made:
        """The group of this key: made now, or before.

        Returns:
            The group, and in ``replayed`` whether it had been made before.

        Raises:
            CallFailed: ``idempotency_mismatch`` if the key was used for another request.
        """
        text = json.dumps([name, sorted(people)])
        asked = Attempt(fingerprint=hashlib.sha256(text.encode()).hexdigest(), began_at=now())
        async with self._one_at_a_time:
            with store_failures():
                return await self._again_or_new(key, asked, name, people)

    async def _again_or_new(self, key: str, asked: Attempt, name: str, people: Sequence[str]) -> Made:
        before = await self._write(key, asked, only_new=True)
        if before is None:
            return {**await self._make(key, asked, name, people), "replayed": False}
        if before.fingerprint != asked.fingerprint:
            raise CallFailed("idempotency_mismatch", "This Idempotency-Key was used for another group")
        made = before.made or await self._found(key, before, name)
        if made is None:
            return {**await self._make(key, before, name, people), "replayed": False}
        if before.made is None:
            await self._write(key, before.model_copy(update={"made": made}))
        return {**made, "replayed": True}

    async def _make(self, key: str, attempt: Attempt, name: str, people: Sequence[str]) -> Made:
        try:
            made = await self._create(name, people)
        except CallFailed as error:
            if error.code in REFUSED and error.server_code < 500:
                await self._write(key, None)
            raise
        await self._write(key, attempt.model_copy(update={"made": made}))
        return made

    async def _found(self, key: str, attempt: Attempt, name: str) -> Made | None:
        """The group that an attempt without a known end has made, None if it made none."""
        own, since = self._own(), attempt.began_at - CLOCKS_DIFFER
        for group in await self._groups():
            owner, at = group["owner"] or {}, group["created_at"]
            ours = bool(own & {owner.get("phone"), owner.get("lid")})
            fits = ours and group["name"] == name and at and datetime.fromisoformat(at) >= since
            if fits and await self._whose(group["id"]) in (None, _digest(key)):
                return {**group, "refused": []}
        return None

    async def _whose(self, group_id: str) -> str | None:
        """The key, as a digest, that a group was made for; None if that is not known."""
        store = self._mailbox.store
        taken = self._mailbox.key("made_group", group_id)
        found = await store.run(lambda: store.redis.get(taken), timeout=5)
        return None if found is None else str(found)

    async def _write(self, key: str, attempt: Attempt | None, *, only_new: bool = False) -> Attempt | None:
        """Write an attempt down, or forget it; the one that was there already, with ``only_new``."""
        record = self._mailbox.key("made", _digest(key))
        made = attempt.made if attempt else None
        taken = self._mailbox.key("made_group", made["id"]) if made else record
        body = attempt.model_dump_json() if attempt else ""
        outcome, value = await self._mailbox.store.script(
            _WRITE,
            keys=[self._mailbox.key("owner"), record, taken],
            args=[self._epoch, body, self._ttl, int(only_new), _digest(key)],
        )
        if outcome == "stale":
            raise StaleEpoch(self._epoch, int(value) or None)
        return Attempt.model_validate_json(value) if outcome == "exists" else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
