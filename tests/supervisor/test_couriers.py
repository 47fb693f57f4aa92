"""Where couriers live: spread over the nodes, and gone from one that is to be emptied."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from actors.registry import Registry
from actors.store import Store
from actors.supervisor import couriers
from actors.supervisor.supervisor import Supervisor
from tests.supervisor.fakes import MemoryCluster
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
