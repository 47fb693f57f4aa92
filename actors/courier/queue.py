"""What an endpoint still has to get, and what of it may be attempted now. Pure: no Redis, no clock.

Events are known by their position, a number that grows: the sequence number in the mailbox, or the place in
the replay lane. Events of one chat form a *track*: only the first unfinished one of a track may be under way.
Events without a chat (changes of the connection, say) form one track of their own, since their order matters
too. An unordered endpoint has a track per event.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

Track = str | int


class Retry(NamedTuple):
    """Where an event stands that was refused.

    Args:
        attempts: so far.
        due: seconds since 1970; not tried again before.
        first: seconds since 1970, start of the first attempt.
        counted: of the attempts, those that are held against the event.
    """

    attempts: int
    due: float
    first: float
    counted: int


class Item(NamedTuple):
    """One unfinished event. Its body is not held here."""

    position: int
    event_id: str
    track: Track
    test: bool = False


class Queue:
    """The unfinished events of one endpoint that are known so far.

    Args:
        floor: everything up to here is finished.
        finished: positions above the floor that are finished.
        retries: what is known of events that were refused, by position.
        ordered: keep the order of a chat.
    """

    def __init__(
        self,
        floor: int = 0,
        *,
        finished: Iterable[int] = (),
        retries: Mapping[int, Retry] | None = None,
        ordered: bool = True,
    ) -> None:
        self.cursor = floor
        self.floor = floor
        self._ordered = ordered
        self._finished = {position for position in finished if position > floor}
        self._retries = dict(retries or {})
        self._items: dict[int, Item] = {}
        self._tracks: dict[Track, deque[int]] = {}
        self._under_way: set[int] = set()
        self._fresh: list[int] = []
        self._again: list[tuple[float, int]] = []
        self._due: list[tuple[float, int]] = []
        self._holds: dict[int, float] = {}
        self._held: list[tuple[float, int]] = []

    def __len__(self) -> int:
        """Unfinished events that are known, those under way included."""
        return len(self._items)

    @property
    def under_way(self) -> int:
        """Attempts that are open."""
        return len(self._under_way)

    def ready(self, *, again: bool) -> int:
        """Events that could be started now: for the first time, or again as of the last `promote`."""
        return len(self._again if again else self._fresh)

    def skip(self, last: int) -> list[tuple[int, int]]:
        """Pass over everything up to ``last``: it is not for this endpoint.

        Returns:
            Ranges (first, last) that were not finished before.
        """
        ranges: list[tuple[int, int]] = []
        first = self.cursor + 1
        if last == first:
            # One at a time, as a filter passes over them: not to look through all that is finished each time.
            ranges = [] if last in self._finished else [(first, last)]
            self._finished.discard(last)
            self._move_cursor(last)
            return ranges
        for position in sorted(p for p in self._finished if self.cursor < p <= last):
            if position > first:
                ranges.append((first, position - 1))
            first = position + 1
        if first <= last:
            ranges.append((first, last))
        self._finished = {position for position in self._finished if position > last}
        self._move_cursor(last)
        return ranges

    def add(
        self, position: int, event_id: str, chat: str, *, test: bool = False, hold: float | None = None
    ) -> None:
        """Learn of the next event, one past the cursor. One that is finished already is passed over.

        Args:
            hold: it and its track wait until this time (seconds since 1970), or until `release`.
        """
        assert position == self.cursor + 1, f"{position} does not follow {self.cursor}"
        if position in self._finished:
            self._finished.remove(position)
            self._move_cursor(position)
            return
        track: Track = chat if self._ordered and not test else position
        self._items[position] = Item(position, event_id, track, test)
        if hold is not None:
            self._holds[position] = hold
        self._move_cursor(position)
        line = self._tracks.setdefault(track, deque())
        line.append(position)
        if line[0] == position:
            self._offer(position)

    def promote(self, now: float) -> None:
        """Let retries and held events whose time has come be started."""
        while self._held and self._held[0][0] <= now:
            self.release(self._held[0][1])
        while self._due and self._due[0][0] <= now:
            heapq.heappush(self._again, heapq.heappop(self._due))

    def start(self, *, again: bool) -> Item | None:
        """Take an event that may be attempted, None if there is none.

        Args:
            again: one that was refused before, the one that is due the longest; else the oldest of those
                that were not.
        """
        if again:
            position = heapq.heappop(self._again)[1] if self._again else None
        else:
            position = heapq.heappop(self._fresh) if self._fresh else None
        if position is None:
            return None
        self._under_way.add(position)
        return self._items[position]

    def finish(self, position: int) -> None:
        """An event under way is delivered or given up: the next of its track may go."""
        self._under_way.remove(position)
        item = self._items.pop(position)
        self._retries.pop(position, None)
        line = self._tracks[item.track]
        line.popleft()
        if line:
            self._offer(line[0])
        else:
            del self._tracks[item.track]
        self._raise_floor()

    def postpone(self, position: int, retry: Retry) -> None:
        """An event under way was refused and is tried again later; its track waits."""
        self._under_way.remove(position)
        self._retries[position] = retry
        self._offer(position)

    def give_back(self, position: int) -> None:
        """An attempt was not made, or does not count: the event stands as before."""
        self._under_way.remove(position)
        self._offer(position)

    def release(self, position: int) -> None:
        """Hold an event no longer. Again is harmless."""
        until = self._holds.pop(position, None)
        if until is not None and (until, position) in self._held:
            self._held.remove((until, position))
            heapq.heapify(self._held)
            self._offer(position)

    def unfinished(self, position: int) -> bool:
        """True unless an event is known to be finished, by this courier or one before."""
        return position in self._items or (position > self.cursor and position not in self._finished)

    def holds(self, position: int) -> bool:
        """True while an event is held."""
        return position in self._holds

    def retry_of(self, position: int) -> Retry | None:
        """What is known of earlier attempts at an event."""
        return self._retries.get(position)

    def next_due(self) -> float | None:
        """When the next retry or held event may be started, None if none waits."""
        return min((heap[0][0] for heap in (self._due, self._held) if heap), default=None)

    def _offer(self, position: int) -> None:
        retry = self._retries.get(position)
        if position in self._holds:
            heapq.heappush(self._held, (self._holds[position], position))
        elif retry is None:
            heapq.heappush(self._fresh, position)
        else:
            heapq.heappush(self._due, (retry.due, position))

    def _move_cursor(self, position: int) -> None:
        self.cursor = max(self.cursor, position)
        self._raise_floor()

    def _raise_floor(self) -> None:
        while self.floor < self.cursor and self.floor + 1 not in self._items:
            self.floor += 1
