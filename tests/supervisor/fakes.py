"""A cluster in memory: actors are tasks that the test ends at will. Redis stays real."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from actors.registry import InstanceRecord, Owner, Registry
from actors.store import Store
from actors.supervisor.supervisor import Ended, Worker


@dataclass
class MemoryWorker:
    """One actor. ``end`` holds how it ended; while unset it lives."""

    name: str
    records: list[InstanceRecord] = field(default_factory=list)
    started: int = 0
    drained: bool = False
    end: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def alive(self) -> bool:
        return not self.end.done()

    def die(self) -> None:
        self.end.set_exception(Ended("killed"))

    def _living(self) -> None:
        if not self.alive:
            raise Ended("gone")

    async def start(self) -> None:
        self._living()
        self.started += 1

    async def watch(self) -> str:
        return await asyncio.shield(self.end)

    async def drain(self) -> None:
        if self.alive:
            self.drained = True
            self.end.set_result("drained")

    async def configure(self, record: InstanceRecord) -> None:
        self._living()
        self.records.append(record)


class MemoryCluster:
    """Actors by name. ``trusted`` says which nodes' word counts; ``broken`` makes creations fail."""

    def __init__(self, store: Store) -> None:
        self.registry = Registry(store)
        self.instances: dict[str, MemoryWorker] = {}
        self.couriers: dict[int, MemoryWorker] = {}
        self.created: list[tuple[str, int]] = []
        self.forgotten: list[str] = []
        self.trusted = {"node-1"}
        self.broken = 0

    async def place(self) -> str:
        return "node-1"

    async def find_instance(self, owner: Owner) -> Worker | None:
        worker = self.instances.get(owner.actor)
        return worker if worker is not None and worker.alive else None

    async def create_instance(self, record: InstanceRecord, epoch: int, node: str) -> Worker:
        self.created.append((record.id, epoch))
        if self.broken:
            self.broken -= 1
            raise Ended("did not come up")
        worker = MemoryWorker(f"instance:{record.id}:{epoch}")
        self.instances[worker.name] = worker
        await self.registry.renew(record.id, epoch, 30.0, timeout=5)
        return worker

    async def trusts(self, node: str) -> bool:
        return node in self.trusted

    async def courier(self, number: int) -> Worker:
        worker = self.couriers.get(number)
        if worker is None or not worker.alive:
            worker = self.couriers[number] = MemoryWorker(f"courier:{number}")
        return worker

    async def forget(self, instance_id: str) -> None:
        self.forgotten.append(instance_id)

    def living(self, instance_id: str) -> list[MemoryWorker]:
        return [
            worker
            for name, worker in self.instances.items()
            if worker.alive and name.startswith(f"instance:{instance_id}:")
        ]
