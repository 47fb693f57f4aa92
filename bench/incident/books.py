"""What the healthy endpoints got, and how much of it was news about the one that hangs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.handoff.books import Books


class Healthy(Books):
    """Books of the healthy endpoints.

    Attributes:
        news: ids of events that tell of an endpoint: only the others of its instance get them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.news: set[str] = set()

    def deliver(self, event: Mapping[str, Any], *, attempt: int, at: float, latency: float) -> None:
        """Take in an event whose signature was valid."""
        if str(event["type"]).startswith("webhook."):
            self.news.add(event["id"])
        super().deliver(event, attempt=attempt, at=at, latency=latency)
