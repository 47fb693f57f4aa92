"""What became of events, in the words of the delivery log and of the dead letters. Pure."""

from __future__ import annotations

from typing import Literal

from actors.courier.bodies import Parcel
from actors.courier.ledger import Entry, Lane, LogEntry, Settlement
from actors.courier.queue import Item, Retry
from actors.courier.records import moment
from actors.courier.retry import Blame, Outcome, Verdict, blame
from actors.events import utc

Result = Literal["delivered", "retry", "dead", "dropped", "disabled"]
RESULTS: dict[Verdict, Result] = {
    Verdict.DONE: "delivered",
    Verdict.RETRY: "retry",
    Verdict.DEAD: "dead",
    Verdict.DISABLE: "disabled",
}

WORDS = {"delivered": "done", "retry": "retry", "dead": "dead", "dropped": "drop"}
"""What the ledger calls a result."""


def attempted(
    lane: Lane, item: Item, parcel: Parcel, outcome: Outcome, verdict: Verdict, *, number: int, started: float
) -> LogEntry:
    """An attempt, for the delivery log.

    Args:
        number: of the attempt, from 1.
        started: seconds since 1970.
    """
    result: Result = "delivered" if verdict is Verdict.DONE else RESULTS[verdict]
    if item.test:
        result = "delivered" if outcome.ok else "dropped"
    return LogEntry(
        event_id=parcel.event_id,
        seq=parcel.seq,
        type=parcel.type,
        attempt=number,
        kind="test" if item.test else "delivery" if lane is Lane.MAILBOX else "replay",
        at=round(started, 3),
        duration_ms=round(outcome.duration * 1000),
        result=result,
        status=outcome.status,
        failure=outcome.failure,
        error=outcome.error,
        answer=outcome.answer,
    )


def settled(
    item: Item, log: LogEntry, outcome: Outcome, *, first: float, at: float, retry: Retry | None
) -> Settlement:
    """What an attempt came to.

    Args:
        first: start of the first attempt, seconds since 1970.
        at: end of this one.
        retry: where the event stands if it is tried again.
    """
    return Settlement(
        position=item.position,
        event_id=item.event_id,
        verdict=WORDS[log.result],
        at=at,
        log=log,
        retry=retry,
        letter=_letter(log.attempt, first, at, outcome.status, outcome.error)
        if log.result == "dead"
        else None,
        fault=blame(outcome) is not Blame.NOBODY,
    )


def unsent(entry: Entry, reason: str, *, at: float, retry: Retry | None) -> Settlement:
    """An event that becomes a dead letter without another attempt.

    Args:
        retry: where it stands if it was refused before.
    """
    attempts, first = (retry.attempts, retry.first) if retry else (0, at)
    return Settlement(
        position=entry.position,
        event_id=entry.parcel.event_id,
        verdict="dead",
        at=at,
        log=None,
        letter=_letter(attempts, first, at, None, reason),
    )


def _letter(
    attempts: int, first: float, died: float, status: int | None, error: str | None
) -> dict[str, object]:
    return {
        "attempts": attempts,
        "first_attempt_at": utc(moment(first)),
        "died_at": utc(moment(died)),
        "status": status,
        "error": error,
    }


def merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges (first, last) in order, those that touch joined."""
    found: list[tuple[int, int]] = []
    for first, last in ranges:
        if found and found[-1][1] + 1 == first:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found
