"""Each path of the handoff's table, one test a path."""

from __future__ import annotations

from typing import Any

import pytest

from actors.supervisor import handoff_messages as msg
from actors.supervisor.handoff import advance, begin
from actors.supervisor.handoff_record import Handoff, Outcome, Party, Reason, Standing, Step
from actors.supervisor.handoff_turn import DEADLINES, Deadlines

P = Party(epoch=7, node="a", actor="p")


class Run:
    """A handoff and what it has said since it was last asked."""

    def __init__(self, deadlines: Deadlines = DEADLINES, **how: Any) -> None:
        self.deadlines = deadlines
        how = {"predecessor": P, "reason": Reason.MOVE, **how}
        self.handoff = begin("h1", "ins_1", **how)
        self.said: list[msg.Instruction] = []
        self.hear(msg.Begun())

    def hear(self, *events: msg.HandoffEvent) -> None:
        for event in events:
            self.handoff, instructions = advance(self.handoff, event, self.deadlines)
            assert Handoff.model_validate_json(self.handoff.model_dump_json()) == self.handoff
            self.said += instructions

    def new(self) -> list[msg.Instruction]:
        """What was said since, without deadlines."""
        said, self.said = self.said, []
        return [instruction for instruction in said if not isinstance(instruction, msg.StartDeadline)]

    def deadline(self) -> None:
        self.hear(msg.DeadlinePassed(number=self.handoff.timer))

    @property
    def attempt(self) -> int:
        return self.handoff.attempt

    @property
    def successor(self) -> Party:
        assert self.handoff.successor is not None
        return self.handoff.successor

    def prepare(self, node: str = "b") -> None:
        self.hear(msg.NodeChosen(attempt=self.attempt, node=node), msg.Prepared(attempt=self.attempt))

    def to(self, step: Step) -> Run:
        """Without faults to this step."""
        self.prepare()
        if step is Step.QUIESCE:
            return self._there(step)
        self.hear(msg.Quiesced(attempt=self.attempt))
        if step is Step.DISCONNECT:
            return self._there(step)
        self.hear(msg.Disconnected(attempt=self.attempt, last_seq=41, at=100.0))
        if step is Step.FENCE:
            return self._there(step)
        self.fenced()
        if step is Step.ACTIVATE:
            return self._there(step)
        self.connected()
        return self._there(step)

    def _there(self, step: Step) -> Run:
        assert self.handoff.step is step
        self.said.clear()
        return self

    def fenced(self, remaining: float = 0.0) -> None:
        self.hear(msg.Fenced(attempt=self.attempt, epoch=self.successor.epoch, remaining=remaining))

    def unlocked(self, *, held: bool = False) -> None:
        """The lock of the session is being broken, and then it is."""
        assert self.new() == [msg.BreakLock(self.attempt)]
        self.hear(msg.LockBroken(attempt=self.attempt, held=held))

    def connected(self) -> None:
        self.hear(msg.Connected(attempt=self.attempt, epoch=self.successor.epoch, at=100.25))

    def died(self, party: Party, *, certain: bool = True) -> None:
        self.hear(msg.ActorDied(actor=party.actor, certain=certain))

    def ended(self, outcome: Outcome) -> bool:
        step = Step.DONE if outcome is Outcome.MOVED else Step.ABORTED
        return (self.handoff.step, self.handoff.outcome) == (step, outcome)


