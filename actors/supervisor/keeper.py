"""Keeps instances owned: finds or makes their owners, watches them, and hands them over."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from actors import metrics
from actors.registry import ConnectionState, Deposed, Desired, InstanceUnknown, Owner, Registry, Superseded
from actors.settings import Settings
from actors.store import StaleEpoch, Store, StoreUnavailable
from actors.supervisor import hanging, placement
from actors.supervisor.handoff import begin
from actors.supervisor.handoff_messages import Begun, Cancelled, HandoffEvent, Resumed
from actors.supervisor.handoff_record import Handoff, Outcome, Party, Reason
from actors.supervisor.handoff_turn import DEADLINES, Deadlines
from actors.supervisor.kept import Kept, Wish
from actors.supervisor.moves import Handoffs, Move
from actors.supervisor.nodes import Nodes
from actors.supervisor.pacing import Bounds
from actors.supervisor.turns import GivenUp, Turns
from actors.supervisor.workers import Cluster, Ended, LockStands, Worker

log = logging.getLogger(__name__)

MOVED = "moved"

LEASE_MARGIN = 1.0
"""Seconds that an owner needs to disconnect after its lease is over."""

UNLOCK_PATIENCE = 5
"""Times in a row that an owner is not made because the session's lock could not be looked at."""

FIRST = 0.5
"""Seconds that those which work have to be first in the queue for a move."""

STABLE_AFTER = 60.0
"""Seconds that an owner has to live before its next death counts as its first again."""


def actor_name(instance_id: str, epoch: int, leader: int) -> str:
    """A name for an owner that a supervisor makes without a handoff; no other actor ever had it."""
    return f"instance:{instance_id}:{epoch}:{leader}"


class Unplaceable(Exception):
    """No node can take another instance."""


