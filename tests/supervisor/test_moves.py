"""Moves and drains by the supervisor, with actors in memory and a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from actors.registry import (
    ConnectionState,
    Deposed,
    InstanceRecord,
    InstanceState,
    Owner,
    Registry,
    new_token,
    now,
)
from actors.settings import Settings
from actors.store import Store, StoreUnavailable
from actors.supervisor.handoff import begin
from actors.supervisor.handoff_messages import Begun
from actors.supervisor.handoff_record import Party, Reason
from actors.supervisor.handoff_turn import Deadlines
from actors.supervisor.moves import Handoffs, Move
from actors.supervisor.supervisor import Supervisor
from actors.supervisor.workers import Ended, LockStands, Worker
from tests.supervisor.fakes import MemoryCluster, MemoryWorker
from tests.supervisor.test_supervisor import record
from tests.wait import until

Supervise = Callable[[], tuple[Supervisor, asyncio.Task[str]]]


@pytest.fixture
def cluster(store: Store) -> MemoryCluster:
    cluster = MemoryCluster(store)
    cluster.slots = {"node-1": 100, "node-2": 100}
    return cluster


async def owned(registry: Registry, cluster: MemoryCluster, number: int = 1) -> MemoryWorker:
    await registry.create(record(number), new_token())
    return await until(lambda: next((w for w in cluster.living(f"ins_{number}") if w.connected), None))


async def test_a_move_warms_the_successor_before_the_predecessor_stops(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    supervisor, _ = supervise()
    first = await owned(registry, cluster)
    moved = await supervisor.move("ins_1", None)
    assert moved["outcome"] == "moved"
    assert moved["to"] != first.node
    (second,) = cluster.living("ins_1")
    assert (second.epoch, second.connected) == (2, True)
    assert first.calls[-2:] == ["quiesce", "disconnect"]
    assert second.calls[:2] == ["prepare", "activate"]
    assert moved["blackout_ms"] >= 0
    owner = await registry.owner("ins_1")
    assert owner is not None
    assert (owner.epoch, owner.actor, owner.node) == (2, second.name, second.node)


async def test_a_successor_that_cannot_get_warm_leaves_the_predecessor_alone(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    supervisor, _ = supervise()
    first = await owned(registry, cluster)
    cluster.broken = 100
    moved = await supervisor.move("ins_1", None)
    assert moved["outcome"] == "kept"
    assert first.connected
    assert "quiesce" not in first.calls
    cluster.broken = 0
    assert (await supervisor.move("ins_1", None))["outcome"] == "moved"


async def test_a_wish_that_redis_is_away_for_is_refused_and_can_be_made_again(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor, _ = supervise()
    await owned(registry, cluster)
    await until(lambda: supervisor.describe()["instances"]["ins_1"]["owned"])
    away, ask = True, Registry.owner

    async def owner(self: Registry, instance_id: str) -> Owner | None:
        nonlocal away
        if away:
            away = False
            raise StoreUnavailable("away")
        return await ask(self, instance_id)

    monkeypatch.setattr(Registry, "owner", owner)
    with pytest.raises(Ended, match="away"):
        await asyncio.wait_for(supervisor.move("ins_1", None), 20)
    assert (await asyncio.wait_for(supervisor.move("ins_1", None), 20))["outcome"] == "moved"


async def test_an_owner_that_ends_while_it_waits_to_be_moved_is_replaced_at_once(
    settings: Settings, registry: Registry, store: Store, cluster: MemoryCluster
) -> None:
    one_at_a_time = settings.supervisor.model_copy(update={"handoffs": 1})
    supervisor = Supervisor(settings.model_copy(update={"supervisor": one_at_a_time}), store, cluster)
    running = asyncio.create_task(supervisor.run())
    try:
        first, second = [await owned(registry, cluster, number) for number in (1, 2)]
        first.deaf.add("quiesce")
        moving = asyncio.create_task(supervisor.move("ins_1", None))
        await until(lambda: "quiesce" in first.calls)
        waiting = asyncio.create_task(supervisor.move("ins_2", None))
        await until(lambda: supervisor._kept["ins_2"].wish is not None)
        second.die()
        await until(lambda: any(one.connected for one in cluster.living("ins_2")), timeout=5)
        assert not moving.done()
        with pytest.raises(Ended):
            await waiting
        first.die()
        assert (await moving)["outcome"] == "moved"
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_two_that_choose_at_once_do_not_take_the_same_last_slot(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    cluster.slots = {"node-1": 2}
    supervisor, _ = supervise()
    for number in (1, 2):
        await owned(registry, cluster, number)
    cluster.seen.clear()
    cluster.slots["node-2"] = 1
    before = cluster.looks
    moving = [asyncio.create_task(supervisor.move(f"ins_{number}", None)) for number in (1, 2)]
    # The supervisor itself, and either handoff.
    await until(lambda: cluster.looks == before + 3)
    cluster.seen.set()
    assert sorted([(await one)["outcome"] for one in moving]) == ["kept", "moved"]


async def test_a_predecessor_killed_while_the_successor_gets_warm_is_succeeded(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    supervisor, _ = supervise()
    first = await owned(registry, cluster)
    first.deaf.add("quiesce")
    moving = asyncio.create_task(supervisor.move("ins_1", None))
    await until(lambda: "quiesce" in first.calls)
    first.die()
    assert (await moving)["outcome"] == "moved"
    (second,) = cluster.living("ins_1")
    assert second.connected


@pytest.mark.parametrize("call", ["prepare", "quiesce", "disconnect", "activate"])
async def test_a_new_supervisor_goes_on_with_a_handoff_in_any_step(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster, store: Store, call: str
) -> None:
    supervisor, task = supervise()
    first = await owned(registry, cluster)
    first.deaf.add(call)
    cluster.deaf.add(call)
    moving = asyncio.create_task(supervisor.move("ins_1", None))
    await until(lambda: any(call in worker.calls for worker in cluster.living("ins_1")))
    task.cancel()
    moving.cancel()
    await asyncio.gather(task, moving, return_exceptions=True)
    assert await Handoffs(store, kept=1).unfinished("ins_1") is not None
    cluster.deaf.clear()
    for worker in cluster.living("ins_1"):
        worker.deaf.clear()
    supervise()
    await until(lambda: _moved(cluster), what=f"moved by the new supervisor after {call}")
    await until(lambda: _filed(store), what="the record is filed")


async def frozen_in_a_move(cluster: MemoryCluster, supervisor: Supervisor, first: MemoryWorker) -> None:
    """A handoff whose predecessor dies while it is asked to stop, its engine frozen."""
    first.deaf.add("quiesce")
    moving = asyncio.create_task(supervisor.move("ins_1", None))
    moving.add_done_callback(lambda done: done.cancelled() or done.exception())
    await until(lambda: "quiesce" in first.calls)
    first.die(frozen=True)


async def test_the_lock_of_a_frozen_predecessor_is_broken(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster, store: Store
) -> None:
    supervisor, _ = supervise()
    first = await owned(registry, cluster)
    await frozen_in_a_move(cluster, supervisor, first)
    await until(lambda: _filed(store), what="the end of the handoff")
    (past,) = await Handoffs(store, kept=1).past("ins_1", 1)
    assert past.outcome == "moved"
    assert past.tries == 1
    assert "lock broken" in [entry.outcome for entry in past.log]
    assert cluster.unlocked == [first.name]


async def test_the_lock_of_a_predecessor_that_disconnected_is_left_alone(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    supervisor, _ = supervise()
    await owned(registry, cluster)
    cluster.unbreakable = 1
    assert (await supervisor.move("ins_1", None))["outcome"] == "moved"
    assert cluster.unbreakable == 1, "nobody tried"


async def test_a_deposed_supervisor_does_not_break_the_successors_lock(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster, store: Store
) -> None:
    """Its order to break the predecessor's lock comes through when another one has let the successor in."""
    supervisor, task = supervise()
    first = await owned(registry, cluster)
    cluster.slow = gate = asyncio.Event()
    await frozen_in_a_move(cluster, supervisor, first)
    await until(lambda: cluster.late, what="the order is on its way")
    supervise()
    await until(lambda: _moved(cluster), what="moved by the new supervisor")
    assert cluster.unlocked == [first.name]
    (second,) = cluster.living("ins_1")
    assert cluster.locks["ins_1"] is second
    gate.set()
    await asyncio.wait(cluster.late)
    assert isinstance(cluster.late[0].exception(), Deposed)
    assert cluster.unlocked == [first.name]
    assert second.connected
    await until(task.done)