def test_a_move_from_begin_to_end() -> None:
    run = Run(target="b", excluded=("x",))
    assert run.new() == [msg.ChooseNode(("x",), "b", 1)]
    run.hear(msg.NodeChosen(attempt=1, node="b"))
    successor = run.successor
    assert (successor.epoch, successor.node) == (8, "b")
    assert run.new() == [msg.CreateSuccessor(successor, 1)]
    run.hear(msg.Prepared(attempt=1))
    assert run.new() == [msg.Quiesce(P, 1)]
    run.hear(msg.Quiesced(attempt=1))
    assert run.new() == [msg.Disconnect(P, 1)]
    run.hear(msg.Disconnected(attempt=1, last_seq=41, at=100.0))
    assert run.new() == [msg.Fence(7, successor, known_dead=True, attempt=1)]
    run.fenced()
    assert run.new() == [msg.Activate(successor, 1)]
    run.connected()
    assert run.new() == [msg.Retire(P, 1)]
    run.hear(msg.Retired(attempt=1))
    assert run.new() == [msg.Finish(Outcome.MOVED)]
    assert run.ended(Outcome.MOVED)
    assert run.handoff.last_seq == 41
    assert run.handoff.blackout == 0.25
    assert [(entry.step, entry.outcome) for entry in run.handoff.log] == [
        (Step.PREPARE, "prepared"),
        (Step.QUIESCE, "quiesced"),
        (Step.DISCONNECT, "disconnected"),
        (Step.FENCE, "fenced"),
        (Step.ACTIVATE, "connected"),
        (Step.RETIRE, "retired"),
        (Step.DONE, "moved"),
    ]


def test_the_deadlines_are_those_asked_for() -> None:
    own = Deadlines(prepare=1, quiesce=2, disconnect=3, fence=4, activate=5, retire=6)
    run = Run(own)
    run.prepare()
    run.hear(msg.Quiesced(attempt=1), msg.Disconnected(attempt=1, last_seq=None))
    run.fenced()
    run.connected()
    started = [i for i in run.said if isinstance(i, msg.StartDeadline)]
    assert [(i.step, i.seconds) for i in started] == [
        (Step.PREPARE, 1),
        (Step.PREPARE, 1),
        (Step.QUIESCE, 2),
        (Step.DISCONNECT, 3),
        (Step.FENCE, 4),
        (Step.ACTIVATE, 5),
        (Step.RETIRE, 6),
    ]
    assert [i.number for i in started] == [1, 2, 3, 4, 5, 6, 7]


def test_a_first_owner_has_no_predecessor() -> None:
    run = Run(predecessor=None, reason=Reason.START)
    run.new()
    run.prepare()
    assert run.successor.epoch == 1
    assert run.new()[1:] == [msg.Fence(0, run.successor, known_dead=True, attempt=1)]
    run.fenced()
    run.connected()
    assert run.ended(Outcome.MOVED)
    assert not [i for i in run.new() if isinstance(i, msg.Kill | msg.Retire)]


# ---- prepare ----


@pytest.mark.parametrize("failure", ["failed", "deadline", "died"])
def test_a_successor_that_does_not_get_warm_is_replaced_unnoticed(failure: str) -> None:
    run = Run()
    run.hear(msg.NodeChosen(attempt=1, node="b"))
    first = run.successor
    run.new()
    if failure == "failed":
        run.hear(msg.PrepareFailed(attempt=1, reason="no memory"))
    elif failure == "deadline":
        run.deadline()
    else:
        run.died(first)
    assert run.new() == [msg.Drop(first), msg.ChooseNode(("b",), None, 2)]
    run.hear(msg.Prepared(attempt=1))
    assert run.new() == [], "the answer of the dropped one came late"
    run.hear(msg.NodeChosen(attempt=2, node="c"))
    assert run.successor.epoch == first.epoch
    assert run.successor.actor != first.actor


def test_successors_are_tried_so_often_and_no_more() -> None:
    run = Run(Deadlines(attempts=2))
    for node in ("b", "c"):
        run.hear(msg.NodeChosen(attempt=run.attempt, node=node))
        last = run.successor
        run.new()
        run.hear(msg.PrepareFailed(attempt=run.attempt, reason="broken"))
    assert run.new() == [msg.Drop(last), msg.Finish(Outcome.KEPT)]
    assert run.ended(Outcome.KEPT)


