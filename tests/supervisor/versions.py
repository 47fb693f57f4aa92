"""Supervisors of several versions of the code over one cluster in memory."""

from __future__ import annotations

from typing import Any

from actors.registry import ConnectionState as State
from actors.registry import InstanceRecord, InstanceState, now
from actors.supervisor.workers import Ended, Worker
from tests.supervisor.fakes import MemoryCluster, MemoryWorker


class Telling(MemoryWorker):
    """An actor that writes its state, as an instance does."""

    async def _connect(self) -> None:
        await super()._connect()
        if self.instance_id:
            state = State.CONNECTED if self.connected else State.CONNECTING
            told = InstanceState(connection=state, since=now(), device="d", epoch=self.epoch)
            await self.cluster.registry.write_state(self.instance_id, self.epoch, told)


class Version:
    """The cluster as a supervisor of this version sees it: what it makes has its code, and its faults.

    Args:
        broken: calls that its instances refuse.
    """

    def __init__(self, cluster: MemoryCluster, code: str, *, broken: frozenset[str] = frozenset()) -> None:
        self._cluster = cluster
        self._code = code
        self.broken = broken
        self.deaf: frozenset[str] = frozenset()
        self.broken_couriers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)

    async def create_instance(self, record: InstanceRecord, epoch: int, *, node: str, name: str) -> Worker:
        await self._cluster.create_instance(record, epoch, node=node, name=name)
        worker = Telling(
            name,
            node,
            epoch,
            self._cluster,
            record.id,
            code=self._code,
            broken=set(self.broken),
            deaf=set(self.deaf),
        )
        self._cluster.instances[name] = worker
        return worker

    async def create_courier(self, number: int, node: str) -> Worker:
        worker = MemoryWorker(f"courier:{number}", node, 0, self._cluster, code=self._code)
        if self.broken_couriers:
            worker.die()
            raise Ended("did not come up")
        return self._cluster.add_courier(number, worker)
