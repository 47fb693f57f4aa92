"""What one turn of the handoff does to its record, and what it tells the executor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from actors.supervisor.handoff_messages import (
    Activate,
    BreakLock,
    ChooseNode,
    CreateSuccessor,
    Disconnect,
    Drop,
    Fence,
    Finish,
    Instruction,
    Kill,
    Quiesce,
    Resume,
    Retire,
    StartDeadline,
)
from actors.supervisor.handoff_record import (
    Handoff,
    LogEntry,
    Outcome,
    Party,
    Standing,
    Step,
)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each step may take, in seconds, and how many successors are tried.

    Args:
        fence: after which an unanswered fence is asked for again.
        lease: the longest a lease can run, assumed where the registry did not say.
        lease_margin: what an owner needs to disconnect after its lease is over.
        unlock: after which the successor tries its luck with a lock that could not be broken.
        attempts: successors tried before the handoff gives up.
    """

    prepare: float = 30.0
    quiesce: float = 10.0
    disconnect: float = 5.0
    fence: float = 5.0
    lease: float = 10.0
    lease_margin: float = 1.0
    unlock: float = 5.0
    activate: float = 30.0
    retire: float = 5.0
    attempts: int = 3


DEADLINES = Deadlines()


def actor_name(handoff: Handoff, epoch: int) -> str:
    """A name for the successor of this attempt that no other actor ever had."""
    return f"instance:{handoff.instance_id}:{epoch}:{handoff.id}.{handoff.attempt}"


