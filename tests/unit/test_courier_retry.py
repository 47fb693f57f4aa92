from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.courier.retry import (
    Blame,
    Failure,
    Outcome,
    Policy,
    Verdict,
    blame,
    judge,
    pause_of,
    retry_after_seconds,
)

POLICY = Policy(schedule=(5.0, 30.0, 120.0), jitter=0.1, retry_after_max=3600.0, poison_attempts=3)
NOW = 1_700_000_000.0


def outcome(
    status: int | None = 500, failure: Failure | None = Failure.STATUS, retry_after: str | None = None
) -> Outcome:
    return Outcome(status=status, failure=failure, error=None, duration=0.1, retry_after=retry_after)


def test_a_2xx_is_done_whatever_the_attempt() -> None:
    for attempt in (1, 4, 99):
        assert judge(outcome(204, None), attempt=attempt, policy=POLICY, now=NOW, dice=0.5) == (
            Verdict.DONE,
            0.0,
        )


def test_the_schedule_is_followed_to_its_end() -> None:
    delays = []
    for attempt in (1, 2, 3):
        verdict, due = judge(outcome(), attempt=attempt, policy=POLICY, now=NOW, dice=0.0)
        assert verdict is Verdict.RETRY
        delays.append(due - NOW)
    assert delays == [5.0, 30.0, 120.0]
    assert judge(outcome(), attempt=4, policy=POLICY, now=NOW, dice=0.0)[0] is Verdict.DEAD


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 3))
def test_jitter_only_ever_adds_up_to_its_share(dice: float, attempt: int) -> None:
    _, due = judge(outcome(), attempt=attempt, policy=POLICY, now=NOW, dice=dice)
    base = POLICY.schedule[attempt - 1]
    assert base <= due - NOW <= base * 1.1 + 1e-6


@pytest.mark.parametrize("failure", list(Failure))
def test_every_failure_is_retried(failure: Failure) -> None:
    status = 500 if failure is Failure.STATUS else None
    assert judge(outcome(status, failure), attempt=1, policy=POLICY, now=NOW, dice=0)[0] is Verdict.RETRY


@pytest.mark.parametrize(
    "status", [100, 199, 300, 301, 302, 307, 400, 401, 404, 409, 418, 429, 500, 503, 599]
)
def test_every_other_status_is_retried(status: int) -> None:
    assert judge(outcome(status), attempt=1, policy=POLICY, now=NOW, dice=0)[0] is Verdict.RETRY


def test_410_disables_even_at_the_last_attempt() -> None:
    assert judge(outcome(410), attempt=99, policy=POLICY, now=NOW, dice=0)[0] is Verdict.DISABLE


@pytest.mark.parametrize(
    ("header", "delay"),
    [
        ("60", 60.0),
        (" 60 ", 60.0),
        ("1", 5.0),
        ("0", 5.0),
        ("999999999999999999999", 3600.0),
        ("-5", 5.0),
        ("soon", 5.0),
        ("", 5.0),
        ("1.5", 5.0),
        ("٣", 5.0),
        ("Mon, 01 Jan 2024 00:00:00 +99999999999999999", 5.0),
        ("1 Jan 99999999999999999999 00:00:00 GMT", 5.0),
        (format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True), 90.0),
        (format_datetime(datetime.fromtimestamp(NOW - 90, UTC), usegmt=True), 5.0),
        (format_datetime(datetime.fromtimestamp(NOW + 90_000, UTC), usegmt=True), 3600.0),
    ],
)
def test_retry_after_can_only_lengthen_the_delay_and_is_capped(header: str, delay: float) -> None:
    verdict, due = judge(outcome(503, retry_after=header), attempt=1, policy=POLICY, now=NOW, dice=0)
    assert (verdict, due - NOW) == (Verdict.RETRY, delay)


@given(st.text(max_size=60))
def test_no_retry_after_breaks_it(header: str) -> None:
    seconds = retry_after_seconds(header, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("status", "failure", "poison"),
    [
        (500, Failure.STATUS, True),
        (400, Failure.STATUS, True),
        (None, Failure.TIMEOUT, True),
        (None, Failure.DISCONNECTED, True),
        (None, Failure.PROTOCOL, True),
        (429, Failure.STATUS, False),
        (503, Failure.STATUS, False),
        (502, Failure.STATUS, True),
        (504, Failure.STATUS, True),
        (None, Failure.CONNECT, False),
        (None, Failure.FORBIDDEN, False),
    ],
)
def test_an_event_refused_while_others_are_taken_is_given_up_early(
    status: int | None, failure: Failure, poison: bool
) -> None:
    def at(attempt: int, others_succeed: bool) -> Verdict:
        return judge(
            outcome(status, failure),
            attempt=attempt,
            policy=POLICY,
            now=NOW,
            dice=0,
            others_succeed=others_succeed,
        )[0]

    assert at(3, True) is (Verdict.DEAD if poison else Verdict.RETRY)
    assert at(2, True) is Verdict.RETRY
    assert at(3, False) is Verdict.RETRY


@pytest.mark.parametrize(
    ("status", "failure", "whose"),
    [
        (200, None, None),
        (500, Failure.STATUS, Blame.UNCLEAR),
        (404, Failure.STATUS, Blame.UNCLEAR),
        (302, Failure.STATUS, Blame.UNCLEAR),
        (400, Failure.STATUS, Blame.EVENT),
        (422, Failure.STATUS, Blame.EVENT),
        (429, Failure.STATUS, Blame.ENDPOINT),
        (503, Failure.STATUS, Blame.ENDPOINT),
        (None, Failure.TIMEOUT, Blame.ENDPOINT),
        (None, Failure.CONNECT, Blame.ENDPOINT),
        (None, Failure.DISCONNECTED, Blame.ENDPOINT),
        (None, Failure.PROXY, Blame.NOBODY),
    ],
)
def test_whose_fault_it_was(status: int | None, failure: Failure | None, whose: Blame | None) -> None:
    assert blame(outcome(status, failure)) is whose


def test_a_spared_event_is_never_given_up_and_tried_again_soon() -> None:
    verdict, due = judge(
        outcome(), attempt=99, policy=POLICY, now=NOW, dice=0, others_succeed=True, spared=True
    )
    assert (verdict, due) == (Verdict.RETRY, NOW + 5.0)
    busy = outcome(429, retry_after="90")
    assert judge(busy, attempt=99, policy=POLICY, now=NOW, dice=0, spared=True) == (Verdict.RETRY, NOW + 90)


@pytest.mark.parametrize(
    ("status", "header", "pause"), [(429, "60", 60), (503, "99999", 3600), (500, "60", 0), (429, None, 0)]
)
def test_only_who_is_busy_and_says_how_long_is_left_alone(
    status: int, header: str | None, pause: float
) -> None:
    assert pause_of(outcome(status, retry_after=header), POLICY, NOW) == pause
