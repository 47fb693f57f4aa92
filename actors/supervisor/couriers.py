"""Keeps the couriers alive, one keeper each."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from contextlib import suppress

from actors.supervisor.workers import Cluster, Ended, Worker

log = logging.getLogger(__name__)


class Couriers:
    """The couriers, numbered from 0."""

    def __init__(self, cluster: Cluster, count: int) -> None:
        self._cluster = cluster
        self._count = count
        self._keepers: list[asyncio.Task[None]] = []
        self._living: dict[int, tuple[str, Worker]] = {}

    def keep(self) -> None:
        """Keep every courier alive from now on."""
        self._keepers = [asyncio.create_task(self._keep(number)) for number in range(self._count)]

    async def let_go(self) -> None:
        """Keep them no longer, and leave them as they are."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def drain(self) -> None:
        """End every courier, its open attempts finished."""
        for number in range(self._count):
            with suppress(Ended):
                await (await self._cluster.courier(number)).drain()

    async def leave(self, nodes: Collection[str]) -> None:
        """Have the couriers of these nodes, which Ray drains, made anew elsewhere."""
        for node, courier in list(self._living.values()):
            if node in nodes:
                # Its keeper makes another one, which Ray does not put on a node that it drains.
                with suppress(Ended):
                    await courier.drain()

    def on(self, node: str) -> bool:
        """True if a courier lives there."""
        return any(home == node for home, _ in self._living.values())

    async def _keep(self, number: int) -> None:
        failures = 0
        while True:
            try:
                worker = await self._cluster.courier(number)
                await worker.start()
                self._living[number] = (await worker.where(), worker)
                failures = 0
                reason = await worker.watch()
            except Ended as error:
                reason = str(error)
            except Exception as error:
                log.exception("keeper failed", extra={"courier": number})
                reason = str(error)
            self._living.pop(number, None)
            failures += 1
            log.warning("courier ended", extra={"courier": number, "reason": reason})
            await asyncio.sleep(min(5.0, 0.1 * 2 ** min(failures, 6)))
