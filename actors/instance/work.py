"""Does the jobs that wait, beside the events: some at a time, each when it is due, until it is finished."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Generic

from actors.instance.jobs import J, Jobs
from actors.rate import Bucket
from actors.store import StoreUnavailable

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds before a job is tried again whose attempt the end of a connection cut short, or Redis."""

LONGEST = 3600.0


class Work(Generic[J]):
    """What waits is known here and in Redis: only this owner adds to it, with events.

    Args:
        online: set while the connection stands; nothing begins without it.
        attempt: does a job: ends it with `finished`, or puts it off with `again`. Cancelled by `pause`.
        concurrency: jobs at a time.
        rate: jobs per second that are begun; None for no bound.
    """

    def __init__(
        self,
        *,
        instance_id: str,
        jobs: Jobs[J],
        online: asyncio.Event,
        attempt: Callable[[J], Awaitable[None]],
        concurrency: int,
        rate: float | None = None,
    ) -> None:
        self._instance_id = instance_id
        self._store = jobs
        self._online = online
        self._attempt = attempt
        self._concurrency = concurrency
        self._jobs: dict[str, J] = {}
        self._due: list[tuple[float, int, str]] = []
        self._count = 0
        self._news = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()
        self._open: set[asyncio.Task[None]] = set()
        self._pace = Bucket(rate, concurrency, time.monotonic()) if rate else None

    def __len__(self) -> int:
        return len(self._jobs)

    def ids(self) -> set[str]:
        """Of the jobs that wait, or are being done."""
        return set(self._jobs)

    def add(self, job: J) -> None:
        """It waits from now on: its event is appended. Again is harmless."""
        if job.key not in self._jobs:
            self._queue(job)

    def note(self, job: J) -> None:
        """A job that is being done has come this far."""
        self._jobs[job.key] = job

    def again(self, job: J, pause: float = PAUSE) -> None:
        """Do it once more, after so many seconds."""
        self._queue(job.model_copy(update={"due": time.time() + pause}))

    def finished(self, job: J) -> None:
        """It waits no longer."""
        self._jobs.pop(job.key, None)

    async def pause(self) -> None:
        """Begin nothing, and leave what is being done to a successor, or to `resume`."""
        self._going.clear()
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._going.set()

    async def run(self) -> None:
        """Work for ever.

        Raises:
            StaleEpoch: the instance has another owner.
        """
        for job in sorted(await self._recover(), key=lambda job: job.order):
            self.add(job)
        workers = [asyncio.create_task(self._work()) for _ in range(self._concurrency)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _recover(self) -> Sequence[J]:
        while True:
            try:
                return await self._store.all()
            except StoreUnavailable as error:
                log.warning("waiting for Redis", extra={"instance": self._instance_id, "error": str(error)})
                await asyncio.sleep(PAUSE)

    def _queue(self, job: J) -> None:
        self._jobs[job.key] = job
        self._count += 1
        heapq.heappush(self._due, (job.due, self._count, job.key))
        self._news.set()

    async def _work(self) -> None:
        while True:
            job = await self._next()
            task: asyncio.Task[None] = asyncio.create_task(self._do(job))
            self._open.add(task)
            try:
                await asyncio.wait({task})
            finally:
                task.cancel()
                self._open.discard(task)
            if not task.cancelled():
                task.result()
            elif job.key in self._jobs:
                self._queue(self._jobs[job.key])

    async def _do(self, job: J) -> None:
        await self._attempt(job)

    async def _next(self) -> J:
        while True:
            await self._going.wait()
            await self._online.wait()
            if not self._going.is_set():
                # Paused meanwhile.
                continue
            self._news.clear()
            left = self._due[0][0] - time.time() if self._due else LONGEST
            if left > 0:
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, LONGEST)):
                        await self._news.wait()
                continue
            pause = self._pace.take(time.monotonic()) if self._pace else 0.0
            if pause:
                await asyncio.sleep(pause)
                continue
            return self._jobs[heapq.heappop(self._due)[2]]
