"""The record of a roll-out, as JSON in Redis; what its leader sees, and is told to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Phase(StrEnum):
    """Where a roll-out stands."""

    CANARY = "canary"
    """The first few instances are moved, and watched."""

    COURIERS = "couriers"
    """The couriers are made anew, one at a time."""

    MOVING = "moving"
    """The other instances are moved."""

    ROLLING_BACK = "rolling_back"
    """Everything is brought back to the old version."""

    DONE = "done"
    ROLLED_BACK = "rolled_back"
    """It is as it was before."""

    LOST = "lost"
    """All supervisors were ended in the middle of it."""


ENDED = frozenset({Phase.DONE, Phase.ROLLED_BACK, Phase.LOST})


class Plan(BaseModel):
    """How it goes.

    Args:
        canary: instances that go first, 0 for none.
        canary_watch: seconds for which they are watched once they have moved.
        batch: instances that are moved at a time.
        budget: instances that may fail after the canary.
    """

    model_config = ConfigDict(frozen=True)

    canary: int = 1
    canary_watch: float = 60.0
    batch: int = 4
    budget: int = 0


class Rollout(BaseModel):
    """The record of one roll-out: all that a leader has to know to go on with it."""

    model_config = ConfigDict(frozen=True)

    id: str
    old: str
    new: str
    plan: Plan = Plan()
    began_at: float
    phase: Phase = Phase.CANARY
    paused: bool = False
    canaries: tuple[str, ...] = ()
    tries: dict[str, int] = {}
    """How often each instance was told to move, in this direction."""

    told_at: dict[str, float] = {}
    moved: dict[str, int] = {}
    """Epoch in which each instance was first seen on the new version."""

    connected: tuple[str, ...] = ()
    """Those that were connected when they were told to move."""

    away: dict[str, float] = {}
    """Since when each of these has no living owner, or no connection."""

    failed: dict[str, str] = {}
    """Why each of these failed."""

    watched_since: float | None = None
    reason: str = ""
    """Why it was turned round."""

    ended_at: float | None = None

    @property
    def ended(self) -> bool:
        """True if nothing is left to do."""
        return self.phase in ENDED

    @property
    def goal(self) -> str:
        """The version that everything is to get."""
        return self.old if self.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK) else self.new

    def change(self, **changes: Any) -> Rollout:
        """The same with other values."""
        return self.model_copy(update=changes)

    def over(self, phase: Phase, now: float) -> Rollout:
        """The same at its end, without what only its way needed."""
        return self.change(phase=phase, ended_at=now, tries={}, told_at={}, connected=(), away={})

    def turned(self, reason: str) -> Rollout:
        """The same, on its way back. Again changes nothing, and neither does it after the end."""
        if self.ended or self.phase is Phase.ROLLING_BACK:
            return self
        # Whoever wants it back does not want it to stand still.
        return self.change(
            phase=Phase.ROLLING_BACK, reason=reason, paused=False, tries={}, told_at={}, away={}
        )


@dataclass(frozen=True, slots=True)
class Sight:
    """One instance as it stands.

    Args:
        version: of the code that its owner was made with; None if it never had one.
        epoch: of the owner.
        recovered: the owner took over from one that had ended, and not by a handoff.
        moving: a handoff of it runs, or waits for its turn.
        ready: the owner lives, and can be told to move.
        up: it is connected; None if it need not be.
        trouble: how its last handoff failed.
    """

    version: str | None
    epoch: int = 1
    recovered: bool = False
    moving: bool = False
    ready: bool = True
    up: bool | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything as it stands.

    Args:
        couriers: version of each courier that works; None while it is being made.
        courier_trouble: why couriers do not come up.
    """

    instances: Mapping[str, Sight]
    couriers: Mapping[int, str | None] = field(default_factory=dict)
    courier_trouble: str = ""


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do once the record is written down.

    Args:
        move: instances to hand over.
        courier: one to make anew.
    """

    move: tuple[str, ...] = ()
    courier: int | None = None
