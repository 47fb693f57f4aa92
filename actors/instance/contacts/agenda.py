"""What is to be asked of WhatsApp next: a bounded queue with priorities. Pure."""

from __future__ import annotations

from collections import OrderedDict
from enum import IntEnum

from actors.instance.contacts.facts import Kind

Subject = tuple[Kind, str]
"""What, and of whom (the id of a chat)."""


class Priority(IntEnum):
    """Who wants to know: the lowest number comes first."""

    ASKED = 0
    """Somebody waits for the answer."""
    STALE = 1
    """Somebody was told what is old."""
    PREFETCH = 2
    """Nobody yet; the chat was active of late."""


class Agenda:
    """Each subject stands in it once.

    Who waits comes in the order of asking. Of the rest the latest comes first: its chat is the most recent.

    Args:
        bound: entries at which another one displaces the least important. Entries somebody waits for are
            never displaced; they count, and those beyond the bound are refused.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._queues: dict[Priority, OrderedDict[Subject, None]] = {p: OrderedDict() for p in Priority}
        self.displaced = 0
        """Entries that had to make room, since the beginning."""

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def __contains__(self, subject: object) -> bool:
        return self._priority_of(subject) is not None

    def waiting(self, priority: Priority) -> int:
        """Entries of one priority."""
        return len(self._queues[priority])

    def add(self, subject: Subject, priority: Priority) -> bool:
        """Put it on the agenda; what is there already rises, and never falls.

        Returns:
            False if there is no room for it.
        """
        before = self._priority_of(subject)
        if before is not None and (before < priority or before is Priority.ASKED):
            return True
        if before is None and len(self) >= self._bound and not self._make_room(priority):
            return False
        if before is not None:
            del self._queues[before][subject]
        self._queues[priority][subject] = None
        return True

    def next(self, least: Priority = Priority.PREFETCH) -> Subject | None:
        """Take what comes first, nothing less important than ``least``; None if there is nothing."""
        for priority in Priority:
            queue = self._queues[priority]
            if priority <= least and queue:
                return queue.popitem(last=priority is not Priority.ASKED)[0]
        return None

    def take(self, subject: Subject) -> None:
        """Take this one, if it is there."""
        for queue in self._queues.values():
            queue.pop(subject, None)

    def asked(self) -> list[Subject]:
        """Take all that somebody waits for."""
        taken = list(self._queues[Priority.ASKED])
        self._queues[Priority.ASKED].clear()
        return taken

    def _priority_of(self, subject: object) -> Priority | None:
        return next((p for p in Priority if subject in self._queues[p]), None)

    def _make_room(self, priority: Priority) -> bool:
        for lowest in reversed(Priority):
            queue = self._queues[lowest]
            if queue and lowest >= priority and lowest is not Priority.ASKED:
                queue.popitem(last=False)
                self.displaced += 1
                return True
        return False
