"""One run from its start to its result."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from bench.figures import spread
from bench.handoff import picture
from bench.handoff.books import Books
from bench.handoff.kills import Killer, plan
from bench.handoff.moves import MOVED, Mover
from bench.handoff.options import Options
from bench.handoff.report import Result
from bench.handoff.scene import SETTLE_PATIENCE
from bench.handoff.traffic import Traffic
from bench.handoff.world import World
from tests.cluster.nodes import LocalCluster

PROGRESS = 15.0

Say = Callable[[str], None]


class Run:
    """One run. ``result`` and ``mover`` are there when it is done."""

    def __init__(self, options: Options, cluster: LocalCluster, directory: Path, say: Say) -> None:
        self.result: Result | None = None
        self._options = options
        self._say = say
        self._world = World(
            cluster,
            directory,
            say,
            instances=options.instances,
            contacts=options.contacts,
            books=Books(),
        )
        self._dice = random.Random(options.seed)
        self.mover = Mover(self._world, self._dice)
        self._killer = Killer(self._world, say)
        self._finished = True
        self._drained: tuple[float, int] | None = None

    async def run(self) -> None:
        """Start everything, let it happen, count, and end everything."""
        try:
            await self._world.start()
            self._world.join()
            await self._measure()
        finally:
            self._say("Ending.")
            await self._world.stop()

    async def _measure(self) -> None:
        options, world = self._options, self._world
        traffic = world.traffic(options.write_interval, options.send_interval)
        began = time.monotonic()
        async with traffic.watching():
            async with traffic.flowing():
                try:
                    async with asyncio.timeout(options.minutes * 60):
                        await (self._kill() if options.kill else self._move())
                except TimeoutError:
                    self._say(f"Not finished within {options.minutes:g} minutes.")
                    self._finished = False
            self._say("Waiting until everything has arrived.")
            settled = await world.settled()
        self.result = await self._count(traffic, time.monotonic() - began)
        if not settled:
            self._say(f"Not everything arrived within {SETTLE_PATIENCE:.0f} s.")
        for errors in (traffic.send_errors, traffic.write_errors, world.books.reordered, self.mover.errors):
            for error in errors[:5]:
                self._say(f"  {error}")
        if options.svg is not None:
            subtitle = (
                f"{options.instances} instances on {options.nodes} nodes, messages flowing in both directions"
            )
            options.svg.write_text(picture.draw(self.mover.moves, subtitle))

    async def _move(self) -> None:
        options, mover = self._options, self.mover
        self._say(f"Moving instances until {options.handoffs} handoffs are done.")
        await self._telling(mover.run(options.handoffs, parallel=options.parallel))
        node = next(iter(self._world.nodes().values()))
        self._say("Gathering all instances on one node, to drain it.")
        await mover.gather_on(node, parallel=options.parallel)
        self._drained = await mover.drain(node)

    async def _kill(self) -> None:
        options = self._options
        self._say(f"Killing {options.kills} times, seed {options.seed}, while instances are moved.")
        planned = plan(options.seed, options.kills, options.kill_interval)
        moving = asyncio.create_task(self.mover.for_ever(parallel=options.parallel))
        killing = asyncio.create_task(self._killer.run(planned))
        try:
            # The moves never end by themselves, unless they fail.
            for done in (await asyncio.wait({moving, killing}, return_when=asyncio.FIRST_COMPLETED))[0]:
                done.result()
        finally:
            for task in (moving, killing):
                task.cancel()
            await asyncio.gather(moving, killing, return_exceptions=True)
        await self._world.connected()

    async def _telling(self, work: Coroutine[Any, Any, None]) -> None:
        """Await some work and say now and then how far it is."""
        task = asyncio.create_task(work)
        try:
            while not (await asyncio.wait({task}, timeout=PROGRESS))[0]:
                books = self._world.books
                self._say(
                    f"  {self.mover.moved} handoffs, {books.inbound.arrived} of {books.inbound.started} "
                    f"messages delivered, {books.outbound.arrived} of {books.outbound.started} arrived."
                )
            task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _count(self, traffic: Traffic, seconds: float) -> Result:
        books, options, mover = self._world.books, self._options, self.mover
        killed = {str(kind): count for kind, count in self._killer.killed.items()}
        by_kill = books.by_kill(self._killer.deaths) if options.kill else []
        blackouts = [move.blackout_ms for move in mover.moves if move.outcome == MOVED]
        return Result(
            handoffs=mover.moved,
            lost=len(books.inbound.missing) + len(books.outbound.missing),
            duplicated=len(books.duplicates) - len(by_kill),
            reordered=len(books.reordered),
            gaps=books.gaps(await self._world.newest()),
            send_errors=len(traffic.send_errors),
            blackout_ms=spread(blackout for blackout in blackouts if blackout is not None),
            drain_s=round(self._drained[0], 2) if self._drained else None,
            drained=self._drained[1] if self._drained else None,
            failed=dict(mover.failed),
            finished=self._finished,
            conflicts=await self._world.conflicts(),
            instances=options.instances,
            nodes=options.nodes,
            connected=await self._world.connected(),
            received=books.inbound.started,
            delivered=books.inbound.arrived,
            sent=books.outbound.started,
            arrived=books.outbound.arrived,
            events=books.deliveries - len(books.duplicates),
            repeated=books.repeated,
            refused=books.refused,
            write_errors=len(traffic.write_errors),
            latency_ms=spread(latency * 1000 for latency in books.latencies),
            seconds=round(seconds, 1),
            seed=options.seed,
            store="postgres" if options.postgres else "sqlite",
            kills=self._killer.killed.total() if options.kill else None,
            killed=killed if options.kill else None,
            duplicated_by_kill=len(by_kill) if options.kill else None,
        )
