"""A small world for handoffs: actors, a registry with leases, WhatsApp, and a supervisor that can die.

Orders and answers are in flight until a test delivers them, in any order, twice or never. Time is a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from actors.supervisor import handoff_messages as msg
from actors.supervisor.handoff import advance, begin
from actors.supervisor.handoff_record import Handoff, Outcome, Party, Reason, Standing, Step
from actors.supervisor.handoff_turn import DEADLINES

LEASE = DEADLINES.lease
MARGIN = DEADLINES.lease_margin


@lru_cache(maxsize=16)
def load(record: str) -> Handoff:
    return Handoff.model_validate_json(record)


@dataclass
class Actor:
    """One incarnation of an instance's owner."""

    party: Party
    alive: bool = True
    active: bool = False
    """Told to serve."""

    connected: bool = False
    quiesced: bool = False
    lease_until: float = 0.0
    frozen: bool = False
    """Its engine stands still: it connects and closes nothing, and its lock outlives the actor."""

    reachable: bool = True
    """The supervisor's calls and Ray's kill get through."""

    redis: bool = True
    """It can write and renew."""

    seen: tuple[int, int] = (0, 0)
    """Handoff and attempt of the latest order."""

    def end(self) -> None:
        self.alive = self.connected = self.active = False


@dataclass(frozen=True)
class Lock:
    """Of the session: no two are the same, also not of one holder."""

    holder: str
    number: int


@dataclass(frozen=True)
class EndHolder:
    """The second half of `BreakLock`."""

    seen: Lock
    attempt: int


@dataclass
class Flight:
    """An instruction, or an answer, on its way."""

    handoff: int
    what: object
    leader: int = 0


