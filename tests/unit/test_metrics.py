"""What is counted in plain Python is what prometheus-client would have counted."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from actors import metrics
from actors.courier import measured
from actors.courier.ledger import LogEntry
from actors.courier.retry import Failure, Outcome
from actors.instance import measured as of_instance
from actors.instance.connection.base import ConnectionError
from actors.instance.policy import Ending
from actors.settings import MetricsSettings

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


@settings(deadline=None)
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
            durations.flush()
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


def test_a_courier_that_was_drained_has_nothing_open() -> None:
    metrics.OPEN.set(3)
    metrics.ENDPOINTS.labels("down").set(2)
    metrics.ENDPOINT_DOWN.labels("a", "b").set(1)
    measured.sample(None, MetricsSettings(per_endpoint=True))
    assert sampled("malote_delivery_attempts_open") == sampled("malote_endpoints", state="down") == 0
    assert (
        metrics.REGISTRY.get_sample_value("malote_endpoint_down", {"instance_id": "a", "endpoint_id": "b"})
        is None
    )


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


async def test_a_query_is_measured_however_it_ends() -> None:
    async def ask(error: BaseException | None) -> None:
        async with of_instance.query("picture"):
            if error is not None:
                raise error

    name = "malote_query_seconds_count"
    ends: list[tuple[BaseException | None, str]] = [
        (None, "ok"),
        (TimeoutError(), "timeout"),
        (ConnectionError("timeout", "info query timed out"), "timeout"),
        (ConnectionError("not_connected", "websocket not connected"), "error"),
        (asyncio.CancelledError(), "cancelled"),
    ]
    late = sampled("malote_timeouts_total", place="query")
    for error, outcome in ends:
        before = sampled(name, kind="picture", outcome=outcome)
        with suppress(TimeoutError, ConnectionError, asyncio.CancelledError):
            await ask(error)
        assert sampled(name, kind="picture", outcome=outcome) == before + 1
    assert sampled("malote_timeouts_total", place="query") == late + 2
    assert sampled("malote_queries_open") == 0


def test_the_ends_of_connections_are_told_apart() -> None:
    def counts() -> tuple[float, ...]:
        return (
            sampled("malote_reconnects_total"),
            sampled("malote_conflicts_total"),
            sampled("malote_parks_total", cause="events"),
            sampled("malote_silent_connections_total"),
            sampled("malote_engines_lost_total"),
            sampled("malote_timeouts_total", place="login"),
        )

    def change(ending: Ending, *, parked: bool = False) -> tuple[float, ...]:
        before = counts()
        of_instance.ended(ending, parked=parked)
        return tuple(now - then for now, then in zip(counts(), before, strict=True))

    assert change(Ending.LOST) == (1, 0, 0, 0, 0, 0)
    assert change(Ending.REPLACED) == (0, 1, 0, 0, 0, 0)
    assert change(Ending.PARKED) == (0, 0, 1, 0, 0, 0)
    assert change(Ending.PARKED, parked=True) == (0, 0, 0, 0, 0, 0)
    assert change(Ending.SILENT) == (1, 0, 0, 1, 0, 0)
    assert change(Ending.ENGINE_GONE) == (1, 0, 0, 0, 1, 0)
    assert change(Ending.LOGIN_TIMEOUT) == (1, 0, 0, 0, 0, 1)
    assert change(Ending.LOGGED_OUT) == (0, 0, 0, 0, 0, 0)
    assert change(Ending.WANTED) == (0, 0, 0, 0, 0, 0)


def test_an_answer_to_an_append_is_counted_as_what_it_is() -> None:
    def counts() -> tuple[float, ...]:
        return (
            sampled("malote_events_appended_total", type="message.received"),
            sampled("malote_fenced_writes_total"),
            sampled("malote_ephemeral_events_dropped_total"),
        )

    for outcome, expected in (
        ("ok", (1, 0, 0)),
        ("duplicate", (1, 0, 0)),
        ("stale", (0, 1, 0)),
        ("dropped", (0, 0, 1)),
        ("full", (0, 0, 0)),
    ):
        before = counts()
        of_instance.appended("message.received", outcome)
        assert tuple(now - then for now, then in zip(counts(), before, strict=True)) == expected


def test_the_oldest_handler_is_as_old_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(of_instance.time, "monotonic", lambda: clock[0])
    handlers = of_instance.Handlers()
    with handlers.one():
        clock[0] = 103.0
        with handlers.one():
            clock[0] = 110.0
            handlers.sample()
            assert sampled("malote_event_handlers") == 2
            assert sampled("malote_event_handler_oldest_seconds") == 10
    handlers.sample()
    assert sampled("malote_event_handlers") == 0
    assert sampled("malote_event_handler_oldest_seconds") == 0
