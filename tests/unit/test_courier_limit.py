from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.courier.limit import Limit
from actors.courier.retry import Blame


def test_it_grows_by_one_a_round_if_it_is_used() -> None:
    limit = Limit(4, 32)
    for _ in range(4):
        limit.learn(None, open_attempts=4, started=0, now=1)
    assert limit.value == 5
    for _ in range(100):
        limit.learn(None, open_attempts=1, started=0, now=1)
    assert limit.value == 5


def test_one_overload_halves_it_once() -> None:
    limit = Limit(16, 32)
    for _ in range(16):
        limit.learn(Blame.ENDPOINT, open_attempts=16, started=10, now=25)
    assert limit.value == 8
    limit.learn(Blame.ENDPOINT, open_attempts=8, started=25, now=40)
    assert limit.value == 4


@given(st.lists(st.tuples(st.sampled_from([None, *Blame]), st.integers(1, 40), st.floats(0, 20))))
def test_it_stays_within_its_bounds(ends: list[tuple[Blame | None, int, float]]) -> None:
    limit = Limit(4, 32)
    now = 0.0
    for what, open_attempts, duration in ends:
        now += duration
        before = limit.value
        limit.learn(what, open_attempts=open_attempts, started=now - duration, now=now)
        assert 1 <= limit.value <= 32
        assert limit.value <= before + 1
        if what in (Blame.UNCLEAR, Blame.EVENT, Blame.NOBODY):
            assert limit.value == before


def test_it_comes_back() -> None:
    limit = Limit(4, 6)
    for second in range(5):
        limit.learn(Blame.ENDPOINT, open_attempts=1, started=second, now=second + 1)
    assert limit.value == 1
    for _ in range(100):
        limit.learn(None, open_attempts=limit.value, started=9, now=10)
    assert limit.value == 6