async def test_an_order_that_its_own_handoff_has_overtaken_breaks_nothing(
    registry: Registry, cluster: MemoryCluster, store: Store
) -> None:
    first = MemoryWorker("first", "node-1", 1, cluster, "ins_1")
    cluster.instances["first"] = first
    await registry.fence("ins_1", after=0, leader=0, actor="first", node="node-1", known_dead=True)
    await first.start()
    first.die()
    cluster.slow = gate = asyncio.Event()
    handoff = begin("h1", "ins_1", Reason.MOVE, predecessor=Party(epoch=1, node="node-1", actor="first"))

    async def choose(*_: object) -> str:
        return "node-2"

    move = Move(
        handoff,
        record(1),
        leader=0,
        registry=registry,
        handoffs=Handoffs(store, kept=1),
        cluster=cluster,
        choose=choose,
        deadlines=Deadlines(unlock=0.05),
    )
    assert (await move.run(Begun())).outcome == "moved"
    (second,) = cluster.living("ins_1")
    assert cluster.locks["ins_1"] is second
    gate.set()
    await asyncio.wait(cluster.late)
    assert isinstance(cluster.late[0].exception(), LockStands)
    assert cluster.unlocked == []


async def _filed(store: Store) -> bool:
    return await Handoffs(store, kept=1).unfinished("ins_1") is None


