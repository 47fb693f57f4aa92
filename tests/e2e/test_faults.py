"""Any process may be killed at any moment: nothing is lost, order holds, all comes back by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.stack import Stack
from tests.wait import until

pytestmark = [pytest.mark.cluster, pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    running = await Stack.start(tmp_path_factory.mktemp("stack"))
    yield running
    await running.stop()


async def test_messages_flow_both_ways_and_nothing_comes_twice(stack: Stack) -> None:
    await asyncio.gather(stack.write(20), stack.answer(10))
    await stack.settle()
    assert stack.duplicates() == 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("kind", ["engine", "instance", "courier", "supervisor", "valkey"])
async def test_sigkill_while_messages_flow(stack: Stack, kind: str) -> None:
    flow = asyncio.gather(stack.write(40), stack.answer(20))
    await asyncio.sleep(0.4)
    before = stack.duplicates()
    await asyncio.gather(stack.kill(kind), return_exceptions=False)
    await flow
    await stack.settle()
    await stack.connected()
    allowed = stack.receiver.most_open if kind in ("courier", "valkey") else 0
    # An event comes twice only where the answer to an attempt was lost with the courier or with Redis.
    assert stack.duplicates() - before <= allowed


@pytest.mark.timeout(400)
async def test_a_thousand_messages_through_a_dozen_kills(stack: Stack) -> None:
    least = len(stack.written) + 1_000
    killing = asyncio.create_task(_kill_engine_and_actor(stack, rounds=4))
    while not killing.done() or len(stack.written) < least:
        await stack.write(10)
    await killing
    await stack.settle()


async def _kill_engine_and_actor(stack: Stack, rounds: int) -> None:
    for _ in range(rounds):
        for kinds in (("engine",), ("instance",), ("engine", "instance")):
            await asyncio.sleep(0.5)
            await stack.kill(*kinds)
            await stack.connected()


@pytest.mark.timeout(240)
async def test_sigkill_of_the_gateway(stack: Stack) -> None:
    await stack.answer(5)
    writing = asyncio.create_task(stack.write(20))
    await stack.kill("gateway")
    await until(_ready(stack), timeout=60, what="the gateway ready again")
    await stack.answer(5)
    await writing
    await stack.settle()


def _ready(stack: Stack):  # type: ignore[no-untyped-def]
    async def look() -> bool:
        try:
            await stack.call("GET", "/readyz")
        except (OSError, AssertionError):
            return False
        return True

    return look


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["raylet"])
async def test_sigkill_of_ray_itself(stack: Stack, kind: str) -> None:
    writing = asyncio.create_task(stack.write(20))
    await stack.kill(kind)
    await writing
    await until(_ready(stack), timeout=120, what="ready again")
    await stack.connected()
    await stack.settle()


@pytest.mark.timeout(300)
async def test_a_full_stop_and_start_keeps_everything(stack: Stack) -> None:
    await stack.write(5)
    await stack.settle()
    shown = await stack.call("GET", stack.path())
    await stack.down()
    assert not [kind for kind in ("engine", "instance", "courier", "raylet", "valkey") if stack.pids(kind)]
    await stack.write(10)  # WhatsApp holds them
    await stack.up()
    again = await stack.call("GET", stack.path())
    assert again["id"] == shown["id"]
    await stack.connected()
    await stack.answer(5)
    await stack.settle()
    events = await stack.call("GET", stack.path("events") + "?after=0&limit=5")
    assert [event["seq"] for event in events["items"]] == [1, 2, 3, 4, 5]
