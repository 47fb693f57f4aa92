"""Reconciles what is desired with what is: one keeper per instance and per courier, without Ray's details."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from actors.registry import Deposed, InstanceRecord, InstanceUnknown, Owner, Registry, Superseded
from actors.settings import Settings
from actors.store import StaleEpoch, Store, StoreUnavailable
from actors.supervisor import placement
from actors.supervisor.handoff import begin
from actors.supervisor.handoff_messages import Begun, Forced, Resumed
from actors.supervisor.handoff_record import Handoff, Outcome, Party, Reason
from actors.supervisor.handoff_turn import Deadlines
from actors.supervisor.moves import Handoffs, Move
from actors.supervisor.pacing import Bounds
from actors.supervisor.turns import Turns
from actors.supervisor.workers import Cluster, Ended, Worker

log = logging.getLogger(__name__)

MOVED = "moved"

DRAIN_MARGIN = 30.0
"""Seconds after a drain's deadline in which forced handoffs can still end."""

REBALANCE_THRESHOLD = 0.1
"""Share of a node's slots by which it has to be fuller than another one before an instance moves there."""

LEASE_MARGIN = 1.0
"""Seconds that an owner needs to disconnect after its lease is over."""

STABLE_AFTER = 60.0
"""Seconds that an owner has to live before its next death counts as its first again."""


def actor_name(instance_id: str, epoch: int, leader: int) -> str:
    """A name for an owner that a supervisor makes without a handoff; no other actor ever had it."""
    return f"instance:{instance_id}:{epoch}:{leader}"


@dataclass
class Wish:
    """A move that somebody wants."""

    reason: Reason
    target: str | None
    done: asyncio.Future[Handoff]


@dataclass
class Kept:
    """An instance that a keeper looks after."""

    record: InstanceRecord
    task: asyncio.Task[None] | None = None
    worker: Worker | None = None
    owner: Owner | None = None
    restarts: int = 0
    wish: Wish | None = None
    move: Move | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Unplaceable(Exception):
    """No node can take another instance."""


