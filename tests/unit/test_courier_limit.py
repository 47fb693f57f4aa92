from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.courier.limit import Evidence, Limit, evidence
from actors.courier.retry import Failure, Outcome


@pytest.mark.parametrize(
    ("status", "failure", "what"),
    [
        (200, None, Evidence.GOOD),
        (500, Failure.STATUS, Evidence.NOTHING),
        (404, Failure.STATUS, Evidence.NOTHING),
        (429, Failure.STATUS, Evidence.OVERLOAD),
        (503, Failure.STATUS, Evidence.OVERLOAD),
        (None, Failure.TIMEOUT, Evidence.OVERLOAD),
        (None, Failure.CONNECT, Evidence.OVERLOAD),
    ],
)
def test_evidence(status: int | None, failure: Failure | None, what: Evidence) -> None:
    assert evidence(Outcome(status, failure, None, 0.1)) is what


def test_it_grows_by_one_a_round_if_it_is_used() -> None:
    limit = Limit(4, 32)
    for _ in range(4):
        limit.learn(Evidence.GOOD, open_attempts=4, started=0, now=1)
    assert limit.value == 5
    for _ in range(100):
        limit.learn(Evidence.GOOD, open_attempts=1, started=0, now=1)
    assert limit.value == 5


def test_one_overload_halves_it_once() -> None:
    limit = Limit(16, 32)
    for _ in range(16):
        limit.learn(Evidence.OVERLOAD, open_attempts=16, started=10, now=25)
    assert limit.value == 8
    limit.learn(Evidence.OVERLOAD, open_attempts=8, started=25, now=40)
    assert limit.value == 4


@given(st.lists(st.tuples(st.sampled_from(list(Evidence)), st.integers(1, 40), st.floats(0, 20))))
def test_it_stays_within_its_bounds(ends: list[tuple[Evidence, int, float]]) -> None:
    limit = Limit(4, 32)
    now = 0.0
    for what, open_attempts, duration in ends:
        now += duration
        before = limit.value
        limit.learn(what, open_attempts=open_attempts, started=now - duration, now=now)
        assert 1 <= limit.value <= 32
        assert limit.value <= before + 1
        if what is Evidence.NOTHING:
            assert limit.value == before


def test_it_comes_back() -> None:
    limit = Limit(4, 6)
    for second in range(5):
        limit.learn(Evidence.OVERLOAD, open_attempts=1, started=second, now=second + 1)
    assert limit.value == 1
    for _ in range(100):
        limit.learn(Evidence.GOOD, open_attempts=limit.value, started=9, now=10)
    assert limit.value == 6
