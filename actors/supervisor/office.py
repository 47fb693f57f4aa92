"""Which supervisor is to lead: a record in Redis, and the roll-out that may change it.

There is one supervisor, but for a roll-out: then the new version's is appointed, and the old one's stands by,
to lead again if it has to. This record only says who is to lead. That no two do is the leader's number, as
ever (`Registry.lead`): who is appointed takes a greater one than all before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from actors.store import Store
from actors.supervisor.rollout_record import Phase, Rollout

WRITE = Path(__file__).parents[1] / "lua" / "office_write.lua"


class Office(BaseModel):
    """Who is to lead, and the latest roll-out."""

    model_config = ConfigDict(frozen=True)

    appointed: str
    """Version whose supervisor is to lead."""

    standby: str | None = None
    """Version whose supervisor stands by."""

    term: int = 1
    """Grows with every appointment."""

    rollout: Rollout | None = None
    revision: int = 0

    @property
    def rolling(self) -> Rollout | None:
        """The roll-out that goes on, if one does."""
        return self.rollout if self.rollout is not None and not self.rollout.ended else None

    def appoint(self, version: str) -> Office:
        """The same, led by a supervisor that is the only one."""
        rollout = self.rollout
        if rollout is not None and not rollout.ended:
            rollout = rollout.over(Phase.LOST, time.time())
        return self.model_copy(
            update={"appointed": version, "standby": None, "term": self.term + 1, "rollout": rollout}
        )

    def begin(self, rollout: Rollout) -> Office:
        """The same, led by the new version's supervisor, while the old one's stands by."""
        assert rollout.old == self.appointed
        return self.model_copy(
            update={
                "appointed": rollout.new,
                "standby": rollout.old,
                "term": self.term + 1,
                "rollout": rollout,
            }
        )

    def follow(self, rollout: Rollout) -> Office:
        """The same with a roll-out that went on: if it was turned round, or has ended, others lead."""
        changed = self.model_copy(update={"rollout": rollout})
        if rollout.ended:
            return changed.model_copy(update={"standby": None})
        if rollout.goal != self.appointed:
            other = rollout.new if rollout.goal == rollout.old else rollout.old
            return changed.model_copy(
                update={"appointed": rollout.goal, "standby": other, "term": self.term + 1}
            )
        return changed


class Conflict(Exception):
    """Somebody else changed the record in between: read it again."""


class Offices:
    """The record in Redis."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = store.keys.shared("office")

    async def read(self) -> Office | None:
        """Who is to lead; None if no supervisor ever did.

        Raises:
            StoreUnavailable
        """
        redis = self._store.redis
        raw = await self._store.run(lambda: redis.get(self._key), timeout=5)
        return Office.model_validate_json(raw) if raw else None

    async def write(self, office: Office) -> Office:
        """Replace the record that was read at ``office.revision`` (0: none was there).

        Raises:
            Conflict, StoreUnavailable
        """
        changed = office.model_copy(update={"revision": office.revision + 1})
        answer = await self._store.script(
            WRITE, keys=[self._key], args=[office.revision, changed.model_dump_json()]
        )
        if answer != "ok":
            raise Conflict
        return changed

    async def change(self, make: Callable[[Office | None], Office]) -> Office:
        """Replace the record by what is made of it; ``make`` is called again if it was changed meanwhile.

        Raises:
            StoreUnavailable, and what ``make`` raises
        """
        while True:
            found = await self.read()
            made = make(found)
            if made == found:
                return made
            try:
                return await self.write(made)
            except Conflict:
                continue

    async def beat(self, version: str, seconds: float) -> None:
        """Say that this version's supervisor leads, and works."""
        redis, key = self._store.redis, self._store.keys.shared("beat")
        await self._store.run(lambda: redis.set(key, version, px=int(seconds * 1000)), timeout=5)

    async def beats(self, version: str) -> bool:
        """True if this version's supervisor said so not long ago."""
        redis, key = self._store.redis, self._store.keys.shared("beat")
        return bool(await self._store.run(lambda: redis.get(key), timeout=5) == version)
