"""Where instances live: the choice of a node, the plan of a rebalance. Pure.

A node is as loaded as its share of taken slots says. An instance goes to the node that is the least loaded
with it, and among equals to the one it has the strongest affinity with, a hash of both names. So a plan is
the same whoever makes it, in whatever order the nodes are listed::

    node = choose(Instance("ins_1"), nodes, excluded={"n3"})          # None: no room
    moves = plan_rebalance(instances, nodes, max_moves=5, threshold=0.1)
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the cluster.

    Args:
        capacity: instances it has room for.
        used: instances it owns, and successors on their way to it.
        draining: it will leave; nothing new is placed there.
        alive: Ray believes so.
    """

    id: str
    capacity: int
    used: int = 0
    draining: bool = False
    alive: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance to be placed.

    Args:
        node: where its owner is, None if it has none.
        requires: labels that its node must have.
        pinned: not to be moved now: being moved already, or moved a moment ago.
    """

    id: str
    node: str | None = None
    requires: Mapping[str, str] = field(default_factory=dict)
    pinned: bool = False


@dataclass(frozen=True, slots=True)
class Move:
    """An instance that is to get an owner elsewhere.

    Args:
        source: None if it has no owner now.
        target: the node planned for, None if that is left to the time of the move.
    """

    instance_id: str
    source: str | None
    target: str | None


def affinity(instance_id: str, node_id: str) -> int:
    """How much an instance prefers a node over others that are as good (rendezvous hashing)."""
    digest = hashlib.blake2b(f"{instance_id}\0{node_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)


def choose(
    instance: Instance,
    nodes: Iterable[Node],
    *,
    excluded: Collection[str] = (),
    target: str | None = None,
) -> str | None:
    """The node for an instance: ``target`` if it will do, else the least loaded one that does.

    Returns:
        Its id; None if no node that lives, stays, is not excluded and has the labels has room.
    """
    fit = [node for node in nodes if node.id not in excluded and _fits(instance, node)]
    if any(node.id == target for node in fit):
        return target
    if not fit:
        return None
    return min(fit, key=lambda node: (_load(node.used + 1, node), -affinity(instance.id, node.id))).id


def choose_for_courier(nodes: Iterable[Node], couriers: Mapping[str, int], *, avoided: str = "") -> str:
    """The node for a courier: of those that stay and take instances the one with the fewest, if there is any.

    A node without slots is mostly the head, and deliveries should not end with it.

    Args:
        nodes: living ones, at least one.
        couriers: how many others each node has.
        avoided: a node that will do only if there is no other.
    """

    def cost(node: Node) -> tuple[bool, bool, bool, int, str]:
        return node.draining, node.id == avoided, node.capacity == 0, couriers.get(node.id, 0), node.id

    return min(nodes, key=cost).id


def plan_rebalance(
    instances: Iterable[Instance], nodes: Iterable[Node], *, max_moves: int, threshold: float
) -> tuple[Move, ...]:
    """Even out the load, from the most to the least loaded nodes.

    An instance is moved only if its node is more loaded than the other one, by more than ``threshold``, and
    still would be if the other one had it. Each such move lessens the sum of used * (used + 1) / capacity,
    and none of them is worth undoing: plans that follow one another come to an end, and do not swing. Plan
    only when the moves of the plan before have ended.

    Args:
        max_moves: bound of the plan.
        threshold: share of a node's slots, at least 0.
    """
    if threshold < 0:
        raise ValueError("threshold must not be negative")
    used = _Used(nodes)
    movable: dict[str, list[Instance]] = {}
    for instance in sorted(instances, key=lambda i: i.id):
        if instance.node is not None and not instance.pinned:
            movable.setdefault(instance.node, []).append(instance)
    moves: list[Move] = []
    while len(moves) < max_moves:
        found = _best_move(movable, used, Fraction(str(threshold)))
        if found is None:
            break
        instance, source, target = found
        used.move(source, target)
        movable[source].remove(instance)
        moves.append(Move(instance.id, source, target))
    return tuple(moves)


def _best_move(
    movable: Mapping[str, Sequence[Instance]], used: _Used, threshold: Fraction
) -> tuple[Instance, str, str] | None:
    nodes = used.nodes()
    sources = [node for node in nodes if node.alive and not node.draining and movable.get(node.id)]
    targets = sorted(nodes, key=lambda node: (_load(node.used + 1, node), node.id))
    for source in sorted(sources, key=lambda node: (-_load(node.used, node), node.id)):
        for target in targets:
            excess = _load(source.used, source) - _load(target.used, target)
            if excess <= threshold or _load(source.used, source) <= _load(target.used + 1, target):
                continue
            fit = [instance for instance in movable[source.id] if _fits(instance, target)]
            if fit:
                best = max(fit, key=lambda instance: (affinity(instance.id, target.id), instance.id))
                return best, source.id, target.id
    return None


def _fits(instance: Instance, node: Node) -> bool:
    return (
        node.alive
        and not node.draining
        and node.used < node.capacity
        and instance.requires.items() <= node.labels.items()
    )


def _load(used: int, node: Node) -> Fraction:
    # Exact, so that equals are equal. A node without any slot is more than full.
    return Fraction(used, node.capacity) if node.capacity > 0 else Fraction(10**9 + used)


class _Used:
    """The nodes, their taken slots counted as a plan goes on."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes = {node.id: node for node in nodes}

    def nodes(self) -> list[Node]:
        return list(self._nodes.values())

    def move(self, source: str, target: str) -> None:
        self._add(source, -1)
        self._add(target, +1)

    def _add(self, node_id: str, slots: int) -> None:
        node = self._nodes.get(node_id)
        if node is not None:
            used = max(0, node.used + slots)
            self._nodes[node_id] = Node(node.id, node.capacity, used, node.draining, node.alive, node.labels)
