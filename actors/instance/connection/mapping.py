"""What an engine's events mean: pure functions from its messages to drafts of ours."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from typing import Any

from actors.events import EventDraft, EventType
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import messages
from actors.instance.connection import whatsapp_pb2 as wa
from actors.instance.connection.base import DurableEvent, PassingEvent
from actors.instance.connection.chats import ChatIds, chat_of
from actors.instance.connection.messages import refers_to
from actors.instance.connection.notices import notice
from actors.instance.connection.parts import digest, moment, party
from actors.messages.known import KnownMessage

log = logging.getLogger(__name__)

__all__ = ["ChatIds", "chat_of", "draft_of", "refers_to", "text_message"]

_STATUSES = {"delivered": "delivered", "inactive": "delivered", "read": "read", "played": "played"}
"""Receipts that say how far a message of ours has come."""


def text_message(text: str) -> bytes:
    """A serialized waE2E.Message with nothing but a text."""
    return wa.Message(conversation=text).SerializeToString()


def draft_of(
    event: DurableEvent | PassingEvent,
    chats: ChatIds,
    received_at_ms: int,
    target: KnownMessage | None = None,
) -> EventDraft:
    """The event to append for what the engine reported.

    Args:
        chats: gives the chat its id, and remembers aliases that are new.
        received_at_ms: when the engine had it, milliseconds since 1970.
        target: the message that `refers_to` names for a message, if it is known.
    """
    try:
        match event:
            case pb.Message():
                return messages.message(event, chats, received_at_ms, target)
            case pb.Receipt():
                return _receipt(event, chats, received_at_ms)
            case pb.Undecryptable():
                return _undecryptable(event, chats, received_at_ms)
            case pb.Other():
                return notice(event, chats, received_at_ms)
            case pb.ChatPresenceEvent():
                return _chat_presence(event, chats, received_at_ms)
            case pb.PresenceEvent():
                return _presence(event, chats, received_at_ms)
    except Exception as error:
        # Raised, it would be refused, delivered again and refused for ever, with all that is behind it.
        log.exception("an event was not understood: %s", type(event).__name__)
        return _raw(event, received_at_ms, error)
    raise TypeError(f"no event of an engine: {type(event).__name__}")


def _raw(event: DurableEvent | PassingEvent, received_at_ms: int, error: Exception) -> EventDraft:
    body = shown = event.SerializeToString(deterministic=True)
    secret = isinstance(event, pb.Message) and event.secret
    if isinstance(event, pb.Message):
        plain = pb.Message.FromString(body)
        plain.message = messages.without_keys(event.message)
        plain.ClearField("raw")
        shown = plain.SerializeToString(deterministic=True)
    return EventDraft(
        type=EventType.UNKNOWN,
        dedupe_key=f"raw:{hashlib.sha256(body).hexdigest()}",
        occurred_at=moment(received_at_ms),
        received_at=moment(received_at_ms),
        data={
            "kind": type(event).__name__,
            "error": f"{type(error).__name__}: {error}",
            "raw": None if secret else base64.b64encode(shown).decode(),
        },
    )


def _undecryptable(event: pb.Undecryptable, chats: ChatIds, received_at_ms: int) -> EventDraft:
    reason = "unavailable" if event.unavailable else "undecryptable"
    data = messages.info(event.info, chats)
    data |= {
        "reason": "view_once" if event.unavailable_type.startswith("view_once") else reason,
        "unavailable": event.unavailable,
        "unavailable_type": event.unavailable_type or None,
        "hidden": event.fail_mode == "hide",
    }
    key = messages.message_key("undecryptable", data)
    return messages.draft(EventType.MESSAGE_UNDECRYPTABLE, data, key, event.info, received_at_ms)


def _receipt(event: pb.Receipt, chats: ChatIds, received_at_ms: int) -> EventDraft:
    chat = chat_of(event.chat, chats)
    ids = list(event.message_ids)
    status = _STATUSES.get(event.type, event.type)
    # Of a group, or of a status, one of many has it: that says nothing of the others.
    ours = not event.from_me and event.type in _STATUSES and chat.kind == "direct"
    return EventDraft(
        type=EventType.MESSAGE_STATUS,
        dedupe_key=f"receipt:{chat.id}:{event.sender.jid}:{event.type}:{event.timestamp_ms}:{digest(*ids)}",
        occurred_at=moment(event.timestamp_ms or received_at_ms),
        received_at=moment(received_at_ms),
        chat_id=chat.id,
        data={
            "ids": ids,
            "chat": chat.model_dump(),
            "sender": party(event.sender),
            "from_me": event.from_me,
            "status": status,
            "timestamp": moment(event.timestamp_ms).isoformat() if event.timestamp_ms else None,
        },
        status_of=dict.fromkeys(ids, status) if ours else {},
    )


def _chat_presence(event: pb.ChatPresenceEvent, chats: ChatIds, received_at_ms: int) -> EventDraft:
    chat = chat_of(event.chat, chats)
    state = "recording" if event.state == "composing" and event.media == "audio" else event.state
    return _passing(
        EventType.CHAT_PRESENCE,
        {"chat": chat.model_dump(), "sender": party(event.sender), "state": state},
        received_at_ms,
        chat.id,
    )


def _presence(event: pb.PresenceEvent, chats: ChatIds, received_at_ms: int) -> EventDraft:
    last_seen = moment(event.last_seen_ms).isoformat() if event.last_seen_ms else None
    return _passing(
        EventType.CONTACT_PRESENCE,
        {"sender": party(event.sender), "available": event.available, "last_seen": last_seen},
        received_at_ms,
        chats.id_of(event.sender),
    )


def _passing(kind: EventType, data: dict[str, Any], received_at_ms: int, chat_id: str) -> EventDraft:
    at = moment(received_at_ms)
    return EventDraft(
        type=kind,
        dedupe_key=f"{kind}:{chat_id}:{received_at_ms}:{digest(json.dumps(data))}",
        occurred_at=at,
        received_at=at,
        chat_id=chat_id,
        data=data,
    )
