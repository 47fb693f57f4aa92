"""What delivers: a courier as its actor runs it, and the plain loop that it is compared with."""

from __future__ import annotations

import asyncio
import cProfile
import io
import pstats
import time
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

import aiohttp

from actors.courier import garbage
from actors.courier.courier import Courier
from actors.instance.mailbox import Mailbox
from actors.settings import Settings
from actors.store import Store

SAMPLE = 0.05
PAGE = 500
TOP = 45

Post = tuple[str, bytes, dict[str, str]]


class Load(NamedTuple):
    """What a process needed.

    Args:
        cpu: seconds of the processor.
        most_open: attempts that were open, or not written down yet, at a time, at most.
    """

    cpu: float
    most_open: int


class CourierHost:
    """A service for a process of its own: one courier after another, on a clock that can be moved on."""

    def __init__(self, settings: Settings) -> None:
        garbage.rarely()  # as the actor's process does
        self._settings = settings
        self._ahead = 0.0
        self._courier: Courier | None = None
        self._store: Store | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._most_open = 0
        self._cpu = 0.0
        self._profile: cProfile.Profile | None = None

    async def start(self, prefix: str, *, profiled: bool = False) -> None:
        """Begin to deliver what is under a prefix of keys."""
        self._store = Store(self._settings.redis_url or "", prefix)
        self._courier = Courier(self._store, self._settings, 0, (0,), clock=lambda: time.time() + self._ahead)
        self._most_open, self._cpu = 0, time.process_time()
        if profiled:
            self._profile = cProfile.Profile()
            self._profile.enable()
        self._tasks = [asyncio.create_task(self._courier.run()), asyncio.create_task(self._sample())]

    async def start_profiled(self, prefix: str) -> None:
        """The same under the profiler, which makes it slower."""
        await self.start(prefix, profiled=True)

    async def stop(self) -> Load:
        """Deliver no more."""
        load = Load(time.process_time() - self._cpu, self._most_open)
        if self._profile is not None:
            self._profile.disable()
        if self._courier is not None:
            self._courier.drain()
            running, sampling = self._tasks
            await running
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
            self._courier = None
        if self._store is not None:
            await self._store.close()
            self._store = None
        return load

    async def profile(self) -> str:
        """Where the time went while it was profiled: by function with what it called, and without."""
        assert self._profile is not None
        text = io.StringIO()
        stats = pstats.Stats(self._profile, stream=text).strip_dirs()
        stats.sort_stats("cumulative").print_stats(TOP)
        stats.sort_stats("tottime").print_stats(TOP)
        return text.getvalue()

    async def move_clock(self, seconds: float) -> None:
        """Let so much time have passed, as far as the courier knows. Its lines see it at the next ring."""
        self._ahead += seconds

    async def open_attempts(self) -> int:
        """Attempts that are open or not written down."""
        assert self._courier is not None
        return int(self._courier.describe()["open_attempts"])

    async def close(self) -> None:
        """End it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._store is not None:
            await self._store.close()

    async def _sample(self) -> None:
        while True:
            self._most_open = max(self._most_open, await self.open_attempts())
            await asyncio.sleep(SAMPLE)


class Plain:
    """A service for a process of its own: an aiohttp client that posts what it holds, and keeps no books."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._posts: list[Post] = []

    async def load(self, prefix: str, urls: dict[str, str]) -> int:
        """Read what is to be posted, the same bodies as the courier's, of all instances by turns."""
        store = Store(self._settings.redis_url or "", prefix)
        try:
            queues = [
                await self._read(Mailbox(store, name, self._settings.mailbox), urls[name]) for name in urls
            ]
        finally:
            await store.close()
        self._posts = list(_by_turns(queues))
        return len(self._posts)

    async def run(self, together: int) -> Load:
        """Post everything, so many requests at a time."""
        rest = iter(self._posts)
        cpu = time.process_time()

        async def work(client: aiohttp.ClientSession) -> None:
            for url, body, headers in rest:
                async with client.post(url, data=body, headers=headers) as response:
                    await response.read()
                    assert response.status == 204

        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:
            await asyncio.gather(*(work(client) for _ in range(together)))
        return Load(time.process_time() - cpu, together)

    async def close(self) -> None:
        """Nothing is open."""

    async def _read(self, mailbox: Mailbox, url: str) -> list[Post]:
        posts: list[Post] = []
        while events := await mailbox.read(after=len(posts), limit=PAGE):
            for event in events:
                headers = {
                    "content-type": "application/json",
                    "webhook-id": event.id,
                    "malote-instance": event.instance_id,
                    "malote-seq": str(event.seq),
                    "malote-attempt": "1",
                }
                posts.append((url, event.model_dump_json().encode(), headers))
        return posts


def _by_turns(queues: Sequence[Sequence[Post]]) -> Iterator[Post]:
    for row in zip_longest(*queues):
        yield from (post for post in row if post is not None)
