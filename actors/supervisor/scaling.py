"""Keeps Ray's autoscaler told, and hands workers back to it that are not needed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from actors import metrics
from actors.cluster import NODE_GROUP
from actors.settings import Settings
from actors.store import StoreUnavailable
from actors.supervisor.elastic import Limits, Member, Plan, plan
from actors.supervisor.kept import Kept
from actors.supervisor.nodes import Nodes
from actors.supervisor.workers import Cluster

log = logging.getLogger(__name__)


class Scaling:
    """Looks at the cluster from time to time, if it is elastic.

    A worker that is one too many is drained as anybody would drain it, by handoffs. One that is drained, on
    whoever's word, ends when it is empty: Ray drains it, its container ends itself, the autoscaler sees that.

    Args:
        instances: those that are kept, by their ids; its owner changes it.
        couriers: how many of them a node has.
    """

    def __init__(
        self,
        settings: Settings,
        cluster: Cluster,
        nodes: Nodes,
        instances: Mapping[str, Kept],
        couriers: Callable[[str], int],
    ) -> None:
        elastic = settings.elastic
        self._settings = settings
        self._limits = Limits(elastic.workers, elastic.slots, elastic.headroom, elastic.least)
        self._cluster = cluster
        self._nodes = nodes
        self._instances = instances
        self._couriers = couriers
        self._surplus_since: float | None = None
        self._requested: int | None = None

    async def run(self) -> None:
        """Look until cancelled; return at once if there is no autoscaler."""
        if not self._limits.workers:
            return
        while True:
            await asyncio.sleep(self._settings.elastic.look)
            try:
                await self.turn()
            except StoreUnavailable as error:
                log.warning("cannot scale", extra={"error": str(error)})
            except Exception:
                # The head is away, mostly. Whatever it is, the next look begins anew.
                log.exception("scaling failed")

    async def turn(self) -> Plan:
        """Look once, and do what follows from it; returns what that was."""
        decided = plan(len(self._instances), await self._members(), self._limits)
        # Again and again: the head keeps it in its memory only.
        await self._cluster.request_slots(decided.request)
        metrics.SLOTS_WANTED.set(decided.wanted)
        if decided.request != self._requested:
            log.info("slots requested", extra={"slots": decided.request, "wanted": decided.wanted})
            self._requested = decided.request
        for node in decided.empty:
            await self._end(node)
        await self._shrink(decided.surplus)
        return decided

    async def _members(self) -> list[Member]:
        seen, used = await self._nodes.look(), self._nodes.load()
        return [
            Member(
                id=node.id,
                slots=node.slots,
                used=used.get(node.id, 0),
                couriers=self._couriers(node.id),
                group=node.labels.get(NODE_GROUP, ""),
                leaving=node.id in seen.draining,
                ending=node.draining,
            )
            for node in seen.living.values()
        ]

    async def _end(self, node: str) -> None:
        # Whatever comes there nevertheless has until then.
        deadline = time.time() + self._settings.supervisor.drain_deadline
        if not await self._cluster.end(node, deadline):
            log.warning("a node does not end", extra={"node": node})
            return
        log.info("an emptied node ends", extra={"node": node})
        # Ray's word stands now in the place of ours.
        await self._nodes.undrain(node)

    async def _shrink(self, surplus: str | None) -> None:
        now = time.monotonic()
        if surplus is None:
            self._surplus_since = None
        elif self._surplus_since is None:
            self._surplus_since = now
        elif now - self._surplus_since >= self._settings.elastic.shrink_after:
            self._surplus_since = None
            log.info("a node is not needed", extra={"node": surplus})
            await self._nodes.begin_drain(surplus)
