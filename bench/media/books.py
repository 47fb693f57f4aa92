"""When texts were written and when they came, and which files have come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench.handoff.books import Books


@dataclass(frozen=True, slots=True)
class Came:
    """An event at the receiver.

    Args:
        at: monotonic seconds.
        latency: seconds since Malote had it.
    """

    at: float
    latency: float


class MediaBooks(Books):
    """What the receiver got, by message.

    Attributes:
        messages: texts and messages with a file.
        ready, failed: files, by the id of their message.
    """

    def __init__(self) -> None:
        super().__init__()
        self.messages: dict[str, Came] = {}
        self.ready: dict[str, Mapping[str, Any]] = {}
        self.failed: dict[str, Mapping[str, Any]] = {}

    def deliver(self, event: Mapping[str, Any], *, attempt: int, at: float, latency: float) -> None:
        """Take in an event whose signature was valid."""
        data = event["data"]
        match event["type"]:
            case "message.received":
                self.messages.setdefault(data["id"], Came(at, latency))
            case "media.ready":
                self.ready.setdefault(data["message_id"], data["media"])
            case "media.failed":
                self.failed.setdefault(data["message_id"], data)