def test_without_a_node_the_predecessor_keeps_the_instance() -> None:
    run = Run()
    run.new()
    run.hear(msg.NoNode(attempt=1))
    assert run.new() == [msg.Finish(Outcome.KEPT)]


@pytest.mark.parametrize("standing", [Standing.DEAD, Standing.SILENT])
def test_without_a_node_a_dead_predecessor_leaves_the_instance_lost(standing: Standing) -> None:
    run = Run(reason=Reason.RECOVERY, standing=standing)
    run.new()
    run.hear(msg.NoNode(attempt=1))
    assert run.new() == [msg.Finish(Outcome.LOST)]
    assert run.handoff.predecessor == P


def test_a_node_that_is_never_chosen_counts_as_a_try() -> None:
    run = Run()
    run.new()
    run.deadline()
    assert run.new() == [msg.ChooseNode((), None, 2)]


# ---- quiesce, disconnect ----


def test_a_predecessor_that_does_not_quiesce_is_disconnected() -> None:
    run = Run().to(Step.QUIESCE)
    run.deadline()
    assert run.new() == [msg.Disconnect(P, 1)]


def test_a_predecessor_that_does_not_disconnect_is_fenced_killed_and_outwaited() -> None:
    run = Run().to(Step.DISCONNECT)
    run.deadline()
    assert run.new() == [msg.Fence(7, run.successor, known_dead=False, attempt=1)]
    run.fenced(remaining=4.0)
    assert run.said == [
        msg.Kill(P),
        msg.StartDeadline(Step.FENCE, run.handoff.timer, 4.0 + DEADLINES.lease_margin),
    ]
    run.new()
    run.deadline()
    run.unlocked(held=True)
    assert run.new() == [msg.Activate(run.successor, 1)]
    run.connected()
    assert run.new() == [msg.Kill(P), msg.Finish(Outcome.MOVED)]
    assert "lock broken" in [entry.outcome for entry in run.handoff.log]


def test_a_killed_predecessor_need_not_be_outwaited() -> None:
    run = Run().to(Step.DISCONNECT)
    run.deadline()
    run.fenced(remaining=4.0)
    run.new()
    run.died(P)
    run.unlocked()
    assert run.new() == [msg.Activate(run.successor, 1)]
    assert "lock broken" not in [entry.outcome for entry in run.handoff.log]


def test_a_predecessor_whose_lease_is_over_may_need_a_moment_to_disconnect() -> None:
    run = Run().to(Step.DISCONNECT)
    run.deadline()
    run.new()
    run.fenced(remaining=0.0)
    assert run.new() == [msg.Kill(P)]
    assert run.handoff.step is Step.FENCE


def test_a_lost_node_does_not_shorten_the_wait_for_the_predecessor() -> None:
    run = Run().to(Step.QUIESCE)
    run.hear(msg.Forced())
    run.fenced(remaining=9.0)
    run.new()
    run.died(P, certain=False)
    assert run.new() == []
    assert run.handoff.step is Step.FENCE


@pytest.mark.parametrize("how", ["disconnected", "died"])
def test_a_cleared_predecessor_does_not_replace_the_fence(how: str) -> None:
    run = Run().to(Step.DISCONNECT)
    run.deadline()
    run.new()
    if how == "died":
        run.died(P)
    else:
        run.hear(msg.Disconnected(attempt=1, last_seq=42))
    assert run.new() == []
    run.fenced(remaining=9.0)
    if how == "died":
        run.unlocked()
    assert run.new() == [msg.Activate(run.successor, 1)]


def test_a_late_disconnected_ends_the_wait() -> None:
    run = Run().to(Step.DISCONNECT)
    run.deadline()
    run.fenced(remaining=4.0)
    run.new()
    run.hear(msg.Disconnected(attempt=1, last_seq=42))
    assert run.new() == [msg.Activate(run.successor, 1)]
    assert run.handoff.last_seq == 42


