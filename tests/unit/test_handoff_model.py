"""Every interleaving that hypothesis comes up with: the handoff keeps its promises."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from actors.supervisor import handoff_messages as msg
from actors.supervisor.handoff_record import Outcome, Party, Reason, Step
from tests.unit.handoff_world import Actor, World

INDEX = st.integers(0, 100)
REASONS = st.sampled_from([Reason.MOVE, Reason.DRAIN, Reason.REBALANCE, Reason.ROLLOUT])
FORCED = st.sampled_from([False, False, True])
STEPS = [Step.PREPARE, Step.QUIESCE, Step.DISCONNECT, Step.FENCE, Step.ACTIVATE, Step.RETIRE]


class Handoffs(RuleBasedStateMachine):
    """Handoffs of one instance, one after another, in a world where anything goes wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(nodes=("a", "b", "c", "d"))

    @initialize(reason=REASONS, forced=FORCED, cut_off=st.booleans(), step=st.sampled_from(STEPS))
    def a_handoff_begins(self, reason: Reason, forced: bool, cut_off: bool, step: Step) -> None:
        self.world.begin(Reason.START)
        if step is Step.PREPARE:
            return
        self.world.go_on(20)
        self.world.begin(reason, forced=forced)
        if cut_off:
            # It is connected, and will not know for a while that it was fenced.
            owner = self.world.parties()[0]
            owner.reachable = owner.redis = False
        self.world.go_on(20, until=step)

    @precondition(lambda self: self._running())
    @rule()
    def the_successor_is_granted(self) -> None:
        for _ in range(20):
            handoff = self.world.handoff
            if handoff is None or handoff.granted:
                return
            self.world.go_on(1)

    def _actor(self, index: int) -> Actor:
        actors = list(self.world.actors.values())
        return actors[index % len(actors)]

    def _living(self) -> list[Actor]:
        return [actor for actor in self.world.actors.values() if actor.alive]

    def _running(self) -> bool:
        return self.world.record is not None

    # ---- the supervisor's world ----

    @precondition(lambda self: not self._running())
    @rule(reason=REASONS, forced=FORCED, wish=st.sampled_from(["a", "b", None]))
    def begin(self, reason: Reason, forced: bool, wish: str | None) -> None:
        lost = bool(self.world.outcomes) and self.world.outcomes[-1] is Outcome.LOST
        self.world.begin(Reason.RECOVERY if lost else reason, forced=forced, target=wish)

    @precondition(lambda self: self.world.orders)
    @rule(index=INDEX, keep=st.booleans())
    def order_arrives(self, index: int, keep: bool) -> None:
        self.world.deliver_order(index % len(self.world.orders), keep=keep)

    @precondition(lambda self: self._running())
    @rule(steps=st.integers(1, 10))
    def it_goes_on(self, steps: int) -> None:
        self.world.go_on(steps)

    @precondition(lambda self: self._running())
    @rule(step=st.sampled_from(STEPS[1:]))
    def it_goes_on_until(self, step: Step) -> None:
        self.world.go_on(20, until=step)

    @precondition(lambda self: self.world.orders)
    @rule(index=INDEX)
    def order_is_lost(self, index: int) -> None:
        self.world.lose_order(index % len(self.world.orders))

    @precondition(lambda self: self.world.answers)
    @rule(index=INDEX, keep=st.booleans())
    def answer_arrives(self, index: int, keep: bool) -> None:
        self.world.deliver_answer(index % len(self.world.answers), keep=keep)

    @precondition(lambda self: self.world.given)
    @rule(index=INDEX)
    def an_old_answer_arrives(self, index: int) -> None:
        self.world.hear(self.world.given[index % len(self.world.given)])

    @precondition(lambda self: self.world.answers)
    @rule(index=INDEX)
    def answer_is_lost(self, index: int) -> None:
        self.world.answers.pop(index % len(self.world.answers))

    @precondition(lambda self: self.world.answers)
    @rule(index=INDEX, executed=st.integers(0, 3))
    def supervisor_dies_while_it_acts(self, index: int, executed: int) -> None:
        self.world.deliver_answer(index % len(self.world.answers), executed=executed)

    @precondition(lambda self: self._running())
    @rule()
    def supervisor_dies(self) -> None:
        self.world.restart_supervisor()

    @precondition(lambda self: self.world.timer)
    @rule(executed=st.sampled_from([None, None, 0, 1]))
    def deadline_passes(self, executed: int | None) -> None:
        self.world.deadline(executed=executed)

    @precondition(lambda self: self._running())
    @rule(number=st.integers(0, 20))
    def an_old_deadline_passes(self, number: int) -> None:
        if self.world.timer is None or number != self.world.timer[0]:
            handoff = self.world.handoff
            assert handoff is not None
            if number != handoff.timer:
                self.world.hear(msg.DeadlinePassed(number=number))

    @precondition(lambda self: self._running())
    @rule(what=st.sampled_from(["forced", "forced", "cancelled", "stranger"]))
    def somebody_intervenes(self, what: str) -> None:
        if what == "forced":
            self.world.hear(msg.Forced(at=self.world.now))
        elif what == "cancelled":
            self.world.hear(msg.Cancelled(at=self.world.now))
        elif self.world.owner is not None:
            self._let_a_stranger_in()

    def _let_a_stranger_in(self) -> None:
        # By another supervisor, whose handoff came to its end.
        world = self.world
        for actor in world.actors.values():
            actor.active = actor.connected = False
            actor.lease_until = 0.0
        world.held = None
        world.leader += 1
        world.epoch += 1
        world.owner = f"stranger:{world.epoch}"
        stranger = Actor(Party(epoch=world.epoch, node="d", actor=world.owner), active=True)
        world.actors[world.owner] = stranger
        world.renew(stranger)
        world.connect(stranger)

    # ---- faults ----

    @precondition(lambda self: self._living())
    @rule(index=INDEX)
    def actor_is_killed(self, index: int) -> None:
        living = self._living()
        living[index % len(living)].end()

    @precondition(lambda self: self.world.parties())
    @rule(index=INDEX)
    def actor_of_the_handoff_dies(self, index: int) -> None:
        parties = self.world.parties()
        actor = parties[index % len(parties)]
        actor.end()
        self.world.notice(actor)

    @precondition(lambda self: self.world.actors)
    @rule(index=INDEX)
    def supervisor_hears_of_it(self, index: int) -> None:
        self.world.notice(self._actor(index))

    @precondition(lambda self: self._living())
    @rule(index=INDEX, killed=st.booleans())
    def engine_freezes(self, index: int, killed: bool) -> None:
        """And its actor may die: then nobody is left to end it."""
        living = self._living()
        actor = living[index % len(living)]
        actor.frozen = True
        if killed:
            actor.end()

    @precondition(lambda self: any(actor.frozen for actor in self.world.actors.values()))
    @rule(index=INDEX)
    def engine_thaws(self, index: int) -> None:
        frozen = [actor for actor in self.world.actors.values() if actor.frozen]
        frozen[index % len(frozen)].frozen = False

    @precondition(lambda self: self.world.parties())
    @rule(index=INDEX, reachable=st.booleans(), redis=st.booleans())
    def network_changes(self, index: int, reachable: bool, redis: bool) -> None:
        parties = self.world.parties()
        actor = parties[index % len(parties)]
        actor.reachable, actor.redis = reachable, redis

    @precondition(lambda self: len(self.world.lost_nodes) < 2)
    @rule(node=st.sampled_from(["a", "b", "c"]), heard=st.booleans())
    def node_is_lost(self, node: str, heard: bool) -> None:
        """Ray gives it up; its actors live on and reach Redis and WhatsApp."""
        self.world.lost_nodes.add(node)
        for actor in self.world.actors.values():
            if actor.party.node == node:
                actor.reachable = False
        if heard:
            for actor in list(self.world.actors.values()):
                self.world.notice(actor)

    @precondition(lambda self: self.world.lost_nodes)
    @rule(index=INDEX)
    def node_comes_back(self, index: int) -> None:
        node = sorted(self.world.lost_nodes)[index % len(self.world.lost_nodes)]
        self.world.lost_nodes.discard(node)
        # Ray ends what it had given up.
        for actor in self.world.actors.values():
            if actor.party.node == node:
                actor.end()

    # ---- traffic ----

    @rule()
    def somebody_writes(self) -> None:
        self.world.sent_to_us += 1
        self.world.pending.append(self.world.sent_to_us)

    @rule()
    def a_client_queues(self) -> None:
        self.world.queued += 1

    @precondition(lambda self: self.world.actors)
    @rule(index=INDEX, complete=st.sampled_from([True, True, True, False]))
    def actor_receives(self, index: int, complete: bool) -> None:
        self.world.receive(self._actor(index), acknowledge=complete)

    @precondition(lambda self: self.world.actors)
    @rule(index=INDEX, complete=st.sampled_from([True, True, True, False]))
    def actor_sends(self, index: int, complete: bool) -> None:
        self.world.send(self._actor(index), finish=complete)

    @precondition(lambda self: self.world.actors)
    @rule(index=INDEX)
    def actor_connects_again(self, index: int) -> None:
        actor = self._actor(index)
        actor.connected = False
        self.world.connect(actor)

    @rule(seconds=st.sampled_from([1.0, 4.0]))
    def time_passes(self, seconds: float) -> None:
        until = self.world.now + seconds
        if self.world.timer is not None:
            until = min(until, self.world.timer[1])
        self.world.wait(until)

    @invariant()
    def promises(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        for actor in self.world.actors.values():
            actor.reachable = actor.party.node not in self.world.lost_nodes
            actor.redis = True
            # Whoever lives ends an engine that does not answer; what the dead left behind stays as it is.
            actor.frozen = actor.frozen and not actor.alive
        self.world.settle()


EXAMPLES = int(os.environ.get("HANDOFF_EXAMPLES", "100"))

TestHandoffs = Handoffs.TestCase
TestHandoffs.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
