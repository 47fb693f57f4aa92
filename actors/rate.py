"""A token bucket: so many a second, and a few that were saved up. Pure."""

from __future__ import annotations


class Bucket:
    """Grants what is asked of it at a sustained rate.

    Args:
        rate: grants per second.
        burst: grants that may be saved up, at least 1.
        now: seconds of any clock that the caller keeps to.
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = max(burst, 1.0)
        self._tokens = self._burst
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until a grant is there, 0.0 if it is now."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate)
        self._at = now
        return 0.0 if self._tokens >= 1.0 else (1.0 - self._tokens) / self._rate

    def take(self, now: float) -> float:
        """Take a grant.

        Returns:
            0.0 if it was there, else the seconds until it will be.
        """
        wait = self.wait(now)
        if wait == 0.0:
            self._tokens -= 1.0
        return wait
