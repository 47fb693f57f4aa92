"""Messages whose file is still to come, and what is told of it later put into them. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, NamedTuple

from actors.courier.bodies import Parcel
from actors.events import EventType

MESSAGES = (EventType.MESSAGE_RECEIVED.value, EventType.MESSAGE_SENT.value)


class Awaited(NamedTuple):
    """A file that a message waits for.

    Args:
        since: when the message's event was received, seconds since 1970.
    """

    media_id: str
    since: float


def awaited(parcel: Parcel) -> Awaited | None:
    """The file that is to come, None if there is none."""
    # Most messages have no file: they are not decoded.
    if parcel.type not in MESSAGES or b"pending" not in parcel.body:
        return None
    event = json.loads(parcel.body)
    media = _media(event)
    if media is None or media.get("state") != "pending" or not isinstance(media.get("id"), str):
        return None
    return Awaited(media["id"], datetime.fromisoformat(event["received_at"]).timestamp())


def completed(parcel: Parcel, told: Parcel) -> Parcel:
    """The message with what ``media.ready`` or ``media.failed`` tells of its file; unchanged by any other."""
    waits = awaited(parcel)
    data = json.loads(told.body)["data"]
    file = data.get("media") or {}
    if waits is None or file.get("id") != waits.media_id:
        return parcel
    if told.type == EventType.MEDIA_READY.value:
        news = {"state": "ready", "url": file["url"], "expires_at": file["expires_at"]}
    elif told.type == EventType.MEDIA_FAILED.value:
        news = {"state": "failed", "reason": data["reason"]}
    else:
        return parcel
    event = json.loads(parcel.body)
    event["data"]["content"]["media"] |= news
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
    return parcel._replace(body=body)


def _media(event: dict[str, Any]) -> dict[str, Any] | None:
    content = event["data"].get("content")
    media = content.get("media") if isinstance(content, dict) else None
    return media if isinstance(media, dict) else None
