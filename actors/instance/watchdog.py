"""Whether a connection that says it stands is alive: pure decisions, no clock, no network.

Evidence is whatever WhatsApp sent. Without any for a while WhatsApp is asked for a sign of life; a connection
on which several such questions in a row went unanswered is given up.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sleep:
    """Nothing to do for this many seconds, unless a doubt comes up."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask for a sign of life now."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Give the connection up.

    Args:
        silence: seconds since the last evidence.
        probes: questions in a row that were not answered.
    """

    silence: float
    probes: int


Decision = Sleep | Probe | Reconnect


class Watchdog:
    """Watches one connection, from its login on. All times are seconds of one clock that never goes back.

    Args:
        silence: seconds without evidence after which to probe.
        failures: unanswered probes in a row after which to reconnect.
        now: when the connection was logged in, which is evidence.
    """

    def __init__(self, *, silence: float, failures: int, now: float) -> None:
        self._silence = silence
        self._failures = failures
        self._heard = now
        self._unanswered = 0
        self._doubted = False

    def heard(self, at: float) -> None:
        """Take in evidence of this moment; what is older than the last changes nothing."""
        if at > self._heard:
            self._heard = at
            self._unanswered = 0

    def doubt(self) -> None:
        """Somebody has reason to believe that the connection is dead: probe without waiting."""
        self._doubted = True

    def unanswered(self, asked: float) -> None:
        """Take in that a probe had no answer. It counts unless there was other evidence since it was sent."""
        if self._heard <= asked:
            self._unanswered += 1

    def decide(self, now: float) -> Decision:
        """What to do now. A probe that it asks for ends any doubt."""
        if self._unanswered >= self._failures:
            return Reconnect(now - self._heard, self._unanswered)
        due = self._heard + self._silence
        if self._unanswered or self._doubted or now >= due:
            self._doubted = False
            return Probe()
        return Sleep(due - now)
