"""The supervisor keeps exactly one owner per instance, whatever dies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from actors.registry import Desired, InstanceRecord, InstanceRemoving, Registry, new_token, now
from actors.settings import Settings
from actors.store import StaleEpoch, Store
from actors.supervisor.supervisor import Supervisor
from actors.supervisor.workers import Ended, Worker
from tests.supervisor.fakes import MemoryCluster
from tests.wait import until


def record(number: int) -> InstanceRecord:
    return InstanceRecord(id=f"ins_{number}", name=f"Instance {number}", created_at=now())


async def test_a_new_instance_gets_an_owner_in_epoch_one(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster
) -> None:
    supervise()
    await registry.create(record(1), new_token())
    (worker,) = await until(lambda: cluster.living("ins_1"))
    assert worker.epoch == 1
    owner = await registry.owner("ins_1")
    assert owner is not None
    assert (owner.epoch, owner.actor) == (1, worker.name)


async def test_a_dead_owner_is_replaced_in_the_next_epoch_without_waiting_for_its_lease(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster
) -> None:
    supervise()
    await registry.create(record(1), new_token())
    (worker,) = await until(lambda: cluster.living("ins_1"))
    worker.die()
    (successor,) = await until(lambda: cluster.living("ins_1"))
    assert successor.epoch == 2


async def test_an_owner_on_a_silent_node_is_replaced_only_after_its_lease(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster, store: Store
) -> None:
    cluster.lease = 1.0
    supervise()
    await registry.create(record(1), new_token())
    (worker,) = await until(lambda: cluster.living("ins_1"))
    lease = store.keys.instance("ins_1", "lease")
    await until(lambda: store.redis.exists(lease))
    cluster.trusted.clear()
    over = asyncio.get_running_loop().time() + await store.redis.pttl(lease) / 1000
    worker.die()
    await until(lambda: _epoch(registry, 2), what="fenced at once")
    with pytest.raises(StaleEpoch):
        await registry.renew("ins_1", 1, 1.0, timeout=5)
    (successor,) = await until(lambda: cluster.living("ins_1"))
    assert successor.epoch == 2
    assert asyncio.get_running_loop().time() >= over


async def test_an_owner_that_lives_but_does_not_renew_its_lease_is_killed_and_replaced(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster
) -> None:
    cluster.lease = 0.3
    supervise()
    await registry.create(record(1), new_token())
    (hung,) = await until(lambda: cluster.living("ins_1"))
    cluster.lease = 60.0
    (successor,) = await until(lambda: [one for one in cluster.living("ins_1") if one is not hung])
    assert successor.epoch == hung.epoch + 1
    assert not hung.alive


@pytest.mark.parametrize("failures", [0, 2])
async def test_the_lock_of_a_frozen_engine_is_broken_before_its_owner_is_replaced(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster, failures: int
) -> None:
    supervise()
    await registry.create(record(1), new_token())
    (worker,) = await until(lambda: cluster.living("ins_1"))
    await until(lambda: worker.connected)
    cluster.unbreakable = failures
    worker.die(frozen=True)
    (successor,) = await until(lambda: cluster.living("ins_1"))
    assert cluster.unlocked == [worker.name]
    assert len(cluster.created) == 2, "none was made that would have found the session locked"
    await until(lambda: successor.connected)


async def test_an_instance_is_not_down_for_good_because_locks_cannot_be_looked_at(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster
) -> None:
    supervise()
    await registry.create(record(1), new_token())
    (worker,) = await until(lambda: cluster.living("ins_1"))
    cluster.unbreakable = 1000
    worker.die()
    (successor,) = await until(lambda: cluster.living("ins_1"), timeout=60)
    await until(lambda: successor.connected)


async def _epoch(registry: Registry, epoch: int) -> bool:
    owner = await registry.owner("ins_1")
    return owner is not None and owner.epoch == epoch


async def test_a_new_supervisor_finds_living_owners_again(
    supervise: Callable[[], tuple[Supervisor, asyncio.Task[str]]], registry: Registry, cluster: MemoryCluster
) -> None:
    _, first = supervise()
    for number in range(3):
        await registry.create(record(number), new_token())
    await until(lambda: len(cluster.created) == 3)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    second, _ = supervise()
    await until(lambda: all(i["owned"] for i in second.describe()["instances"].values()) or None)
    await until(lambda: len(second.describe()["instances"]) == 3)
    assert len(cluster.created) == 3, "no owner was made a second time"


async def test_the_older_of_two_supervisors_is_refused_and_ends(
    supervise: Callable[[], tuple[Supervisor, asyncio.Task[str]]], registry: Registry, cluster: MemoryCluster
) -> None:
    _, older = supervise()
    await registry.create(record(1), new_token())
    (worker,) = await until(lambda: cluster.living("ins_1"))
    newer, _ = supervise()
    await until(lambda: newer.describe()["instances"].get("ins_1", {}).get("owned"))
    worker.die()
    await until(lambda: cluster.living("ins_1"))
    for _ in range(3):  # whoever wins the first race, the older one loses in the end
        for living in cluster.living("ins_1"):
            living.die()
        await until(lambda: cluster.living("ins_1"))
    owner = await registry.owner("ins_1")
    assert owner is not None
    assert owner.leader == newer.describe()["leader"]
    assert [worker.name for worker in cluster.living("ins_1")] == [owner.actor]
    await until(older.done)
    assert older.result() == "deposed"


@pytest.mark.parametrize("when", ["another supervisor comes", "its record changes"])
async def test_an_owner_that_hangs_is_replaced_whoever_finds_out(
    settings: Settings, registry: Registry, store: Store, cluster: MemoryCluster, when: str
) -> None:
    impatient = settings.supervisor.model_copy(update={"start_timeout": 0.5})
    settings = settings.model_copy(update={"supervisor": impatient})
    running = asyncio.create_task(Supervisor(settings, store, cluster).run())
    try:
        cluster.lease = 0.5
        before = await registry.create(record(1), new_token())
        (hung,) = await until(lambda: [one for one in cluster.living("ins_1") if one.records])
        cluster.lease = 60.0
        hung.late |= {"start", "configure"}
        if when == "its record changes":
            await registry.change(before.model_copy(update={"name": "changed"}))
        else:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            running = asyncio.create_task(Supervisor(settings, store, cluster).run())
        await until(lambda: not hung.alive, timeout=20)
        await until(lambda: [one for one in cluster.living("ins_1") if one.connected])
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_an_owner_that_comes_up_slowly_is_waited_for(
    supervise: Callable[[], tuple[Supervisor, asyncio.Task[str]]], registry: Registry, cluster: MemoryCluster
) -> None:
    _, first = supervise()
    cluster.lease = 0.3
    await registry.create(record(1), new_token())
    (slow,) = await until(lambda: [one for one in cluster.living("ins_1") if one.records])
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    cluster.lease = 60.0
    slow.late.add("start")
    supervise()
    told = len(slow.calls)
    await until(lambda: len(slow.calls) > told + 2)
    slow.late.clear()
    await until(lambda: slow.started == 2)
    assert slow.alive


async def test_a_creation_that_fails_is_tried_again(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster
) -> None:
    cluster.broken = 2
    supervise()
    await registry.create(record(1), new_token())
    await until(lambda: cluster.living("ins_1"))
    assert cluster.created == [("ins_1", 1), ("ins_1", 2), ("ins_1", 3)]


async def test_a_node_on_which_owners_do_not_come_up_is_tried_by_turns(
    supervise: Callable[[], object],
    registry: Registry,
    cluster: MemoryCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster.slots = {"node-1": 5, "node-2": 5}
    create, tried = cluster.create_instance, []

    async def sick(record: InstanceRecord, epoch: int, *, node: str, name: str) -> Worker:
        tried.append(node)
        if node == tried[0]:
            raise Ended("did not come up")
        return await create(record, epoch, node=node, name=name)

    monkeypatch.setattr(cluster, "create_instance", sick)
    supervise()
    await registry.create(record(1), new_token())
    await until(lambda: cluster.living("ins_1"))
    assert len(tried) == 2


async def test_a_changed_record_reaches_its_owner(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster
) -> None:
    supervise()
    await registry.create(record(1), new_token())
    (worker,) = await until(lambda: cluster.living("ins_1"))
    before = await registry.get("ins_1")
    await registry.change(before.model_copy(update={"desired": Desired.DISCONNECTED}))
    await until(lambda: worker.records and worker.records[-1].desired is Desired.DISCONNECTED)


async def test_a_deleted_instance_is_drained_and_forgotten(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster, store: Store
) -> None:
    supervise()
    await registry.create(record(1), new_token())
    (worker,) = await until(lambda: cluster.living("ins_1"))
    await registry.delete("ins_1")
    await until(lambda: cluster.forgotten == ["ins_1"])
    assert worker.drained
    left = [key async for key in store.redis.scan_iter(match=store.keys.prefix + ":*ins_1*")]
    assert left == [store.keys.instance("ins_1", "owner")], "its epoch, for a while"


async def test_a_deleted_instance_that_takes_long_to_end_holds_nothing_up(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster
) -> None:
    supervise()
    await registry.create(record(1), new_token())
    (slow,) = await until(lambda: [one for one in cluster.living("ins_1") if one.records])
    slow.patience = asyncio.Event()
    await registry.delete("ins_1")
    await until(lambda: slow.drained)
    await registry.create(record(2), new_token())
    await until(lambda: cluster.living("ins_2"))
    assert cluster.living("ins_1") == [slow]
    # Under its id nobody is made who would lose what is removed of the one before.
    with pytest.raises(InstanceRemoving):
        await registry.create(record(1), new_token())
    slow.patience.set()
    await until(lambda: cluster.forgotten == ["ins_1"])
    await until(lambda: _removed(registry))
    await registry.create(record(1), new_token())
    (again,) = await until(lambda: cluster.living("ins_1"))
    await until(lambda: again.connected)
    assert again is not slow


async def _removed(registry: Registry) -> bool:
    return not await registry.removals()


async def test_an_instance_that_is_deleted_while_nobody_supervises_is_removed_later(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster
) -> None:
    await registry.create(record(1), new_token())
    await registry.delete("ins_1")
    supervise()
    await until(lambda: cluster.forgotten == ["ins_1"])
    await until(lambda: _removed(registry))
    assert cluster.living("ins_1") == []


async def test_what_cannot_be_removed_is_tried_again(
    supervise: Callable[[], object],
    registry: Registry,
    cluster: MemoryCluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forget, tries = cluster.forget, 0

    async def away_at_first(instance_id: str) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("the session store is away")
        await forget(instance_id)

    monkeypatch.setattr(cluster, "forget", away_at_first)
    supervise()
    await registry.create(record(1), new_token())
    await until(lambda: cluster.living("ins_1"))
    await registry.delete("ins_1")
    await until(lambda: cluster.forgotten == ["ins_1"])
    await until(lambda: _removed(registry))


async def test_a_record_of_a_newer_version_stops_nobody(
    supervise: Callable[[], object], registry: Registry, cluster: MemoryCluster, store: Store
) -> None:
    supervise()
    newer = json.loads(record(1).model_dump_json())
    newer["calls"]["voicemail"] = True
    key = store.keys.shared("instances")
    await store.redis.hset(key, "ins_1", json.dumps(newer))
    await store.redis.hset(key, "ins_2", json.dumps({"id": "ins_2", "of": "a kind to come"}))
    await registry.create(record(3), new_token())
    await until(lambda: cluster.living("ins_1") and cluster.living("ins_3"))
    assert [one.id for one in await registry.list()] == ["ins_1", "ins_3"]
    # What cannot be read was not deleted.
    (third,) = cluster.living("ins_3")
    await store.redis.hset(key, "ins_3", "{}")
    await asyncio.sleep(0.3)
    assert cluster.living("ins_3") == [third]
    assert cluster.forgotten == []


async def test_couriers_are_kept_alive(supervise: Callable[[], object], cluster: MemoryCluster) -> None:
    supervise()
    await until(lambda: len(cluster.couriers) == 2)
    first = cluster.couriers[0]
    first.die()
    await until(lambda: cluster.couriers[0] is not first and cluster.couriers[0].started)


async def test_stop_drains_everything(
    supervise: Callable[[], tuple[Supervisor, asyncio.Task[str]]], registry: Registry, cluster: MemoryCluster
) -> None:
    supervisor, _ = supervise()
    await registry.create(record(1), new_token())
    await until(lambda: supervisor.describe()["instances"].get("ins_1", {}).get("owned"))
    await supervisor.stop()
    assert all(worker.drained for worker in (*cluster.instances.values(), *cluster.couriers.values()))
