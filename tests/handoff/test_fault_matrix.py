"""SIGKILL of every kind of process at every step of a handoff: afterwards one owner, and nothing is lost.

A row of the matrix is a victim and a step. The rows of a victim are played together: six instances move from
one node to another, the handoff of each is stopped in a step of its own, then the victims of all of them are
killed at once, and everything is let go.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from enum import StrEnum

import pytest
import pytest_asyncio

from actors.supervisor.handoff_record import Step
from bench.handoff.books import Death
from tests.handoff.fleet import STEPS, Fleet, Seen

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.engine,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(600),
]


class Victim(StrEnum):
    PREDECESSOR = "predecessor"
    SUCCESSOR = "successor"
    ENGINE = "engine"
    SUPERVISOR = "supervisor"
    SUPERVISOR_UNRECORDED = "supervisor, step done and not written down"
    SOURCE = "source node"
    TARGET = "target node"
    REDIS = "redis"


@dataclass(frozen=True)
class Struck:
    """What a blow did.

    Attributes:
        seen: what became of the instance whose handoff stood in the step.
        send_errors: answers to sends other than that they are accepted.
    """

    victim: Victim
    seen: dict[Step, Seen]
    send_errors: list[str]


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=list(Victim), ids=str)
async def struck(request: pytest.FixtureRequest, fleet: Fleet) -> Struck:
    victim: Victim = request.param
    await fleet.restore()
    source, target, *_ = await fleet.fullest()
    await fleet.gather(source)
    calm = await fleet.calm()
    instances = dict(zip(STEPS, fleet.world.instances, strict=True))
    async with fleet.flowing():
        holds = {
            step: fleet.hold(one, step, recorded=_recorded(victim, step)) for step, one in instances.items()
        }
        moves = [asyncio.create_task(fleet.move(one, target)) for one in instances.values()]
        try:
            await fleet.stopped(holds.values())
            death = await _strike(fleet, victim, source, target)
        finally:
            fleet.proxy.release()
            await asyncio.gather(*moves)
        await fleet.recover()
    seen = await fleet.check(calm, [death])
    errors = fleet.traffic.send_errors[calm.send_errors :]
    return Struck(victim, {step: seen[one] for step, one in instances.items()}, errors)


def _recorded(victim: Victim, step: Step) -> bool:
    """Whether the step is written down and not followed, or the other way round, when the blow falls."""
    # Before `prepare` was followed there is no successor that could be killed.
    return victim is not Victim.SUPERVISOR_UNRECORDED and (victim, step) != (Victim.SUCCESSOR, Step.PREPARE)


async def _strike(fleet: Fleet, victim: Victim, source: str, target: str) -> Death:
    match victim:
        case Victim.PREDECESSOR:
            return await fleet.kill(fleet.actors(source))
        case Victim.SUCCESSOR:
            return await fleet.kill(fleet.actors(target))
        case Victim.ENGINE:
            return await fleet.kill([*fleet.engines(source), *fleet.engines(target)])
        case Victim.SUPERVISOR | Victim.SUPERVISOR_UNRECORDED:
            return await fleet.kill(fleet.supervisors())
        case Victim.SOURCE:
            return await fleet.kill_node(source)
        case Victim.TARGET:
            return await fleet.kill_node(target)
        case Victim.REDIS:
            return await fleet.kill_redis()


@pytest.mark.parametrize("step", STEPS, ids=str)
async def test_a_kill_in_any_step_loses_nothing(struck: Struck, step: Step) -> None:
    seen = struck.seen[step]
    assert seen.state["connection"] == "connected"
    assert seen.after.epoch >= seen.before.epoch
    assert seen.state["node"] == seen.after.node
    assert not seen.gaps
    assert not seen.reordered
    assert not seen.unexplained, "an event came twice although no answer was lost"
    if struck.victim is not Victim.REDIS:
        assert not struck.send_errors, "sends wait in the outbox; only without Redis they are refused"