@dataclass
class World:
    """Everything there is."""

    nodes: Sequence[str]
    lost_nodes: set[str] = field(default_factory=set)
    """Nodes that Ray believes dead; their actors may live."""

    actors: dict[str, Actor] = field(default_factory=dict)
    now: float = 1000.0
    epoch: int = 0
    owner: str | None = None
    lease_until: float = 0.0
    """As Redis has it."""

    pending: list[int] = field(default_factory=list)
    """Messages that WhatsApp holds until they are acknowledged."""

    sent_to_us: int = 0
    mailbox: list[tuple[int, int]] = field(default_factory=list)
    """Message and epoch of its writer."""

    queued: int = 0
    finished: int = 0
    wire: list[int] = field(default_factory=list)
    """Outbox entries as WhatsApp saw them."""

    held: Lock | None = None
    """Who has the session open."""

    locks: int = 0
    leader: int = 1
    """Number of the supervisor that leads."""

    ours: int = 1
    """Number of the one whose handoff this is."""

    serial: int = 0
    record: str | None = None
    orders: list[Flight] = field(default_factory=list)
    answers: list[Flight] = field(default_factory=list)
    given: list[msg.HandoffEvent] = field(default_factory=list)
    """All answers of the running handoff that this supervisor was given, also those that arrived."""

    timer: tuple[int, float] | None = None
    activated: dict[int, str] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)

    # ---- the supervisor ----

    @property
    def handoff(self) -> Handoff | None:
        return load(self.record) if self.record else None

    def parties(self) -> list[Actor]:
        """The actors that the running handoff knows."""
        handoff = self.handoff
        known = (handoff.predecessor, handoff.successor) if handoff else ()
        return [self.actors[party.actor] for party in known if party and party.actor in self.actors]

    def begin(self, reason: Reason, *, forced: bool = False, target: str | None = None) -> None:
        owner = self.actors[self.owner] if self.owner else None
        standing = Standing.SERVING
        if owner is not None and owner.party.node in self.lost_nodes:
            standing = Standing.SILENT
        elif owner is not None and not owner.alive:
            standing = Standing.DEAD
        self.serial += 1
        self.ours = self.leader
        excluded = tuple(sorted(self.lost_nodes))
        self.record = begin(
            f"h{self.serial}",
            "ins_1",
            reason,
            predecessor=owner.party if owner else None,
            standing=standing,
            forced=forced,
            target=target,
            excluded=excluded,
        ).model_dump_json()
        self.hear(msg.Begun(at=self.now))

    def hear(self, event: msg.HandoffEvent, *, executed: int | None = None) -> None:
        """The supervisor takes an event; it dies after ``executed`` instructions, if that is given."""
        before = self.handoff
        assert before is not None
        after, instructions = advance(before, event)
        self.record = after.model_dump_json()
        assert self.handoff == after
        for instruction in instructions[:executed]:
            self._execute(instruction)
        if executed is not None and self.record is not None:
            self.restart_supervisor()

    def restart_supervisor(self) -> None:
        """A new supervisor loads the record; calls of the old one stay on their way, its answers are lost."""
        self.timer = None
        self.leader = self.ours = self.leader + 1
        self.answers.clear()
        self.given.clear()
        self.hear(msg.Resumed(at=self.now))

    def _execute(self, instruction: object) -> None:
        match instruction:
            case msg.StartDeadline(number=number, seconds=seconds):
                self.timer = (number, self.now + seconds)
            case msg.Finish(outcome=outcome):
                self.outcomes.append(outcome)
                self.record = self.timer = None
                self.answers.clear()
                self.given.clear()
            case _:
                if isinstance(instruction, msg.Activate):
                    self._check_activate(instruction)
                if isinstance(instruction, msg.Kill | msg.Drop):
                    assert instruction.party.actor != self.owner, "the owner would be killed"
                self.orders.append(Flight(self.serial, instruction, self.ours))

    def _check_activate(self, order: msg.Activate) -> None:
        epoch, name = order.party.epoch, order.party.actor
        # A stranger may have been let in since; then the epoch is over and the order comes to nothing.
        assert self.epoch >= epoch, "activated before it was granted"
        if self.epoch == epoch:
            assert self.owner == name
        assert self.activated.setdefault(epoch, name) == name, "two actors in one epoch"
        others = [a for a in self.actors.values() if a.connected and a.party.actor != name]
        assert all(other.party.epoch > epoch for other in others), "activated while another is connected"

    # ---- what is on its way ----

    def deliver_order(self, index: int, *, keep: bool = False) -> None:
        flight = self.orders[index] if keep else self.orders.pop(index)
        order = flight.what
        match order:
            case msg.ChooseNode(excluded=excluded, target=target, attempt=attempt):
                free = [n for n in self.nodes if n not in excluded and n not in self.lost_nodes]
                if free:
                    node = target if target in free else free[self.serial % len(free)]
                    self._answer(flight, msg.NodeChosen(attempt=attempt, node=node))
                else:
                    self._answer(flight, msg.NoNode(attempt=attempt))
            case msg.CreateSuccessor(party=party, attempt=attempt):
                actor = self.actors.setdefault(party.actor, Actor(party))
                if actor.alive:
                    self._answer(flight, msg.Prepared(attempt=attempt))
            case msg.Fence():
                self._answer(flight, self._fence(order))
            case msg.BreakLock():
                self._look_at_lock(flight, order)
            case EndHolder():
                self._end_holder(flight, order)
            case msg.Kill(party=party) | msg.Drop(party=party):
                actor = self.actors.setdefault(party.actor, Actor(party))
                if actor.reachable and party.node not in self.lost_nodes:
                    actor.end()
                    self._answer(flight, msg.ActorDied(actor=party.actor, certain=True))
            case _:
                self._order(flight)

    def _look_at_lock(self, flight: Flight, order: msg.BreakLock) -> None:
        """See the holder, then make sure: what follows may be late, but hits nobody else."""
        seen, handoff = self.lock, self.handoff
        if flight.leader != self.leader or flight.handoff != self.serial or handoff is None:
            return
        if (handoff.step, handoff.attempt) != (Step.FENCE, order.attempt):
            return
        if seen is None:
            self._answer(flight, msg.LockBroken(attempt=order.attempt, held=False))
            return
        self.orders.append(Flight(flight.handoff, EndHolder(seen, order.attempt), flight.leader))

    def _end_holder(self, flight: Flight, order: EndHolder) -> None:
        if self.lock == order.seen:
            assert order.seen.holder != self.owner, "the owner's lock was broken"
            self.held = None
            self.actors[order.seen.holder].connected = False
        self._answer(flight, msg.LockBroken(attempt=order.attempt, held=True))

    @property
    def lock(self) -> Lock | None:
        """What holds the session: the engine of an actor that lives, or one that is frozen."""
        if self.held is not None:
            holder = self.actors[self.held.holder]
            if not (holder.alive or holder.frozen):
                self.held = None
        return self.held

    def _answer(self, flight: Flight, answer: msg.HandoffEvent) -> None:
        if self.record is not None and flight.handoff == self.serial:
            self.answers.append(Flight(flight.handoff, answer))
            self.given.append(answer)

    def _fence(self, order: msg.Fence) -> msg.Fenced | msg.FenceRefused:
        successor = order.successor
        if self.epoch == order.after:
            self.epoch, self.owner = successor.epoch, successor.actor
            if order.known_dead:
                self.lease_until = 0.0
        elif (self.epoch, self.owner) != (successor.epoch, successor.actor):
            return msg.FenceRefused(attempt=order.attempt, current_epoch=self.epoch, current_actor=self.owner)
        remaining = max(0.0, self.lease_until - self.now)
        return msg.Fenced(attempt=order.attempt, epoch=successor.epoch, remaining=remaining)

    def _order(self, flight: Flight) -> None:
        order = flight.what
        assert isinstance(order, msg.Resume | msg.Activate | msg.Quiesce | msg.Disconnect | msg.Retire)
        actor = self.actors[order.party.actor]
        number = (flight.handoff, order.attempt)
        unheard = actor.alive and not actor.reachable and actor.party.node not in self.lost_nodes
        if unheard and isinstance(order, msg.Resume):
            self.orders.append(flight)
            return
        if not (actor.alive and actor.reachable) or number < actor.seen:
            return
        actor.seen = number
        match order:
            case msg.Resume():
                actor.quiesced, actor.active = False, True
                self.connect(actor)
            case msg.Activate(attempt=attempt):
                actor.active = True
                self.renew(actor)
                self.connect(actor)
                if actor.connected:
                    self._answer(flight, msg.Connected(attempt=attempt, epoch=actor.party.epoch))
            case msg.Quiesce(attempt=attempt):
                actor.quiesced = True
                self._answer(flight, msg.Quiesced(attempt=attempt))
            case msg.Disconnect(attempt=attempt) if not actor.frozen:
                actor.connected = actor.active = False
                if self.lock is not None and self.lock.holder == actor.party.actor:
                    self.held = None
                last = self.mailbox[-1][0] if self.mailbox else None
                self._answer(flight, msg.Disconnected(attempt=attempt, last_seq=last))
            case msg.Retire(attempt=attempt):
                actor.end()
                self._answer(flight, msg.Retired(attempt=attempt))

    def deliver_answer(self, index: int, *, keep: bool = False, executed: int | None = None) -> None:
        flight = self.answers[index] if keep else self.answers.pop(index)
        event = flight.what
        assert isinstance(event, msg.Event)
        self.hear(event, executed=executed)  # type: ignore[arg-type]

    def go_on(self, steps: int, until: Step | None = None) -> None:
        """What is on its way arrives in order, up to so many steps or until the handoff is at that step."""
        for _ in range(steps):
            handoff = self.handoff
            if handoff is None or handoff.step is until:
                return
            if self.orders:
                self.deliver_order(0)
            elif self.answers:
                self.deliver_answer(0)

    def lose_order(self, index: int) -> None:
        """It never arrives. The last word of a handoff is repeated until it does, and so is `Resume`."""
        if self.record is not None and not isinstance(self.orders[index].what, msg.Resume):
            self.orders.pop(index)

    def notice(self, actor: Actor) -> None:
        """Ray tells the supervisor what it believes of an actor, if it believes it dead."""
        lost = actor.party.node in self.lost_nodes
        if self.record is not None and (lost or not actor.alive):
            self.hear(msg.ActorDied(actor=actor.party.actor, certain=not lost, at=self.now))

    # ---- time ----

    def deadline(self, *, executed: int | None = None) -> None:
        """Time goes on to the running deadline."""
        assert self.timer is not None
        number, due = self.timer
        self.wait(due)
        self.hear(msg.DeadlinePassed(number=number, at=self.now), executed=executed)

    def wait(self, until: float) -> None:
        """Time goes on; owners that can renew did so, those that could not have parked."""
        for actor in self.actors.values():
            if actor.active or actor.connected:
                self.renew(actor)
        self.now = max(self.now, until)
        for actor in self.actors.values():
            if actor.active or actor.connected:
                self.renew(actor)
            if actor.lease_until + MARGIN <= self.now:
                actor.connected = False

    # ---- actors ----

    def renew(self, actor: Actor) -> None:
        if not (actor.alive and actor.redis):
            return
        if self.epoch != actor.party.epoch or self.owner != actor.party.actor:
            actor.end()
            return
        actor.lease_until = self.lease_until = self.now + LEASE

    def connect(self, actor: Actor) -> None:
        if not (actor.alive and actor.active and actor.lease_until > self.now) or actor.frozen:
            return
        if self.lock is None:
            self.locks += 1
            self.held = Lock(actor.party.actor, self.locks)
        actor.connected = self.lock is not None and self.lock.holder == actor.party.actor

    def receive(self, actor: Actor, *, acknowledge: bool = True) -> None:
        """The connected actor gets the oldest message that WhatsApp holds."""
        if not (actor.connected and actor.redis and self.pending) or actor.frozen:
            return
        if actor.party.epoch != self.epoch:
            actor.end()
            return
        message = self.pending[0]
        if message not in [known for known, _ in self.mailbox]:
            self.mailbox.append((message, actor.party.epoch))
        if acknowledge:
            self.pending.pop(0)
        else:
            actor.end()

    def send(self, actor: Actor, *, finish: bool = True) -> None:
        """The connected actor sends the oldest entry without a result."""
        idle = actor.quiesced or actor.frozen or self.finished == self.queued
        if not (actor.connected and actor.redis) or idle:
            return
        if actor.party.epoch != self.epoch:
            actor.end()
            return
        self.wire.append(self.finished + 1)
        if finish:
            self.finished += 1
        else:
            actor.end()

    # ---- invariants ----

    def check(self) -> None:
        connected = [actor.party.actor for actor in self.actors.values() if actor.connected]
        assert len(connected) <= 1, "two are connected"
        assert not connected or (self.lock is not None and self.lock.holder == connected[0])
        assert [message for message, _ in self.mailbox] == list(range(1, len(self.mailbox) + 1))
        writers = [epoch for _, epoch in self.mailbox]
        assert writers == sorted(writers), "an older owner wrote after a newer one"
        held = {message for message, _ in self.mailbox} | set(self.pending)
        assert held == set(range(1, self.sent_to_us + 1)), "a message is lost"
        first_seen = list(dict.fromkeys(self.wire))
        assert first_seen == list(range(1, len(first_seen) + 1)), "sent out of order"
        self._check_resumed()

    def _check_resumed(self) -> None:
        """While another successor is prepared, the predecessor serves again, or will when it hears of it."""
        handoff = self.handoff
        if handoff is None or handoff.step is not Step.PREPARE or handoff.resumed is None:
            return
        told = any(isinstance(flight.what, msg.Resume) for flight in self.orders)
        if told or handoff.standing is not Standing.SERVING or handoff.predecessor is None:
            return
        if self.owner != handoff.predecessor.actor:
            return  # a stranger came to own it: it has to end, told or not
        owner = self.actors[handoff.predecessor.actor]
        assert not owner.alive or (owner.active and not owner.quiesced), "it was not told to go on"

    # ---- an end without faults ----

    def settle(self) -> None:
        """Everything gets through from now on: the running handoff comes to its end, and so does recovery."""
        self._run_out()
        owner = self.actors.get(self.owner or "")
        kept = self.outcomes and self.outcomes[-1] not in (Outcome.LOST, Outcome.SUPERSEDED)
        if kept and owner is not None and owner.alive and owner.reachable:
            assert owner.active, "the owner was left without an order to serve"
            assert not owner.quiesced
        for _ in range(3):
            owner = self.actors.get(self.owner or "")
            if owner is not None and owner.alive and owner.active and self._open_to(owner):
                break
            # What a supervisor does about an owner that ended, and an operator about one that is locked out.
            self.begin(Reason.RECOVERY, forced=True)
            self._run_out()
        owner = self.actors[self.owner or ""]
        self.renew(owner)
        self.connect(owner)
        assert owner.connected, "nobody is connected in the end"
        while self.pending:
            self.receive(owner)
        assert len(self.mailbox) == self.sent_to_us
        self.check()

    def _open_to(self, actor: Actor) -> bool:
        return self.lock is None or self.lock.holder == actor.party.actor

    def _run_out(self) -> None:
        unnoticed = list(self.actors.values())
        for _ in range(1000):
            if self.record is None and not self.orders:
                return
            if self.orders:
                self.deliver_order(0)
            elif self.answers:
                self.deliver_answer(0)
            elif unnoticed:
                self.notice(unnoticed.pop())
            else:
                self.deadline()
            self.check()
        raise AssertionError("the handoff does not end")