@pytest.mark.parametrize("step", [Step.QUIESCE, Step.DISCONNECT])
@pytest.mark.parametrize("certain", [True, False])
def test_a_predecessor_that_dies_is_fenced(step: Step, certain: bool) -> None:
    run = Run().to(step)
    run.died(P, certain=certain)
    assert run.new() == [msg.Fence(7, run.successor, known_dead=certain, attempt=1)]
    run.fenced(remaining=0.0 if certain else 9.0)
    assert run.new() == [msg.BreakLock(1) if certain else msg.Kill(P)]


def test_a_predecessor_that_dies_early_is_not_asked() -> None:
    run = Run()
    run.died(P)
    run.new()
    run.prepare()
    assert [type(i) for i in run.new()] == [msg.CreateSuccessor, msg.Fence]


def test_a_lost_node_says_nothing_about_one_that_disconnected() -> None:
    run = Run().to(Step.FENCE)
    run.died(P, certain=False)
    run.fenced(remaining=9.0)
    assert run.new() == [msg.Activate(run.successor, 1)]


@pytest.mark.parametrize("step", [Step.QUIESCE, Step.DISCONNECT])
def test_a_drain_that_is_over_does_not_ask_the_predecessor(step: Step) -> None:
    run = Run().to(step)
    run.hear(msg.Forced())
    assert run.new() == [msg.Fence(7, run.successor, known_dead=False, attempt=1)]


def test_a_forced_handoff_leaves_a_predecessor_alone_that_it_cannot_replace() -> None:
    run = Run(forced=True)
    run.new()
    run.hear(msg.NoNode(attempt=1))
    assert run.new() == [msg.Finish(Outcome.KEPT)]


def test_when_the_successor_dies_while_the_predecessor_quiesces_it_goes_on() -> None:
    run = Run().to(Step.QUIESCE)
    lost = run.successor
    run.died(lost)
    assert run.new() == [msg.Drop(lost), msg.Resume(P, 2), msg.ChooseNode(("b",), None, 3)]
    run.hear(msg.Quiesced(attempt=1))
    assert run.handoff.step is Step.PREPARE
    run.prepare("c")
    assert run.new()[1:] == [msg.Quiesce(P, 3)]


def test_when_the_successor_dies_while_the_predecessor_disconnects_it_connects_again() -> None:
    run = Run().to(Step.DISCONNECT)
    lost = run.successor
    run.died(lost)
    assert run.new() == []
    run.hear(msg.Disconnected(attempt=1, last_seq=41))
    assert run.new() == [msg.Drop(lost), msg.Resume(P, 2), msg.ChooseNode(("b",), None, 3)]
    run.prepare("c")
    run.hear(msg.Quiesced(attempt=3))
    assert run.new()[1:] == [msg.Quiesce(P, 3), msg.Disconnect(P, 3)]
    run.hear(msg.Disconnected(attempt=1, last_seq=41))
    assert run.new() == [], "that was before it connected again"


def test_when_both_die_another_successor_takes_over() -> None:
    run = Run().to(Step.DISCONNECT)
    run.died(run.successor)
    run.died(P)
    run.new()
    run.prepare("c")
    assert run.new()[1:] == [msg.Fence(7, run.successor, known_dead=True, attempt=2)]


@pytest.mark.parametrize("step", [Step.QUIESCE, Step.PREPARE])
def test_a_cancelled_handoff_changes_nothing(step: Step) -> None:
    run = Run()
    run.hear(msg.NodeChosen(attempt=1, node="b"))
    if step is Step.QUIESCE:
        run.hear(msg.Prepared(attempt=1))
    run.new()
    run.hear(msg.Cancelled())
    resume = [msg.Resume(P, 2)] if step is Step.QUIESCE else []
    assert run.new() == [msg.Drop(run.successor), *resume, msg.Finish(Outcome.KEPT)]


