"""What else can go wrong around a handoff: stores and heads away, nodes and actors that freeze and wake."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Collection, Mapping

import pytest

from actors.registry import Owner
from actors.supervisor.handoff_record import Step
from bench.handoff.books import Death
from tests.cluster.nodes import HEAD
from tests.handoff.fleet import PATIENCE, STEPS, Calm, Fleet
from tests.wait import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.engine,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(400),
]

SECOND_SUPERVISOR = """
import time
import ray
from actors.settings import Settings
from actors.supervisor.actor import SupervisorActor
settings = Settings()
ray.init(address=settings.ray_address, namespace=settings.namespace, log_to_driver=False)
options = SupervisorActor.options(name="by-mistake", namespace=settings.namespace, lifetime="detached")
second = options.remote(settings)
while (said := ray.get(second.ping.remote(), timeout=60)) == "standby":
    time.sleep(0.05)
print(said)
"""

CUT_OFF = """
import ray
from actors.settings import Settings
from actors.supervisor.lifecycle import supervisors
settings = Settings()
ray.init(address=settings.ray_address, namespace=settings.namespace, log_to_driver=False)
ray.get([handle.stop.remote() for handle in supervisors(settings)], timeout=110)
"""


async def gathered(fleet: Fleet) -> tuple[str, str, Calm]:
    """All instances on one node without a courier; that node, another one, and how things stand."""
    await fleet.restore()
    source, target, *_ = sorted(await fleet.fullest(), key=lambda node: len(fleet.couriers(node)))
    await fleet.gather(source)
    return source, target, await fleet.calm()


async def nothing_lost(fleet: Fleet, calm: Calm, deaths: Collection[Death] = (), *, frozen: int = 0) -> None:
    """Every instance is connected, in order and without a gap or an unexplained repetition."""
    for seen in (await fleet.check(calm, list(deaths), frozen=frozen)).values():
        assert seen.state["connection"] == "connected"
        assert not seen.gaps
        assert not seen.reordered
        assert not seen.unexplained


async def supervised_from(fleet: Fleet, node: str) -> None:
    """Have the supervisor on a node: where Ray starts it again is a matter of chance."""

    async def there() -> bool:
        (supervisor,) = await until(fleet.supervisors, timeout=PATIENCE, what="a supervisor")
        if supervisor in fleet.cluster.nodes[node].processes():
            return True
        await fleet.kill([supervisor])
        return False

    await until(there, timeout=PATIENCE, what=f"the supervisor on {node}")


def moved(before: Mapping[str, Owner], now: Mapping[str, Owner]) -> bool:
    """Every instance has another owner, elsewhere."""
    return all(now[one].epoch > was.epoch and now[one].node != was.node for one, was in before.items())


async def test_postgresql_away_for_ten_seconds(fleet: Fleet) -> None:
    _, target, calm = await gathered(fleet)
    async with fleet.flowing():
        moves = [asyncio.create_task(fleet.move(one, target)) for one in fleet.world.instances]
        await asyncio.to_thread(fleet.postgres.stop)
        await asyncio.sleep(10)
        await asyncio.to_thread(fleet.postgres.start)
        await asyncio.gather(*moves)
        await fleet.recover()
    await nothing_lost(fleet, calm)


async def test_a_frozen_node_is_fenced_parks_by_its_lease_and_ends_when_it_wakes_up(fleet: Fleet) -> None:
    source, _, calm = await gathered(fleet)
    # With the supervisor: it goes on there without Ray, which starts it again elsewhere.
    await supervised_from(fleet, source)
    async with fleet.flowing():
        given_up = fleet.supervisors()
        fleet.cluster.freeze(source)
        (started,) = await until(
            lambda: [one for one in fleet.supervisors() if one not in given_up],
            timeout=PATIENCE,
            what="another supervisor",
        )

        async def replaced() -> bool:
            return moved(calm.owners, await fleet.owners())

        await until(replaced, timeout=PATIENCE, what="other owners elsewhere")
        await until(lambda: not fleet.engines(source), timeout=PATIENCE, what="the fenced ones disconnected")
        assert await fleet.world.connected() == len(calm.owners)
        fleet.cluster.thaw(source)
        await fleet.cluster.ended(source, timeout=60)
        await fleet.recover()
        assert fleet.supervisors() == [started], "the one that was given up ended alone"
    await nothing_lost(fleet, calm)


async def test_a_predecessor_that_does_not_answer_is_fenced_and_its_session_lock_broken(fleet: Fleet) -> None:
    source, target, calm = await gathered(fleet)
    one, *_ = fleet.world.instances
    async with fleet.flowing():
        hold = fleet.hold(one, Step.QUIESCE, recorded=True)
        move = asyncio.create_task(fleet.move(one, target))
        await fleet.stopped([hold])
        # With its engine: neither of them lets go of anything.
        engines = fleet.engines(source)
        frozen = [*fleet.actors(source), *engines]
        fleet.signal(frozen, signal.SIGSTOP)
        fleet.proxy.release()
        ended = await move
        assert ended is not None
        assert ended["outcome"] == "moved"

        # The others are frozen, too; nobody moves them, and their leases run out.
        async def replaced() -> bool:
            return all(now.epoch > calm.owners[name].epoch for name, now in (await fleet.owners()).items())

        await until(replaced, timeout=PATIENCE, what="other owners")
        assert await fleet.world.connected() == len(calm.owners)
        fleet.signal(frozen, signal.SIGCONT)
        await fleet.recover()
    await nothing_lost(fleet, calm, frozen=len(engines))


async def test_a_successor_that_cannot_connect_is_replaced(fleet: Fleet) -> None:
    _, target, calm = await gathered(fleet)
    one, phone = next(iter(fleet.world.instances.items()))
    async with fleet.flowing():
        hold = fleet.hold(one, Step.ACTIVATE, recorded=True)
        move = asyncio.create_task(fleet.move(one, target))
        await fleet.stopped([hold])
        fault = await fleet.world.lab.call("POST", "/faults", {"kind": "refuse_login", "phone": phone})
        fleet.proxy.release()

        async def given_up() -> bool:
            return (await fleet.owners())[one].epoch > calm.owners[one].epoch + 1

        await until(given_up, timeout=PATIENCE, what="another successor")
        await fleet.world.lab.call("DELETE", f"/faults/{fault['id']}")
        ended = await move
        assert ended is not None
        assert ended["outcome"] == "moved"
        await fleet.recover()
    await nothing_lost(fleet, calm)


async def test_a_head_that_is_killed_and_comes_back_costs_no_connection(fleet: Fleet) -> None:
    source, target, calm = await gathered(fleet)
    actors = {actor.pid for actor in fleet.actors(source)}
    await supervised_from(fleet, HEAD)
    delivering = fleet.couriers(HEAD)
    async with fleet.flowing():
        death = await fleet.kill_node(HEAD)
        await asyncio.sleep(3)  # messages flow without a head
        await fleet.cluster.add_node(HEAD)
        await fleet.recover()
        assert {actor.pid for actor in fleet.actors(source)} == actors
        assert await fleet.owners() == calm.owners
        one, *_ = fleet.world.instances

        async def moves_again() -> bool:
            ended = await fleet.move(one, target)
            return ended is not None and ended["outcome"] == "moved"

        await until(moves_again, timeout=PATIENCE, what="handoffs again")
    await nothing_lost(fleet, calm, [death] if delivering else [])


async def test_a_second_supervisor_started_by_mistake(fleet: Fleet) -> None:
    _, target, calm = await gathered(fleet)
    (first,) = fleet.supervisors()
    async with fleet.flowing():
        holds = [
            fleet.hold(one, step, recorded=True)
            for one, step in zip(fleet.world.instances, STEPS, strict=True)
        ]
        moves = [asyncio.create_task(fleet.move(one, target)) for one in fleet.world.instances]
        await fleet.stopped(holds)
        assert fleet.world.local is not None
        driver = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SECOND_SUPERVISOR),
            env=fleet.world.local.environment(),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await asyncio.wait_for(driver.communicate(), 120)
        assert said == b"running\n"
        fleet.proxy.release()
        await asyncio.gather(*moves)
        await until(
            lambda: len(fleet.supervisors()) == 1 and first not in fleet.supervisors(),
            timeout=PATIENCE,
            what="one supervisor, not the first",
        )
        await fleet.recover()
    await nothing_lost(fleet, calm)


async def test_a_stop_whose_caller_dies_over_it_leaves_no_supervisor_behind_that_does_nothing(
    fleet: Fleet,
) -> None:
    _, _, calm = await gathered(fleet)
    (stopped,) = fleet.supervisors()
    assert fleet.world.local is not None
    driver = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CUT_OFF), env=fleet.world.local.environment()
    )
    assert await asyncio.wait_for(driver.wait(), 120) == 0
    await until(
        lambda: fleet.supervisors() and stopped not in fleet.supervisors(),
        timeout=PATIENCE,
        what="another supervisor",
    )
    await fleet.recover()
    await nothing_lost(fleet, calm)
