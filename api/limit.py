"""How often a key may ask: a token bucket each, bounded in number. Pure."""

from __future__ import annotations

from collections import OrderedDict

from actors.rate import Bucket

KEYS_KEPT = 50_000
"""Buckets held at a time. Forgetting the longest unused one gives its key a full bucket again."""


class RateLimit:
    """One bucket per key. Knows no clock of its own.

    Args:
        rate: requests per second, sustained.
        burst: requests that may be saved up.
    """

    def __init__(self, rate: float, burst: float, *, keys_kept: int = KEYS_KEPT) -> None:
        self.rate = rate
        self.burst = max(burst, 1.0)
        self._keys_kept = keys_kept
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Ask for one request at ``now`` seconds.

        Returns:
            0.0 if it is granted, else the seconds until it would be.
        """
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(self.rate, self.burst, now)
            if len(self._buckets) > self._keys_kept:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        return bucket.take(now)
