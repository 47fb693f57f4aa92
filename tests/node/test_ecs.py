"""The task learns from the ECS agent what it is, and is protected exactly while its node owns instances."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.registry import InstanceRecord, Registry, new_token
from actors.store import Store
from deploy.node import ecs, protection
from deploy.node.protection import Step, decide
from tests.node.agent import TASK, Agent
from tests.wait import until


async def test_a_task_knows_its_address_memory_and_labels() -> None:
    async with Agent() as agent:
        found = await ecs.task(agent.environment)
    assert found == ecs.Task(
        id="158d1c8083dd49d6b527399fd6414f5c",
        address="127.0.0.3",
        memory=4 * 1024**3,
        labels={
            "ecs-task": "158d1c8083dd49d6b527399fd6414f5c",
            "ecs-family": "malote-worker",
            "ecs-revision": "26",
            "zone": "us-west-2d",
        },
    )


async def test_outside_of_ecs_there_is_no_task() -> None:
    assert await ecs.task({}) is None


def test_a_task_without_bounds_or_addresses() -> None:
    found = ecs.described({"TaskARN": TASK["TaskARN"], "Containers": [{"Name": "node"}]})
    assert (found.address, found.memory) == (None, None)


async def test_an_agent_that_is_away_is_an_error() -> None:
    async with Agent() as agent:
        pass
    with pytest.raises(ecs.EcsError):
        await ecs.task(agent.environment)
    with pytest.raises(ecs.EcsError):
        await ecs.protect(agent.url, 60)


async def test_a_refusal_is_an_error_although_its_status_is_200() -> None:
    async with Agent() as agent:
        agent.refuse = True
        with pytest.raises(ecs.EcsError, match="DEPLOYMENT_BLOCKED"):
            await ecs.protect(agent.url, 60)


@given(
    looks=st.lists(
        st.tuples(st.one_of(st.none(), st.integers(0, 3)), st.floats(0.1, 9.0), st.booleans()), max_size=60
    )
)
def test_no_node_that_owns_something_is_unprotected_as_long_as_ecs_answers(
    looks: list[tuple[int | None, float, bool]],
) -> None:
    lifetime, now = 20.0, 0.0
    held: float | None = None
    expires = 0.0
    """Of the grant, as ECS has it."""
    for owned, pause, answers in looks:
        step = decide(owned, held, lifetime, now)
        if step is Step.HOLD and answers:
            held, expires = now, now + lifetime
        elif step is Step.RELEASE and answers:
            held, expires = None, now
        if answers:
            assert (expires > now) == (owned != 0)
            # Until the next look, at the latest half a life away, it still stands.
            assert owned == 0 or expires - now >= lifetime / 2
        now += pause


async def test_protected_while_it_owns_instances_and_not_afterwards(redis_url: str) -> None:
    store = Store(redis_url, "node-protection")
    registry = Registry(store)
    leader = await registry.lead()

    async def own(instance_id: str, node: str, after: int) -> None:
        await registry.fence(
            instance_id, after=after, leader=leader, actor=f"{instance_id}-{node}", node=node, known_dead=True
        )

    async with Agent() as agent:
        keeping = asyncio.create_task(
            protection.keep(
                lambda: protection.owned(registry, "here"),
                lambda minutes: ecs.protect(agent.url, minutes),
                minutes=60,
                look=0.02,
            )
        )
        try:
            for instance_id in ("one", "two"):
                record = InstanceRecord(id=instance_id, name=instance_id, created_at=datetime.now(UTC))
                await registry.create(record, new_token())
            await own("one", "elsewhere", 0)
            await asyncio.sleep(0.1)
            assert agent.asked == []

            agent.refuse = True
            await own("two", "here", 0)
            await asyncio.sleep(0.1)
            assert not agent.protected
            agent.refuse = False
            await until(lambda: agent.protected, what="protected as soon as ECS lets it")

            await own("two", "elsewhere", 1)
            await until(lambda: not agent.protected, what="released when empty")
            assert agent.asked == [
                {"ProtectionEnabled": True, "ExpiresInMinutes": 60},
                {"ProtectionEnabled": False},
            ]
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
            await store.close()
