"""The circuit breaker of an endpoint: one that is down is left alone, and asked now and then. Pure.

Without it an endpoint that is down for a day would burn every attempt of every event, and hold slots that
others need. While the circuit is open nothing is attempted; then one attempt at a time, a probe, until one
succeeds. What fails meanwhile is not held against the events.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from actors.courier.retry import Blame

SHARE = 0.5
"""Of the attempts of the last `SPAN` seconds, at least `LEAST`, that have to fail for the circuit to open."""
SPAN = 30.0
LEAST = 10
KNOWN = 1_000
"""Attempts of the span that are remembered."""


@dataclass(frozen=True, slots=True)
class Rules:
    """When a circuit opens, and for how long. Seconds.

    Args:
        failures: in a row, after which it opens.
        first: how long it is open the first time; doubled with every probe that fails.
        longest: never longer than that.
    """

    failures: int
    first: float
    longest: float


@dataclass(frozen=True, slots=True)
class Memory:
    """What of a circuit that is not closed outlives its courier.

    Args:
        until: seconds since 1970; no attempt before, then one at a time.
        trips: how often it has opened since the last success.
    """

    until: float
    trips: int


class Breaker:
    """One endpoint's circuit.

    Args:
        memory: of the courier before, None if the circuit was closed.
    """

    def __init__(self, rules: Rules, memory: Memory | None = None) -> None:
        self.rules = rules
        self.memory = memory
        self._probing = False
        self._in_a_row = 0
        self._refused: set[str] = set()
        self._recent: deque[tuple[float, bool]] = deque(maxlen=KNOWN)

    @property
    def closed(self) -> bool:
        """True while attempts may be made freely."""
        return self.memory is None

    def opens_at(self, now: float) -> float | None:
        """When an attempt may be made: now or before if one may be made now, None if a probe is awaited."""
        if self.memory is None:
            return now
        if self.memory.until > now + self.rules.longest:  # the clock was ahead
            self.memory = Memory(now + self.rules.longest, self.memory.trips)
        return None if self._probing else self.memory.until

    def try_now(self, now: float) -> None:
        """Do not wait for the next probe."""
        if self.memory is not None:
            self.memory = Memory(min(now, self.memory.until), self.memory.trips)

    def started(self) -> bool:
        """An attempt begins. True if it is a probe."""
        if self.memory is None:
            return False
        self._probing = True
        return True

    def abandoned(self, *, probe: bool) -> None:
        """An attempt was not made after all."""
        if probe:
            self._probing = False

    def learn(self, blame: Blame | None, event_id: str, *, probe: bool, now: float) -> None:
        """Take in how an attempt ended.

        Args:
            blame: whose fault it was, None if the endpoint took the event.
        """
        if probe:
            self._probing = False
        if blame is None:
            self._recent.append((now, False))
            self._close()
        elif blame is Blame.EVENT:
            if probe:
                # It refused this one, but it answers.
                self._close()
        elif blame is Blame.NOBODY:
            return
        elif self.memory is None:
            if self._trips(blame, event_id, now):
                self._open(now, trips=1)
        elif probe:
            self._open(now, trips=self.memory.trips + 1)

    def _trips(self, blame: Blame, event_id: str, now: float) -> bool:
        if blame is Blame.ENDPOINT:
            self._in_a_row += 1
            self._recent.append((now, True))
        else:
            # The same event refused again and again says nothing about the endpoint, many events do.
            self._refused.add(event_id)
        if self._in_a_row + len(self._refused) >= self.rules.failures:
            return True
        while self._recent and self._recent[0][0] < now - SPAN:
            self._recent.popleft()
        failed = sum(failed for _, failed in self._recent)
        return len(self._recent) >= LEAST and failed >= SHARE * len(self._recent)

    def _open(self, now: float, *, trips: int) -> None:
        pause = min(self.rules.first * 2.0 ** min(trips - 1, 30), self.rules.longest)
        self.memory = Memory(now + pause, trips)
        self._recent.clear()

    def _close(self) -> None:
        self.memory = None
        self._in_a_row = 0
        self._refused.clear()
