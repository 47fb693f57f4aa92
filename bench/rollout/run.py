"""One run from its start to its result."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bench.figures import spread
from bench.handoff.scene import SETTLE_PATIENCE
from bench.handoff.traffic import Traffic
from bench.rollout.options import Options, Stage
from bench.rollout.report import Result
from bench.rollout.stages import Stages
from bench.rollout.world import World

MOVED = "moved"
CALM = 5.0
"""Seconds of traffic before each stage, and after the last one."""


class Run:
    """One run. ``result`` is there when it is done."""

    def __init__(self, options: Options, directory: Path, say: Callable[[str], None]) -> None:
        self.result: Result | None = None
        self._options = options
        self._say = say
        self._world = World(options, directory, say)
        self._stages = Stages(options, self._world, directory, say)
        self._stages_s: dict[str, float] = {}

    async def run(self) -> None:
        """Start everything, let it happen, count, and end everything."""
        try:
            await self._world.start()
            await self._stages.up()
            await self._measure()
        finally:
            self._say("Ending.")
            await self._world.stop()

    async def _measure(self) -> None:
        options, world, stages = self._options, self._world, self._stages
        traffic = world.traffic(options.write_interval, options.send_interval)
        began = time.monotonic()
        async with traffic.watching():
            async with traffic.flowing():
                for stage in options.stages:
                    await asyncio.sleep(CALM)
                    start = time.monotonic()
                    await self._play(stage, traffic)
                    self._stages_s[stage] = round(time.monotonic() - start, 1)
                await stages.ending()
            self._say("Waiting until everything has arrived.")
            if not await world.settled():
                stages.problems.append(f"not everything arrived within {SETTLE_PATIENCE:.0f} s")
        self.result = await self._count(traffic, time.monotonic() - began)
        for errors in (traffic.send_errors, traffic.write_errors, world.books.reordered, stages.problems):
            for error in errors[:5]:
                self._say(f"  {error}")

    async def _play(self, stage: Stage, traffic: Traffic) -> None:
        match stage:
            case Stage.ROLLOUT:
                await self._stages.rollout()
            case Stage.NODES:
                await self._stages.nodes()
            case Stage.HEAD:
                await self._stages.head(traffic)

    async def _count(self, traffic: Traffic, seconds: float) -> Result:
        books, options, stages, world = self._world.books, self._options, self._stages, self._world
        handoffs = await world.handoffs()
        ended = Counter(str(handoff["outcome"]) for handoff in handoffs if handoff["outcome"])
        moved = ended.pop(MOVED, 0)
        by_kill = books.by_kill(stages.deaths)
        return Result(
            lost=len(books.inbound.missing) + len(books.outbound.missing),
            duplicated=len(books.duplicates) - len(by_kill),
            reordered=len(books.reordered),
            gaps=books.gaps(await world.newest()),
            rollout_s=stages.rollout_s,
            blackout_ms=spread(
                handoff["blackout_ms"]
                for handoff in handoffs
                if handoff["outcome"] == MOVED and handoff["blackout_ms"] is not None
            ),
            connections_survived=stages.absence.survived if stages.absence else None,
            up_s=round(stages.up_s, 1),
            paired_s=round(stages.paired_s, 1),
            stages_s=self._stages_s,
            rolled=stages.rolled,
            handoffs=moved,
            failed=dict(ended),
            drains=stages.drains,
            head=stages.absence,
            send_errors=len(traffic.send_errors),
            write_errors=len(traffic.write_errors),
            conflicts=await world.conflicts(),
            refused=books.refused,
            duplicated_by_kill=len(by_kill),
            instances=options.instances,
            workers=options.workers,
            connected=await world.connected(),
            received=books.inbound.started,
            delivered=books.inbound.arrived,
            sent=books.outbound.started,
            arrived=books.outbound.arrived,
            latency_ms=spread(latency * 1000 for latency in books.latencies),
            seconds=round(seconds, 1),
            problems=stages.problems,
        )
