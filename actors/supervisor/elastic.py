"""How many slots the autoscaler is asked for, and which of its workers goes when there are too many. Pure.

Ray's autoscaler starts workers and reaps those that have ended. It sees neither instances that wait for a
slot, as the supervisor places them itself, nor that half-empty workers could be fewer: both are said here.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

WORKER = "worker"
"""The node type of elastic workers, as ray-cluster.yaml names it."""


@dataclass(frozen=True, slots=True)
class Member:
    """A living node.

    Args:
        used: instances that are there, or on their way to it.
        couriers: that are there.
        group: the autoscaler's name for its type, "" if the autoscaler does not know the node.
        leaving: it is being emptied on our word, which can be taken back.
        ending: Ray drains it: it ends when it is empty, and the autoscaler does not count it any more.
    """

    id: str
    slots: int
    used: int = 0
    couriers: int = 0
    group: str = ""
    leaving: bool = False
    ending: bool = False

    @property
    def serves(self) -> bool:
        """Whether it takes instances."""
        return not self.leaving and not self.ending


@dataclass(frozen=True, slots=True)
class Limits:
    """What is wanted of the cluster.

    Args:
        workers: that the autoscaler may run at a time.
        slots: that one has which it starts now.
        headroom: free ones to be kept.
        least: there are to be so many even without instances.
    """

    workers: int
    slots: int
    headroom: int
    least: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done now.

    Args:
        wanted: slots that there are to be in the whole cluster.
        request: slots that the autoscaler's nodes have to have together.
        empty: workers that have been emptied, and are to end.
        surplus: a worker that is not needed; None if all are, or one is on its way out already.
    """

    wanted: int
    request: int
    empty: tuple[str, ...]
    surplus: str | None


def plan(instances: int, members: Collection[Member], limits: Limits) -> Plan:
    """Decide.

    Args:
        instances: all that there are to be, with an owner or without.
    """
    wanted = max(limits.least, instances + limits.headroom)
    others = sum(member.slots for member in members if not member.group and member.serves)
    workers = sorted(
        (member for member in members if member.group == WORKER), key=lambda member: (member.used, member.id)
    )
    empty = tuple(
        member.id
        for member in workers
        if member.leaving and not member.ending and not member.used and not member.couriers
    )
    # The autoscaler counts a node that leaves on our word like any other: what replaces it is asked for on
    # top. Not for one that ends now, or one more would come for each that goes.
    leaving = sum(
        member.slots
        for member in members
        if member.group and member.leaving and not member.ending and member.id not in empty
    )
    request = min(_most(members, limits), max(0, wanted - others) + leaving)
    settled = sum(member.used for member in members) >= instances and all(member.serves for member in workers)
    slots = sum(member.slots for member in members if member.serves)
    spare = [worker.id for worker in workers if settled and slots - worker.slots >= wanted]
    return Plan(wanted, request, empty, spare[0] if spare else None)


def _most(members: Collection[Member], limits: Limits) -> int:
    """Slots that the autoscaler's nodes can have together. Asked for more, it would start nothing."""
    seen = [member for member in members if member.group and not member.ending]
    more = limits.workers - sum(member.group == WORKER for member in seen)
    return sum(member.slots for member in seen) + max(0, more) * limits.slots
