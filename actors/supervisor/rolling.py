"""Carries out a roll-out for the supervisor that leads: looks, decides, writes down, gives the orders."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Mapping
from typing import Any

from actors import metrics
from actors.registry import ConnectionState, Desired, InstanceState, Owner
from actors.store import Store
from actors.supervisor.couriers import Couriers
from actors.supervisor.handoff_record import Handoff, Outcome, Reason
from actors.supervisor.kept import Kept
from actors.supervisor.office import Conflict, Offices
from actors.supervisor.rollout import decide
from actors.supervisor.rollout_record import Orders, Phase, Rollout, Seen, Sight

log = logging.getLogger(__name__)

TOLD_FOR = 3600.0
"""Seconds for which it is told that a roll-out was rolled back."""


class Rolling:
    """The part that the leader has in a roll-out.

    Args:
        version: of this supervisor's code.
        instances: those that are kept.
    """

    def __init__(self, store: Store, version: str, instances: Mapping[str, Kept], couriers: Couriers) -> None:
        self._store = store
        self._version = version
        self._instances = instances
        self._couriers = couriers
        self._offices = Offices(store)
        self._trouble: dict[str, str] = {}
        """How the last handoff of each instance failed."""

    async def turn(self) -> bool:
        """Do what is next in the roll-out, if one goes on; every instance has to be kept already.

        Returns:
            False if another version's supervisor is to lead from now on.

        Raises:
            StoreUnavailable
        """
        office = await self._offices.read()
        if office is None or office.appointed != self._version:
            return office is None
        metrics.ROLLED_BACK.set(_was_turned(office.rollout, time.time()))
        rollout = office.rolling
        if rollout is None:
            return True
        decided, orders = decide(rollout, await self._look(), time.time())
        if decided != rollout:
            try:
                office = await self._offices.write(office.follow(decided))
            except Conflict:
                return True  # the next turn sees what was changed
            _tell(rollout, decided)
        if office.appointed != self._version:
            return False
        self._give(orders)
        return True

    async def _look(self) -> Seen:
        kept = dict(self._instances)
        key = self._store.keys.instance

        async def ask() -> list[Any]:
            pipe = self._store.redis.pipeline(transaction=False)
            for one in kept:
                pipe.hgetall(key(one, "owner"))
                pipe.get(key(one, "state"))
            return list(await pipe.execute())

        answers = iter(await self._store.run(ask, timeout=10, attempt=10) if kept else [])
        return Seen(
            instances={
                instance_id: _sight(one, next(answers), next(answers), self._trouble.get(instance_id, ""))
                for instance_id, one in kept.items()
            },
            couriers=self._couriers.versions(),
            courier_trouble=self._couriers.trouble(),
        )

    def _give(self, orders: Orders) -> None:
        for instance_id in orders.move:
            self._trouble.pop(instance_id, None)
            wish = self._instances[instance_id].ask(Reason.ROLLOUT, None)
            wish.done.add_done_callback(functools.partial(self._hear, instance_id))
        if orders.courier is not None:
            self._couriers.renew(orders.courier)

    def _hear(self, instance_id: str, done: asyncio.Future[Handoff]) -> None:
        """A handoff has ended."""
        if done.cancelled():
            return
        if error := done.exception():
            self._trouble[instance_id] = str(error)
        elif (handoff := done.result()).outcome is not Outcome.MOVED:
            said = handoff.log[-2].outcome if len(handoff.log) > 1 else ""
            self._trouble[instance_id] = f"its handoff ended as {handoff.outcome} ({said})"


def _sight(kept: Kept, raw_owner: dict[str, str], raw_state: str | None, trouble: str) -> Sight:
    if not raw_owner or not raw_owner["actor"]:  # of one that had this id before, only the epoch is left
        return Sight(None, ready=False)
    owner = Owner.model_validate(raw_owner)
    state = InstanceState.model_validate_json(raw_state) if raw_state else None
    # A name that a handoff gave ends in its id and an attempt (`handoff_turn.actor_name`).
    by_handoff = "." in owner.actor.rpartition(":")[2]
    up: bool | None = None
    if kept.record.desired is Desired.CONNECTED and state is not None and state.device is not None:
        up = state.connection is ConnectionState.CONNECTED and state.epoch == owner.epoch
    return Sight(
        version=owner.version,
        epoch=owner.epoch,
        recovered=not by_handoff,
        moving=kept.wish is not None or kept.move is not None,
        ready=kept.worker is not None,
        up=up,
        trouble=trouble,
    )


def _was_turned(rollout: Rollout | None, now: float) -> bool:
    """True while one is brought back, and for a while after it was."""
    if rollout is None or rollout.phase not in (Phase.ROLLING_BACK, Phase.ROLLED_BACK):
        return False
    return rollout.ended_at is None or now - rollout.ended_at < TOLD_FOR


def _tell(before: Rollout, after: Rollout) -> None:
    """Say in the log what has changed."""
    for one in sorted(after.failed.keys() - before.failed.keys()):
        log.warning("roll-out: an instance failed", extra={"instance": one, "reason": after.failed[one]})
    if after.phase is before.phase:
        return
    known = {"rollout": after.id, "version": after.new, "phase": after.phase, "moved": len(after.moved)}
    if after.phase is Phase.ROLLING_BACK:
        log.error("roll-out is turned round", extra={**known, "reason": after.reason})
    else:
        log.info("roll-out goes on", extra=known)
