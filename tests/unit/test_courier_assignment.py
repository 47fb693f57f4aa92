from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from actors.courier.assignment import assigned

members = st.lists(st.integers(0, 50), unique=True, min_size=1, max_size=8)


@given(st.text(max_size=30), members, st.randoms())
def test_everybody_gives_the_same_answer(endpoint: str, who: list[int], random_: object) -> None:
    assert assigned(endpoint, who) == assigned(endpoint, sorted(who, reverse=True))
    assert assigned(endpoint, who) in who


@given(st.text(max_size=30), members)
def test_only_the_share_of_a_leaver_moves(endpoint: str, who: list[int]) -> None:
    before = assigned(endpoint, who)
    for leaver in who:
        after = assigned(endpoint, [member for member in who if member != leaver])
        if leaver != before:
            assert after == before


def test_nobody_serves_without_members() -> None:
    assert assigned("ep", []) is None


def test_shares_are_fair() -> None:
    counts = [0] * 5
    for number in range(5_000):
        member = assigned(f"inst/ep_{number}", range(5))
        assert member is not None
        counts[member] += 1
    assert min(counts) > 850
    assert max(counts) < 1150