def _moved(cluster: MemoryCluster) -> bool:
    workers = cluster.living("ins_1")
    return [(worker.epoch, worker.connected) for worker in workers] == [(2, True)]


@pytest.mark.parametrize("how", ["drain", "ray"])
async def test_a_drained_node_is_emptied_and_takes_nothing(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster, how: str
) -> None:
    supervisor, _ = supervise()
    for number in range(6):
        await owned(registry, cluster, number)
    if how == "drain":
        result = await supervisor.drain("node-1")
        assert result["instances"] == 3
    else:
        cluster.ray_drains.add("node-1")
    await until(lambda: all(w.node == "node-2" for w in cluster.instances.values() if w.alive))
    await until(lambda: supervisor.load() == {"node-2": 6})
    await owned(registry, cluster, 7)
    await until(lambda: supervisor.load() == {"node-2": 7})


async def test_couriers_and_the_supervisor_itself_leave_a_node_that_ray_drains(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    cluster.head = "node-1"
    _, task = supervise()
    await owned(registry, cluster)
    await until(lambda: len(cluster.couriers) == 2)
    cluster.ray_drains.add("node-1")
    await until(task.done)
    assert task.result() == "leaving"
    assert {courier.node for courier in cluster.couriers.values() if courier.alive} <= {"node-2"}
    assert [worker.node for worker in cluster.living("ins_1")] == ["node-2"]


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_node_that_joins_gets_its_share_if_that_is_wanted(
    settings: Settings, store: Store, registry: Registry, cluster: MemoryCluster, wanted: bool
) -> None:
    cluster.slots = {"node-1": 10}
    limits = settings.supervisor.model_copy(update={"rebalance": wanted})
    supervisor = Supervisor(settings.model_copy(update={"supervisor": limits}), store, cluster)
    task = asyncio.create_task(supervisor.run())
    for number in range(6):
        await owned(registry, cluster, number)
    cluster.slots["node-2"] = 10
    if wanted:
        await until(lambda: supervisor.load() == {"node-1": 3, "node-2": 3})
    else:
        await asyncio.sleep(0.5)
        assert supervisor.load() == {"node-1": 6}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_turn_asks_for_the_nodes_once(
    settings: Settings, store: Store, registry: Registry, cluster: MemoryCluster
) -> None:
    cluster.slots = {"node-1": 10}
    limits = settings.supervisor.model_copy(update={"rebalance": True, "reconcile": 600.0})
    supervisor = Supervisor(settings.model_copy(update={"supervisor": limits}), store, cluster)
    task = asyncio.create_task(supervisor.run())
    await owned(registry, cluster)
    await until(lambda: supervisor.describe()["instances"]["ins_1"]["owned"])
    cluster.ray_drains.add("node-1")  # there is something to be emptied, and no other node to take it
    before = cluster.looks
    seen = await supervisor.reconcile()
    assert cluster.looks == before + 1
    assert seen is not None
    assert seen.ending == {"node-1"}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_moves_are_refused_with_a_reason(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    supervisor, _ = supervise()
    await owned(registry, cluster)
    with pytest.raises(ValueError, match="no instance"):
        await supervisor.move("ins_9", None)
    with pytest.raises(ValueError, match="no living node"):
        await supervisor.move("ins_1", "node-9")
    cluster.ray_drains.add("node-2")
    with pytest.raises(ValueError, match="draining"):
        await supervisor.move("ins_1", "node-2")


async def test_instances_that_cannot_connect_do_not_hold_up_a_drain(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a proxy that is gone: each holds its turn for as long as a successor has to connect."""
    cluster.slots = {"node-1": 100}
    supervisor, _ = supervise()
    for number in range(8):
        worker = await owned(registry, cluster, number)
        connection = ConnectionState.CONNECTING if number < 3 else ConnectionState.CONNECTED
        await registry.write_state(
            f"ins_{number}", worker.epoch, InstanceState(connection=connection, since=now())
        )
    create, moved = cluster.create_instance, []

    async def create_deaf(record: InstanceRecord, epoch: int, *, node: str, name: str) -> Worker:
        made = await create(record, epoch, node=node, name=name)
        assert isinstance(made, MemoryWorker)
        moved.append(record.id)
        if record.id in ("ins_0", "ins_1", "ins_2"):
            made.deaf = {"activate"}
        return made

    monkeypatch.setattr(cluster, "create_instance", create_deaf)
    cluster.slots["node-2"] = 100
    await supervisor.begin_drain("node-1")
    await until(lambda: len(moved) >= 6, timeout=60, what="all that can move have moved")
    assert set(moved[:5]) == {f"ins_{number}" for number in range(3, 8)}
