"""Jobs that wait, done beside the events."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from actors.instance.jobs import WaitingJob
from actors.instance.work import Work
from tests.wait import until


class Named(WaitingJob):
    name: str

    @property
    def key(self) -> str:
        return self.name


class Nothing:
    """There is nothing in Redis."""

    async def all(self) -> list[Named]:
        return []


async def test_a_pause_while_offline_lasts_when_the_connection_is_back() -> None:
    online, done = asyncio.Event(), list[str]()

    async def attempt(job: Named) -> None:
        done.append(job.name)
        work.finished(job)

    work: Work[Named] = Work(
        instance_id="ins_1", jobs=cast("Any", Nothing()), online=online, attempt=attempt, concurrency=1
    )
    running = asyncio.create_task(work.run())
    try:
        work.add(Named(name="a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        await work.pause()
        online.set()
        await asyncio.sleep(0.05)
        assert done == [], "left to a successor"
        work.resume()
        await until(lambda: done == ["a"], what="the job")
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
