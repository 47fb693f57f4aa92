"""Which of the wanted moves may start now: bounds per node and cluster, a gap between connects. Pure.

The caller keeps the moves that run and the `Pace`, and asks whenever a move has ended, one was added, or the
gap is over::

    while (move := next_move(wanted, running, bounds, pace, now)) is not None:
        wanted.remove(move)
        running.append(move)
        pace = pace.after(bounds, now, draw=random())
        start(move)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from actors.supervisor.placement import Move


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may move at a time.

    Args:
        source: moves away from one node.
        target: moves to one node.
        total: moves in the cluster.
        gap: least seconds between the starts of two moves, so that WhatsApp does not see them all at once.
        jitter: share of the gap that is added at random, at most.
    """

    source: int = 4
    target: int = 4
    total: int = 8
    gap: float = 0.1
    jitter: float = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """When the next move may start.

    Args:
        not_before: seconds on the caller's clock.
    """

    not_before: float = float("-inf")

    def after(self, bounds: Bounds, now: float, *, draw: float) -> Pace:
        """The pace after a move that started ``now``; ``draw`` is random, from 0 to 1."""
        return Pace(now + bounds.gap * (1 + bounds.jitter * draw))

    def wait(self, now: float) -> float:
        """Seconds until the gap is over."""
        return max(0.0, self.not_before - now)


def next_move(
    wanted: Iterable[Move], running: Collection[Move], bounds: Bounds, pace: Pace, now: float
) -> Move | None:
    """The first of the wanted moves that may start, in their order; None if none may yet.

    One that has to wait for its nodes does not hold up those behind it. An instance that is being moved
    already waits for the end of that.
    """
    if pace.wait(now) > 0 or len(running) >= bounds.total:
        return None
    # A move without one of them is bound by the other and by the total.
    sources = Counter(move.source for move in running if move.source)
    targets = Counter(move.target for move in running if move.target)
    moving = {move.instance_id for move in running}
    for move in wanted:
        if (
            move.instance_id not in moving
            and sources[move.source or ""] < bounds.source
            and targets[move.target or ""] < bounds.target
        ):
            return move
    return None
