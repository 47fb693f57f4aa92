"""What is measured of a courier. On the path of an event: an attempt, a delivery, a wait for a slot."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from actors import metrics
from actors.courier.ledger import LogEntry
from actors.courier.retry import Failure, Outcome
from actors.settings import MetricsSettings

if TYPE_CHECKING:
    from actors.courier.courier import Courier
    from actors.courier.line import Line

Standing = Literal["open", "down", "disabled"]

SLOW = 0.8
"""Of its deadline, that an attempt takes to count as slow."""

# Looked up once: to find a label's child costs more than to count.
_TOOK = {
    outcome: metrics.Durations(metrics.ATTEMPT_SECONDS.labels(outcome)).observe
    for outcome in metrics.OUTCOMES
}
_DELIVERED = {kind: metrics.Tally(metrics.DELIVERED.labels(kind)) for kind in metrics.TYPES}
_UNKNOWN = _DELIVERED["unknown"]
_DELIVERY = metrics.Durations(metrics.DELIVERY_SECONDS)
_SLOT_WAIT = metrics.Durations(metrics.SLOT_WAIT)
_TIMED_OUT = {
    Failure.TIMEOUT: metrics.TIMEOUTS.labels("attempt").inc,
    Failure.CONNECT_TIMEOUT: metrics.TIMEOUTS.labels("attempt_connect").inc,
}
_REFUSED = metrics.DEAD.labels("refused")
_UNSENT = metrics.DEAD.labels("unsent")
_STATES: tuple[Standing, ...] = ("open", "down", "disabled")
MARK = b'"received_at":"'


def slot_taken(asked: float) -> float:
    """A slot was got that was asked for at ``asked`` (monotonic); returns the time of now."""
    now = time.monotonic()
    _SLOT_WAIT.observe(now - asked)
    return now


def attempted(outcome: Outcome, timeout: float) -> None:
    """An attempt with a deadline of ``timeout`` seconds has ended."""
    if outcome.failure is None or outcome.failure is Failure.STATUS:
        name = f"{outcome.status // 100}xx" if outcome.status else "protocol"
    else:
        name = outcome.failure.value
    _TOOK.get(name, _TOOK["protocol"])(outcome.duration)
    if outcome.duration > SLOW * timeout:
        metrics.SLOW_ATTEMPTS.inc()
        if outcome.failure in _TIMED_OUT:
            _TIMED_OUT[outcome.failure]()
    elif outcome.failure is Failure.CONNECT_TIMEOUT:
        _TIMED_OUT[outcome.failure]()


def concluded(entry: LogEntry, body: bytes, now: float) -> None:
    """What becomes of an event after an attempt is decided.

    Args:
        entry: the attempt.
        now: seconds since 1970.
    """
    result = entry.result
    if result == "delivered":
        _DELIVERED.get(entry.type, _UNKNOWN).number += 1
        if entry.kind != "delivery":
            return  # a replay: the age of its event says nothing
        begin = body.find(MARK) + len(MARK)
        if begin >= len(MARK):
            received = datetime.fromisoformat(body[begin : body.index(b'"', begin)].decode())
            _DELIVERY.observe(max(0.0, now - received.timestamp()))
    elif result == "retry":
        metrics.RETRIES.inc()
    elif result == "dead":
        _REFUSED.inc()


def given_up_unsent(count: int) -> None:
    """Events became dead letters without an attempt."""
    _UNSENT.inc(count)


def sample(courier: Courier | None, settings: MetricsSettings) -> None:
    """Set the gauges of a courier; None: of a process in which none is at work."""
    lines = courier.lines if courier else []
    now = time.monotonic()
    begun = [moment for line in lines for moment in line.begun.values()]
    metrics.OPEN.set(len(begun))
    metrics.OLDEST_OPEN.set(now - min(begun, default=now))
    metrics.SLOTS.set(courier.settings.courier.concurrency_total if courier else 0)
    metrics.SLOTS_WAITING.set(courier.slots_waiting if courier else 0)
    metrics.KNOWN.set(sum(line.known for line in lines))
    metrics.UNWRITTEN.set(sum(line.unwritten for line in lines))
    metrics.SWEEP_AGE.set(max(0.0, now - courier.swept) if courier else 0.0)
    states = Counter(line.standing for line in lines)
    for state in _STATES:
        metrics.ENDPOINTS.labels(state).set(states[state])
    if settings.per_endpoint:
        _each(lines)


def _each(lines: list[Line]) -> None:
    metrics.ENDPOINT_DOWN.clear()
    metrics.ENDPOINT_BEHIND.clear()
    for line in lines:
        place = (metrics.instance_label(line.ledger.instance_id), line.record.id)
        metrics.ENDPOINT_DOWN.labels(*place).set(line.standing == "down")
        metrics.ENDPOINT_BEHIND.labels(*place).set(line.behind)
