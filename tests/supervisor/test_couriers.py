"""Where couriers live: spread over the nodes, and gone from one that is to be emptied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from actors.courier import council
from actors.registry import Registry
from actors.store import Store
from actors.supervisor import couriers
from actors.supervisor.supervisor import Supervisor
from actors.supervisor.workers import Ended
from tests.supervisor.fakes import MemoryCluster, MemoryWorker
from tests.supervisor.test_moves import owned
from tests.wait import until

Supervise = Callable[[], tuple[Supervisor, asyncio.Task[str]]]


@pytest.fixture
def cluster(store: Store) -> MemoryCluster:
    cluster = MemoryCluster(store)
    cluster.slots = {"node-1": 100, "node-2": 100}
    return cluster


def homes(cluster: MemoryCluster) -> list[str]:
    return sorted(courier.node for courier in cluster.couriers.values() if courier.alive and courier.started)


async def test_they_are_spread(supervise: Supervise, cluster: MemoryCluster) -> None:
    supervisor, _ = supervise()
    await until(lambda: homes(cluster) == ["node-1", "node-2"])
    assert [node["couriers"] for node in await supervisor.nodes()] == [1, 1]


@pytest.mark.parametrize("how", ["drain", "ray"])
async def test_they_leave_a_node_that_is_emptied(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster, how: str
) -> None:
    supervisor, _ = supervise()
    await until(lambda: homes(cluster) == ["node-1", "node-2"])
    await owned(registry, cluster)
    left = next(courier for courier in cluster.couriers.values() if courier.node == "node-1")
    if how == "drain":
        await supervisor.drain("node-1")
        assert {node["id"]: node["couriers"] for node in await supervisor.nodes()}["node-1"] == 0
    else:
        cluster.ray_drains.add("node-1")
    await until(lambda: homes(cluster) == ["node-2", "node-2"])
    assert left.drained


async def test_they_stay_where_there_is_nowhere_else(supervise: Supervise, cluster: MemoryCluster) -> None:
    supervisor, _ = supervise()
    await until(lambda: homes(cluster) == ["node-1", "node-2"])
    for node in ("node-1", "node-2"):
        await supervisor.begin_drain(node)
    for _ in range(3):
        await supervisor.reconcile()
    assert not any(courier.drained for courier in cluster.couriers.values())


async def test_a_node_where_none_comes_up_is_not_tried_for_ever(
    supervise: Supervise, cluster: MemoryCluster
) -> None:
    cluster.broken_nodes.add("node-1")
    supervise()
    await until(lambda: homes(cluster) == ["node-2", "node-2"])


async def test_one_that_takes_long_to_leave_holds_nothing_up(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    supervisor, _ = supervise()
    await until(lambda: homes(cluster) == ["node-1", "node-2"])
    slow = next(courier for courier in cluster.couriers.values() if courier.node == "node-1")
    slow.patience = asyncio.Event()
    await supervisor.begin_drain("node-1")
    await until(lambda: slow.drained)
    await owned(registry, cluster)
    assert slow.alive
    slow.patience.set()
    await until(lambda: homes(cluster) == ["node-2", "node-2"])


async def test_a_successor_works_before_the_open_attempts_of_its_predecessor_have_ended(
    supervise: Supervise, cluster: MemoryCluster
) -> None:
    supervisor, _ = supervise()
    await until(lambda: homes(cluster) == ["node-1", "node-2"])
    slow = next(courier for courier in cluster.couriers.values() if courier.node == "node-1")
    slow.patience = asyncio.Event()
    await supervisor.begin_drain("node-1")
    await until(lambda: homes(cluster) == ["node-2", "node-2"], what="a successor works")
    assert slow.alive
    assert {node["id"]: node["couriers"] for node in await supervisor.nodes()} == {"node-1": 1, "node-2": 2}
    slow.patience.set()
    await until(lambda: not slow.alive)
    assert [len(await cluster.find_couriers(number)) for number in (0, 1)] == [1, 1]


async def test_one_goes_on_as_long_as_no_successor_comes_up(
    supervise: Supervise, cluster: MemoryCluster
) -> None:
    supervisor, _ = supervise()
    await until(lambda: homes(cluster) == ["node-1", "node-2"])
    old = next(courier for courier in cluster.couriers.values() if courier.node == "node-1")
    cluster.broken_nodes.add("node-2")
    cluster.slots["node-3"] = 0
    cluster.broken_nodes.add("node-3")
    await supervisor.begin_drain("node-1")
    for _ in range(3):
        await supervisor.reconcile()
        await asyncio.sleep(0.05)
    assert old.alive
    assert not old.drained
    cluster.broken_nodes.clear()
    await until(lambda: not old.alive, what="it is replaced")
    await until(lambda: len(homes(cluster)) == 2)


async def test_one_that_does_not_make_way_has_ended_before_its_successor_starts(
    supervise: Supervise, cluster: MemoryCluster
) -> None:
    supervisor, _ = supervise()
    await until(lambda: homes(cluster) == ["node-1", "node-2"])
    number, old = next((n, one) for n, one in cluster.couriers.items() if one.node == "node-1")
    old.patience = asyncio.Event()

    async def fail() -> None:
        raise Ended("make_way was not answered")

    old.make_way = fail  # type: ignore[method-assign]
    await supervisor.begin_drain("node-1")
    successor = await until(lambda: cluster.couriers[number] if cluster.couriers[number] is not old else None)
    await until(lambda: old.drained)
    assert not successor.started
    old.patience.set()
    await until(lambda: successor.started)
    assert not old.alive


@pytest.mark.parametrize("worked", [True, False])
async def test_what_a_dead_supervisor_left_half_done_is_ended(
    supervise: Supervise, cluster: MemoryCluster, worked: bool
) -> None:
    """It made successors, and told only some of their predecessors."""
    predecessor = cluster.add_courier(0, MemoryWorker("courier:0:a", "node-1", 0, cluster, started=1))
    predecessor.drained = not worked
    successor = cluster.add_courier(0, MemoryWorker("courier:0:b", "node-2", 0, cluster))
    supervise()
    await until(lambda: not successor.alive)

    async def one_each() -> bool:
        for number in (0, 1):
            workers = await cluster.find_couriers(number)
            if len(workers) != 1 or not await workers[0].working():
                return False
        return True

    await until(one_each)
    assert predecessor.alive is worked


async def test_they_are_told_how_many_they_are(supervise: Supervise, store: Store) -> None:
    await council.announce(store, 5)
    supervise()

    async def said() -> bool:
        return bool(await store.redis.hget(council.key(store), council.COUNT) == "2")

    await until(said)


async def test_one_that_hangs_is_replaced(
    supervise: Supervise, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(couriers, "LOOK", 0.05)
    supervise()
    await until(lambda: homes(cluster) == ["node-1", "node-2"])
    hung, busy = cluster.couriers[0], cluster.couriers[1]
    hung.late.add("where")
    await until(lambda: not hung.alive)
    await until(lambda: homes(cluster) == ["node-1", "node-2"])
    assert cluster.couriers[0] is not hung
    assert cluster.couriers[1] is busy
