"""Actors that nobody needs are ended, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from actors.registry import Owner, Registry, new_token
from actors.store import Store
from actors.supervisor.handoff import begin
from actors.supervisor.handoff_record import Handoff, Party, Reason
from actors.supervisor.moves import Handoffs
from actors.supervisor.supervisor import Supervisor
from actors.supervisor.sweep import Sweep, instance_of, is_stray
from tests.supervisor.fakes import MemoryCluster, MemoryWorker
from tests.supervisor.test_supervisor import record
from tests.wait import until

Supervise = Callable[[], tuple[Supervisor, asyncio.Task[str]]]

OWNER = Owner(epoch=2, actor="instance:ins_1:2:b", node="n", leader=1)
HANDOFF = begin(
    "h", "ins_1", Reason.MOVE, predecessor=Party(epoch=2, node="n", actor=OWNER.actor)
).model_copy(
    update={
        "origin": Party(epoch=1, node="n", actor="instance:ins_1:1:a"),
        "successor": Party(epoch=3, node="n", actor="instance:ins_1:3:c"),
    }
)


@pytest.mark.parametrize(
    ("name", "instance"),
    [
        ("instance:ins_1:1:4", "ins_1"),
        ("instance:ins_1:12:a1b2.3", "ins_1"),
        ("instance:ins_1:x:4", None),
        ("instance:ins_1", None),
        ("instance::1:4", None),
        ("courier:0:1:2", None),
        ("supervisor", None),
    ],
)
def test_names(name: str, instance: str | None) -> None:
    assert instance_of(name) == instance


@pytest.mark.parametrize(
    ("actor", "owner", "handoff", "stray"),
    [
        ("instance:ins_1:2:b", OWNER, None, False),
        ("instance:ins_1:2:x", OWNER, None, True),
        ("instance:ins_1:1:a", OWNER, None, True),
        ("instance:ins_1:3:c", OWNER, None, True),
        ("instance:ins_1:1:a", OWNER, HANDOFF, False),
        ("instance:ins_1:2:b", OWNER, HANDOFF, False),
        ("instance:ins_1:3:c", OWNER, HANDOFF, False),
        ("instance:ins_1:3:d", OWNER, HANDOFF, True),
        ("instance:ins_1:1:a", None, None, True),
    ],
)
def test_who_is_needed(actor: str, owner: Owner | None, handoff: Handoff | None, stray: bool) -> None:
    assert is_stray(actor, exists=True, owner=owner, handoff=handoff) is stray
    assert is_stray(actor, exists=False, owner=owner, handoff=handoff)


def appear(cluster: MemoryCluster, name: str, epoch: int) -> MemoryWorker:
    """An actor of ins_1 that this supervisor did not make."""
    worker = cluster.instances[name] = MemoryWorker(name, "node-1", epoch, cluster, "ins_1")
    return worker


@pytest.fixture
def sweep(registry: Registry, store: Store, cluster: MemoryCluster) -> Sweep:
    return Sweep(registry, Handoffs(store, kept=1), cluster, {})


async def test_a_successor_that_a_dead_supervisor_left_behind_is_ended(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    supervise()
    await registry.create(record(1), new_token())
    (owner,) = await until(lambda: cluster.living("ins_1"))
    await until(lambda: owner.connected)
    left = appear(cluster, "instance:ins_1:2:h9.1", 2)
    await until(lambda: not left.alive)
    assert owner.connected
    assert len(cluster.created) == 1


async def test_the_owner_of_an_instance_that_was_deleted_while_no_supervisor_ran_is_ended(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster, store: Store
) -> None:
    """Even if whoever deleted it died after the first of its two steps."""
    _, task = supervise()
    await registry.create(record(1), new_token())
    (owner,) = await until(lambda: cluster.living("ins_1"))
    await until(lambda: owner.connected)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await store.redis.hdel(store.keys.shared("instances"), "ins_1")
    supervise()
    await until(lambda: cluster.forgotten == ["ins_1"])
    assert not owner.alive
    left = [key async for key in store.redis.scan_iter(match=store.keys.prefix + ":*ins_1*")]
    assert left == [store.keys.instance("ins_1", "owner")], "its epoch, for a while"


async def test_one_look_is_not_enough(sweep: Sweep, registry: Registry, cluster: MemoryCluster) -> None:
    await registry.create(record(1), new_token())
    stray = appear(cluster, "instance:ins_1:1:1", 1)
    early = appear(cluster, "instance:ins_1:1:2", 1)
    assert await sweep.turn() == []
    await registry.fence("ins_1", after=0, leader=1, actor=early.name, node="node-1", known_dead=True)
    assert await sweep.turn() == [stray.name]
    assert (stray.alive, early.alive) == (False, True)
    assert await sweep.turn() == []


async def test_the_looks_have_to_follow_each_other(
    sweep: Sweep, registry: Registry, cluster: MemoryCluster
) -> None:
    await registry.create(record(1), new_token())
    actor = appear(cluster, "instance:ins_1:1:1", 1)
    assert await sweep.turn() == []
    cluster.instances.pop(actor.name)
    assert await sweep.turn() == []
    cluster.instances[actor.name] = actor
    assert await sweep.turn() == []
    assert actor.alive


async def test_a_stray_that_cannot_be_ended_does_not_keep_the_others(
    sweep: Sweep, registry: Registry, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registry.create(record(1), new_token())
    stubborn, other = (appear(cluster, f"instance:ins_1:1:{number}", 1) for number in (1, 2))

    async def leave() -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr(stubborn, "leave", leave)
        assert await sweep.turn() == []
        assert await sweep.turn() == [other.name]
    assert await sweep.turn() == [stubborn.name]


async def test_whoever_becomes_the_owner_at_the_last_moment_is_spared(
    sweep: Sweep, registry: Registry, cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registry.create(record(1), new_token())
    actor = appear(cluster, "instance:ins_1:1:1", 1)
    assert await sweep.turn() == []
    look = Registry.owner
    looks = 0

    async def owner(self: Registry, instance_id: str) -> Owner | None:
        nonlocal looks
        looks += 1
        if looks == 2:
            await registry.fence("ins_1", after=0, leader=1, actor=actor.name, node="node-1", known_dead=True)
        return await look(self, instance_id)

    monkeypatch.setattr(Registry, "owner", owner)
    assert await sweep.turn() == []
    assert looks == 2
    assert actor.alive


async def test_a_running_handoff_is_left_alone(
    supervise: Supervise, registry: Registry, cluster: MemoryCluster
) -> None:
    """Also by the next supervisor, which knows of it from its record."""
    cluster.slots = {"node-1": 100, "node-2": 100}
    supervisor, task = supervise()
    await registry.create(record(1), new_token())
    (first,) = await until(lambda: cluster.living("ins_1"))
    await until(lambda: first.connected)
    cluster.deaf.add("prepare")
    moving = asyncio.create_task(supervisor.move("ins_1", None))
    await until(lambda: len(cluster.living("ins_1")) == 2)
    await _looks(cluster, 4)
    task.cancel()
    moving.cancel()
    await asyncio.gather(task, moving, return_exceptions=True)
    supervise()
    await _looks(cluster, 4)
    assert len(cluster.living("ins_1")) == 2
    assert first.connected


async def _looks(cluster: MemoryCluster, more: int) -> None:
    wanted = cluster.listed + more
    await until(lambda: cluster.listed >= wanted, what="some sweeps")
