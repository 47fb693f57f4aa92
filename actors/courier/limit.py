"""How many attempts an endpoint bears at a time: additive increase, multiplicative decrease. Pure.

The evidence is how attempts end, not how long they take: latency says little about an endpoint, since it
depends on what is in the event and comes in few samples.
"""

from __future__ import annotations

from actors.courier.retry import Blame


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

    def bound(self, most: int) -> None:
        """Never go above ``most`` from now on."""
        self._most = most
        self._limit = min(self._limit, float(most))

    @property
    def value(self) -> int:
        """Attempts that may be open now, at least 1."""
        return int(self._limit)

    def learn(self, blame: Blame | None, *, open_attempts: int, started: float, now: float) -> None:
        """Take in how an attempt ended.

        An error of the application says nothing about the load, it may well be quick.
        Halved at most once by attempts that were open at the same time: they all met the same overload.
        Raised by one for each full round of successes, and only if the limit was used.

        Args:
            blame: whose fault it was, None if it succeeded.
            open_attempts: the one that ended included.
            started: when that attempt began, seconds of the same clock as ``now``.
        """
        if blame is Blame.ENDPOINT and started >= self._decreased:
            self._limit = max(1.0, self._limit / 2)
            self._decreased = now
        elif blame is None and 2 * open_attempts >= self.value:
            self._limit = min(float(self._most), self._limit + 1 / self.value)