@pytest.mark.parametrize("step", [Step.DISCONNECT, Step.FENCE, Step.ACTIVATE, Step.RETIRE])
def test_what_has_begun_to_disconnect_cannot_be_cancelled(step: Step) -> None:
    run = Run().to(step)
    run.hear(msg.Cancelled())
    assert run.said == []


# ---- fence ----


def test_a_fence_without_an_answer_is_asked_again() -> None:
    run = Run().to(Step.FENCE)
    run.deadline()
    assert run.new() == [msg.Fence(7, run.successor, known_dead=True, attempt=1)]


def test_a_stranger_is_left_alone() -> None:
    run = Run().to(Step.FENCE)
    run.hear(msg.FenceRefused(attempt=1, current_epoch=9, current_actor="stranger"))
    assert run.new() == [msg.Drop(run.successor), msg.Finish(Outcome.SUPERSEDED)]


def test_a_fence_of_which_the_answer_was_lost_counts() -> None:
    run = Run().to(Step.DISCONNECT)
    run.deadline()
    run.new()
    run.hear(msg.FenceRefused(attempt=1, current_epoch=8, current_actor=run.successor.actor))
    assert run.said == [
        msg.Kill(P),
        msg.StartDeadline(Step.FENCE, run.handoff.timer, DEADLINES.lease + DEADLINES.lease_margin),
    ]


def test_a_successor_that_dies_around_the_fence_is_replaced_in_the_next_epoch() -> None:
    run = Run().to(Step.FENCE)
    first = run.successor
    run.died(first)
    assert run.new() == [], "the registry may or may not have let it in"
    run.fenced()
    assert run.new() == [msg.Kill(P), msg.ChooseNode(("b",), None, 2)]
    run.prepare("c")
    assert run.successor.epoch == 9
    assert run.new()[1:] == [msg.Fence(8, run.successor, known_dead=True, attempt=2)]


def breaking(deadlines: Deadlines = DEADLINES) -> Run:
    """A handoff whose predecessor is dead, the session's lock being looked at."""
    run = Run(deadlines).to(Step.DISCONNECT)
    run.died(P)
    run.fenced()
    assert run.new()[-1] == msg.BreakLock(1)
    return run


def test_a_lock_that_cannot_be_broken_holds_nothing_up_for_long() -> None:
    run = Run(Deadlines(unlock=7.0)).to(Step.DISCONNECT)
    run.died(P)
    run.fenced()
    assert run.said[-1] == msg.StartDeadline(Step.FENCE, run.handoff.timer, 7.0)
    run.new()
    run.deadline()
    assert run.new() == [msg.Activate(run.successor, 1)]
    assert "lock not broken" in [entry.outcome for entry in run.handoff.log]
    run.hear(msg.LockBroken(attempt=1, held=True))
    assert run.new() == [], "too late"


def test_the_lock_is_broken_once_whatever_is_heard_meanwhile() -> None:
    run = breaking()
    run.fenced()
    run.died(P)
    run.hear(msg.Disconnected(attempt=1, last_seq=1), msg.LockBroken(attempt=2, held=True))
    assert run.new() == []
    run.hear(msg.LockBroken(attempt=1, held=False))
    assert run.new() == [msg.Activate(run.successor, 1)]


def test_a_successor_that_dies_while_the_lock_is_broken_is_replaced() -> None:
    run = breaking()
    run.died(run.successor)
    assert run.new() == []
    run.hear(msg.LockBroken(attempt=1, held=True))
    assert [type(i) for i in run.new()] == [msg.ChooseNode]
    run.prepare("c")
    run.new()
    run.fenced()
    run.unlocked()
    assert run.new() == [msg.Activate(run.successor, 2)]


