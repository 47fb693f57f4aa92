"""Slots by the seconds they are held: nobody is starved by somebody slow."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.courier.fairness import Party, Shares
from actors.courier.slots import Slots

A1, A2, B1 = Party("a", "a1"), Party("a", "a2"), Party("b", "b1")


def test_who_held_slots_the_least_is_next() -> None:
    shares = Shares(10, 0)
    shares.take(A1, 0)
    shares.give(A1, 10)
    shares.take(B1, 10)
    shares.give(B1, 11)
    assert shares.next([A1, B1], 11) == B1


def test_slots_that_are_still_held_count() -> None:
    shares = Shares(10, 0)
    shares.take(A1, 0)
    shares.take(B1, 8)
    assert shares.next([A1, B1], 10) == B1


def test_a_tenant_gets_no_more_for_having_more_endpoints() -> None:
    shares = Shares(10, 0)
    shares.take(A1, 0)
    shares.give(A1, 10)
    shares.take(B1, 10)
    shares.give(B1, 15)
    assert shares.next([A2, B1], 15) == B1, "a2 held nothing, but its tenant did"
    assert shares.next([A1, A2], 15) == A2


def test_the_last_slots_are_for_those_that_hold_none() -> None:
    shares = Shares(3, 1)
    shares.take(A1, 0)
    shares.take(A1, 0)
    assert not shares.free(A1)
    assert shares.free(B1)
    assert shares.next([A1], 0) is None
    shares.take(B1, 0)
    assert not shares.free(A2)


def test_use_is_forgotten_in_time() -> None:
    shares = Shares(10, 0)
    shares.take(A1, 0)
    shares.give(A1, 100)
    shares.take(B1, 10_000)
    shares.give(B1, 10_001)
    assert shares.next([A1, B1], 10_001) == A1
    shares.forget(1_000_000)
    assert not shares._endpoints


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 20)), max_size=80))
def test_slots_are_never_overdrawn(steps: list[tuple[bool, int, int]]) -> None:
    shares, held, now = Shares(4, 1), [0] * 4, 0.0
    for take, who, wait in steps:
        now += wait
        party = Party(str(who % 2), str(who))
        if take and shares.free(party):
            shares.take(party, now)
            held[who] += 1
        elif not take and held[who]:
            shares.give(party, now)
            held[who] -= 1
        assert shares.open == sum(held) <= 4
        # Whoever holds none always finds a slot unless others of that kind have them.
        if sum(1 for count in held if count) == sum(held) < 4:
            assert all(
                shares.free(Party(str(other % 2), str(other))) for other in range(4) if not held[other]
            )


async def test_a_slot_that_is_given_back_goes_to_the_next() -> None:
    time = [0.0]
    slots = Slots(Shares(1, 0), clock=lambda: time[0])
    order: list[Party] = []

    async def use(party: Party, seconds: float) -> None:
        await slots.take(party)
        order.append(party)
        time[0] += seconds
        await asyncio.sleep(0)
        slots.give(party)

    async with asyncio.TaskGroup() as group:
        for party, seconds in ((A1, 15.0), (A1, 15.0), (A1, 15.0), (B1, 0.1), (B1, 0.1), (B1, 0.1)):
            group.create_task(use(party, seconds))
    assert order == [A1, B1, B1, B1, A1, A1]


async def test_whoever_is_cancelled_holds_nothing() -> None:
    slots = Slots(Shares(1, 0))
    await slots.take(A1)
    waiting = asyncio.create_task(slots.take(B1))
    late = asyncio.create_task(slots.take(A2))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert slots.waiting == 1
    slots.give(A1)
    late.cancel()  # in the moment in which it is given the slot
    with pytest.raises(asyncio.CancelledError):
        await late
    async with asyncio.timeout(10):
        await slots.take(B1)


async def test_a_slot_given_back_as_a_waiter_is_cancelled_is_free() -> None:
    shares = Shares(1, 0)
    slots = Slots(shares)
    await slots.take(A1)
    waiter = asyncio.create_task(slots.take(B1))
    await asyncio.sleep(0)
    waiter.cancel()
    slots.give(A1)  # before the waiter hears of it
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert (shares.open, slots.waiting) == (0, 0)
    await slots.take(A2)
