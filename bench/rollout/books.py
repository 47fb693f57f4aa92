"""What the receiver got, and when it last heard of each instance."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.handoff.books import Books


class Diary(Books):
    """Books that know, too, for how long an instance was not heard of.

    Attributes:
        heard: when the latest message of each instance came, in the receiver's monotonic seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[str, float] = {}

    def deliver(self, event: Mapping[str, Any], *, attempt: int, at: float, latency: float) -> None:
        """Take in an event whose signature was valid."""
        super().deliver(event, attempt=attempt, at=at, latency=latency)
        if event["type"] == "message.received":
            self.heard[str(event["instance_id"])] = at

    def silent(self, instances: Iterable[str], since: float) -> list[str]:
        """Instances of which no message came after a moment."""
        return [name for name in instances if self.heard.get(name, since) <= since]
