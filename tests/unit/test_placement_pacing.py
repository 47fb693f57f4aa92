"""Pacing: which moves may start now."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from actors.supervisor.pacing import Bounds, Pace, next_move
from actors.supervisor.placement import Move

FREE = Pace()


def test_moves_start_in_their_order() -> None:
    wanted = [Move("1", "a", "b"), Move("2", "a", "b")]
    assert next_move(wanted, [], Bounds(), FREE, 0.0) == wanted[0]
    assert next_move([], [], Bounds(), FREE, 0.0) is None


def test_a_full_node_does_not_hold_up_the_others() -> None:
    bounds = Bounds(source=1, target=1, total=10)
    running = [Move("0", "a", "b")]
    wanted = [Move("1", "a", "c"), Move("2", "c", "b"), Move("3", "c", "d")]
    assert next_move(wanted, running, bounds, FREE, 0.0) == wanted[2]


def test_an_instance_is_moved_once_at_a_time() -> None:
    assert next_move([Move("1", "b", "c")], [Move("1", "a", "b")], Bounds(), FREE, 0.0) is None


def test_a_move_without_a_source_or_target_is_bound_by_the_total_alone() -> None:
    bounds = Bounds(source=1, target=1, total=3)
    running = [Move("1", None, None), Move("2", None, None)]
    assert next_move([Move("3", None, None)], running, bounds, FREE, 0.0) is not None
    assert next_move([Move("4", None, None)], [*running, Move("3", "a", None)], bounds, FREE, 0.0) is None


def test_the_gap_is_kept_with_its_jitter() -> None:
    bounds = Bounds(gap=2.0, jitter=0.5)
    assert FREE.after(bounds, 10.0, draw=0.0) == Pace(12.0)
    pace = FREE.after(bounds, 10.0, draw=1.0)
    assert pace == Pace(13.0)
    wanted = [Move("1", "a", "b")]
    assert (pace.wait(12.5), next_move(wanted, [], bounds, pace, 12.5)) == (0.5, None)
    assert (pace.wait(13.0), next_move(wanted, [], bounds, pace, 13.0)) == (0.0, wanted[0])


NODE = st.one_of(st.none(), st.sampled_from("abcd"))
MOVES = st.lists(st.builds(Move, st.sampled_from([str(i) for i in range(8)]), NODE, NODE), max_size=30)
BOUNDS = st.builds(
    Bounds,
    source=st.integers(1, 3),
    target=st.integers(1, 3),
    total=st.integers(1, 6),
    gap=st.sampled_from([0.0, 0.5]),
    jitter=st.sampled_from([0.0, 1.0]),
)


@settings(deadline=None)
@given(MOVES, BOUNDS, st.integers())
def test_every_move_is_made_within_the_bounds(moves: list[Move], bounds: Bounds, seed: int) -> None:
    random = Random(seed)
    wanted, pace, now = list(moves), FREE, 0.0
    running: list[Move] = []
    starts: list[float] = []
    made: list[Move] = []
    for _ in range(len(moves) * 2 + 1):
        while (move := next_move(wanted, running, bounds, pace, now)) is not None:
            wanted.remove(move)
            running.append(move)
            starts.append(now)
            pace = pace.after(bounds, now, draw=random.random())
            assert len(running) <= bounds.total
            sources = Counter(m.source for m in running if m.source)
            targets = Counter(m.target for m in running if m.target)
            assert all(count <= bounds.source for count in sources.values())
            assert all(count <= bounds.target for count in targets.values())
            assert len({m.instance_id for m in running}) == len(running)
        if running:
            made.append(running.pop(random.randrange(len(running))))
        now = max(now, pace.not_before)
    assert Counter(made) == Counter(moves)
    assert all(later - earlier >= bounds.gap - 1e-9 for earlier, later in pairwise(starts))
