"""What is counted in plain Python is what prometheus-client would have counted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from actors import metrics
from actors.courier import measured
from actors.courier.ledger import LogEntry
from actors.courier.retry import Failure, Outcome

SECONDS = st.one_of(st.floats(0, 1e6), st.sampled_from(metrics.FAST))


def values(registry: CollectorRegistry) -> dict[tuple[str, ...], Any]:
    """Values by name and labels; those of sums as good as the order of adding lets them be."""
    return {
        (sample.name, *sample.labels.values()): pytest.approx(sample.value)
        if sample.name.endswith("_sum")
        else sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(st.lists(st.lists(SECONDS)))
def test_durations_are_a_histogram(batches: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    first = Histogram("a", "A", buckets=metrics.FAST, registry=ours)
    second = Histogram("a", "A", buckets=metrics.FAST, registry=theirs)
    durations = metrics.Durations(first)
    try:
        for batch in batches:
            for seconds in batch:
                durations.observe(seconds)
                second.observe(seconds)
            metrics.sample()
            found = values(ours)
            assert {**found, ("a_sum",): first._sum.get()} == values(theirs)
    finally:
        metrics.SAMPLERS.remove(durations.flush)


def test_a_tally_is_a_counter() -> None:
    counter = Counter("b", "B", registry=None)
    tally = metrics.Tally(counter)
    try:
        for expected in (3, 3, 5):
            tally.number += expected - counter._value.get()
            metrics.sample()
            assert counter._value.get() == expected
    finally:
        metrics.SAMPLERS.remove(tally.flush)


def sampled(name: str, **labels: str) -> float:
    metrics.sample()
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


def attempt(failure: Failure | None, status: int | None, duration: float = 1.0) -> None:
    measured.attempted(Outcome(status=status, failure=failure, error=None, duration=duration), 15.0)


def test_every_end_of_an_attempt_has_its_place() -> None:
    name = "malote_delivery_attempt_seconds_count"
    ends = [(None, 200, "2xx"), (Failure.STATUS, 503, "5xx"), (Failure.STATUS, 302, "3xx")]
    ends += [(failure, None, failure.value) for failure in Failure if failure is not Failure.STATUS]
    assert {outcome for _, _, outcome in ends} <= set(metrics.OUTCOMES)
    for failure, status, outcome in ends:
        before = sampled(name, outcome=outcome)
        attempt(failure, status)
        assert sampled(name, outcome=outcome) == before + 1


def test_attempts_near_their_deadline_are_slow_and_only_those_past_it_timed_out() -> None:
    slow, late = (
        sampled("malote_delivery_attempts_slow_total"),
        sampled("malote_timeouts_total", place="attempt"),
    )
    attempt(None, 200, 11.9)
    attempt(None, 200, 12.1)
    attempt(Failure.TIMEOUT, None, 15.0)
    assert sampled("malote_delivery_attempts_slow_total") == slow + 2
    assert sampled("malote_timeouts_total", place="attempt") == late + 1


def entry(**changes: object) -> LogEntry:
    return LogEntry(
        **{
            "event_id": "e",
            "seq": 1,
            "type": "message.received",
            "attempt": 1,
            "kind": "delivery",
            "at": 0.0,
            "duration_ms": 1,
            "result": "delivered",
            "status": 200,
            "failure": None,
            "error": None,
            "answer": "",
            **changes,
        }
    )  # type: ignore[arg-type]


def test_a_delivery_is_as_old_as_its_event_and_a_replay_has_no_age() -> None:
    body = b'{"seq":1,"received_at":"2026-01-01T12:00:00.500000Z","data":{}}'
    moment = 1_767_268_800.5  # the same in seconds since 1970
    total, count = "malote_event_delivery_seconds_sum", "malote_event_delivery_seconds_count"
    before = sampled(total), sampled(count), sampled("malote_events_delivered_total", type="message.received")
    measured.concluded(entry(), body, moment + 2.5)
    measured.concluded(entry(kind="replay"), body, moment + 9999)
    measured.concluded(entry(type="of another version"), body, moment + 1)
    assert sampled(total) == before[0] + 3.5
    assert sampled(count) == before[1] + 2
    assert sampled("malote_events_delivered_total", type="message.received") == before[2] + 2


def test_what_is_given_up_is_counted() -> None:
    name = "malote_dead_letters_total"
    refused, unsent, retries = (
        sampled(name, reason="refused"),
        sampled(name, reason="unsent"),
        sampled("malote_delivery_retries_total"),
    )
    measured.concluded(entry(result="dead"), b"", 0.0)
    measured.concluded(entry(result="retry"), b"", 0.0)
    measured.concluded(entry(result="dropped", kind="test"), b"", 0.0)
    measured.given_up_unsent(3)
    assert sampled(name, reason="refused") == refused + 1
    assert sampled(name, reason="unsent") == unsent + 3
    assert sampled("malote_delivery_retries_total") == retries + 1
