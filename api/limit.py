"""How often a key may ask: token buckets, pure and bounded."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

KEYS_KEPT = 50_000
"""Buckets held at a time. Forgetting the longest unused one gives its key a full bucket again."""


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


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
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str, now: float) -> float:
        """Ask for one request at ``now`` seconds.

        Returns:
            0.0 if it is granted, else the seconds until it would be.
        """
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self.burst, now)
            if len(self._buckets) > self._keys_kept:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
            bucket.tokens = min(self.burst, bucket.tokens + max(0.0, now - bucket.at) * self.rate)
            bucket.at = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return 0.0
        return (1.0 - bucket.tokens) / self.rate
