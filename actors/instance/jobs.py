"""Work that an event brings: it waits in Redis, put there with the event, finished with events of its own.

Whoever owns the instance finishes it, so that neither a crash nor a handoff loses any of it or does it twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from actors.events import EventDraft, Waiting, WorkList
from actors.instance.mailbox import APPEND, LUA, Mailbox
from actors.store import StaleEpoch


class WaitingJob(BaseModel):
    """Something to do."""

    model_config = ConfigDict(frozen=True)

    attempts: int = 0
    due: float = Field(0.0, description="Not before this, seconds since 1970")

    @property
    def key(self) -> str:
        """Its id among those of its kind."""
        raise NotImplementedError

    @property
    def order(self) -> float:
        """What a predecessor left is begun in this order."""
        return self.due


J = TypeVar("J", bound=WaitingJob)


def waiting(work: WorkList, job: WaitingJob) -> Waiting:
    """The job, to be put down with an event."""
    return Waiting(work=work, key=job.key, job=job.model_dump_json())


class Jobs(Generic[J]):
    """Reads, delays and finishes the jobs of one kind. Every write needs the epoch."""

    def __init__(self, mailbox: Mailbox, epoch: int, work: WorkList, kind: type[J]) -> None:
        self._mailbox = mailbox
        self._store = mailbox.store
        self._key = mailbox.key(work)
        self._epoch = epoch
        self._kind = kind

    async def all(self) -> list[J]:
        """Every job that waits. What another version wrote and this one cannot read is left alone.

        Raises:
            StoreUnavailable
        """
        redis = self._store.redis
        found = await self._store.run(lambda: redis.hgetall(self._key), timeout=10)
        return [job for record in found.values() if (job := self.read(record)) is not None]

    def read(self, record: str) -> J | None:
        """A job as it was written down, None if that cannot be read."""
        try:
            return self._kind.model_validate_json(record)
        except ValidationError:
            return None

    async def delay(self, job: J) -> None:
        """Remember an attempt, and when the next one is due.

        Raises:
            StaleEpoch, StoreUnavailable
        """
        await self._write("work_delay.lua", job)

    async def add(self, job: J) -> None:
        """Let a job wait that no event brought. Again is harmless.

        Raises:
            StaleEpoch, StoreUnavailable
        """
        await self._write("work_add.lua", job)

    async def _write(self, script: str, job: J) -> None:
        current = await self._store.script(
            LUA / script,
            keys=[self._mailbox.key("owner"), self._key],
            args=[self._epoch, job.key, job.model_dump_json()],
        )
        if int(current) != self._epoch:
            raise StaleEpoch(self._epoch, int(current) or None)

    async def finish(
        self,
        job: J,
        draft: EventDraft,
        *,
        rest: J | None = None,
        aliases: Mapping[str, str] | None = None,
        force: bool = True,
    ) -> bool:
        """Append an event of what became of a job, in one step with its end, or with what is left of it.

        Args:
            rest: the job as it waits from now on.
            aliases: identities of chats that became known with this event, to the stable chat id.
            force: append it also above the mailbox's hard bound.

        Returns:
            False if the job had been finished before; then nothing is appended.

        Raises:
            StaleEpoch, StoreUnavailable
            MailboxFull: only without ``force``.
        """
        head = self._mailbox.append_args(self._epoch, draft, force=force)
        outcome, value = await self._store.script(
            APPEND,
            LUA / "work_finish.lua",
            keys=[*self._mailbox.append_keys(), self._key],
            args=[
                *head,
                json.dumps(dict(aliases or {})),
                job.key,
                rest.model_dump_json() if rest is not None else "",
            ],
            timeout=self._mailbox.settings.append_timeout,
        )
        if outcome == "missing":
            return False
        self._mailbox.appended(self._epoch, outcome, value, draft, head)
        return True
