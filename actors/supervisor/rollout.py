"""A roll-out of another version of the code as a pure state machine: record and sight in, record and orders.

Whoever leads looks, lets `decide` say what is next, writes the record down, and only then gives the orders::

    rollout, orders = decide(rollout, seen, now)

First a few instances are moved (the canary) and watched, then the couriers are made anew, one at a time, then
the other instances are moved, so many at a time. What fails in the canary turns it round, and so do more
failures after it than the budget has. Turned round, it goes on until everything is back on the old version,
led by the old version's supervisor.

What is under way is never in the record, but seen: so a leader that takes over, or is started again, goes on
from whatever it finds, and an order that was written down but never given is given once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from actors.supervisor.rollout_record import Orders, Phase, Rollout, Seen

SETTLE = 15.0
"""Seconds without a connection that an instance may have after its move before it counts as failed."""

TRIES = 2
"""Times that an instance is told to move before it counts as failed."""

RETRY = 10.0
"""Seconds between two attempts to bring an instance back."""


def decide(rollout: Rollout, seen: Seen, now: float) -> tuple[Rollout, Orders]:
    """The record after a look, and what to do.

    An instance is never told to move while it is moving, none at all while the roll-out is paused, and of
    those that move there are never more than the plan's batch.
    """
    if rollout.ended:
        return rollout, Orders()
    rollout = _note(rollout, seen, now)
    if rollout.phase is not Phase.ROLLING_BACK:
        rollout = _judge(rollout, seen, now)
    if rollout.paused:
        return rollout, Orders()
    if rollout.phase is Phase.ROLLING_BACK:
        return _back(rollout, seen, now)
    if verdict := _verdict(rollout, seen):
        return rollout.turned(verdict), Orders()
    match rollout.phase:
        case Phase.CANARY:
            return _canary(rollout, seen, now)
        case Phase.COURIERS:
            return _couriers(rollout, seen)
        case _:
            return _rest(rollout, seen, now)


# ---- what is seen ----


def _note(rollout: Rollout, seen: Seen, now: float) -> Rollout:
    """Forget what was deleted; note what has come to the new version, and what is away."""
    moved = {one: epoch for one, epoch in rollout.moved.items() if one in seen.instances}
    away: dict[str, float] = {}
    for one, sight in seen.instances.items():
        if sight.version == rollout.new:
            moved.setdefault(one, sight.epoch)
        if not sight.moving and (not sight.ready or sight.up is False):
            away[one] = rollout.away.get(one, now)
    return rollout.change(
        moved=moved,
        away=away,
        tries={one: tries for one, tries in rollout.tries.items() if one in seen.instances},
        told_at={one: moment for one, moment in rollout.told_at.items() if one in seen.instances},
        connected=tuple(one for one in rollout.connected if one in seen.instances),
    )


def _long_away(rollout: Rollout, one: str, now: float) -> bool:
    return one in rollout.away and now - rollout.away[one] >= SETTLE


def _judge(rollout: Rollout, seen: Seen, now: float) -> Rollout:
    """Note what has failed. It stays failed, even if it works again later."""
    failed = {one: why for one, why in rollout.failed.items() if one in seen.instances}
    for one in rollout.tries:
        if one in seen.instances and one not in failed and (why := _failure(rollout, one, seen, now)):
            failed[one] = why
    return rollout.change(failed=failed)


def _failure(rollout: Rollout, one: str, seen: Seen, now: float) -> str:
    """Why the move of an instance failed; empty if it did not, or not yet."""
    sight = seen.instances[one]
    if sight.moving:
        return ""
    if sight.version != rollout.new:
        spent = rollout.tries[one] >= TRIES and now - rollout.told_at[one] >= RETRY
        return (sight.trouble or "it could not be moved") if spent else ""
    if sight.recovered and sight.epoch > rollout.moved[one]:
        return "its owner ended"
    if one not in rollout.connected:
        return ""  # it was not connected before, either
    if sight.trouble or _long_away(rollout, one, now):
        return sight.trouble or "it does not connect"
    return ""


def _verdict(rollout: Rollout, seen: Seen) -> str:
    """Why to turn round, empty if there is no reason."""
    if seen.courier_trouble:
        return f"a courier does not come up: {seen.courier_trouble}"
    for one in rollout.canaries:
        if one in rollout.failed:
            return f"the canary {one} failed: {rollout.failed[one]}"
    if len(rollout.failed) > rollout.plan.budget:
        one, why = next(iter(rollout.failed.items()))
        return f"{len(rollout.failed)} failed, as did {one}: {why}"
    return ""


# ---- what is next ----


def _canary(rollout: Rollout, seen: Seen, now: float) -> tuple[Rollout, Orders]:
    canaries = tuple(one for one in rollout.canaries if one in seen.instances)
    if not canaries and rollout.plan.canary:
        # Those that are connected tell more.
        old = [one for one, sight in seen.instances.items() if sight.version not in (None, rollout.new)]
        old.sort(key=lambda one: (seen.instances[one].up is not True, one))
        canaries = tuple(old[: rollout.plan.canary])
    rollout, orders = _order(rollout.change(canaries=canaries), seen, canaries, now)
    if orders.move or any(_awaited(rollout, seen, one, now) for one in canaries):
        return rollout.change(watched_since=None), orders
    if rollout.watched_since is None:
        rollout = rollout.change(watched_since=now)
    assert rollout.watched_since is not None
    if canaries and now - rollout.watched_since < rollout.plan.canary_watch:
        return rollout, orders
    return rollout.change(phase=Phase.COURIERS), orders


def _couriers(rollout: Rollout, seen: Seen) -> tuple[Rollout, Orders]:
    if all(version == rollout.new for version in seen.couriers.values()):
        return rollout.change(phase=Phase.MOVING), Orders()
    return rollout, Orders(courier=_next_courier(seen, rollout.new))


def _rest(rollout: Rollout, seen: Seen, now: float) -> tuple[Rollout, Orders]:
    rollout, orders = _order(rollout, seen, sorted(seen.instances), now)
    if orders.move or any(_awaited(rollout, seen, one, now) for one in seen.instances):
        return rollout, orders
    return rollout.over(Phase.DONE, now), Orders()


def _back(rollout: Rollout, seen: Seen, now: float) -> tuple[Rollout, Orders]:
    rollout, orders = _order(rollout, seen, sorted(seen.instances), now)
    if all(version == rollout.old for version in seen.couriers.values()) and not (
        orders.move or any(_awaited(rollout, seen, one, now) for one in seen.instances)
    ):
        return rollout.over(Phase.ROLLED_BACK, now), Orders()
    return rollout, Orders(move=orders.move, courier=_next_courier(seen, rollout.old))


def _awaited(rollout: Rollout, seen: Seen, one: str, now: float) -> bool:
    """True if it is not where it has to be, and may still come there."""
    sight = seen.instances[one]
    if sight.moving:
        return True
    forward = rollout.phase is not Phase.ROLLING_BACK
    if sight.version in (None, rollout.goal):
        # The canary, and the last that was moved, have time to settle.
        settling = forward and one in rollout.connected and one not in rollout.failed
        return settling and one in rollout.away
    if forward and one in rollout.failed:
        return False
    # Who has no living owner gets one of the leader's version, once there is room for it.
    return sight.ready or not _long_away(rollout, one, now)


def _next_courier(seen: Seen, goal: str) -> int | None:
    """The next one to make anew, None if there is none, or one is being made."""
    if None in seen.couriers.values():
        return None
    return next((one for one, version in sorted(seen.couriers.items()) if version != goal), None)


def _order(rollout: Rollout, seen: Seen, wanted: Sequence[str], now: float) -> tuple[Rollout, Orders]:
    """Have as many of the wanted moved as may move at a time."""
    room = max(0, rollout.plan.batch - sum(sight.moving for sight in seen.instances.values()))
    move = tuple(_due(rollout, seen, wanted, now))[:room]
    if not move:
        return rollout, Orders()
    connected = {*rollout.connected, *(one for one in move if seen.instances[one].up)}
    return rollout.change(
        tries=rollout.tries | {one: rollout.tries.get(one, 0) + 1 for one in move},
        told_at=rollout.told_at | dict.fromkeys(move, now),
        connected=tuple(sorted(connected)),
    ), Orders(move=move)


def _due(rollout: Rollout, seen: Seen, wanted: Sequence[str], now: float) -> Iterator[str]:
    for one in wanted:
        sight = seen.instances[one]
        if sight.moving or not sight.ready or sight.version in (None, rollout.goal):
            continue
        tried = rollout.tries.get(one, 0)
        if rollout.phase is not Phase.ROLLING_BACK and (tried >= TRIES or one in rollout.failed):
            continue
        if not tried or now - rollout.told_at[one] >= RETRY:
            yield one
