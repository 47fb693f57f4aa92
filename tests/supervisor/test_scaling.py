"""The supervisor asks Ray's autoscaler for slots, and hands back workers that are not needed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.registry import Registry, new_token
from actors.settings import ElasticSettings, Settings
from actors.supervisor.elastic import WORKER
from actors.supervisor.supervisor import Supervisor
from tests.supervisor.fakes import MemoryCluster
from tests.supervisor.test_supervisor import record
from tests.wait import until

Supervise = Callable[[], tuple[Supervisor, object]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    elastic = ElasticSettings(workers=3, slots=2, headroom=1, look=0.05, shrink_after=0.05)
    return settings.model_copy(update={"elastic": elastic})


async def test_instances_without_a_slot_are_asked_for(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    cluster.slots = {"node-0": 0}
    supervise()
    await until(lambda: cluster.requested[-1:] == [1], what="the headroom")
    for number in range(3):
        await registry.create(record(number), new_token())
    await until(lambda: cluster.requested[-1] == 4, what="slots for instances that no node takes")
    # The autoscaler's answer.
    cluster.slots |= {"node-1": 2, "node-2": 2}
    cluster.groups = {"node-1": WORKER, "node-2": WORKER}
    await until(lambda: all(cluster.living(f"ins_{number}") for number in range(3)))
    # Asked for again and again: the head forgets.
    told = len(cluster.requested)
    await until(lambda: len(cluster.requested) > told)
    assert cluster.requested[-1] == 4


async def test_a_worker_that_is_not_needed_is_emptied_and_ends(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    cluster.slots = {"node-0": 0, "node-1": 2, "node-2": 2}
    cluster.groups = {"node-1": WORKER, "node-2": WORKER}
    supervisor, _ = supervise()
    for number in range(3):
        await registry.create(record(number), new_token())
    await until(lambda: all(cluster.living(f"ins_{number}") for number in range(3)))
    assert not cluster.ray_drains
    await registry.delete("ins_0")
    await registry.delete("ins_1")
    (ended,) = await until(lambda: cluster.ray_drains, what="a worker ends")
    (left,) = cluster.living("ins_2")
    assert left.node != ended
    assert left.connected
    # Ray's word is there in the place of ours, and no other worker follows it.
    assert ended in (await supervisor._nodes.look()).ending
    assert not await supervisor._store.redis.exists(supervisor._store.keys.shared("draining"))
    told = len(cluster.requested)
    await until(lambda: len(cluster.requested) > told + 4)
    assert cluster.ray_drains == {ended}


async def test_a_drained_worker_ends_and_a_drained_node_of_another_kind_stays(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    cluster.slots = {"node-0": 0, "node-1": 2, "node-2": 2, "node-3": 2}
    cluster.groups = {"node-1": WORKER}
    supervisor, _ = supervise()
    await registry.create(record(1), new_token())
    await until(lambda: cluster.living("ins_1"))
    await supervisor.begin_drain("node-2")
    await supervisor.begin_drain("node-1")
    await until(lambda: cluster.ray_drains, what="the drained worker ends")
    told = len(cluster.requested)
    await until(lambda: len(cluster.requested) > told + 4)
    assert cluster.ray_drains == {"node-1"}
    assert cluster.living("ins_1")[0].node == "node-3"


async def test_a_node_that_comes_is_not_given_more_than_it_takes(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    cluster.slots = {"node-0": 0}
    supervise()
    names = [f"ins_{number}" for number in range(4)]
    for number in range(4):
        await registry.create(record(number), new_token())
    await until(lambda: cluster.requested[-1:] == [5])
    # All of them have waited for it, and choose at once.
    cluster.slots |= {"node-1": 2, "node-2": 2}
    await until(lambda: all(cluster.living(name) for name in names))
    nodes = [worker.node for name in names for worker in cluster.living(name)]
    assert sorted(nodes) == ["node-1", "node-1", "node-2", "node-2"]