class Turn:
    """One call of `advance`: the record as it changes, and the instructions as they add up."""

    def __init__(self, handoff: Handoff, at: float, deadlines: Deadlines) -> None:
        self.handoff = handoff
        self.at = at
        self.deadlines = deadlines
        self.instructions: list[Instruction] = []

    def change(self, **changes: Any) -> None:
        """Replace fields of the record."""
        self.handoff = self.handoff.model_copy(update=changes)

    def note(self, outcome: str) -> None:
        """Add to the record's log."""
        handoff = self.handoff
        entry = LogEntry(step=handoff.step, attempt=handoff.attempt, outcome=outcome, at=self.at)
        self.change(log=(*handoff.log, entry))

    def down(self) -> None:
        """Nobody is connected from now on, unless this was known already."""
        if self.handoff.down_at is None:
            self.change(down_at=self.at)

    def _tell(self, *instructions: Instruction) -> None:
        self.instructions += instructions

    def _deadline(self, seconds: float) -> None:
        self.change(timer=self.handoff.timer + 1)
        self._tell(StartDeadline(self.handoff.step, self.handoff.timer, seconds))

    @property
    def _predecessor(self) -> Party:
        assert self.handoff.predecessor is not None
        return self.handoff.predecessor

    @property
    def _successor(self) -> Party:
        assert self.handoff.successor is not None
        return self.handoff.successor

    @property
    def successor_lost(self) -> bool:
        """True if the successor died, or cannot be reached."""
        return self.handoff.successor_standing is not Standing.SERVING

    # ---- entering a step, also again ----

    def prepare(self) -> None:
        """Look for a node, for a first or another successor."""
        self.change(step=Step.PREPARE)
        self._resume()
        self._tell(ChooseNode(self.handoff.excluded, self.handoff.target, self.handoff.attempt))
        self._deadline(self.deadlines.prepare)

    def create(self, node: str, version: str = "") -> None:
        """Make the successor there, of this version of the code."""
        epoch = self.handoff.predecessor.epoch + 1 if self.handoff.predecessor else 1
        successor = Party(epoch=epoch, node=node, actor=actor_name(self.handoff, epoch), version=version)
        self.change(successor=successor, successor_standing=Standing.SERVING)
        self._create_again()

    def _create_again(self) -> None:
        self._tell(CreateSuccessor(self._successor, self.handoff.attempt))
        self._deadline(self.deadlines.prepare)

    def quiesce(self) -> None:
        """Let the predecessor stop sending."""
        self.change(step=Step.QUIESCE, standing=Standing.STOPPING)
        self._tell(Quiesce(self._predecessor, self.handoff.attempt))
        self._deadline(self.deadlines.quiesce)

    def disconnect(self) -> None:
        """Let the predecessor disconnect."""
        self.change(step=Step.DISCONNECT)
        self._tell(Disconnect(self._predecessor, self.handoff.attempt))
        self._deadline(self.deadlines.disconnect)

    def fence(self) -> None:
        """Make the successor the owner."""
        # Asked anew, the grant counts from the new answer: only that says how long to wait for the lease.
        self.change(step=Step.FENCE, granted=False, breaking=False)
        handoff, owner = self.handoff, self.handoff.predecessor
        after = owner.epoch if owner else 0
        self._tell(Fence(after, self._successor, handoff.cleared, handoff.attempt))
        self._deadline(self.deadlines.fence)

    def activate(self, *, retried: bool) -> None:
        """Let the successor connect."""
        self.change(step=Step.ACTIVATE, retried=retried)
        self._tell(Activate(self._successor, self.handoff.attempt))
        self._deadline(self.deadlines.activate)

    def retire(self) -> None:
        """Let the predecessor exit."""
        self.change(step=Step.RETIRE)
        self._tell(Retire(self._predecessor, self.handoff.attempt))
        self._deadline(self.deadlines.retire)

    def repeat(self) -> None:
        """Give the instructions of the step again."""
        match self.handoff.step:
            case Step.PREPARE if self.handoff.successor is None:
                self.prepare()
            case Step.PREPARE:
                self._resume()
                self._create_again()
            case Step.QUIESCE:
                self.quiesce()
            case Step.DISCONNECT:
                self.disconnect()
            case Step.FENCE:
                self.fence()
            case Step.ACTIVATE:
                self._kill_predecessor()
                self.activate(retried=self.handoff.retried)
            case Step.RETIRE:
                self.retire()
            case Step.DONE | Step.ABORTED:
                self._close()

    # ---- crossing over ----

    def granted(self, remaining: float) -> None:
        """The successor is the owner. It may not connect before the predecessor surely has not."""
        if not self.handoff.granted:
            self.note("fenced")
            self.change(granted=True)
            self.down()
        if self.handoff.cleared:
            self.enter_if_cleared()
        else:
            self._kill_predecessor()
            self._deadline(remaining + self.deadlines.lease_margin)

    def enter_if_cleared(self) -> None:
        """Let the successor connect, if it may, to a session that nobody has open any more."""
        handoff = self.handoff
        if not (handoff.granted and handoff.cleared) or handoff.breaking:
            return
        # One that said it has disconnected has closed its session. One that died may leave an engine behind
        # that is frozen, or a connection that its database still believes in; one that is cut off has parked,
        # with its session open.
        free = handoff.predecessor is None or handoff.standing is Standing.DISCONNECTED
        if free or self.successor_lost:
            self.enter()
        else:
            self.change(breaking=True)
            self._tell(BreakLock(handoff.attempt))
            self._deadline(self.deadlines.unlock)

    def enter(self) -> None:
        """Let the successor connect."""
        self.change(breaking=False)
        if self.successor_lost:
            self.replace_owner()
            self.another("successor died")
        else:
            self.activate(retried=False)

    def overtake(self) -> None:
        """Go on without the predecessor's help."""
        if self.successor_lost:
            self.another("successor died")
        else:
            self.fence()

    def _resume(self) -> None:
        resumed = self.handoff.resumed
        if resumed is not None and self.handoff.standing is Standing.SERVING:
            self._tell(Resume(self._predecessor, resumed))

    def _kill_predecessor(self) -> None:
        handoff = self.handoff
        if handoff.predecessor is None or handoff.standing in (Standing.DISCONNECTED, Standing.DEAD):
            return
        self._tell(Kill(handoff.predecessor))

    # ---- going back, trying again, ending ----

    def send_back(self) -> None:
        """The predecessor, still the owner, is to go on; `prepare` or the end tells it so."""
        # An attempt of its own: an order to stop that is still on its way cannot undo it, nor can it undo one
        # that follows.
        attempt = self.handoff.attempt + 1
        self.change(standing=Standing.SERVING, resumed=attempt, attempt=attempt, down_at=None)

    def replace_owner(self) -> None:
        """The successor owns the instance but does not serve it: it is the next one's predecessor."""
        owner, former = self._successor, self.handoff.predecessor
        if former is not None and self.handoff.standing is not Standing.DEAD:
            self._tell(Kill(former))
        self.change(
            predecessor=owner,
            standing=self.handoff.successor_standing,
            successor=None,
            successor_standing=Standing.SERVING,
            granted=False,
            forced=True,
            resumed=None,
            up_at=None,
            excluded=(*self.handoff.excluded, owner.node),
        )

    def another(self, why: str) -> None:
        """Drop this attempt's successor, if it came to one, and try another on another node."""
        failed = self.handoff.successor
        if failed is not None:
            self._tell(Drop(failed))
            self.change(successor=None, excluded=(*self.handoff.excluded, failed.node))
        if self.handoff.tries >= self.deadlines.attempts:
            self.give_up(why)
            return
        self.note(why)
        handoff = self.handoff
        self.change(tries=handoff.tries + 1, attempt=handoff.attempt + 1, successor_standing=Standing.SERVING)
        self.prepare()

    def accept_late(self) -> None:
        """The owner that was to be replaced is connected: keep it."""
        if self.handoff.successor is not None:
            self._tell(Drop(self.handoff.successor))
        self.note("connected late")
        self.change(successor=self._predecessor, predecessor=self.handoff.origin, up_at=self.at)
        self.finish(Step.DONE, Outcome.MOVED)

    def give_up(self, why: str) -> None:
        """End where things stand."""
        if self.handoff.standing is not Standing.SERVING:
            outcome = Outcome.LOST
        elif self.handoff.predecessor == self.handoff.origin:
            outcome = Outcome.KEPT
        else:
            outcome = Outcome.UNCONNECTED
        self.finish(Step.ABORTED, outcome, why)

    def finish(self, step: Step, outcome: Outcome, why: str | None = None) -> None:
        """End."""
        if why is not None:
            self.note(why)
        self.change(step=step, outcome=outcome)
        self.note(outcome)
        self._close()

    def _close(self) -> None:
        handoff = self.handoff
        assert handoff.outcome is not None
        if handoff.outcome is Outcome.MOVED:
            if handoff.predecessor is not None and handoff.standing is not Standing.DEAD:
                self._tell(Kill(handoff.predecessor))
        else:
            if handoff.successor is not None:
                self._tell(Drop(handoff.successor))
            if handoff.outcome is Outcome.KEPT:
                self._resume()
            if handoff.outcome is Outcome.UNCONNECTED:
                self._tell(Activate(self._predecessor, handoff.attempt))
        self._tell(Finish(handoff.outcome))
