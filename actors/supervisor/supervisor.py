"""Reconciles what is desired with what is: one keeper per instance and per courier, without Ray's details."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from actors.registry import Deposed, InstanceRecord, InstanceUnknown, Leased, Owner, Registry
from actors.settings import Settings
from actors.store import StaleEpoch, Store, StoreUnavailable

log = logging.getLogger(__name__)


class Ended(Exception):
    """An actor ended, or could not be reached any more."""


class Worker(Protocol):
    """A living actor, as the supervisor sees it. Calls raise Ended when it is gone."""

    async def start(self) -> None:
        """Begin to work; again is harmless."""
        ...

    async def watch(self) -> str:
        """Pend until the actor's work ends; returns why."""
        ...

    async def drain(self) -> None:
        """Finish and end, within a deadline; killed after it."""
        ...

    async def configure(self, record: InstanceRecord) -> None:
        """Follow a changed record."""
        ...


class Cluster(Protocol):
    """Where actors live."""

    async def place(self) -> str:
        """The node for the next instance."""
        ...

    async def find_instance(self, owner: Owner) -> Worker | None:
        """The living owner of an instance, None if it is dead."""
        ...

    async def create_instance(self, record: InstanceRecord, epoch: int, node: str) -> Worker:
        """Create an owner; raises Ended if it does not come up in time."""
        ...

    async def trusts(self, node: str) -> bool:
        """True if the node lives, so that its word about the death of its actors counts."""
        ...

    async def courier(self, number: int) -> Worker:
        """Find or create a courier; raises Ended if it does not come up in time."""
        ...

    async def forget(self, instance_id: str) -> None:
        """Remove what is left of a deleted instance on disk."""
        ...


def actor_template(instance_id: str) -> str:
    """The owner's name before its epoch is known, as `Registry.grant` takes it."""
    return f"instance:{instance_id}:{{epoch}}"


@dataclass
class Kept:
    """An instance that a keeper looks after."""

    record: InstanceRecord
    task: asyncio.Task[None]
    worker: Worker | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    restarts: int = 0


