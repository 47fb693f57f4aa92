"""The words of the handoff protocol: the events it hears, the instructions it gives.

``attempt`` grows with each successor that a handoff tries. An instruction carries it, its answer repeats it,
and an answer to another attempt is ignored. ``at`` is when an event was heard, in Unix seconds by the
supervisor's clock; it is only written down, never decided upon.
"""

from __future__ import annotations

from dataclasses import dataclass

from actors.supervisor.handoff_record import Outcome, Party, Step

# ---- events ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that was heard."""

    at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Event):
    """An answer to an instruction of this attempt."""

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun(Event):
    """The record was written for the first time: go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(Event):
    """A supervisor loaded the record: repeat the instructions of its step. They are all idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChosen(Answer):
    """A node for the successor, and the version of the code that it will be made with."""

    node: str
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoNode(Answer):
    """No node can take the instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared(Answer):
    """The successor is warm: its engine runs, its session is not yet open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareFailed(Answer):
    """The successor did not get warm."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiesced(Answer):
    """The predecessor sends no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected(Answer):
    """The predecessor has disconnected, flushed its events, closed its session and stays so."""

    last_seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fenced(Answer):
    """The registry made the successor the owner, now or when it was asked before.

    ``remaining``: seconds that the predecessor's lease still runs, never to be renewed; 0 if none runs.
    """

    epoch: int
    remaining: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceRefused(Answer):
    """Neither the predecessor's epoch is current nor was it the successor that replaced it."""

    current_epoch: int
    current_actor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockBroken(Answer):
    """The session is free. ``held``: somebody still had its lock, and has it no more."""

    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Answer):
    """The owner of ``epoch`` serves: connected, or as far as another node would not get further either.

    The latter are instances that are to stay disconnected, are being paired, are logged out or banned.
    """

    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivateFailed(Answer):
    """The successor lives, but could not open its session or connect."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Retired(Answer):
    """The predecessor's process has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlinePassed(Event):
    """The deadline with this number is over."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorDied(Event):
    """An actor ended or cannot be reached any more.

    ``certain``: its process is known to have ended. Ray's word is enough for that only while the actor's node
    lives; of a node that Ray lost, actors may go on.
    """

    actor: str
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Forced(Event):
    """Do not ask the predecessor any more; a drain's deadline is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled(Event):
    """The handoff is not wanted any more. Heeded until the predecessor was told to disconnect."""


HandoffEvent = (
    Begun
    | Resumed
    | NodeChosen
    | NoNode
    | Prepared
    | PrepareFailed
    | Quiesced
    | Disconnected
    | Fenced
    | FenceRefused
    | LockBroken
    | Connected
    | ActivateFailed
    | Retired
    | DeadlinePassed
    | ActorDied
    | Forced
    | Cancelled
)


# ---- instructions ----


@dataclass(frozen=True, slots=True)
class ChooseNode:
    """Find a node with room that is not excluded, ``target`` if it will do. -> NodeChosen, NoNode."""

    excluded: tuple[str, ...]
    target: str | None
    attempt: int


@dataclass(frozen=True, slots=True)
class CreateSuccessor:
    """Create the actor, or find it, and let it get warm. -> Prepared, PrepareFailed."""

    party: Party
    attempt: int


@dataclass(frozen=True, slots=True)
class Quiesce:
    """Tell the predecessor to finish the message being sent and take no other. -> Quiesced."""

    party: Party
    attempt: int


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Tell the predecessor to disconnect, flush and close its session. -> Disconnected."""

    party: Party
    attempt: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Tell the predecessor to connect and send again, until it has heard or is dead. No answer."""

    party: Party
    attempt: int


@dataclass(frozen=True, slots=True)
class Fence:
    """Make ``successor`` the owner if the owner's epoch is ``after``. -> Fenced, FenceRefused.

    Args:
        after: the predecessor's epoch, 0 if there is none.
        successor: whose epoch is ``after + 1``.
        known_dead: the predecessor's lease need not be waited for.
    """

    after: int
    successor: Party
    known_dead: bool
    attempt: int


@dataclass(frozen=True, slots=True)
class BreakLock:
    """Take the session's lock from whoever still holds it. -> LockBroken.

    Given after the fence and before the first `Activate` of this attempt, so that whoever holds the lock is
    not the successor. The executor makes sure of that once more, for an instruction that it carries out late.
    """

    attempt: int


@dataclass(frozen=True, slots=True)
class Activate:
    """Tell the successor to open the session, connect and send. -> Connected, ActivateFailed."""

    party: Party
    attempt: int


@dataclass(frozen=True, slots=True)
class Retire:
    """Tell the predecessor to exit. -> Retired."""

    party: Party
    attempt: int


@dataclass(frozen=True, slots=True)
class Kill:
    """End a former owner at once, and say so when it has ended. -> ActorDied."""

    party: Party


@dataclass(frozen=True, slots=True)
class Drop:
    """End a successor that never became the owner. No answer."""

    party: Party


@dataclass(frozen=True, slots=True)
class StartDeadline:
    """Say DeadlinePassed with this number after so many seconds. The deadline before it is over by this."""

    step: Step
    number: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Finish:
    """The handoff has ended: file its record. For what follows an outcome, see `Outcome`."""

    outcome: Outcome


Instruction = (
    ChooseNode
    | CreateSuccessor
    | Quiesce
    | Disconnect
    | Resume
    | Fence
    | BreakLock
    | Activate
    | Retire
    | Kill
    | Drop
    | StartDeadline
    | Finish
)
