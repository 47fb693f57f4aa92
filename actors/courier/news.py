"""What a courier has to say of an endpoint: events for the instance's mailbox and its other endpoints."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from actors.courier.records import EndpointRecord, moment
from actors.events import EventType, new_event_id, utc
from actors.registry import now

NEWS = frozenset({EventType.WEBHOOK_FAILING, EventType.WEBHOOK_RECOVERED, EventType.WEBHOOK_DISABLED})

Told = Literal["failing", "recovered", "disabled"]


@dataclass(frozen=True, slots=True)
class News:
    """One thing that happened to an endpoint.

    Args:
        told: what it is.
        occasion: tells this time from others; the same news of the same occasion is announced once.
        data: of the event.
    """

    told: Told
    occasion: str
    data: dict[str, Any]
    event_id: str = field(default_factory=new_event_id)

    @property
    def type(self) -> EventType:
        """Of the event."""
        return EventType(f"webhook.{self.told}")

    @property
    def dedupe_key(self) -> str:
        """Identifies what happened."""
        return f"{self.type}/{self.data['endpoint_id']}/{self.occasion}"

    def json(self, instance_id: str) -> tuple[str, str]:
        """The event as the mailbox keeps it, in two parts: between them belongs the owner's epoch."""
        at = utc(now())
        head = {"id": self.event_id, "instance_id": instance_id}
        tail = {
            "type": self.type.value,
            "occurred_at": at,
            "received_at": at,
            "chat_id": None,
            "data": self.data,
        }
        return (
            json.dumps(head, separators=(",", ":"))[:-1] + ',"epoch":',
            "," + json.dumps(tail, ensure_ascii=False, separators=(",", ":"))[1:],
        )


def failing(record: EndpointRecord, since: float, error: str | None) -> News:
    """Nothing has reached the endpoint for a while.

    Args:
        since: seconds since 1970, of the first failure.
    """
    return News(
        "failing",
        f"{since:.3f}",
        {**_named(record), "failing_since": utc(moment(since)), "error": error},
    )


def recovered(record: EndpointRecord, occasion: str) -> News:
    """The endpoint takes events again."""
    return News("recovered", occasion, _named(record))


def disabled(record: EndpointRecord) -> News:
    """The endpoint was switched off, as its record says."""
    return News("disabled", str(record.revision), {**_named(record), "reason": record.disabled_reason})


def _named(record: EndpointRecord) -> dict[str, Any]:
    return {"endpoint_id": record.id, "url": record.url, "description": record.description}
