"""How many attempts an endpoint bears at a time: additive increase, multiplicative decrease. Pure.

The evidence is how attempts end, not how long they take: latency says little about an endpoint, since it
depends on what is in the event and comes in few samples.
"""

from __future__ import annotations

from enum import StrEnum

from actors.courier.retry import Failure, Outcome

OVERLOADED = frozenset({408, 429, 502, 503, 504})


class Evidence(StrEnum):
    """What the end of an attempt says about the endpoint's load."""

    GOOD = "good"
    OVERLOAD = "overload"
    NOTHING = "nothing"


def evidence(outcome: Outcome) -> Evidence:
    """What an outcome says: an error of the application says nothing, it may well be quick."""
    if outcome.ok:
        return Evidence.GOOD
    if outcome.failure is Failure.STATUS:
        return Evidence.OVERLOAD if outcome.status in OVERLOADED else Evidence.NOTHING
    return Evidence.OVERLOAD


class Limit:
    """The number of attempts that may be open.

    Args:
        start: at first.
        most: never above; never below 1.
    """

    def __init__(self, start: int, most: int) -> None:
        self._most = most
        self._limit = float(min(start, most))
        self._decreased = float("-inf")

    @property
    def value(self) -> int:
        """Attempts that may be open now, at least 1."""
        return int(self._limit)

    def learn(self, what: Evidence, *, open_attempts: int, started: float, now: float) -> None:
        """Take in how an attempt ended.

        Halved at most once by attempts that were open at the same time: they all met the same overload.
        Raised by one for each full round of successes, and only if the limit was used.

        Args:
            open_attempts: the one that ended included.
            started: when that attempt began, seconds of the same clock as ``now``.
        """
        if what is Evidence.OVERLOAD and started >= self._decreased:
            self._limit = max(1.0, self._limit / 2)
            self._decreased = now
        elif what is Evidence.GOOD and 2 * open_attempts >= self.value:
            self._limit = min(float(self._most), self._limit + 1 / self.value)