class Supervisor:
    """Keeps every desired actor alive, exactly one owner per instance."""

    def __init__(self, settings: Settings, store: Store, cluster: Cluster) -> None:
        self._settings = settings
        self._store = store
        self._registry = Registry(store)
        self._cluster = cluster
        self._leader = 0
        self._kept: dict[str, Kept] = {}
        self._couriers: list[asyncio.Task[None]] = []
        self._starting = asyncio.Semaphore(settings.supervisor.start_concurrency)
        self._wake = asyncio.Event()
        self._deposed = asyncio.Event()
        self._stopping = False

    # ---- life ----

    async def run(self) -> str:
        """Supervise until stopped, or until a newer supervisor leads. Returns which."""
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
                await self._woken(self._settings.supervisor.reconcile)
            return "deposed"
        finally:
            tasks = [listener, *self._couriers, *(kept.task for kept in self._kept.values())]
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
        """Drain every instance and every courier: a clean end of everything, data kept."""
        self._stopping = True
        kept = list(self._kept.values())
        for entry in kept:
            entry.task.cancel()
        for task in self._couriers:
            task.cancel()
        await asyncio.gather(*(entry.task for entry in kept), *self._couriers, return_exceptions=True)
        drains: list[Coroutine[Any, Any, None]] = [
            entry.worker.drain() for entry in kept if entry.worker is not None
        ]
        # Couriers last: they deliver what the instances flush.
        await asyncio.gather(*drains, return_exceptions=True)
        for number in range(self._settings.courier.count):
            with suppress(Ended):
                await (await self._cluster.courier(number)).drain()

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

    # ---- instances ----

    async def reconcile(self) -> None:
        """Start a keeper for each new instance, tell keepers of changes, end those of deleted ones."""
        if self._stopping:
            return
        records = {record.id: record for record in await self._registry.list()}
        for instance_id, record in records.items():
            kept = self._kept.get(instance_id)
            if kept is None:
                task = asyncio.create_task(self._keep(instance_id))
                self._kept[instance_id] = Kept(record, task)
            elif kept.record.revision != record.revision:
                kept.record = record
                kept.changed.set()
        for instance_id in self._kept.keys() - records.keys():
            await self._remove(instance_id)

    async def _remove(self, instance_id: str) -> None:
        kept = self._kept.pop(instance_id)
        kept.task.cancel()
        await asyncio.gather(kept.task, return_exceptions=True)
        if kept.worker is not None:
            with suppress(Ended):
                await kept.worker.drain()
        await self._registry.purge(instance_id)
        await self._cluster.forget(instance_id)

    async def _keep(self, instance_id: str) -> None:
        """Keep one instance owned, whatever happens to its owners."""
        while True:
            kept = self._kept[instance_id]
            try:
                kept.worker = await self._ensure_owner(kept)
                await kept.worker.configure(kept.record)
                reason = await self._watch(kept)
            except Deposed as error:
                log.warning("deposed", extra={"reason": str(error)})
                self._deposed.set()
                self._wake.set()
                return
            except (Ended, StaleEpoch, StoreUnavailable, InstanceUnknown) as error:
                reason = str(error)
            except Exception as error:
                # Whatever it is: an instance without a keeper would stay down for good.
                log.exception("keeper failed", extra={"instance": instance_id})
                reason = str(error)
            kept.worker = None
            kept.restarts += 1
            log.warning("owner ended", extra={"instance": instance_id, "reason": reason})
            await asyncio.sleep(min(5.0, 0.1 * 2 ** min(kept.restarts, 6)))

    async def _watch(self, kept: Kept) -> str:
        """Wait for the owner's end, passing on changes of the record meanwhile."""
        worker = kept.worker
        assert worker is not None
        end = asyncio.create_task(worker.watch())
        started = asyncio.get_running_loop().time()
        try:
            while True:
                change = asyncio.create_task(kept.changed.wait())
                done, _ = await asyncio.wait([end, change], return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
                if end in done:
                    return end.result()
                kept.changed.clear()
                if asyncio.get_running_loop().time() - started > 60:
                    kept.restarts = 0
                await worker.configure(kept.record)
        finally:
            end.cancel()

    async def _ensure_owner(self, kept: Kept) -> Worker:
        """The living owner, found again or made in a new epoch."""
        record = kept.record
        owner = await self._registry.owner(record.id)
        if owner is not None:
            worker = await self._cluster.find_instance(owner)
            if worker is not None:
                await worker.start()
                return worker
        async with self._starting:
            node = await self._cluster.place()
            epoch = await self._grant(record.id, owner, node)
            worker = await self._cluster.create_instance(record, epoch, node)
            await worker.start()
            return worker

    async def _grant(self, instance_id: str, owner: Owner | None, node: str) -> int:
        # Ray's word that an actor is dead counts only while its node lives: of a node that does not answer,
        # the actors may well go on. Then the lease decides.
        dead = owner is None or await self._cluster.trusts(owner.node)
        while True:
            try:
                return await self._registry.grant(
                    instance_id,
                    after=owner.epoch if owner else 0,
                    leader=self._leader,
                    actor=actor_template(instance_id),
                    node=node,
                    known_dead=dead,
                )
            except Leased as error:
                await asyncio.sleep(min(error.remaining + 0.05, 1.0))

    # ---- couriers ----

    async def _keep_courier(self, number: int) -> None:
        """Keep one courier alive."""
        failures = 0
        while True:
            try:
                worker = await self._cluster.courier(number)
                await worker.start()
                failures = 0
                reason = await worker.watch()
            except Ended as error:
                reason = str(error)
            except Exception as error:
                log.exception("keeper failed", extra={"courier": number})
                reason = str(error)
            failures += 1
            log.warning("courier ended", extra={"courier": number, "reason": reason})
            await asyncio.sleep(min(5.0, 0.1 * 2 ** min(failures, 6)))

    def describe(self) -> dict[str, Any]:
        """What is supervised, for people and tests."""
        return {
            "leader": self._leader,
            "instances": {
                instance_id: {"owned": kept.worker is not None, "restarts": kept.restarts}
                for instance_id, kept in self._kept.items()
            },
        }
