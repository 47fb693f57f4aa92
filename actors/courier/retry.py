"""What follows an attempt: delivered, tried again, given up, or the endpoint switched off. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple

GONE = 410
BUSY = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses that speak of the endpoint's state, not of the event."""
CLOSED = frozenset({401, 403, 404, 405})
"""Statuses below 500 that an endpoint gives to whatever comes, if it is set up wrongly."""
SPARED_DELAY = 5.0
"""Seconds, at most, until an event is tried again that was spared."""
SPARED_MOST = 20
"""Attempts at an event that a pause spares while others are taken: an endpoint may ask for one each time that
it gets this very event, which would hold up its chat for ever."""


class Failure(StrEnum):
    """Why an attempt got no 2xx. One that was `DISCONNECTED` had a connection, and no answer on it."""

    STATUS = "status"
    TIMEOUT = "timeout"
    CONNECT_TIMEOUT = "connect_timeout"
    NAME = "name_not_resolved"
    CONNECT = "connect"
    DISCONNECTED = "disconnected"
    FORBIDDEN = "forbidden_address"
    TLS = "tls"
    PROTOCOL = "protocol"
    PROXY = "proxy"


BROUGHT_DOWN = frozenset({Failure.TIMEOUT, Failure.DISCONNECTED, Failure.PROTOCOL})
BROUGHT_DOWN_BEHIND_PROXY = frozenset({502, 504})
"""How it looks if an event hangs or kills what is to handle it."""


class Outcome(NamedTuple):
    """How one attempt ended.

    Args:
        status: HTTP status, None if no answer came.
        failure: None if the answer was a 2xx.
        error: for people, None if there is nothing to say.
        duration: seconds, permit to end of answer.
        retry_after: value of that header.
        answer: beginning of the answer's body, as text.
    """

    status: int | None
    failure: Failure | None
    error: str | None
    duration: float
    retry_after: str | None = None
    answer: str = ""

    @property
    def ok(self) -> bool:
        """True if the endpoint took the event."""
        return self.failure is None


class Blame(StrEnum):
    """Whose fault a failed attempt was, as far as can be told."""

    ENDPOINT = "endpoint"
    """It is down or overloaded."""
    UNCLEAR = "unclear"
    """It answered with an error that may be the event's or its own."""
    EVENT = "event"
    """It refused this event."""
    NOBODY = "nobody"
    """The way to it failed."""


def blame(outcome: Outcome) -> Blame | None:
    """Whose fault the end of an attempt was, None if the endpoint took the event."""
    if outcome.ok:
        return None
    if outcome.failure is Failure.PROXY:
        return Blame.NOBODY
    if outcome.failure is not Failure.STATUS or outcome.status is None or outcome.status in BUSY:
        return Blame.ENDPOINT
    if 400 <= outcome.status < 500 and outcome.status not in CLOSED:
        return Blame.EVENT
    return Blame.UNCLEAR


class Verdict(StrEnum):
    """What to do with an event after an attempt."""

    DONE = "done"
    RETRY = "retry"
    DEAD = "dead"
    DISABLE = "disable"


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and when an event is tried again. Times in seconds."""

    schedule: Sequence[float]
    jitter: float
    retry_after_max: float
    poison_attempts: int


def judge(
    outcome: Outcome,
    *,
    attempt: int,
    policy: Policy,
    now: float,
    dice: float,
    others_succeed: bool = False,
    spared: bool = False,
) -> tuple[Verdict, float]:
    """Decide what follows an attempt.

    An event that is refused while others of its endpoint are taken is given up early: the fault is in the
    event, and its chat waits behind it.

    Args:
        attempt: number of this attempt among those that count, from 1.
        now: seconds since 1970.
        dice: a random number of [0, 1) for the jitter.
        others_succeed: the endpoint took another event since this one was tried for the first time.
        spared: a failure is not held against the event.

    Returns:
        The verdict, and for RETRY the time (seconds since 1970) before which it must not be tried again.
    """
    if outcome.ok:
        return Verdict.DONE, 0.0
    if outcome.status == GONE:
        return Verdict.DISABLE, 0.0
    hint = _asked_for(outcome, policy, now)
    if spared:
        return Verdict.RETRY, now + max(min((SPARED_DELAY, *policy.schedule[:1])), hint)
    if attempt > len(policy.schedule):
        return Verdict.DEAD, 0.0
    blames_event = (
        blame(outcome) in (Blame.EVENT, Blame.UNCLEAR)
        or outcome.failure in BROUGHT_DOWN
        or outcome.status in BROUGHT_DOWN_BEHIND_PROXY
    )
    if others_succeed and blames_event and attempt >= policy.poison_attempts:
        return Verdict.DEAD, 0.0
    delay = policy.schedule[attempt - 1] * (1 + policy.jitter * dice)
    return Verdict.RETRY, now + max(delay, hint)


def worn_out(outcome: Outcome, *, spared: int, others_succeed: bool, down: bool) -> bool:
    """True if a failure counts although the endpoint asked for a pause.

    Args:
        spared: attempts at the event that did not count, before this one.
        others_succeed: as for `judge`.
        down: the endpoint counts as down, and not because of this event alone.
    """
    return spared >= SPARED_MOST and others_succeed and not down and blame(outcome) is not Blame.NOBODY


def pause_of(outcome: Outcome, policy: Policy, now: float) -> float:
    """Seconds for which an endpoint asks to be left alone: a busy one that says how long."""
    if outcome.status not in BUSY:
        return 0.0
    return _asked_for(outcome, policy, now)


def _asked_for(outcome: Outcome, policy: Policy, now: float) -> float:
    return min(retry_after_seconds(outcome.retry_after, now) or 0.0, policy.retry_after_max)


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Seconds from ``now`` that a Retry-After header asks for, None if it says nothing intelligible."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())
