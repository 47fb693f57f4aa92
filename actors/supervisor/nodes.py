"""The nodes: how full they are, which of them are to be emptied, and the moves that follow from that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from actors.cluster import Node
from actors.settings import Settings
from actors.store import Store
from actors.supervisor import placement
from actors.supervisor.handoff_messages import Forced
from actors.supervisor.handoff_record import Handoff, Outcome, Reason, shown
from actors.supervisor.kept import Kept, load
from actors.supervisor.workers import Cluster

DRAIN_MARGIN = 30.0
"""Seconds after a drain's deadline in which forced handoffs can still end."""

REBALANCE_THRESHOLD = 0.1
"""Share of a node's slots by which it has to be fuller than another one before an instance moves there."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The nodes at one moment.

    Args:
        living: that Ray believes alive.
        draining: those to be emptied, to when (seconds since 1970; 0: no deadline).
    """

    living: Mapping[str, Node]
    draining: Mapping[str, float]

    @property
    def ending(self) -> set[str]:
        """Nodes that Ray itself drains: they end once nothing is left on them."""
        return {node.id for node in self.living.values() if node.draining}

    def require(self, node: str) -> None:
        """Raise ValueError unless this node lives."""
        if node not in self.living:
            raise ValueError(f"no living node {node}; there are {', '.join(sorted(self.living))}")


class Nodes:
    """Where instances are and where they go.

    Args:
        instances: those that are kept, by their ids; its owner changes it.
        couriers: how many of them a node has.
        wake: makes the next turn of the supervisor begin at once.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        cluster: Cluster,
        instances: Mapping[str, Kept],
        couriers: Callable[[str], int],
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._key = store.keys.shared("draining")
        self._cluster = cluster
        self._instances = instances
        self._couriers = couriers
        self._wake = wake
        self._draining: set[str] = set()
        """As the latest turn saw them, and what was asked for since."""

    async def look(self) -> Snapshot:
        """See how things stand: one question to Redis and one to the cluster."""
        redis = self._store.redis
        wanted: dict[str, str] = await self._store.run(lambda: redis.hgetall(self._key), timeout=5)
        living = {node.id: node for node in await self._cluster.nodes() if node.alive}
        ray_drains = {node.id: node.deadline for node in living.values() if node.draining}
        draining = ray_drains | {node: float(deadline) for node, deadline in wanted.items()}
        return Snapshot(living, draining)

    # ---- where an instance goes ----

    def load(self) -> Mapping[str, int]:
        """How many instances each node has, or is about to have."""
        return load(self._instances.values())

    async def choose(
        self, instance_id: str, excluded: Collection[str] = (), target: str | None = None
    ) -> str | None:
        """The node for an instance: the one wished for if it has room, else the least loaded one."""
        return placement.choose(
            placement.Instance(instance_id), await self.places(), excluded=excluded, target=target
        )

    async def places(self) -> list[placement.Node]:
        """The living nodes."""
        return self._places([node for node in await self._cluster.nodes() if node.alive])

    def _places(self, living: Collection[Node]) -> list[placement.Node]:
        used = load(self._instances.values())
        return [
            placement.Node(
                id=node.id,
                capacity=node.slots,
                used=used[node.id],
                draining=node.draining or node.id in self._draining,
                labels=node.labels,
            )
            for node in living
        ]

    # ---- what a turn of the supervisor does about them ----

    def empty(self, snapshot: Snapshot) -> None:
        """Have the instances of draining nodes moved, without their owners' help once a deadline is over."""
        self._draining = set(snapshot.draining) & set(snapshot.living)
        for kept in self._instances.values():
            if kept.owner is None or kept.owner.node not in snapshot.draining or kept.worker is None:
                continue
            kept.ask(Reason.DRAIN, None)
            deadline = snapshot.draining[kept.owner.node]
            if kept.move is not None and deadline and time.time() > deadline:
                kept.move.hear(Forced(at=time.time()))

    def rebalance(self, snapshot: Snapshot) -> None:
        """Move a few instances from crowded nodes to empty ones, once those that move already have."""
        if any(kept.wish is not None for kept in self._instances.values()):
            return
        instances = [
            placement.Instance(
                instance_id,
                kept.owner.node if kept.owner else None,
                pinned=kept.worker is None,
            )
            for instance_id, kept in self._instances.items()
        ]
        plan = placement.plan_rebalance(
            instances,
            self._places(snapshot.living.values()),
            max_moves=self._settings.supervisor.handoffs,
            threshold=REBALANCE_THRESHOLD,
        )
        for move in plan:
            self._instances[move.instance_id].ask(Reason.REBALANCE, move.target)

    # ---- what people ask for ----

    async def begin_drain(self, node: str) -> int:
        """Have a node emptied from now on; returns how many instances are on it.

        Raises:
            ValueError: unknown node.
        """
        (await self.look()).require(node)
        redis = self._store.redis
        deadline = time.time() + self._settings.supervisor.drain_deadline
        await self._store.run(lambda: redis.hset(self._key, node, deadline), timeout=5)
        self._draining.add(node)
        self._wake()
        return self.load().get(node, 0)

    async def drain(self, node: str) -> dict[str, Any]:
        """Empty a node, its instances by handoffs, or until that is undone.

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
        while (
            here := [kept for kept in self._instances.values() if kept.owner and kept.owner.node == node]
        ) or self._couriers(node):
            if time.time() > deadline + DRAIN_MARGIN or node not in (await self.look()).draining:
                break
            waiting = [kept.ask(Reason.DRAIN, None).done for kept in here if kept.worker is not None]
            for result in await asyncio.gather(*map(asyncio.shield, waiting), return_exceptions=True):
                if isinstance(result, Handoff):
                    moved.append(result)
            await asyncio.sleep(0.05)
        return {
            "node": node,
            "instances": sum(one.outcome is Outcome.MOVED for one in moved),
            "remaining": len(here),
            "seconds": round(time.time() - began, 3),
            "handoffs": [shown(one) for one in moved],
        }

    async def undrain(self, node: str) -> None:
        """Let a node take instances again. A drain that Ray was told of cannot be undone."""
        redis = self._store.redis
        await self._store.run(lambda: redis.hdel(self._key, node), timeout=5)
        self._draining.discard(node)

    async def describe(self) -> list[dict[str, Any]]:
        """Living nodes with their capacity and load, for people."""
        snapshot, used = await self.look(), self.load()
        return [
            {
                "id": node.id,
                "address": node.address,
                "slots": node.slots,
                "instances": used.get(node.id, 0),
                "couriers": self._couriers(node.id),
                "draining": node.id in snapshot.draining,
                "labels": node.labels,
            }
            for node in snapshot.living.values()
        ]
