"""The circuit breaker: when it opens, what passes meanwhile, when it closes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.courier.breaker import LEAST, SPAN, Breaker, Memory, Rules
from actors.courier.retry import Blame

RULES = Rules(failures=5, first=30.0, longest=300.0)


def fail(
    breaker: Breaker, times: int, what: Blame = Blame.ENDPOINT, event: str = "e", now: float = 0.0
) -> None:
    for number in range(times):
        breaker.learn(what, f"{event}{number}", probe=breaker.started(), now=now)


def test_failures_in_a_row_open_it() -> None:
    breaker = Breaker(RULES)
    fail(breaker, 4)
    breaker.learn(None, "e", probe=False, now=0.0)
    fail(breaker, 4)
    assert breaker.closed
    fail(breaker, 1)
    assert not breaker.closed
    assert breaker.opens_at(0.0) == 30.0


def test_half_of_many_failures_open_it() -> None:
    breaker = Breaker(RULES)
    for number in range(LEAST):
        breaker.learn(Blame.ENDPOINT if number % 2 else None, "e", probe=False, now=float(number))
    assert not breaker.closed


def test_failures_of_long_ago_do_not_count() -> None:
    breaker = Breaker(RULES)
    for number in range(40):
        breaker.learn(Blame.ENDPOINT if number % 2 else None, "e", probe=False, now=number * SPAN / 5)
    assert breaker.closed


def test_one_event_that_is_refused_again_and_again_does_not_open_it_but_many_do() -> None:
    breaker = Breaker(RULES)
    for _ in range(20):
        breaker.learn(Blame.UNCLEAR, "poison", probe=False, now=0.0)
    assert breaker.closed
    fail(breaker, 4, Blame.UNCLEAR)
    assert not breaker.closed


def test_what_is_not_the_endpoints_fault_never_opens_it() -> None:
    breaker = Breaker(RULES)
    fail(breaker, 50, Blame.EVENT)
    fail(breaker, 50, Blame.NOBODY)
    assert breaker.closed


def test_one_probe_at_a_time_and_a_longer_wait_after_each() -> None:
    breaker = Breaker(RULES)
    fail(breaker, 5)
    now, waits = 0.0, []
    for _ in range(6):
        opens = breaker.opens_at(now)
        assert opens is not None
        waits.append(opens - now)
        now = opens
        assert breaker.started()
        assert breaker.opens_at(now) is None, "nothing beside the probe"
        breaker.learn(Blame.ENDPOINT, "e", probe=True, now=now)
    assert waits == [30, 60, 120, 240, 300, 300]
    assert breaker.started()
    breaker.learn(None, "e", probe=True, now=now)
    assert breaker.closed
    fail(breaker, 5, now=now)
    assert breaker.opens_at(now) == now + 30, "the waits begin anew"


def test_what_was_under_way_when_it_opened_closes_it_or_changes_nothing() -> None:
    breaker = Breaker(RULES)
    fail(breaker, 5)
    breaker.learn(Blame.ENDPOINT, "e", probe=False, now=10.0)
    assert breaker.opens_at(10.0) == 30.0
    breaker.learn(None, "e", probe=False, now=11.0)
    assert breaker.closed


def test_a_probe_that_was_not_made_leaves_room_for_another() -> None:
    breaker = Breaker(RULES, Memory(5.0, 2))
    assert breaker.started()
    breaker.abandoned(probe=True)
    assert breaker.opens_at(6.0) == 5.0


def test_a_probe_that_did_not_reach_it_leaves_room_for_another() -> None:
    breaker = Breaker(RULES, Memory(5.0, 2))
    breaker.learn(Blame.NOBODY, "e", probe=breaker.started(), now=6.0)
    assert breaker.opens_at(6.0) == 5.0


def test_a_probe_whose_event_is_refused_shows_that_the_endpoint_is_there() -> None:
    breaker = Breaker(RULES, Memory(5.0, 2))
    breaker.learn(Blame.EVENT, "e", probe=breaker.started(), now=6.0)
    assert breaker.closed


def test_a_new_courier_goes_on_where_the_old_one_was() -> None:
    breaker = Breaker(RULES)
    fail(breaker, 5)
    again = Breaker(RULES, breaker.memory)
    assert again.opens_at(1.0) == 30.0
    again.learn(Blame.ENDPOINT, "e", probe=again.started(), now=30.0)
    assert again.opens_at(30.0) == 90.0


@given(st.lists(st.tuples(st.sampled_from([None, *Blame]), st.floats(0, 100)), max_size=60))
def test_it_can_always_be_left(ends: list[tuple[Blame | None, float]]) -> None:
    """Whatever comes, an attempt can be made within the longest wait, and one that succeeds closes it."""
    breaker = Breaker(RULES)
    now = 0.0
    for what, wait in ends:
        opens = breaker.opens_at(now)
        assert opens is not None
        assert opens <= now + RULES.longest
        now = max(now, opens) + wait
        breaker.learn(what, "e", probe=breaker.started(), now=now)
        if what is None:
            assert breaker.closed
