"""What a supervisor knows of the instances that it looks after."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from actors.registry import InstanceRecord, Owner
from actors.supervisor.handoff_record import Handoff, Reason
from actors.supervisor.moves import Move
from actors.supervisor.workers import Ended, Worker


@dataclass
class Wish:
    """A move that somebody wants."""

    reason: Reason
    target: str | None
    done: asyncio.Future[Handoff]


@dataclass
class Kept:
    """An instance that a keeper looks after.

    Args:
        home: the node that was chosen for an owner who is not granted yet.
        shunned: the node where an owner did not come up, the last time.
        deaf_since: when an owner that lives was first told to work, and has not answered since.
    """

    record: InstanceRecord
    task: asyncio.Task[None] | None = None
    worker: Worker | None = None
    owner: Owner | None = None
    home: str | None = None
    shunned: str | None = None
    deaf_since: float | None = None
    restarts: int = 0
    wish: Wish | None = None
    move: Move | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def ask(self, reason: Reason, target: str | None) -> Wish:
        """Want it moved. One wish at a time: who wants a move while one is under way shares it."""
        if self.wish is None:
            self.wish = Wish(reason, target, asyncio.get_running_loop().create_future())
            self.changed.set()
        return self.wish

    def refuse(self, why: str) -> None:
        """Tell who wants it moved that nobody here will do it."""
        if self.wish is not None and not self.wish.done.done():
            self.wish.done.set_exception(Ended(why))
            self.wish.done.exception()  # nobody may be waiting
        self.wish = None


def load(instances: Iterable[Kept]) -> Counter[str]:
    """How many instances each node has, or is about to have."""
    found: Counter[str] = Counter()
    for kept in instances:
        if kept.home is not None:
            found[kept.home] += 1
        elif kept.owner is not None:
            found[kept.owner.node] += 1
        if kept.move is not None:
            successor = kept.move.handoff.successor
            if (node := successor.node if successor is not None else kept.move.chosen) is not None:
                found[node] += 1
    return found
