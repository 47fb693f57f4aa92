"""Reconciles what is desired with what is, without Ray's details.

Each turn compares the registry with what is kept: a new instance gets a keeper (`keeper`), a deleted one is
drained, and those on nodes that are to be emptied are moved (`nodes`). Couriers are kept apart (`couriers`),
Ray's autoscaler is told how many slots are needed (`scaling`), and actors that nobody needs are ended at a
slower pace (`sweep`).
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

from redis.exceptions import RedisError

from actors import metrics
from actors.courier import council
from actors.registry import Deposed, Registry
from actors.settings import Settings
from actors.store import Store, StoreUnavailable
from actors.supervisor.census import Census
from actors.supervisor.couriers import Couriers
from actors.supervisor.handoff_record import Handoff, Reason, shown
from actors.supervisor.keeper import Keeper
from actors.supervisor.kept import Kept
from actors.supervisor.moves import Handoffs
from actors.supervisor.nodes import Nodes, Snapshot
from actors.supervisor.office import Offices
from actors.supervisor.rolling import Rolling
from actors.supervisor.scaling import Scaling
from actors.supervisor.sweep import Sweep, instance_of
from actors.supervisor.workers import Cluster, Ended

log = logging.getLogger(__name__)

BEAT = 5.0
"""Least seconds for which a supervisor that said that it works is believed to."""


class Supervisor:
    """Keeps every desired actor alive, exactly one owner per instance.

    Args:
        version: of the code that runs here; without one it has no part in roll-outs.
    """

    def __init__(self, settings: Settings, store: Store, cluster: Cluster, version: str = "") -> None:
        self._settings = settings
        self._store = store
        self._cluster = cluster
        self._registry = Registry(store)
        self._handoffs = Handoffs(store, kept=settings.supervisor.handoffs_kept)
        self._leader = 0
        self._census = Census(settings, store)
        self._kept: dict[str, Kept] = {}
        self._removing: dict[str, asyncio.Task[None]] = {}
        self._unreadable: frozenset[str] = frozenset()
        self._wake = asyncio.Event()
        self._deposed = asyncio.Event()
        self._stopping = False
        self._couriers = Couriers(cluster, settings.courier.count, lambda: self._nodes.places())
        self._nodes = Nodes(settings, store, cluster, self._kept, self._couriers.on, self._wake.set)
        self._scaling = Scaling(settings, cluster, self._nodes, self._kept, self._couriers.on)
        self._sweeper = Sweep(self._registry, self._handoffs, cluster, self._kept)
        self._keeper = Keeper(settings, store, cluster, self._nodes, self._handoffs, self._depose, version)
        self._version = version
        self._offices = Offices(store)
        self._rolling = Rolling(store, version, self._kept, self._couriers) if version else None

    # ---- life ----

    async def run(self) -> str:
        """Supervise until ``deposed`` by a newer supervisor or ``leaving`` a draining node; says which."""
        await self._lead()
        metrics.SAMPLERS.append(self._census.sample)
        work = (self._listen(), self._sweep(), self._census.run())
        helpers = [asyncio.create_task(one) for one in work]
        self._couriers.keep()
        scaling = False
        try:
            while not self._deposed.is_set():
                try:
                    seen = await self.reconcile()
                    await council.announce(self._store, self._settings.courier.count)
                    if not await self._roll():
                        return "deposed"
                except StoreUnavailable as error:
                    log.warning("cannot reconcile", extra={"error": str(error)})
                except Deposed as error:
                    log.warning("deposed", extra={"reason": str(error)})
                    return "deposed"
                else:
                    if not scaling:
                        # Not before it is known how many instances there are.
                        scaling = True
                        helpers.append(asyncio.create_task(self._scaling.run()))
                    if seen is not None and self._may_leave(seen):
                        return "leaving"
                await self._woken(self._settings.supervisor.reconcile)
            return "deposed"
        finally:
            metrics.SAMPLERS.remove(self._census.sample)
            metrics.no_leader()
            await self._couriers.let_go()
            keepers = [kept.task for kept in self._kept.values() if kept.task]
            tasks = [*helpers, *keepers, *self._removing.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for kept in self._kept.values():
                # An actor ends only when none of its calls is pending any more.
                kept.refuse("this supervisor ends")

    async def _roll(self) -> bool:
        """Do its part in a roll-out, and say that it works; False if another supervisor is to lead."""
        if self._rolling is None or self._stopping:
            return True
        try:
            if not await self._rolling.turn():
                return False
        except StoreUnavailable:
            raise
        except Exception:
            # Instances are kept nonetheless. Who stands by hears no beat any more.
            log.exception("the roll-out cannot go on")
            return True
        await self._offices.beat(self._version, max(BEAT, 3 * self._settings.supervisor.reconcile))
        return True

    async def _lead(self) -> None:
        while not self._leader:
            try:
                self._leader = self._keeper.leader = await self._registry.lead()
            except StoreUnavailable as error:
                log.warning("waiting for Redis", extra={"error": str(error)})

    def _depose(self) -> None:
        self._deposed.set()
        self._wake.set()

    def _may_leave(self, seen: Snapshot) -> bool:
        """True if nothing of Malote but this supervisor keeps a node that Ray drains from ending."""
        home = self._cluster.home()
        return (
            home in seen.ending
            and len(seen.ending) < len(seen.living)
            and not self._nodes.load().get(home)
            and not self._couriers.on(home)
        )

    async def stop(self) -> None:
        """Drain every instance, then every courier: a clean end of everything, data kept."""
        self._stopping = True
        kept = list(self._kept.values())
        keepers = [entry.task for entry in kept if entry.task]
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, self._couriers.let_go(), return_exceptions=True)
        # Couriers last: they deliver what the instances flush.
        draining = [self._drain_owner(entry) for entry in kept]
        await asyncio.gather(*draining, *self._removing.values(), return_exceptions=True)
        await self._couriers.drain()

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
            except (OSError, RedisError) as error:
                log.debug("wake channel lost", extra={"error": str(error)})
                await asyncio.sleep(1.0)

    async def _sweep(self) -> None:
        """End actors that nobody needs, at a slow pace."""
        while True:
            await asyncio.sleep(self._settings.supervisor.sweep)
            try:
                await self._sweeper.turn()
            except StoreUnavailable as error:
                log.warning("cannot sweep", extra={"error": str(error)})
            except Exception:
                log.exception("sweep failed")

    # ---- a turn ----

    async def reconcile(self) -> Snapshot | None:
        """Start a keeper for each new instance, tell keepers of changes, empty nodes that drain.

        Returns:
            The nodes as this turn saw them; None if everything is being stopped.

        Raises:
            Deposed: a newer supervisor leads.
            StoreUnavailable
        """
        if self._stopping:
            return None
        await self._registry.ensure_leading(self._leader)
        listed, unreadable = await self._registry.read_all()
        if news := unreadable - self._unreadable:
            log.error("records of instances cannot be read", extra={"instances": sorted(news)})
        self._unreadable = unreadable
        records = {record.id: record for record in listed}
        for instance_id, record in records.items():
            kept = self._kept.get(instance_id)
            if instance_id in self._removing:
                continue  # made again under the same name: once what was there is gone
            if kept is None:
                kept = self._kept[instance_id] = Kept(record)
                kept.task = asyncio.create_task(self._keeper.keep(kept))
            elif kept.record.revision != record.revision:
                kept.record = record
                kept.changed.set()
        gone = {*self._kept, *await self._registry.removals()} - records.keys() - self._removing.keys()
        for instance_id in gone - unreadable:
            # Not in this turn: an owner that does not answer takes its time to end.
            removing = self._remove(instance_id, self._kept.pop(instance_id, None))
            self._removing[instance_id] = asyncio.create_task(removing)
        seen = await self._nodes.look()
        metrics.NODES.labels("draining").set(len(seen.draining))
        metrics.NODES.labels("serving").set(len(seen.living.keys() - seen.draining.keys()))
        metrics.NODE_SLOTS.set(sum(node.slots for node in seen.living.values()))
        self._nodes.empty(seen)
        if seen.living.keys() - seen.draining.keys():
            self._couriers.leave(seen.draining)
        if self._settings.supervisor.rebalance:
            self._nodes.rebalance(seen)
        return seen

    async def _remove(self, instance_id: str, kept: Kept | None) -> None:
        try:
            if kept is not None and kept.task is not None:
                kept.task.cancel()
                await asyncio.gather(kept.task, return_exceptions=True)
            # Whoever owned it may be one that this supervisor never kept.
            for actor in await self._cluster.instance_actors():
                worker = await self._cluster.find(actor) if instance_of(actor) == instance_id else None
                if worker is not None:
                    with suppress(Ended):
                        await worker.drain()
            await self._registry.purge(instance_id)
            await self._cluster.forget(instance_id)
            await self._registry.removed(instance_id)
        except Exception:
            log.exception("a deleted instance is not removed yet", extra={"instance": instance_id})
            await asyncio.sleep(self._settings.supervisor.sweep)
        finally:
            del self._removing[instance_id]

    # ---- what people ask for ----

    async def move(self, instance_id: str, node: str | None, reason: Reason = Reason.MOVE) -> dict[str, Any]:
        """Hand an instance over; returns the record of the handoff.

        Raises:
            ValueError: unknown instance, or a node that cannot take it.
        """
        kept = self._kept.get(instance_id)
        if kept is None:
            raise ValueError(f"no instance {instance_id} is supervised")
        if node is not None:
            seen = await self._nodes.look()
            seen.require(node)
            if node in seen.draining:
                raise ValueError(f"node {node} is draining")
        return shown(await asyncio.shield(kept.ask(reason, node).done))

    async def begin_drain(self, node: str) -> int:
        """Have a node emptied from now on; returns how many instances are on it.

        Raises:
            ValueError: unknown node.
        """
        return await self._nodes.begin_drain(node)

    async def drain(self, node: str) -> dict[str, Any]:
        """Empty a node by handoffs, or until that is undone; returns what it took, as `Nodes.drain` does.

        Raises:
            ValueError: unknown node.
        """
        return await self._nodes.drain(node)

    async def undrain(self, node: str) -> None:
        """Let a node take instances again. A drain that Ray was told of cannot be undone."""
        await self._nodes.undrain(node)

    async def nodes(self) -> list[dict[str, Any]]:
        """Living nodes with their capacity and load, for people."""
        return await self._nodes.describe()

    def load(self) -> dict[str, int]:
        """How many instances each node has, or is about to have."""
        return dict(self._nodes.load())

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
        return [shown(handoff) for handoff in [*running, *past][:limit]]

    def describe(self) -> dict[str, Any]:
        """What is supervised, for people and tests."""
        return {
            "leader": self._leader,
            "version": self._version,
            "instances": {
                instance_id: {
                    "owned": kept.worker is not None,
                    "restarts": kept.restarts,
                    "node": kept.owner.node if kept.owner else None,
                    "version": kept.owner.version if kept.owner else None,
                }
                for instance_id, kept in self._kept.items()
            },
        }