class Supervisor:
    """Keeps every desired actor alive, exactly one owner per instance."""

    def __init__(self, settings: Settings, store: Store, cluster: Cluster) -> None:
        self._settings = settings
        self._store = store
        self._registry = Registry(store)
        self._handoffs = Handoffs(store, kept=settings.supervisor.handoffs_kept)
        self._cluster = cluster
        limits = settings.supervisor
        self._turns = Turns(
            Bounds(
                source=limits.handoffs_per_node,
                target=limits.handoffs_per_node,
                total=limits.handoffs,
                gap=limits.connect_gap,
            )
        )
        self._leader = 0
        self._kept: dict[str, Kept] = {}
        self._couriers: list[asyncio.Task[None]] = []
        self._courier_nodes: dict[int, tuple[str, Worker]] = {}
        self._starting = asyncio.Semaphore(settings.supervisor.start_concurrency)
        self._wake = asyncio.Event()
        self._deposed = asyncio.Event()
        self._stopping = False
        self._draining: set[str] = set()
        self._known: set[str] = set()
        self._ending: set[str] = set()
        """Nodes that Ray itself drains: they end once nothing is left on them."""

    # ---- life ----

    async def run(self) -> str:
        """Supervise until ``deposed`` by a newer supervisor or ``leaving`` a draining node; says which."""
        await self._lead()
        listener = asyncio.create_task(self._listen())
        self._couriers = [
            asyncio.create_task(self._keep_courier(number)) for number in range(self._settings.courier.count)
        ]
        try:
            while not self._deposed.is_set():
                try:
                    await self.reconcile()
                except StoreUnavailable as error:
                    log.warning("cannot reconcile", extra={"error": str(error)})
                except Deposed as error:
                    log.warning("deposed", extra={"reason": str(error)})
                    return "deposed"
                if self._may_leave():
                    return "leaving"
                await self._woken(self._settings.supervisor.reconcile)
            return "deposed"
        finally:
            tasks = [listener, *self._couriers, *(kept.task for kept in self._kept.values() if kept.task)]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _lead(self) -> None:
        while not self._leader:
            try:
                self._leader = await self._registry.lead()
            except StoreUnavailable as error:
                log.warning("waiting for Redis", extra={"error": str(error)})

    async def stop(self) -> None:
        """Drain every instance, then every courier: a clean end of everything, data kept."""
        self._stopping = True
        kept = list(self._kept.values())
        tasks = [*self._couriers, *(entry.task for entry in kept if entry.task)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Couriers last: they deliver what the instances flush.
        await asyncio.gather(*(self._drain_owner(entry) for entry in kept), return_exceptions=True)
        for number in range(self._settings.courier.count):
            with suppress(Ended):
                await (await self._cluster.courier(number)).drain()

    async def _drain_owner(self, kept: Kept) -> None:
        # Asked for anew: a handoff that was cut short just now may have changed it.
        owner = await self._registry.owner(kept.record.id)
        worker = await self._cluster.find(owner.actor) if owner is not None else None
        if worker is not None:
            await worker.drain()

    async def _woken(self, timeout: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        self._wake.clear()

    async def _listen(self) -> None:
        """Turn wake calls in Redis into a look at what is desired, at once."""
        while True:
            try:
                async with self._store.redis.pubsub() as channel:
                    await channel.subscribe(self._store.keys.wake)
                    while True:
                        if await channel.get_message(ignore_subscribe_messages=True, timeout=1.0):
                            self._wake.set()
            except OSError as error:  # redis-py's connection errors among them
                log.debug("wake channel lost", extra={"error": str(error)})
                await asyncio.sleep(1.0)

    # ---- what is desired ----

    async def reconcile(self) -> None:
        """Start a keeper for each new instance, tell keepers of changes, empty nodes that drain.

        Raises:
            Deposed: a newer supervisor leads.
            StoreUnavailable
        """
        if self._stopping:
            return
        if (leader := await self._registry.leader()) > self._leader:
            raise Deposed(f"supervisor {self._leader}, {leader} leads")
        records = {record.id: record for record in await self._registry.list()}
        for instance_id, record in records.items():
            kept = self._kept.get(instance_id)
            if kept is None:
                kept = self._kept[instance_id] = Kept(record)
                kept.task = asyncio.create_task(self._keep(kept))
            elif kept.record.revision != record.revision:
                kept.record = record
                kept.changed.set()
        for instance_id in self._kept.keys() - records.keys():
            await self._remove(instance_id)
        await self._empty_draining_nodes()
        if self._settings.supervisor.rebalance:
            await self._rebalance()

    async def _remove(self, instance_id: str) -> None:
        kept = self._kept.pop(instance_id)
        if kept.task is not None:
            kept.task.cancel()
            await asyncio.gather(kept.task, return_exceptions=True)
        if kept.worker is not None:
            with suppress(Ended):
                await kept.worker.drain()
        await self._registry.purge(instance_id)
        await self._cluster.forget(instance_id)

    # ---- instances ----

    async def _keep(self, kept: Kept) -> None:
        """Keep one instance owned, whatever happens to its owners."""
        instance_id = kept.record.id
        while True:
            began = asyncio.get_running_loop().time()
            try:
                unfinished = await self._handoffs.unfinished(instance_id)
                if unfinished is not None:
                    await self._carry_out(kept, unfinished, resumed=True)
                kept.worker = await self._ensure_owner(kept)
                await kept.worker.configure(kept.record)
                reason = await self._watch(kept)
            except Deposed as error:
                log.warning("deposed", extra={"reason": str(error)})
                self._deposed.set()
                self._wake.set()
                return
            except (Ended, StaleEpoch, StoreUnavailable, InstanceUnknown, Superseded, Unplaceable) as error:
                reason = str(error)
            except Exception as error:
                # Whatever it is: an instance without a keeper would stay down for good.
                log.exception("keeper failed", extra={"instance": instance_id})
                reason = str(error)
            kept.worker = None
            if reason == MOVED:
                continue
            if asyncio.get_running_loop().time() - began > STABLE_AFTER:
                kept.restarts = 0
            kept.restarts += 1
            log.warning("owner ended", extra={"instance": instance_id, "reason": reason})
            await asyncio.sleep(min(5.0, 0.1 * 2 ** min(kept.restarts, 6)))

    async def _watch(self, kept: Kept) -> str:
        """Wait for the owner's end; meanwhile pass on changes of the record, and carry out a move."""
        worker = kept.worker
        assert worker is not None
        end = asyncio.create_task(worker.watch())
        try:
            while True:
                change = asyncio.create_task(kept.changed.wait())
                done, _ = await asyncio.wait([end, change], return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
                if end in done:
                    return end.result()
                kept.changed.clear()
                if kept.wish is not None:
                    await self._grant_wish(kept, kept.wish)
                    return MOVED
                await worker.configure(kept.record)
        finally:
            end.cancel()
            await asyncio.gather(end, return_exceptions=True)

    async def _ensure_owner(self, kept: Kept) -> Worker:
        """The living owner, found again or made in a new epoch."""
        record = kept.record
        owner = await self._registry.owner(record.id)
        if owner is not None:
            worker = await self._cluster.find(owner.actor)
            if worker is not None:
                kept.owner = owner
                await worker.start()
                return worker
        async with self._starting:
            node = await self._choose(record.id)
            if node is None:
                raise Unplaceable("no node has a free instance slot: add a node, or slots to one")
            kept.owner = now = await self._grant(record.id, owner, node)
            worker = await self._cluster.create_instance(record, now.epoch, node=node, name=now.actor)
            await worker.start()
            return worker

    async def _grant(self, instance_id: str, owner: Owner | None, node: str) -> Owner:
        """Give an instance whose owner does not live another one, which may begin when this returns."""
        # Ray's word that an actor is dead counts only while its node lives: of a node that does not answer,
        # the actors may well go on. Then the lease decides.
        dead = owner is None or not owner.node or await self._cluster.trusts(owner.node)
        after = owner.epoch if owner else 0
        name = actor_name(instance_id, after + 1, self._leader)
        epoch, remaining = await self._registry.fence(
            instance_id, after=after, leader=self._leader, actor=name, node=node, known_dead=dead
        )
        if remaining:
            await asyncio.sleep(remaining + LEASE_MARGIN)
        return Owner(epoch=epoch, actor=name, node=node, leader=self._leader)

    # ---- handoffs ----

    async def move(self, instance_id: str, node: str | None, reason: Reason = Reason.MOVE) -> dict[str, Any]:
        """Hand an instance over; returns the record of the handoff.

        Raises:
            ValueError: unknown instance, or a node that cannot take it.
        """
        kept = self._kept.get(instance_id)
        if kept is None:
            raise ValueError(f"no instance {instance_id} is supervised")
        if node is not None:
            known = {known.id: known for known in await self._cluster.nodes() if known.alive}
            if node not in known:
                raise ValueError(f"no living node {node}; there are {', '.join(sorted(known))}")
            if node in await self._draining_nodes():
                raise ValueError(f"node {node} is draining")
        return _shown(await asyncio.shield(self._wish(kept, reason, node).done))

    def _wish(self, kept: Kept, reason: Reason, target: str | None) -> Wish:
        """One wish at a time: who wants a move while one is under way shares it."""
        if kept.wish is None:
            kept.wish = Wish(reason, target, asyncio.get_running_loop().create_future())
            kept.changed.set()
        return kept.wish

    async def _grant_wish(self, kept: Kept, wish: Wish) -> None:
        owner = await self._registry.owner(kept.record.id)
        assert owner is not None
        try:
            async with self._turns.turn(placement.Move(kept.record.id, owner.node, wish.target)):
                handoff = begin(
                    secrets.token_hex(6),
                    kept.record.id,
                    wish.reason,
                    predecessor=Party(epoch=owner.epoch, node=owner.node, actor=owner.actor),
                    target=wish.target,
                    # A node that is to be emptied, or left, will not do.
                    excluded=(owner.node,) if wish.target is None else (),
                )
                handoff = await self._carry_out(kept, handoff, resumed=False)
        except BaseException as error:
            kept.wish = None
            if not wish.done.done():
                wish.done.set_exception(Ended(f"the handoff was cut short: {error}"))
                wish.done.exception()  # nobody may be waiting
            raise
        kept.wish = None
        wish.done.set_result(handoff)

    async def _carry_out(self, kept: Kept, handoff: Handoff, *, resumed: bool) -> Handoff:
        limits = self._settings.supervisor
        kept.move = Move(
            handoff,
            kept.record,
            leader=self._leader,
            registry=self._registry,
            handoffs=self._handoffs,
            cluster=self._cluster,
            choose=self._choose,
            deadlines=Deadlines(
                prepare=limits.prepare_timeout,
                quiesce=limits.quiesce_timeout,
                disconnect=limits.disconnect_timeout,
                activate=limits.activate_timeout,
                retire=limits.retire_timeout,
                lease=self._settings.instance.lease_ttl,
            ),
        )
        moment = time.time()
        try:
            ended = await kept.move.run(Resumed(at=moment) if resumed else Begun(at=moment))
        finally:
            kept.move = None
        if ended.outcome is Outcome.MOVED and (now := ended.successor) is not None:
            kept.owner = Owner(epoch=now.epoch, actor=now.actor, node=now.node, leader=self._leader)
        return ended

    # ---- nodes ----

    async def _draining_nodes(self) -> dict[str, float]:
        """Nodes that are to be emptied, to when (seconds since 1970; 0: no deadline)."""
        redis, key = self._store.redis, self._store.keys.shared("draining")
        wanted: dict[str, str] = await self._store.run(lambda: redis.hgetall(key), timeout=5)
        found = {node: float(deadline) for node, deadline in wanted.items()}
        for node in await self._cluster.nodes():
            if node.alive and node.draining:
                found.setdefault(node.id, node.deadline)
        return found

    async def _empty_draining_nodes(self) -> None:
        draining = await self._draining_nodes()
        living = [node for node in await self._cluster.nodes() if node.alive]
        self._known = {node.id for node in living}
        self._ending = {node.id for node in living if node.draining}
        self._draining = set(draining) & self._known
        for kept in self._kept.values():
            if kept.owner is None or kept.owner.node not in draining or kept.worker is None:
                continue
            self._wish(kept, Reason.DRAIN, None)
            deadline = draining[kept.owner.node]
            if kept.move is not None and deadline and time.time() > deadline:
                kept.move.hear(Forced(at=time.time()))
        for node, courier in list(self._courier_nodes.values()):
            if node in self._ending:
                # Its keeper makes another one, which Ray does not put on a node that it drains.
                with suppress(Ended):
                    await courier.drain()

    def _may_leave(self) -> bool:
        """True if nothing of Malote but this supervisor keeps a node that Ray drains from ending."""
        home = self._cluster.home()
        return (
            home in self._ending
            and len(self._ending) < len(self._known)
            and not self.load()[home]
            and all(node != home for node, _ in self._courier_nodes.values())
        )

    async def begin_drain(self, node: str) -> int:
        """Have a node emptied from now on; returns how many instances are on it.

        Raises:
            ValueError: unknown node.
        """
        living = [known.id for known in await self._cluster.nodes() if known.alive]
        if node not in living:
            raise ValueError(f"no living node {node}; there are {', '.join(sorted(living))}")
        redis, key = self._store.redis, self._store.keys.shared("draining")
        deadline = time.time() + self._settings.supervisor.drain_deadline
        await self._store.run(lambda: redis.hset(key, node, deadline), timeout=5)
        self._draining.add(node)
        self._wake.set()
        return self.load()[node]

    async def drain(self, node: str) -> dict[str, Any]:
        """Empty a node by handoffs, or until that is undone.

        Returns:
            ``instances`` moved, ``remaining`` ones that no other node could take, the ``seconds`` it took,
            and the ``handoffs``.

        Raises:
            ValueError: unknown node.
        """
        began = time.time()
        deadline = began + self._settings.supervisor.drain_deadline
        await self.begin_drain(node)
        moved: list[Handoff] = []
        while here := [kept for kept in self._kept.values() if kept.owner and kept.owner.node == node]:
            if time.time() > deadline + DRAIN_MARGIN or node not in await self._draining_nodes():
                break
            waiting = [self._wish(kept, Reason.DRAIN, None).done for kept in here if kept.worker is not None]
            for result in await asyncio.gather(*map(asyncio.shield, waiting), return_exceptions=True):
                if isinstance(result, Handoff):
                    moved.append(result)
            await asyncio.sleep(0.05)
        return {
            "node": node,
            "instances": sum(one.outcome is Outcome.MOVED for one in moved),
            "remaining": len(here),
            "seconds": round(time.time() - began, 3),
            "handoffs": [_shown(one) for one in moved],
        }

    async def undrain(self, node: str) -> None:
        """Let a node take instances again. A drain that Ray was told of cannot be undone."""
        redis, key = self._store.redis, self._store.keys.shared("draining")
        await self._store.run(lambda: redis.hdel(key, node), timeout=5)
        self._draining.discard(node)

    def load(self) -> Counter[str]:
        """How many instances each node has, or is about to have."""
        load = Counter(kept.owner.node for kept in self._kept.values() if kept.owner is not None)
        for kept in self._kept.values():
            if kept.move is not None and kept.move.handoff.successor is not None:
                load[kept.move.handoff.successor.node] += 1
        return load

    async def _choose(
        self, instance_id: str, excluded: Collection[str] = (), target: str | None = None
    ) -> str | None:
        """The node for an instance: the one wished for if it has room, else the least loaded one."""
        return placement.choose(
            placement.Instance(instance_id), await self._places(), excluded=excluded, target=target
        )

    async def _places(self) -> list[placement.Node]:
        load = self.load()
        return [
            placement.Node(
                id=node.id,
                capacity=node.slots,
                used=load[node.id],
                draining=node.draining or node.id in self._draining,
                alive=node.alive,
                labels=node.labels,
            )
            for node in await self._cluster.nodes()
        ]

    async def _rebalance(self) -> None:
        """Move a few instances from crowded nodes to empty ones, once those that move already have."""
        if any(kept.wish is not None for kept in self._kept.values()):
            return
        instances = [
            placement.Instance(
                instance_id,
                kept.owner.node if kept.owner else None,
                pinned=kept.worker is None,
            )
            for instance_id, kept in self._kept.items()
        ]
        room = self._settings.supervisor.handoffs
        plan = placement.plan_rebalance(
            instances, await self._places(), max_moves=room, threshold=REBALANCE_THRESHOLD
        )
        for move in plan:
            self._wish(self._kept[move.instance_id], Reason.REBALANCE, move.target)

    async def nodes(self) -> list[dict[str, Any]]:
        """Living nodes with their capacity and load, for people."""
        load, draining = self.load(), await self._draining_nodes()
        return [
            {
                "id": node.id,
                "address": node.address,
                "slots": node.slots,
                "instances": load[node.id],
                "draining": node.id in draining,
                "labels": node.labels,
            }
            for node in await self._cluster.nodes()
            if node.alive
        ]

    async def handoffs(self, instance_id: str | None, limit: int) -> list[dict[str, Any]]:
        """Handoffs that run, and past ones, the newest first."""
        ids = [instance_id] if instance_id else list(self._kept)
        running = [
            self._kept[one].move.handoff  # type: ignore[union-attr]
            for one in ids
            if one in self._kept and self._kept[one].move is not None
        ]
        past: list[Handoff] = []
        for one in ids:
            past += await self._handoffs.past(one, limit)
        past.sort(key=lambda handoff: handoff.log[-1].at if handoff.log else 0.0, reverse=True)
        return [_shown(handoff) for handoff in [*running, *past][:limit]]

    # ---- couriers ----

    async def _keep_courier(self, number: int) -> None:
        """Keep one courier alive."""
        failures = 0
        while True:
            try:
                worker = await self._cluster.courier(number)
                await worker.start()
                self._courier_nodes[number] = (await worker.where(), worker)
                failures = 0
                reason = await worker.watch()
            except Ended as error:
                reason = str(error)
            except Exception as error:
                log.exception("keeper failed", extra={"courier": number})
                reason = str(error)
            self._courier_nodes.pop(number, None)
            failures += 1
            log.warning("courier ended", extra={"courier": number, "reason": reason})
            await asyncio.sleep(min(5.0, 0.1 * 2 ** min(failures, 6)))

    def describe(self) -> dict[str, Any]:
        """What is supervised, for people and tests."""
        return {
            "leader": self._leader,
            "instances": {
                instance_id: {
                    "owned": kept.worker is not None,
                    "restarts": kept.restarts,
                    "node": kept.owner.node if kept.owner else None,
                }
                for instance_id, kept in self._kept.items()
            },
        }


def _shown(handoff: Handoff) -> dict[str, Any]:
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
        "blackout_ms": round(blackout * 1000, 1) if blackout is not None else None,
        "log": [entry.model_dump(mode="json") for entry in handoff.log],
    }
