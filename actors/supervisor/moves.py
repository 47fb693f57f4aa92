"""Carries out handoffs: follows the instructions of the protocol, and turns what happens into its events.

Every record is written to Redis before its instructions are followed, so that another supervisor can go on
from there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

from actors import metrics
from actors.instance.errors import CallFailed
from actors.registry import Deposed, InstanceRecord, Registry, Superseded
from actors.store import Store, StoreUnavailable
from actors.supervisor import handoff_messages as say
from actors.supervisor import measured
from actors.supervisor.handoff import advance
from actors.supervisor.handoff_record import Handoff, Party, Step
from actors.supervisor.handoff_turn import Deadlines
from actors.supervisor.workers import Cluster, Ended, LockStands, Worker

log = logging.getLogger(__name__)

Choose = Callable[[str, Collection[str], str | None], Awaitable[str | None]]
"""Instance, nodes that will not do, node wished for: to a node with room, None if there is none."""

FAREWELL = "farewell"
"""Name of the tasks that a handoff's end waits for."""

RESUME_PATIENCE = 60.0
"""Seconds in which a predecessor is told again and again to go on."""

WRITE = Path(__file__).parents[1] / "lua" / "handoff_write.lua"


class Handoffs:
    """Records of handoffs in Redis: the one that runs for an instance, and those before it."""

    def __init__(self, store: Store, *, kept: int) -> None:
        self._store = store
        self._kept = kept

    async def write(self, handoff: Handoff, leader: int, *, file: bool) -> None:
        """Write a record down; one that is filed does not run any more, and is the newest of the past.

        Raises:
            Deposed: a newer supervisor leads. It goes on from the record that it found.
            StoreUnavailable
        """
        answer = await self._store.script(
            WRITE,
            keys=[
                self._store.keys.instance(handoff.instance_id, name)
                for name in ("owner", "handoff", "handoffs")
            ],
            args=[leader, handoff.model_dump_json(), int(file), self._kept],
            timeout=30.0,
        )
        if answer != "ok":
            raise Deposed(f"supervisor {leader}, {answer} leads")

    async def unfinished(self, instance_id: str) -> Handoff | None:
        """The handoff that runs, or that a supervisor died in."""
        redis, key = self._store.redis, self._store.keys.instance(instance_id, "handoff")
        raw = await self._store.run(lambda: redis.get(key), timeout=5)
        return Handoff.model_validate_json(raw) if raw else None

    async def past(self, instance_id: str, limit: int) -> list[Handoff]:
        """Finished handoffs, the newest first."""
        redis, key = self._store.redis, self._store.keys.instance(instance_id, "handoffs")
        raw = await self._store.run(lambda: redis.lrange(key, 0, limit - 1), timeout=5)
        return [Handoff.model_validate_json(one) for one in raw]


