"""Deadlines: what is late ends, and nothing else."""

from __future__ import annotations

import asyncio
import time

import pytest

from actors.courier.deadline import Deadline

SHORT = 0.05


async def late(deadline: Deadline, begun: asyncio.Event | None = None) -> float:
    """Takes for ever; returns after how many seconds it was ended."""
    start = time.monotonic()
    try:
        with deadline.within():
            if begun is not None:
                begun.set()
            await asyncio.Event().wait()
    except TimeoutError:
        return time.monotonic() - start
    raise AssertionError("nothing takes longer than for ever")


async def test_what_is_late_ends_and_not_before_its_time() -> None:
    deadline = Deadline(SHORT)
    tasks = []
    for _ in range(5):
        tasks.append(asyncio.create_task(late(deadline)))
        await asyncio.sleep(SHORT / 3)
    assert all(took >= SHORT for took in await asyncio.gather(*tasks))


async def test_what_ends_in_time_is_let_be() -> None:
    deadline = Deadline(SHORT)

    async def in_time(number: int) -> int:
        with deadline.within():
            await asyncio.sleep(0)
        await asyncio.sleep(3 * SHORT)  # takes as long as it likes by now
        return number

    numbers = asyncio.gather(*(in_time(number) for number in range(5)))
    assert await late(deadline) >= SHORT, "also of what began later"
    assert await numbers == list(range(5))


async def test_a_task_may_have_one_after_another() -> None:
    deadline = Deadline(SHORT)
    for _ in range(3):
        assert await late(deadline) >= SHORT
        with deadline.within():
            await asyncio.sleep(0)


async def test_an_error_stays_what_it_is() -> None:
    with pytest.raises(ZeroDivisionError), Deadline(SHORT).within():
        raise ZeroDivisionError


async def test_who_cancels_is_not_mistaken_for_the_deadline() -> None:
    deadline, begun = Deadline(SHORT), asyncio.Event()
    task = asyncio.create_task(late(deadline, begun))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await late(deadline) >= SHORT, "it goes on to work for others"


async def test_who_cancels_in_the_same_turn_is_heard() -> None:
    span, begun = Deadline(60).within(), asyncio.Event()

    async def wait() -> None:
        with span:
            begun.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(wait())
    await begun.wait()
    span.expire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_deadline_within_another() -> None:
    long, short = Deadline(60), Deadline(SHORT)
    with long.within():
        assert await late(short) >= SHORT
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
