"""The gate: what holds attempts back, and what is not held against events."""

from __future__ import annotations

from dataclasses import replace

from actors.courier.breaker import Memory
from actors.courier.gate import Gate, Terms, terms
from actors.courier.records import DeliveryOptions
from actors.courier.retry import Failure, Outcome
from actors.settings import CourierSettings

NOW = 1_700_000_000.0
TERMS = terms(CourierSettings(), DeliveryOptions())
GOOD = Outcome(200, None, None, 0.1)
DOWN = Outcome(None, Failure.CONNECT, "refused", 0.1)


def pass_through(gate: Gate, outcome: Outcome, now: float = NOW, event: str = "e") -> bool:
    opens = gate.opens_at(now)
    assert opens is not None
    assert opens <= now
    return gate.leave(outcome, event, probe=gate.enter(now), open_attempts=1, started=now, now=now)


def test_options_go_before_settings() -> None:
    settings = CourierSettings(timeout=15, schedule=(1, 2))
    own = terms(settings, DeliveryOptions(timeout=3, schedule=(), concurrency=2, rate=5, disable_after=60))
    assert (own.timeout, own.policy.schedule, own.concurrency_max) == (3, (), 2)
    assert (own.rate, own.disable_after) == (5, 60)
    plain = terms(settings, DeliveryOptions())
    assert (plain.timeout, plain.policy.schedule, plain.rate) == (15, (1, 2), None)


def test_an_endpoint_that_is_down_gets_probes_and_its_events_are_spared() -> None:
    gate = Gate(TERMS, NOW)
    held = [pass_through(gate, DOWN) for _ in range(5)]
    assert held == [False, False, False, False, True], "the one that opens the circuit does not count either"
    assert gate.capacity == 1
    assert gate.opens_at(NOW) == NOW + 30
    assert pass_through(gate, DOWN, NOW + 30)
    assert gate.opens_at(NOW + 30) == NOW + 90
    assert gate.down
    assert not pass_through(gate, GOOD, NOW + 90)
    assert not gate.down


def test_retry_after_of_a_busy_endpoint_holds_all_its_events_back() -> None:
    gate = Gate(TERMS, NOW)
    assert pass_through(gate, Outcome(429, Failure.STATUS, None, 0.1, retry_after="20"))
    assert gate.opens_at(NOW) == NOW + 20
    assert not gate.down
    again = Gate(TERMS, NOW + 1, gate.memory())
    assert again.opens_at(NOW + 1) == NOW + 20, "a new courier keeps to it"
    pass_through(again, GOOD, NOW + 20)
    assert again.memory() is None


def test_a_proxy_that_fails_is_held_against_nobody() -> None:
    gate = Gate(TERMS, NOW)
    for _ in range(20):
        assert pass_through(gate, Outcome(None, Failure.PROXY, "down", 0.1))
    assert not gate.down
    assert gate.capacity == TERMS.concurrency


def test_a_rate_lets_a_second_s_worth_through_and_then_keeps_its_pace() -> None:
    gate = Gate(replace(TERMS, rate=2.0), NOW)
    pass_through(gate, GOOD)
    pass_through(gate, GOOD)
    assert gate.opens_at(NOW) == NOW + 0.5
    pass_through(gate, GOOD, NOW + 0.5)
    assert gate.opens_at(NOW + 0.5) == NOW + 1.0


def test_a_change_has_an_open_circuit_tried_at_once_but_does_not_forget_it() -> None:
    gate = Gate(TERMS, NOW)
    for _ in range(5):
        pass_through(gate, DOWN)
    gate.change(TERMS, NOW + 1)
    assert gate.opens_at(NOW + 1) == NOW + 1
    assert pass_through(gate, DOWN, NOW + 1)
    assert gate.opens_at(NOW + 1) == NOW + 61


def test_a_lower_bound_holds_at_once() -> None:
    gate = Gate(TERMS, NOW)
    lower: Terms = replace(TERMS, concurrency_max=2)
    gate.change(lower, NOW)
    assert gate.capacity == 2


def test_a_clock_that_was_ahead_leaves_no_endpoint_alone_for_longer_than_any_wait() -> None:
    ahead = NOW + 90_000
    gate = Gate(TERMS, ahead)
    for _ in range(5):
        pass_through(gate, DOWN, ahead)
    opens = gate.opens_at(NOW)
    assert opens == NOW + 300, "the longest time between two probes"
    assert gate.opens_at(NOW + 299) == opens, "and it comes nearer"
    again = Gate(TERMS, NOW, Memory(ahead, 3))
    assert again.opens_at(NOW) == NOW + 300

    paused = Gate(TERMS, ahead)
    pass_through(paused, Outcome(429, Failure.STATUS, None, 0.1, retry_after="20"), ahead)
    opens = paused.opens_at(NOW)
    assert opens == NOW + 3600, "the longest pause that an endpoint can ask for"
    assert paused.opens_at(NOW + 10) == opens
