"""The handoff protocol as a pure state machine: record and event in, next record and instructions out.

The executor writes the new record down before it follows the instructions, in their order, so that whoever
loads the record goes on from there::

    handoff = begin(id, instance_id, Reason.MOVE, predecessor=Party(epoch=7, node=n, actor=a))
    event = Begun(at=now())                       # Resumed(at=now()) for a record that was loaded
    while True:
        handoff, instructions = advance(handoff, event, deadlines)
        await record(handoff)                     # refused if another supervisor leads: end there
        for instruction in instructions:
            execute(instruction)                  # answers become events in `inbox`
        if handoff.outcome is not None:
            break
        event = await inbox.get()

What it asks of the executor and of the actors:

- The deaths of the predecessor and of the successor are watched all the time (`ActorDied`), and one deadline
  runs at a time, the latest.
- `Quiesce`, `Disconnect`, `Resume`, `Activate` and `Retire` are followed by an actor one after another. An
  order of an older attempt than one it has seen in this handoff was overtaken on its way: it ignores it.
- A successor does not renew the lease and does not open the session before `Activate`.
- `Fence` makes the successor owner at once; from then on the predecessor can neither write nor renew. What is
  left of its lease is waited for here, unless it disconnected or is known dead. Asked again, also by another
  supervisor, it answers as it did before.
- Whoever still holds the session's lock after that, frozen or cut off, loses it (`BreakLock`), while the
  record stands at the fence. Once it says that the successor may open the session, no lock is broken any
  more: a supervisor that goes on from there would take it from the successor.
- Actors that are neither owner nor part of a running handoff are swept by the supervisor. A fenced one also
  ends by itself, at its next write or renewal.

The way back to the predecessor is open until it is fenced. If the successor dies before that, the predecessor
is told to go on, at once or as soon as it has answered: it is warm, where a new successor would take seconds.
If it does not answer, another successor is made to take over from it. After the fence the handoff only goes
forward: to another successor in the next epoch, once the predecessor is known not to be connected.
"""

from __future__ import annotations

from actors.supervisor.handoff_messages import (
    ActivateFailed,
    ActorDied,
    Answer,
    Begun,
    Cancelled,
    Connected,
    DeadlinePassed,
    Disconnected,
    Fenced,
    FenceRefused,
    Forced,
    HandoffEvent,
    Instruction,
    LockBroken,
    NodeChosen,
    NoNode,
    Prepared,
    PrepareFailed,
    Quiesced,
    Resumed,
    Retired,
)
from actors.supervisor.handoff_record import (
    Handoff,
    Outcome,
    Party,
    Reason,
    Standing,
    Step,
)
from actors.supervisor.handoff_turn import DEADLINES, Deadlines, Turn


def begin(
    handoff_id: str,
    instance_id: str,
    reason: Reason,
    *,
    predecessor: Party | None,
    standing: Standing = Standing.SERVING,
    forced: bool = False,
    target: str | None = None,
    excluded: tuple[str, ...] = (),
) -> Handoff:
    """The record of a new handoff; `Begun` sets it going.

    Args:
        handoff_id: unique, part of the successors' names.
        predecessor: the owner as the registry has it, dead or alive; None if the registry has no epoch yet.
        standing: SERVING, SILENT (it may live) or DEAD (it is known not to).
        forced: do not ask the predecessor.
        target: the node wished for; another one is taken if it does not do.
        excluded: nodes that will not do.
    """
    return Handoff(
        id=handoff_id,
        instance_id=instance_id,
        reason=reason,
        origin=predecessor,
        predecessor=predecessor,
        standing=Standing.DEAD if predecessor is None else standing,
        forced=forced,
        target=target,
        excluded=excluded,
    )


def advance(
    handoff: Handoff, event: HandoffEvent, deadlines: Deadlines = DEADLINES
) -> tuple[Handoff, tuple[Instruction, ...]]:
    """The record after an event, and what to do once it is written down.

    Events that come late, twice, or for another attempt or actor change nothing.
    """
    turn = Turn(handoff, event.at, deadlines)
    if isinstance(event, Resumed):
        turn.repeat()
    elif handoff.outcome is None and _current(handoff, event):
        _hear(turn, event)
    return turn.handoff, tuple(turn.instructions)


def _current(handoff: Handoff, event: HandoffEvent) -> bool:
    match event:
        case DeadlinePassed():
            return event.number == handoff.timer
        case ActorDied():
            return event.actor in [p.actor for p in (handoff.predecessor, handoff.successor) if p]
        case Connected() if _late_success(handoff, event):
            return True
        case Answer():
            return event.attempt == handoff.attempt
    return True


def _late_success(handoff: Handoff, event: Connected) -> bool:
    """A former successor, given up but owner still, is connected after all."""
    failed = handoff.predecessor
    return (
        handoff.step is Step.PREPARE
        and failed is not None
        and failed != handoff.origin
        and handoff.standing is Standing.SERVING
        and event.epoch == failed.epoch
    )


def _hear(turn: Turn, event: HandoffEvent) -> None:
    if isinstance(event, ActorDied):
        _died(turn, event)
        return
    if isinstance(event, Forced):
        turn.change(forced=True)
    match turn.handoff.step:
        case Step.PREPARE:
            _in_prepare(turn, event)
        case Step.QUIESCE:
            _in_quiesce(turn, event)
        case Step.DISCONNECT:
            _in_disconnect(turn, event)
        case Step.FENCE:
            _in_fence(turn, event)
        case Step.ACTIVATE:
            _in_activate(turn, event)
        case Step.RETIRE:
            _in_retire(turn, event)


