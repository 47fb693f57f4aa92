"""Keeps the couriers alive, one keeper each, on nodes that are not to be emptied."""

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
        self._living: dict[int, Worker] = {}
        self._leaving: dict[int, asyncio.Task[None]] = {}
        self._versions: dict[int, str] = {}
        """Of the code of those that work."""
        self._absent: dict[int, tuple[int, str]] = {}
        """How often in a row each did not come up, and why the last time."""

    def keep(self) -> None:
        """Keep every courier alive from now on."""
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(self._count)]

    async def let_go(self) -> None:
        """Keep them no longer, and leave them as they are."""
        tasks = [*self._keepers, *self._leaving.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def drain(self) -> None:
        """End every courier, its open attempts finished."""
        for number in range(self._count):
            with suppress(Ended):
                await (await self._courier(number)).drain()

    def leave(self, nodes: Collection[str]) -> None:
        """Have the couriers of these nodes, which are to be emptied, made anew elsewhere."""
        for number, worker in self._living.items():
            if self._homes[number] in nodes and number not in self._leaving:
                # A task of its own: an attempt may take long to end.
                self._leaving[number] = asyncio.create_task(self._leave(number, worker))

    def renew(self, number: int) -> None:
        """Have one made anew, by this supervisor, wherever it fits."""
        if (worker := self._living.get(number)) is not None and number not in self._leaving:
            self._leaving[number] = asyncio.create_task(self._leave(number, worker))

    def versions(self) -> dict[int, str | None]:
        """Version of the code of each courier; None while it does not work, or is about to end."""
        return {
            number: None if number in self._leaving else self._versions.get(number)
            for number in range(self._count)
        }

    def trouble(self) -> str:
        """Why one does not come up although it was tried again and again; empty if all do."""
        return next((why for times, why in self._absent.values() if times >= PATIENCE), "")

    async def _leave(self, number: int, worker: Worker) -> None:
        try:
            # Its keeper makes another one.
            with suppress(Ended):
                await worker.drain()
        finally:
            del self._leaving[number]

    def on(self, node: str) -> int:
        """How many live there, or are about to."""
        return Counter(self._homes.values())[node]

    async def _keep(self, number: int) -> None:
        failures, failed = 0, ""
        while True:
            try:
                worker = await self._courier(number, failed)
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
            failed = "" if worked else home
            if worked is None:
                self._absent[number] = (self._absent.get(number, (0, ""))[0] + 1, reason)
            failures += 1
            log.warning("courier ended", extra={"courier": number, "reason": reason})
            await asyncio.sleep(min(5.0, 0.1 * 2 ** min(failures, 6)))

    async def _courier(self, number: int, failed: str = "") -> Worker:
        """The living courier, or a new one.

        Args:
            failed: the node where it did not come up the last time.
        """
        nodes = await self._places()
        # No wait between the choice and the note of it: two that start at once choose different nodes.
        others = Counter(home for other, home in self._homes.items() if other != number)
        self._homes[number] = placement.choose_for_courier(nodes, others, avoided=failed)
        return await self._cluster.courier(number, self._homes[number])


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