def test_a_new_supervisor_breaks_the_lock_anew_but_not_the_successors() -> None:
    run = breaking()
    run.hear(msg.Resumed())
    assert run.new() == [msg.Fence(7, run.successor, known_dead=True, attempt=1)]
    run.fenced()
    run.unlocked(held=True)
    assert run.new() == [msg.Activate(run.successor, 1)]
    run.hear(msg.Resumed())
    assert run.new() == [msg.Activate(run.successor, 1)], "it may hold the lock by now"
    run.hear(msg.LockBroken(attempt=1, held=True))
    assert run.new() == []


def test_a_dead_successor_does_not_shorten_the_wait_for_the_predecessor() -> None:
    run = Run().to(Step.DISCONNECT)
    run.deadline()
    run.fenced(remaining=9.0)
    run.new()
    run.died(run.successor)
    assert run.new() == []
    run.deadline()
    assert [type(i) for i in run.new()] == [msg.Kill, msg.ChooseNode]


# ---- activate, retire ----


@pytest.mark.parametrize("failure", ["failed", "deadline"])
def test_a_successor_that_cannot_connect_is_retried_once_then_replaced(failure: str) -> None:
    run = Run().to(Step.ACTIVATE)
    first = run.successor

    def fail() -> None:
        if failure == "failed":
            run.hear(msg.ActivateFailed(attempt=1, reason="no route"))
        else:
            run.deadline()

    fail()
    assert run.new() == [msg.Activate(first, 1)]
    fail()
    assert run.new() == [msg.Kill(P), msg.ChooseNode(("b",), None, 2)]
    run.prepare("c")
    assert run.new()[1:] == [msg.Fence(8, run.successor, known_dead=False, attempt=2)]
    run.fenced(remaining=9.0)
    assert run.new() == [msg.Kill(first)]
    run.died(first)
    run.unlocked()
    assert run.new() == [msg.Activate(run.successor, 2)]
    run.connected()
    assert run.ended(Outcome.MOVED)


def given_up() -> Run:
    """A successor owns the instance, could not connect and is to be replaced."""
    run = Run().to(Step.ACTIVATE)
    run.deadline()
    run.deadline()
    run.new()
    return run


def test_an_owner_that_connects_late_is_kept() -> None:
    run = given_up()
    run.hear(msg.NodeChosen(attempt=2, node="c"))
    second = run.successor
    run.new()
    run.hear(msg.Connected(attempt=1, epoch=8, at=160.0))
    assert run.new() == [msg.Drop(second), msg.Kill(P), msg.Finish(Outcome.MOVED)]
    assert run.successor.epoch == 8
    assert run.handoff.blackout == 60.0


def test_an_owner_that_cannot_be_replaced_goes_on_by_itself() -> None:
    run = given_up()
    owner = run.handoff.predecessor
    assert owner is not None
    run.hear(msg.NoNode(attempt=2))
    assert run.new() == [msg.Activate(owner, 2), msg.Finish(Outcome.UNCONNECTED)]
    assert run.ended(Outcome.UNCONNECTED)


def test_a_successor_that_dies_while_it_connects_is_replaced() -> None:
    run = Run().to(Step.ACTIVATE)
    run.died(run.successor)
    assert run.new() == [msg.Kill(P), msg.ChooseNode(("b",), None, 2)]


def test_the_last_successor_that_dies_leaves_the_instance_to_recovery() -> None:
    run = Run(Deadlines(attempts=1)).to(Step.ACTIVATE)
    last = run.successor
    run.died(last)
    assert run.new() == [msg.Kill(P), msg.Finish(Outcome.LOST)]
    assert run.handoff.predecessor == last


def test_a_predecessor_that_does_not_exit_is_killed() -> None:
    run = Run().to(Step.RETIRE)
    run.deadline()
    assert run.new() == [msg.Kill(P), msg.Finish(Outcome.MOVED)]


def test_a_predecessor_that_dies_has_retired() -> None:
    run = Run().to(Step.RETIRE)
    run.died(P)
    assert run.new() == [msg.Finish(Outcome.MOVED)]


