"""Writes down what events teach of contacts, behind the events' backs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from actors.instance.contacts.agenda import Subject
from actors.instance.contacts.cache import ContactCache
from actors.instance.contacts.facts import Fact
from actors.instance.contacts.lessons import Lesson
from actors.store import StoreUnavailable

log = logging.getLogger(__name__)

BOUND = 2_000
"""Lessons kept while Redis is away. Beyond that the oldest goes: what is kept grows old by itself."""
AGAIN = 1.0


class Notes:
    """What was learned and is not written yet.

    Args:
        clock: seconds since 1970.
    """

    def __init__(self, cache: ContactCache, epoch: int, clock: Callable[[], float]) -> None:
        self._cache = cache
        self._epoch = epoch
        self._clock = clock
        self._lessons: dict[Subject, Lesson] = {}
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()
        self.lost = 0
        """Lessons that had to make room, since the beginning."""

    def add(self, lesson: Lesson) -> None:
        """Take note, without waiting."""
        subject = (lesson.kind, lesson.id)
        before = self._lessons.pop(subject, None)
        if before is not None and before.data is not None and lesson.data is not None and lesson.amend:
            lesson = Lesson(lesson.kind, lesson.id, {**before.data, **lesson.data}, before.amend)
        self._lessons[subject] = lesson
        if len(self._lessons) > BOUND:
            del self._lessons[next(iter(self._lessons))]
            self.lost += 1
        self._news.set()

    async def write(self) -> None:
        """Write everything that was learned until now.

        Raises:
            StaleEpoch, StoreUnavailable: nothing is forgotten by that.
        """
        async with self._writing:
            taken = dict(self._lessons)
            if not taken:
                return
            parts = [subject for subject, lesson in taken.items() if lesson.amend]
            known = dict(zip(parts, await self._cache.read(parts), strict=True))
            facts = {subject: self._fact(lesson, known.get(subject)) for subject, lesson in taken.items()}
            await self._cache.keep(self._epoch, facts)
            for subject, lesson in taken.items():
                if self._lessons.get(subject) is lesson:
                    del self._lessons[subject]

    def _fact(self, lesson: Lesson, before: Fact | None) -> Fact | None:
        if lesson.data is None:
            return None
        if not lesson.amend:
            return Fact(data=dict(lesson.data), at=self._clock())
        if before is None or before.data is None:
            return None
        # What was not told of is as old as it was.
        return Fact(data={**before.data, **lesson.data}, at=before.at)

    async def run(self) -> None:
        """Write what is learned, until cancelled.

        Raises:
            StaleEpoch: the instance has another owner.
        """
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self.write()
            except StoreUnavailable as error:
                log.info("what was learned of contacts waits", extra={"error": str(error)})
                self._news.set()
            # Not for every message of a storm.
            await asyncio.sleep(AGAIN)