class Keeper:
    """Keeps instances owned, each in a task of its own, within bounds that they share.

    Args:
        deposed: called when a newer supervisor turns out to lead.
        version: of the code that this supervisor runs, and every actor that it makes.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        cluster: Cluster,
        nodes: Nodes,
        handoffs: Handoffs,
        deposed: Callable[[], None],
        version: str = "",
    ) -> None:
        self.leader = 0
        """Number of the supervisor, 0 until it leads; nothing is kept before that."""

        self._settings = settings
        self._registry = Registry(store)
        self._handoffs = handoffs
        self._cluster = cluster
        self._nodes = nodes
        self._deposed = deposed
        self._version = version
        limits = settings.supervisor
        self._turns = Turns(
            Bounds(
                source=limits.handoffs_per_node,
                target=limits.handoffs_per_node,
                total=limits.handoffs,
                gap=limits.connect_gap,
            )
        )
        self._starting = asyncio.Semaphore(limits.start_concurrency)

    async def keep(self, kept: Kept) -> None:
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
                self._deposed()
                return
            except (
                Ended,
                LockStands,
                StaleEpoch,
                StoreUnavailable,
                InstanceUnknown,
                Superseded,
                Unplaceable,
            ) as error:
                reason = str(error)
                kept.refuse(reason)
            except Exception as error:
                # Whatever it is: an instance without a keeper would stay down for good.
                log.exception("keeper failed", extra={"instance": instance_id})
                reason = str(error)
                kept.refuse(reason)
            kept.worker = None
            if reason == MOVED:
                continue
            if asyncio.get_running_loop().time() - began > STABLE_AFTER:
                kept.restarts = 0
            kept.restarts += 1
            metrics.OWNERS_LOST.inc()
            log.warning("owner ended", extra={"instance": instance_id, "reason": reason})
            await asyncio.sleep(min(5.0, 0.1 * 2 ** min(kept.restarts, 6)))

    async def _watch(self, kept: Kept) -> str:
        """Wait for the owner's end; meanwhile pass on changes of the record, and carry out a move."""
        worker = kept.worker
        assert worker is not None
        end = asyncio.create_task(worker.watch())
        hung = asyncio.create_task(hanging.without_lease(self._registry, kept, self._settings))
        try:
            while True:
                change = asyncio.create_task(kept.changed.wait())
                done, _ = await asyncio.wait([end, hung, change], return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
                if end in done:
                    return end.result()
                if hung in done:
                    await worker.kill()
                    return "it lives, and let its lease run out"
                kept.changed.clear()
                if kept.wish is not None:
                    # An owner that ends while it waits to be moved is not down until its turn comes.
                    with suppress(GivenUp):
                        await self._grant_wish(kept, kept.wish, unless=(end, hung))
                        return MOVED
                    continue
                await worker.configure(kept.record)
        finally:
            end.cancel()
            hung.cancel()
            await asyncio.gather(end, hung, return_exceptions=True)

    async def _ensure_owner(self, kept: Kept) -> Worker:
        """The living owner, found again or made in a new epoch."""
        record = kept.record
        owner = await self._registry.owner(record.id)
        if owner is not None:
            worker = await self._cluster.find(owner.actor)
            if worker is not None:
                kept.owner = owner
                await hanging.start(self._registry, kept, worker, self._settings)
                return worker
        async with self._starting:
            node = None
            if kept.shunned is not None:
                # Perhaps it was the node's fault; the next time it is its turn again.
                node = await self._nodes.choose(record.id, [kept.shunned])
                kept.shunned = None
            if node is None:
                node = await self._nodes.choose(record.id)
            if node is None:
                raise Unplaceable("no node has a free instance slot: add a node, or slots to one")
            # No wait between the choice and the note of it, or all that start at once choose the same slots.
            kept.home = node
            try:
                kept.owner = now = await self._grant(record.id, owner, node)
            finally:
                kept.home = None
            if owner is not None:
                await self._unlock(kept)
            try:
                worker = await self._cluster.create_instance(record, now.epoch, node=node, name=now.actor)
            except Ended:
                kept.shunned = node
                raise
            kept.deaf_since = None
            await worker.start()
            return worker

    async def _grant(self, instance_id: str, owner: Owner | None, node: str) -> Owner:
        """Give an instance whose owner does not live another one, which may begin when this returns."""
        # Ray's word that an actor is dead counts only while its node lives: of a node that does not answer,
        # the actors may well go on. Then the lease decides.
        dead = owner is None or not owner.node or await self._cluster.trusts(owner.node)
        after = owner.epoch if owner else 0
        name = actor_name(instance_id, after + 1, self.leader)
        epoch, remaining = await self._registry.fence(
            instance_id,
            after=after,
            leader=self.leader,
            actor=name,
            node=node,
            known_dead=dead,
            version=self._version,
        )
        if remaining:
            await asyncio.sleep(remaining + LEASE_MARGIN)
        return Owner(epoch=epoch, actor=name, node=node, leader=self.leader, version=self._version)

    async def _unlock(self, kept: Kept) -> None:
        """Take the session from what may be left of a former owner: an engine that is frozen or cut off."""

        async def confirm() -> None:
            # The new owner does not exist yet. If nobody else leads, there is none from elsewhere either.
            await self._registry.ensure_leading(self.leader)

        try:
            if await self._cluster.break_lock(kept.record.id, confirm):
                log.warning("lock broken", extra={"instance": kept.record.id})
        except LockStands as error:
            if kept.restarts < UNLOCK_PATIENCE:
                raise
            # Perhaps only this process does not reach the database. An engine that finds a lock tries again.
            log.warning("lock not broken", extra={"instance": kept.record.id, "error": str(error)})

    # ---- handoffs ----

    async def _grant_wish(self, kept: Kept, wish: Wish, unless: Collection[asyncio.Task[Any]]) -> None:
        stays = wish.reason is Reason.ROLLOUT
        try:
            owner = await self._registry.owner(kept.record.id)
            assert owner is not None
            move = placement.Move(kept.record.id, owner.node, wish.target)
            if last := await self._is_away(kept):
                await asyncio.sleep(FIRST)
            async with self._turns.turn(move, last=last, unless=unless):
                handoff = begin(
                    secrets.token_hex(6),
                    kept.record.id,
                    wish.reason,
                    predecessor=Party(
                        epoch=owner.epoch, node=owner.node, actor=owner.actor, version=owner.version
                    ),
                    # For another version of the code it may stay where it is.
                    target=owner.node if stays else wish.target,
                    # A node that is to be emptied, or left, will not do.
                    excluded=(owner.node,) if wish.target is None and not stays else (),
                )
                handoff = await self._carry_out(kept, handoff, resumed=False)
        except BaseException as error:
            kept.refuse(f"the handoff was cut short: {error}")
            raise
        kept.wish = None
        wish.done.set_result(handoff)

    async def _is_away(self, kept: Kept) -> bool:
        """True if it should be connected and is not.

        Its successor may not be, either, and hold its turn until that is given up. So it goes last.
        """
        state = await self._registry.state(kept.record.id)
        away = state is not None and state.connection is not ConnectionState.CONNECTED
        return away and kept.record.desired is Desired.CONNECTED

    async def _carry_out(self, kept: Kept, handoff: Handoff, *, resumed: bool) -> Handoff:
        limits = self._settings.supervisor
        kept.move = Move(
            handoff,
            kept.record,
            leader=self.leader,
            version=self._version,
            registry=self._registry,
            handoffs=self._handoffs,
            cluster=self._cluster,
            choose=self._nodes.choose,
            deadlines=Deadlines(
                prepare=limits.prepare_timeout,
                quiesce=limits.quiesce_timeout,
                disconnect=limits.disconnect_timeout,
                activate=limits.activate_timeout,
                retire=limits.retire_timeout,
                lease=self._settings.instance.lease_ttl,
                # What fails with a new version of the code would on other nodes, too.
                attempts=1 if handoff.reason is Reason.ROLLOUT else DEADLINES.attempts,
            ),
        )
        moment = time.time()
        first: list[HandoffEvent] = [Resumed(at=moment) if resumed else Begun(at=moment)]
        if resumed and self._of_another_version(handoff):
            first.append(Cancelled(at=moment))
        try:
            ended = await kept.move.run(*first)
        finally:
            kept.move = None
        if ended.outcome is Outcome.LOST and (before := ended.predecessor) is not None:
            worker = await self._cluster.find(before.actor)
            if worker is not None:
                # It did not answer, and may be suspended: nobody would ever tell it to go on.
                await worker.kill()
        if ended.outcome is Outcome.MOVED and (now := ended.successor) is not None:
            kept.owner = Owner(
                epoch=now.epoch, actor=now.actor, node=now.node, leader=self.leader, version=now.version
            )
        return ended

    def _of_another_version(self, handoff: Handoff) -> bool:
        """True if it is part of a roll-out that was turned round, and need not go on to its end."""
        successor = handoff.successor
        return (
            handoff.reason is Reason.ROLLOUT and successor is not None and successor.version != self._version
        )
