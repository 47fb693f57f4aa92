"""The record of a handoff: all that a supervisor has to know to go on with it, as JSON in Redis."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict


class Reason(StrEnum):
    """Why an instance gets another owner."""

    START = "start"
    MOVE = "move"
    DRAIN = "drain"
    REBALANCE = "rebalance"
    RECOVERY = "recovery"
    ROLLOUT = "rollout"


class Step(StrEnum):
    """Where a handoff stands."""

    PREPARE = "prepare"
    QUIESCE = "quiesce"
    DISCONNECT = "disconnect"
    FENCE = "fence"
    ACTIVATE = "activate"
    RETIRE = "retire"
    DONE = "done"
    ABORTED = "aborted"


class Outcome(StrEnum):
    """How a handoff ended, and who owns the instance then."""

    MOVED = "moved"
    """The successor owns it and is connected."""

    KEPT = "kept"
    """The predecessor owns it as before."""

    UNCONNECTED = "unconnected"
    """A successor owns it and lives, but could not connect in time; it goes on trying by itself."""

    LOST = "lost"
    """No living owner is known: begin a recovery whose predecessor is ``Handoff.predecessor``."""

    SUPERSEDED = "superseded"
    """Somebody else was made the owner meanwhile, and was left alone."""


class Standing(StrEnum):
    """What is known of an actor."""

    SERVING = "serving"
    STOPPING = "stopping"
    """Told to quiesce or to disconnect, no last answer yet."""

    DISCONNECTED = "disconnected"
    """It said so: everything flushed, its session closed."""

    SILENT = "silent"
    """It does not answer, or its node is gone: it may still be connected."""

    EXPIRED = "expired"
    """Fenced, and its lease is over: it has parked by itself."""

    DEAD = "dead"
    """Its process is known to have ended."""


class Party(BaseModel):
    """An owner of the instance, present, past or to be.

    ``actor`` is unique over all attempts and handoffs, so that it alone says which incarnation is meant.
    """

    model_config = ConfigDict(frozen=True)

    epoch: int
    node: str
    actor: str
    version: str = ""
    """Of the code that it was made with."""


class LogEntry(BaseModel):
    """One thing that happened."""

    model_config = ConfigDict(frozen=True)

    step: Step
    attempt: int
    outcome: str
    at: float


class Handoff(BaseModel):
    """The record of one handoff: all that a supervisor has to know to go on with it."""

    model_config = ConfigDict(frozen=True)

    id: str
    instance_id: str
    reason: Reason
    origin: Party | None
    """The owner before the handoff, None if there never was one."""

    predecessor: Party | None
    """The owner that the successor replaces: ``origin``, or a successor that became owner and then failed."""

    standing: Standing
    """Of the predecessor."""

    successor: Party | None = None
    successor_standing: Standing = Standing.SERVING
    step: Step = Step.PREPARE
    granted: bool = False
    """The registry has answered that the successor is the owner."""

    breaking: bool = False
    """Granted and cleared; what is left of the predecessor's lock on the session is being broken."""

    forced: bool = False
    """The predecessor is not asked: fence, kill, activate."""

    resumed: int | None = None
    """The attempt under which the predecessor, told to stop before, was told to go on."""

    retried: bool = False
    """The successor was told to activate a second time."""

    target: str | None = None
    """The node wished for."""

    excluded: tuple[str, ...] = ()
    """Nodes that will not do."""

    tries: int = 1
    """Successors so far."""

    attempt: int = 1
    """Number of the orders: grows with each successor, and when the predecessor is told to go on."""

    timer: int = 0
    """Number of the latest deadline; only that one counts."""

    log: tuple[LogEntry, ...] = ()
    last_seq: int | None = None
    """Of the last event that the predecessor flushed."""

    down_at: float | None = None
    up_at: float | None = None
    outcome: Outcome | None = None

    @property
    def blackout(self) -> float | None:
        """Seconds from the predecessor's disconnect, death or fencing to the successor's connected."""
        if self.down_at is None or self.up_at is None:
            return None
        return self.up_at - self.down_at

    @property
    def cleared(self) -> bool:
        """True if the predecessor cannot be connected any more."""
        return self.standing in (Standing.DISCONNECTED, Standing.EXPIRED, Standing.DEAD)


def shown(handoff: Handoff) -> dict[str, Any]:
    """A handoff as the API shows it."""
    blackout = handoff.blackout
    return {
        "id": handoff.id,
        "instance_id": handoff.instance_id,
        "reason": handoff.reason,
        "step": handoff.step,
        "outcome": handoff.outcome,
        "from": handoff.origin.node if handoff.origin else None,
        "to": handoff.successor.node if handoff.successor else None,
        "epoch": handoff.successor.epoch if handoff.successor else None,
        "version": handoff.successor.version if handoff.successor else None,
        "blackout_ms": round(blackout * 1000, 1) if blackout is not None else None,
        "log": [entry.model_dump(mode="json") for entry in handoff.log],
    }
