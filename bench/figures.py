"""Numbers that stand for many: percentiles and spreads."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel


class Spread(BaseModel):
    """Of some durations, in milliseconds."""

    p50: float
    p99: float
    max: float


def percentile(values: Iterable[float], share: float) -> float | None:
    """The least value that this share of all does not exceed, None if there are none."""
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def spread(values_ms: Iterable[float]) -> Spread | None:
    """The spread of some durations, None if there are none."""
    values = list(values_ms)
    p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
    if p50 is None or p99 is None:
        return None
    return Spread(p50=round(p50, 1), p99=round(p99, 1), max=round(max(values), 1))