def _in_prepare(turn: Turn, event: HandoffEvent) -> None:
    prepared = turn.handoff.successor
    match event:
        case Begun() if turn.handoff.timer == 0:
            turn.prepare()
        case NodeChosen(node=node, version=version) if prepared is None:
            turn.create(node, version)
        case NoNode() if prepared is None:
            turn.give_up("no node")
        case Prepared() if prepared is not None:
            turn.note("prepared")
            if turn.handoff.forced or turn.handoff.standing is not Standing.SERVING:
                turn.fence()
            else:
                turn.quiesce()
        case PrepareFailed(reason=reason) if prepared is not None:
            turn.another(reason)
        case DeadlinePassed():
            turn.another("deadline")
        case Connected() if _late_success(turn.handoff, event):
            turn.accept_late()
        case Cancelled():
            turn.give_up("cancelled")


def _in_quiesce(turn: Turn, event: HandoffEvent) -> None:
    match event:
        case Quiesced():
            turn.note("quiesced")
            turn.disconnect()
        case DeadlinePassed():
            turn.note("deadline")
            turn.disconnect()
        case Forced():
            turn.note("forced")
            turn.fence()
        case Cancelled():
            turn.send_back()
            turn.give_up("cancelled")


def _in_disconnect(turn: Turn, event: HandoffEvent) -> None:
    match event:
        case Disconnected(last_seq=last_seq):
            turn.note("disconnected")
            turn.down()
            turn.change(standing=Standing.DISCONNECTED, last_seq=last_seq)
            if turn.successor_lost:
                turn.send_back()
                turn.another("successor died")
            else:
                turn.fence()
        case DeadlinePassed() | Forced():
            turn.note("forced" if isinstance(event, Forced) else "deadline")
            turn.change(standing=Standing.SILENT, forced=True)
            turn.overtake()


def _in_fence(turn: Turn, event: HandoffEvent) -> None:
    successor = turn.handoff.successor
    assert successor is not None
    match event:
        case Disconnected(last_seq=last_seq) if not turn.handoff.cleared:
            turn.note("disconnected late")
            turn.change(standing=Standing.DISCONNECTED, last_seq=last_seq)
            turn.enter_if_cleared()
        case Fenced(epoch=epoch, remaining=remaining) if epoch == successor.epoch:
            turn.granted(remaining)
        case FenceRefused(current_actor=actor) if actor == successor.actor:
            turn.granted(turn.deadlines.lease)
        case FenceRefused(current_epoch=epoch):
            turn.finish(Step.ABORTED, Outcome.SUPERSEDED, f"epoch {epoch} is current")
        case LockBroken(held=held) if turn.handoff.breaking:
            if held:
                turn.note("lock broken")
            turn.enter()
        case DeadlinePassed() if turn.handoff.breaking:
            turn.note("lock not broken")
            turn.enter()
        case DeadlinePassed() if turn.handoff.granted:
            turn.note("lease over")
            turn.change(standing=Standing.EXPIRED)
            turn.enter_if_cleared()
        case DeadlinePassed():
            turn.fence()


def _in_activate(turn: Turn, event: HandoffEvent) -> None:
    match event:
        case Connected(epoch=epoch) if turn.handoff.successor and epoch == turn.handoff.successor.epoch:
            turn.note("connected")
            turn.change(up_at=turn.at)
            if turn.handoff.standing is Standing.DISCONNECTED:
                turn.retire()
            else:
                turn.finish(Step.DONE, Outcome.MOVED)
        case ActivateFailed() | DeadlinePassed():
            turn.note(event.reason if isinstance(event, ActivateFailed) else "deadline")
            if turn.handoff.retried:
                turn.replace_owner()
                turn.another("not connected")
            else:
                turn.activate(retried=True)


def _in_retire(turn: Turn, event: HandoffEvent) -> None:
    match event:
        case Retired():
            turn.note("retired")
            turn.change(standing=Standing.DEAD)
            turn.finish(Step.DONE, Outcome.MOVED)
        case DeadlinePassed():
            turn.note("deadline")
            turn.finish(Step.DONE, Outcome.MOVED)


def _died(turn: Turn, event: ActorDied) -> None:
    standing = Standing.DEAD if event.certain else Standing.SILENT
    successor = turn.handoff.successor
    if successor is not None and event.actor == successor.actor:
        if turn.handoff.successor_standing not in (standing, Standing.DEAD):
            turn.note("successor died" if event.certain else "successor silent")
            turn.change(successor_standing=standing)
            _successor_died(turn)
    elif turn.handoff.standing is not standing and (event.certain or not turn.handoff.cleared):
        turn.note("predecessor died" if event.certain else "predecessor silent")
        turn.change(standing=standing)
        turn.down()
        _predecessor_died(turn)


def _successor_died(turn: Turn) -> None:
    match turn.handoff.step:
        case Step.PREPARE:
            turn.another("successor died")
        case Step.QUIESCE:
            turn.send_back()
            turn.another("successor died")
        case Step.ACTIVATE:
            turn.replace_owner()
            turn.another("successor died")
        case Step.RETIRE:
            turn.replace_owner()
            turn.give_up("successor died")
        case Step.DISCONNECT | Step.FENCE:
            # What is under way there cannot be called back: its answer, or its deadline, comes first.
            pass


def _predecessor_died(turn: Turn) -> None:
    match turn.handoff.step:
        case Step.QUIESCE | Step.DISCONNECT:
            turn.overtake()
        case Step.FENCE:
            turn.enter_if_cleared()
        case Step.RETIRE:
            turn.finish(Step.DONE, Outcome.MOVED)
        case Step.PREPARE | Step.ACTIVATE:
            pass