def test_a_successor_that_dies_once_it_was_connected_is_left_to_recovery() -> None:
    run = Run().to(Step.RETIRE)
    owner = run.successor
    run.died(owner)
    assert run.new() == [msg.Kill(P), msg.Finish(Outcome.LOST)]
    assert run.handoff.predecessor == owner


# ---- supervisors that die, events that come late ----


@pytest.mark.parametrize("step", [Step.QUIESCE, Step.DISCONNECT, Step.FENCE, Step.ACTIVATE, Step.RETIRE])
def test_a_new_supervisor_repeats_the_step(step: Step) -> None:
    run = Run().to(step)
    before = run.handoff
    run.hear(msg.Resumed())
    repeated = run.new()
    assert len(repeated) == 1
    assert type(repeated[0]).__name__.lower() == step
    assert run.handoff == before.model_copy(update={"timer": before.timer + 1})


def test_a_new_supervisor_repeats_what_led_back_to_prepare() -> None:
    run = Run().to(Step.QUIESCE)
    run.died(run.successor)
    run.new()
    run.hear(msg.Resumed())
    assert run.new() == [msg.Resume(P, 2), msg.ChooseNode(("b",), None, 3)]
    run.hear(msg.NodeChosen(attempt=3, node="c"))
    run.new()
    run.hear(msg.Resumed())
    assert run.new() == [msg.Resume(P, 2), msg.CreateSuccessor(run.successor, 3)]


def test_a_new_supervisor_asks_anew_how_long_the_lease_runs() -> None:
    run = Run().to(Step.DISCONNECT)
    run.deadline()
    run.fenced(remaining=9.0)
    run.new()
    fence = msg.Fence(7, run.successor, known_dead=False, attempt=1)
    run.hear(msg.Resumed())
    assert run.new() == [fence]
    run.deadline()
    assert run.new() == [fence], "that was not the lease's end"
    run.fenced(remaining=3.0)
    assert run.said == [
        msg.Kill(P),
        msg.StartDeadline(Step.FENCE, run.handoff.timer, 3.0 + DEADLINES.lease_margin),
    ]


def test_a_new_supervisor_repeats_the_end() -> None:
    run = Run().to(Step.RETIRE)
    run.deadline()
    said = run.new()
    run.hear(msg.Resumed())
    assert run.new() == said


@pytest.mark.parametrize("step", list(Step)[1:6])
def test_events_of_other_steps_attempts_actors_and_deadlines_change_nothing(step: Step) -> None:
    run = Run().to(step)
    before = run.handoff
    run.hear(
        msg.Begun(),
        msg.NodeChosen(attempt=1, node="z"),
        msg.NoNode(attempt=1),
        msg.Prepared(attempt=1),
        msg.PrepareFailed(attempt=1, reason="late"),
        msg.DeadlinePassed(number=before.timer - 1),
        msg.DeadlinePassed(number=before.timer + 1),
        msg.ActorDied(actor="somebody", certain=True),
        *(answer(attempt=2) for answer in (msg.Quiesced, msg.Prepared, msg.Retired)),
        msg.Disconnected(attempt=2, last_seq=1),
        msg.Fenced(attempt=2, epoch=8),
        msg.Fenced(attempt=1, epoch=9),
        msg.FenceRefused(attempt=2, current_epoch=9, current_actor=None),
        msg.Connected(attempt=2, epoch=8),
        msg.Connected(attempt=1, epoch=9),
        msg.ActivateFailed(attempt=2, reason="late"),
    )
    assert run.said == []
    assert run.handoff == before


def test_nothing_follows_the_end() -> None:
    run = Run().to(Step.RETIRE)
    run.hear(msg.Retired(attempt=1))
    before = run.handoff
    run.new()
    run.died(P)
    run.died(run.successor)
    run.deadline()
    run.hear(msg.Retired(attempt=1), msg.Forced(), msg.Cancelled())
    assert run.new() == []
    assert run.handoff == before
