"""What is kept of contacts in Redis: one hash per instance, bounded by count and age."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from actors.instance.contacts.agenda import Subject
from actors.instance.contacts.facts import Fact, Kind
from actors.settings import ContactSettings
from actors.store import StaleEpoch, Store

log = logging.getLogger(__name__)

KEEP = Path(__file__).parent / "lua" / "keep.lua"
TIMEOUT = 5.0


class ContactCache:
    """Reads and keeps facts. Keeping needs an epoch, reading does not. Both raise StoreUnavailable."""

    def __init__(self, store: Store, instance_id: str, settings: ContactSettings) -> None:
        self._store = store
        self._instance_id = instance_id
        self._settings = settings

    def _key(self, name: str) -> str:
        return self._store.keys.instance(self._instance_id, name)

    async def read(self, subjects: Sequence[Subject]) -> list[Fact | None]:
        """What is kept of these, in their order; None where nothing is."""
        if not subjects:
            return []
        redis, fields = self._store.redis, [_field(subject) for subject in subjects]
        found = await self._store.run(lambda: redis.hmget(self._key("contacts"), fields), timeout=TIMEOUT)
        return [_fact(text) for text in found]

    async def latest_names(self, limit: int) -> dict[str, str]:
        """The names learned last, by the ids of their chats, at most ``limit``."""
        redis = self._store.redis
        fields = await self._store.run(
            lambda: redis.zrevrange(self._key("contact_ages"), 0, limit * 3 - 1), timeout=TIMEOUT
        )
        ids = [field.partition(":")[2] for field in fields if field.startswith(f"{Kind.NAME}:")][:limit]
        facts = await self.read([(Kind.NAME, id_) for id_ in ids])
        return {id_: fact.data["name"] for id_, fact in zip(ids, facts, strict=True) if fact and fact.data}

    async def keep(self, epoch: int, facts: Mapping[Subject, Fact | None]) -> int:
        """Keep these; None forgets one.

        Returns:
            How many are kept of the instance now.

        Raises:
            StaleEpoch: the writer is no longer the owner.
        """
        written = {
            _field(subject): fact.model_dump_json() if fact else False for subject, fact in facts.items()
        }
        outcome, value = await self._store.script(
            KEEP,
            keys=[self._key(name) for name in ("owner", "contacts", "contact_ages")],
            args=[epoch, self._settings.bound, self._settings.keep, json.dumps(written)],
            timeout=TIMEOUT,
        )
        if outcome == "stale":
            raise StaleEpoch(epoch, int(value) or None)
        return int(value)


def _field(subject: Subject) -> str:
    kind, id_ = subject
    return f"{kind}:{id_}"


def _fact(text: str | None) -> Fact | None:
    if text is None:
        return None
    try:
        return Fact.model_validate_json(text)
    except ValidationError:
        # Written by another version: as good as nothing, it will be asked for again.
        log.warning("what is kept of a contact cannot be read")
        return None