class Move:
    """One handoff on its way.

    Args:
        record: the instance, as its customer configured it.
        leader: number of this supervisor.
        version: of its code, and of every actor that it makes.
    """

    def __init__(
        self,
        handoff: Handoff,
        record: InstanceRecord,
        *,
        leader: int,
        version: str = "",
        registry: Registry,
        handoffs: Handoffs,
        cluster: Cluster,
        choose: Choose,
        deadlines: Deadlines,
    ) -> None:
        self.handoff = handoff
        self.chosen: str | None = None
        """The node of a successor that the handoff has not heard of yet."""
        self._record = record
        self._leader = leader
        self._version = version
        self._registry = registry
        self._handoffs = handoffs
        self._cluster = cluster
        self._choose_node = choose
        self._deadlines = deadlines
        self._inbox: asyncio.Queue[say.HandoffEvent] = asyncio.Queue()
        self._workers: dict[str, Worker] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._deadline: asyncio.TimerHandle | None = None

    def hear(self, event: say.HandoffEvent) -> None:
        """Something happened: a drain's deadline is over, the move is not wanted any more."""
        self._inbox.put_nowait(event)

    async def run(self, *first: say.HandoffEvent) -> Handoff:
        """Carry it out, from the first events (`Begun` or `Resumed` before others) to its end.

        Raises:
            Deposed: another supervisor leads, and goes on from the record.
        """
        for event in first:
            self.hear(event)
        entered = time.monotonic()
        metrics.HANDOFFS_OPEN.inc()
        try:
            if self.handoff.predecessor is not None:
                await self._meet(self.handoff.predecessor)
            if self.handoff.successor is not None:
                await self._meet(self.handoff.successor)
            while True:
                event = await self._inbox.get()
                before = self.handoff
                self.handoff, instructions = advance(before, event, self._deadlines)
                if isinstance(event, say.NodeChosen):
                    self.chosen = None
                entered = measured.moved_on(before, self.handoff, entered, time.monotonic())
                await self._write(file=False)
                for instruction in instructions:
                    self._follow(instruction)
                if self.handoff.outcome is not None:
                    break
            # Filed only when its last orders were carried out: a supervisor that died before repeats them.
            await asyncio.gather(*self._farewells(), return_exceptions=True)
            await self._write(file=True)
            measured.ended(self.handoff)
            return self.handoff
        finally:
            metrics.HANDOFFS_OPEN.dec()
            if self._deadline is not None:
                self._deadline.cancel()
            for task in (*self._work, *self._watches.values()):
                task.cancel()
            await asyncio.gather(*self._work, *self._watches.values(), return_exceptions=True)

    def _farewells(self) -> list[asyncio.Task[None]]:
        return [task for task in self._work if task.get_name() == FAREWELL]

    async def _write(self, *, file: bool) -> None:
        while True:
            try:
                await self._handoffs.write(self.handoff, self._leader, file=file)
            except StoreUnavailable as error:
                log.warning("handoff waits", extra={"handoff": self.handoff.id, "error": str(error)})
            else:
                return

    # ---- instructions ----

    def _follow(self, instruction: say.Instruction) -> None:
        match instruction:
            case say.StartDeadline(number=number, seconds=seconds):
                if self._deadline is not None:
                    self._deadline.cancel()
                self._deadline = asyncio.get_running_loop().call_later(seconds, self._late, number)
            case say.ChooseNode():
                self._start(self._choose(instruction))
            case say.CreateSuccessor(party=party):
                self._start(self._create(instruction), name=party.actor)
            case say.Quiesce(party=party, attempt=attempt):
                self._start(self._quiesce(party, attempt))
            case say.Disconnect(party=party, attempt=attempt):
                self._start(self._disconnect(party, attempt))
            case say.Resume(party=party, attempt=attempt):
                self._start(self._resume(party, attempt), farewell=True)
            case say.Fence():
                self._start(self._fence(instruction))
            case say.BreakLock(attempt=attempt):
                self._start(self._break_lock(attempt))
            case say.Activate(party=party, attempt=attempt):
                self._start(self._activate(party, attempt))
            case say.Retire(party=party, attempt=attempt):
                self._start(self._retire(party, attempt))
            case say.Kill(party=party) | say.Drop(party=party):
                for task in self._work:
                    if task.get_name() == party.actor:  # its creation
                        task.cancel()
                self._start(self._end(party), farewell=True)
            case say.Finish(outcome=outcome):
                log.info(
                    "handoff ended",
                    extra={
                        "instance": self.handoff.instance_id,
                        "handoff": self.handoff.id,
                        "outcome": outcome,
                        "blackout": self.handoff.blackout,
                    },
                )

    def _late(self, number: int) -> None:
        measured.late(self.handoff)
        self.hear(say.DeadlinePassed(number=number, at=time.time()))

    def _start(
        self, work: Coroutine[Any, Any, None], *, farewell: bool = False, name: str | None = None
    ) -> None:
        task = asyncio.create_task(self._guard(work), name=FAREWELL if farewell else name)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        """An instruction that fails has no answer: its deadline says what follows."""
        try:
            await work
        except (Ended, CallFailed, LockStands, StoreUnavailable, TimeoutError) as error:
            log.warning("no answer", extra={"handoff": self.handoff.id, "error": str(error)})
        except Deposed as error:
            log.warning("deposed in a handoff", extra={"handoff": self.handoff.id, "error": str(error)})
        except Exception:
            log.exception("instruction failed", extra={"handoff": self.handoff.id})

    async def _choose(self, order: say.ChooseNode) -> None:
        # No wait between the choice and the note of it, or two that choose at once take the same last slot.
        node = self.chosen = await self._choose_node(self.handoff.instance_id, order.excluded, order.target)
        if node is None:
            self.hear(say.NoNode(attempt=order.attempt, at=time.time()))
        else:
            self.hear(say.NodeChosen(attempt=order.attempt, node=node, version=self._version, at=time.time()))

    async def _create(self, order: say.CreateSuccessor) -> None:
        party = order.party
        try:
            worker = await self._cluster.find(party.actor)
            if worker is None:
                if party.version != self._version:
                    # Made here it would not be what the record says it is.
                    raise Ended(f"{party.actor} was of another version of the code")
                worker = await self._cluster.create_instance(
                    self._record, party.epoch, node=party.node, name=party.actor
                )
            await worker.prepare()
        except (Ended, CallFailed) as error:
            self.hear(say.PrepareFailed(attempt=order.attempt, reason=str(error), at=time.time()))
            return
        self._watch(party, worker)
        self.hear(say.Prepared(attempt=order.attempt, at=time.time()))

    async def _quiesce(self, party: Party, attempt: int) -> None:
        await (await self._worker(party)).quiesce((self.handoff.id, attempt))
        self.hear(say.Quiesced(attempt=attempt, at=time.time()))

    async def _disconnect(self, party: Party, attempt: int) -> None:
        # Down from when it was told, not from when it said that it is: the blackout is not made smaller.
        told = time.time()
        last_seq = await (await self._worker(party)).disconnect((self.handoff.id, attempt))
        self.hear(say.Disconnected(attempt=attempt, last_seq=last_seq, at=told))

    async def _resume(self, party: Party, attempt: int) -> None:
        # Again until it was heard: one that was not would stay disconnected, and live.
        async with asyncio.timeout(RESUME_PATIENCE):
            while (worker := await self._cluster.find(party.actor)) is not None:
                with suppress(Ended):
                    await worker.resume((self.handoff.id, attempt))
                    return
                await asyncio.sleep(0.5)

    async def _fence(self, order: say.Fence) -> None:
        try:
            epoch, remaining = await self._registry.fence(
                self.handoff.instance_id,
                after=order.after,
                leader=self._leader,
                actor=order.successor.actor,
                node=order.successor.node,
                known_dead=order.known_dead,
                version=order.successor.version,
            )
        except Superseded as refusal:
            self.hear(
                say.FenceRefused(
                    attempt=order.attempt,
                    current_epoch=refusal.epoch,
                    current_actor=refusal.actor,
                    at=time.time(),
                )
            )
            return
        self.hear(say.Fenced(attempt=order.attempt, epoch=epoch, remaining=remaining, at=time.time()))

    async def _break_lock(self, attempt: int) -> None:
        async def confirm() -> None:
            # If no other supervisor leads, none has let a successor in, and if this handoff still stands at
            # the fence, it has not either: then whoever was seen with the lock before is not the successor.
            await self._registry.ensure_leading(self._leader)
            if (self.handoff.step, self.handoff.attempt) != (Step.FENCE, attempt):
                raise LockStands(f"attempt {attempt} is past its fence")

        held = await self._cluster.break_lock(self.handoff.instance_id, confirm)
        self.hear(say.LockBroken(attempt=attempt, held=held, at=time.time()))

    async def _activate(self, party: Party, attempt: int) -> None:
        try:
            await (await self._worker(party)).activate()
        except CallFailed as error:
            self.hear(say.ActivateFailed(attempt=attempt, reason=str(error), at=time.time()))
            return
        self.hear(say.Connected(attempt=attempt, epoch=party.epoch, at=time.time()))

    async def _retire(self, party: Party, attempt: int) -> None:
        with suppress(Ended):
            await (await self._worker(party)).leave()
        self.hear(say.Retired(attempt=attempt, at=time.time()))

    async def _end(self, party: Party) -> None:
        worker = await self._cluster.find(party.actor)
        if worker is not None:
            await worker.kill()
        certain = await self._cluster.trusts(party.node)
        self.hear(say.ActorDied(actor=party.actor, certain=certain, at=time.time()))

    # ---- the parties ----

    async def _meet(self, party: Party) -> None:
        """Watch a party that exists already, or say at once that it does not."""
        worker = await self._cluster.find(party.actor)
        if worker is None:
            certain = await self._cluster.trusts(party.node)
            self.hear(say.ActorDied(actor=party.actor, certain=certain, at=time.time()))
        else:
            self._watch(party, worker)

    async def _worker(self, party: Party) -> Worker:
        worker = self._workers.get(party.actor) or await self._cluster.find(party.actor)
        if worker is None:
            raise Ended(f"{party.actor} is gone")
        return worker

    def _watch(self, party: Party, worker: Worker) -> None:
        self._workers[party.actor] = worker
        if party.actor not in self._watches:
            self._watches[party.actor] = asyncio.create_task(self._until_dead(party, worker))

    async def _until_dead(self, party: Party, worker: Worker) -> None:
        certain = True
        try:
            await worker.gone()
        except Ended:
            certain = await self._cluster.trusts(party.node)
        self.hear(say.ActorDied(actor=party.actor, certain=certain, at=time.time()))
