"""A cluster in memory: actors are futures that the test ends at will. Redis stays real."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from actors.cluster import NODE_GROUP, Node, Order
from actors.instance.errors import CallFailed
from actors.registry import InstanceRecord, Registry
from actors.store import StaleEpoch, Store
from actors.supervisor.workers import Confirm, Ended, LockStands, Worker


@dataclass
class MemoryWorker:
    """One actor. ``end`` holds how it ended; while unset it lives.

    ``deaf`` names calls that it never answers, ``late`` those that are not answered in time, ``broken`` those
    that it refuses; with ``patience`` it drains
    until that is set.
    """

    name: str
    node: str
    epoch: int
    cluster: MemoryCluster
    instance_id: str = ""
    code: str = ""
    records: list[InstanceRecord] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    started: int = 0
    drained: bool = False
    connected: bool = False
    deaf: set[str] = field(default_factory=set)
    late: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    patience: asyncio.Event | None = None
    end: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def alive(self) -> bool:
        return not self.end.done()

    def die(self, *, frozen: bool = False) -> None:
        """Be killed; an engine that is frozen keeps the session's lock."""
        self._close(keep=frozen)
        if self.alive:
            self.end.set_exception(Ended("killed"))
            self.end.exception()

    async def _called(self, call: str) -> None:
        if not self.alive:
            raise Ended("gone")
        self.calls.append(call)
        if call in self.deaf:
            await asyncio.shield(self.end)
        if call in self.late:
            raise Ended(f"{call} was not answered in time")
        if call in self.broken:
            raise CallFailed("internal", f"{call} is broken")
        await asyncio.sleep(0)

    async def where(self) -> str:
        if "where" in self.late:
            raise Ended("where was not answered in time")
        return self.node

    async def version(self) -> str:
        return self.code

    async def working(self) -> bool:
        await self._called("working")
        return bool(self.started) and not self.drained

    async def start(self) -> None:
        await self._called("start")
        self.started += 1
        await self._connect()

    async def _connect(self) -> None:
        if self.instance_id:
            await self.cluster.registry.renew(self.instance_id, self.epoch, self.cluster.lease, timeout=5)
            others = [other.name for other in self.cluster.living(self.instance_id) if other.connected]
            assert others in ([], [self.name]), "two connections of one account"
            self.connected = self.cluster.locks.setdefault(self.instance_id, self) is self

    def _close(self, *, keep: bool = False) -> None:
        self.connected = False
        if not keep and self.cluster.locks.get(self.instance_id) is self:
            del self.cluster.locks[self.instance_id]

    async def watch(self) -> str:
        return await asyncio.shield(self.end)

    async def gone(self) -> None:
        await asyncio.shield(self.end)

    async def make_way(self) -> None:
        await self._called("make_way")
        self.drained = True

    async def drain(self) -> None:
        if self.alive:
            self.drained = True
            self._close()
            if self.patience is not None:
                await self.patience.wait()
            if self.alive:
                self.end.set_result("drained")

    async def leave(self) -> None:
        self._close()
        if self.alive:
            self.end.set_result("left")

    async def kill(self) -> None:
        self.die()

    async def configure(self, record: InstanceRecord) -> None:
        await self._called("configure")
        self.records.append(record)

    async def prepare(self) -> None:
        await self._called("prepare")

    async def quiesce(self, order: Order) -> None:
        await self._called("quiesce")

    async def disconnect(self, order: Order) -> int:
        await self._called("disconnect")
        self._close()
        return 7

    async def resume(self, order: Order) -> None:
        await self._called("resume")
        await self._connect()

    async def activate(self) -> None:
        await self._called("activate")
        try:
            await self._connect()
        except StaleEpoch as error:
            raise CallFailed("stale", str(error)) from error
        if self.instance_id and not self.connected:
            raise CallFailed("store_locked", f"{self.cluster.locks[self.instance_id].name} holds the session")


