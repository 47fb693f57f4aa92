"""Keeps the couriers alive, one keeper each, on nodes that are not to be emptied.

A courier that has to move, or to run other code, gets a successor that is there before it stops: what it was
to deliver waits for no process that has to start, and for no attempt but its own endpoint's.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress

from actors.supervisor import placement
from actors.supervisor.workers import Cluster, Ended, Worker

log = logging.getLogger(__name__)

PATIENCE = 3
"""Times in a row that a courier may fail to come up before that counts as trouble."""

LOOK = 10.0
"""Seconds between two looks at whether a courier answers."""

MISSED = 3
"""Looks in a row that it does not answer before it counts as hung."""

Places = Callable[[], Awaitable[Collection[placement.Node]]]


class Couriers:
    """The couriers, numbered from 0.

    Args:
        places: the living nodes, and which of them are to be emptied.
    """

    def __init__(self, cluster: Cluster, count: int, places: Places) -> None:
        self._cluster = cluster
        self._count = count
        self._places = places
        self._keepers: list[asyncio.Task[None]] = []
        self._homes: dict[int, str] = {}
        """Where each lives, or is about to."""
        self._next_homes: dict[int, str] = {}
        """Where the successors of those live that are about to end."""
        self._living: dict[int, Worker] = {}
        self._leaving: dict[int, asyncio.Task[None]] = {}
        """Those that are replaced."""
        self._ending: set[asyncio.Task[None]] = set()
        """Ends of what an earlier supervisor left behind."""
        self._versions: dict[int, str] = {}
        """Of the code of those that work."""
        self._absent: dict[int, tuple[int, str, str]] = {}
        """How often in a row each did not come up, why the last time, and on which node."""

    def keep(self) -> None:
        """Keep every courier alive from now on."""
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(self._count)]

    async def let_go(self) -> None:
        """Keep them no longer, and leave them as they are."""
        tasks = [*self._keepers, *self._leaving.values(), *self._ending]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def drain(self) -> None:
        """End every courier, its open attempts finished."""
        for number in range(self._count):
            for worker in await self._cluster.find_couriers(number):
                with suppress(Ended):
                    await worker.drain()

    def leave(self, nodes: Collection[str]) -> None:
        """Have the couriers of these nodes, which are to be emptied, replaced elsewhere."""
        for number in self._living:
            if self._homes[number] in nodes:
                self.renew(number)

    def renew(self, number: int) -> None:
        """Have one replaced by one that this supervisor makes, wherever it fits."""
        if (worker := self._living.get(number)) is not None and number not in self._leaving:
            # A task of its own: an attempt may take long to end.
            self._leaving[number] = asyncio.create_task(self._replace(number, worker))

    def versions(self) -> dict[int, str | None]:
        """Version of the code of each courier; None while it does not work, or is about to end."""
        return {
            number: None if number in self._leaving else self._versions.get(number)
            for number in range(self._count)
        }

    def trouble(self) -> str:
        """Why one does not come up although it was tried again and again; empty if all do."""
        return next((why for times, why, _ in self._absent.values() if times >= PATIENCE), "")

    def on(self, node: str) -> int:
        """How many live there, or are about to."""
        return Counter([*self._homes.values(), *self._next_homes.values()])[node]

    # ---- one courier ----

    async def _keep(self, number: int) -> None:
        failures = 0
        while True:
            try:
                worker = await self._courier(number)
                await worker.start()
                self._homes[number] = await worker.where()
                self._versions[number] = await worker.version()
                self._living[number] = worker
                self._absent.pop(number, None)
                failures = 0
                reason = await _watch(worker)
            except Ended as error:
                reason = str(error)
            except Exception as error:
                log.exception("keeper failed", extra={"courier": number})
                reason = str(error)
            home, worked = self._homes.pop(number, ""), self._living.pop(number, None)
            self._versions.pop(number, None)
            log.warning("courier ended", extra={"courier": number, "reason": reason})
            if number in self._leaving:
                # Its successor works already.
                await asyncio.wait([self._leaving[number]])
                continue
            if worked is None:
                self._missed(number, reason, home)
            failures += 1
            await asyncio.sleep(min(5.0, 0.1 * 2 ** min(failures, 6)))

    async def _courier(self, number: int) -> Worker:
        """The one that works, or a new one."""
        found: Worker | None = None
        for worker in await self._cluster.find_couriers(number):
            with suppress(Ended):
                if found is None and await worker.working():
                    found = worker
                    continue
            # Not for long: it ends, or a supervisor died before it could start it.
            ending = asyncio.create_task(self._end(worker))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        if found is not None:
            return found
        self._homes[number] = await self._choose(number)
        return await self._cluster.create_courier(number, self._homes[number])

    async def _end(self, worker: Worker) -> None:
        with suppress(Ended):
            await worker.drain()

    async def _replace(self, number: int, worker: Worker) -> None:
        home = ""
        try:
            home = self._next_homes[number] = await self._choose(number)
            successor = await self._cluster.create_courier(number, home)
            try:
                await worker.make_way()
            except Ended as error:
                # Whatever it still has open, it must not be beside a successor that does not know of it.
                log.warning("courier does not make way", extra={"courier": number, "reason": str(error)})
                await self._end(worker)
            await successor.start()
            self._absent.pop(number, None)
            await self._end(worker)
        except Ended as error:
            # The old one goes on, if it can: this is tried again as long as it has to leave.
            self._missed(number, str(error), home)
        except Exception as error:
            log.exception("courier not replaced", extra={"courier": number})
            self._missed(number, str(error), home)
        finally:
            self._next_homes.pop(number, None)
            del self._leaving[number]

    async def _choose(self, number: int) -> str:
        nodes = await self._places()
        # No wait between the choice and the note of it: two that start at once choose different nodes.
        homes = (*self._homes.items(), *self._next_homes.items())
        others = Counter(home for other, home in homes if other != number)
        _, _, avoided = self._absent.get(number, (0, "", ""))
        return placement.choose_for_courier(nodes, others, avoided=avoided)

    def _missed(self, number: int, why: str, home: str) -> None:
        times, *_ = self._absent.get(number, (0,))
        self._absent[number] = (times + 1, why, home)
        log.warning("courier did not come up", extra={"courier": number, "node": home, "reason": why})


async def _watch(worker: Worker) -> str:
    """Wait for its end. One that is frozen, or hangs, is ended: Ray does not notice that."""
    end, hung = asyncio.create_task(worker.watch()), asyncio.create_task(_hung(worker))
    try:
        await asyncio.wait([end, hung], return_when=asyncio.FIRST_COMPLETED)
        if end.done():
            return end.result()
        await worker.kill()
        return "it lives, and does not answer"
    finally:
        end.cancel()
        hung.cancel()
        await asyncio.gather(end, hung, return_exceptions=True)


async def _hung(worker: Worker) -> None:
    """Pend until it has not answered for long."""
    missed = 0
    while missed < MISSED:
        await asyncio.sleep(LOOK)
        try:
            await worker.where()
            missed = 0
        except Ended as error:
            missed += 1
            log.warning("a courier does not answer", extra={"reason": str(error)})