class MemoryCluster:
    """Actors by name. ``trusted`` says which nodes' word counts; ``broken`` makes creations fail, and
    ``broken_nodes`` those of couriers.

    ``locks`` says whose engine has a session open. ``unbreakable`` makes attempts to break a lock fail, and
    ``slow`` holds the next one up before it sees the holder. While ``seen`` is not set, nodes are not told.
    """

    def __init__(self, store: Store) -> None:
        self.registry = Registry(store)
        self.instances: dict[str, MemoryWorker] = {}
        self.couriers: dict[int, MemoryWorker] = {}
        """The latest of each number."""
        self.all_couriers: list[tuple[int, MemoryWorker]] = []
        self.created: list[tuple[str, int]] = []
        self.forgotten: list[str] = []
        self.slots = {"node-1": 100}
        self.ray_drains: set[str] = set()
        self.groups: dict[str, str] = {}
        self.requested: list[int] = []
        self.broken_nodes: set[str] = set()
        self.trusted = {"node-1", "node-2", "node-3"}
        self.deaf: set[str] = set()
        self.head = "node-0"
        self.lease = 30.0
        self.broken = 0
        self.locks: dict[str, MemoryWorker] = {}
        self.unlocked: list[str] = []
        self.unbreakable = 0
        self.slow: asyncio.Event | None = None
        self.late: list[asyncio.Task[bool]] = []
        self.seen = asyncio.Event()
        self.seen.set()
        self.looks = 0
        self.listed = 0

    def home(self) -> str:
        return self.head

    async def nodes(self) -> list[Node]:
        self.looks += 1
        await self.seen.wait()
        return [
            Node(
                *(node, "127.0.0.1", True, slots),
                {NODE_GROUP: self.groups[node]} if node in self.groups else {},
                draining=node in self.ray_drains,
            )
            for node, slots in self.slots.items()
        ]

    async def request_slots(self, count: int) -> None:
        self.requested.append(count)

    async def end(self, node: str, deadline: float) -> bool:
        self.ray_drains.add(node)
        return True

    async def trusts(self, node: str) -> bool:
        return node in self.trusted

    async def instance_actors(self) -> list[str]:
        self.listed += 1
        return [name for name, worker in self.instances.items() if worker.alive]

    async def find(self, actor: str) -> Worker | None:
        worker = self.instances.get(actor)
        return worker if worker is not None and worker.alive else None

    async def create_instance(self, record: InstanceRecord, epoch: int, *, node: str, name: str) -> Worker:
        self.created.append((record.id, epoch))
        if self.broken:
            self.broken -= 1
            raise Ended("did not come up")
        worker = MemoryWorker(name, node, epoch, self, record.id, deaf=set(self.deaf))
        self.instances[name] = worker
        return worker

    async def find_couriers(self, number: int) -> list[Worker]:
        return [worker for one, worker in self.all_couriers if one == number and worker.alive]

    async def create_courier(self, number: int, node: str) -> Worker:
        if node in self.broken_nodes or node in self.ray_drains:
            raise Ended("did not come up")
        return self.add_courier(number, MemoryWorker(f"courier:{number}", node, 0, self))

    def add_courier(self, number: int, worker: MemoryWorker) -> MemoryWorker:
        self.all_couriers.append((number, worker))
        self.couriers[number] = worker
        return worker

    async def break_lock(self, instance_id: str, confirm: Confirm) -> bool:
        if self.unbreakable:
            self.unbreakable -= 1
            raise LockStands("the database does not answer")
        # It goes on although its caller is cancelled, as a request that is on its way does.
        held_up, self.slow = self.slow, None
        self.late.append(asyncio.create_task(self._break(instance_id, confirm, held_up)))
        return await asyncio.shield(self.late[-1])

    async def _break(self, instance_id: str, confirm: Confirm, held_up: asyncio.Event | None) -> bool:
        if held_up is not None:
            await held_up.wait()
        seen = self.locks.get(instance_id)
        if seen is None:
            return False
        await confirm()
        if self.locks.get(instance_id) is seen:
            del self.locks[instance_id]
            self.unlocked.append(seen.name)
        return True

    async def forget(self, instance_id: str) -> None:
        self.forgotten.append(instance_id)

    def living(self, instance_id: str) -> list[MemoryWorker]:
        return [w for w in self.instances.values() if w.alive and w.instance_id == instance_id]
