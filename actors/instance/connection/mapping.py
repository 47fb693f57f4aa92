"""What an engine's events mean: pure functions from its messages to drafts of ours."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from actors.events import EventDraft, EventType, Party
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import DurableEvent, PassingEvent
from actors.instance.connection.chats import ChatIds, chat_of, kind_of, lid_of, phone_of

log = logging.getLogger(__name__)

__all__ = ["ChatIds", "chat_of", "draft_of", "text_message"]

_CONVERSATION_TAG = 0x0A
"""Field 1, length-delimited: waE2E.Message.conversation."""

_LAST_MOMENT = 253_402_300_799_000
"""The end of the year 9999, in milliseconds: what claims to be later is shown as that."""

_STATUSES = {"delivered": "delivered", "inactive": "delivered", "read": "read", "played": "played"}
"""Receipts that say how far a message of ours has come."""

_GROUP_KINDS = frozenset({"group_info", "joined_group"})
_CONTACT_KINDS = frozenset(
    {"contact", "push_name", "business_name", "picture", "user_about", "identity_change", "user_status_mute"}
)


def text_message(text: str) -> bytes:
    """A serialized waE2E.Message with nothing but a text."""
    body = text.encode()
    size = len(body)
    varint = bytearray()
    while size >= 0x80:
        varint.append(size & 0x7F | 0x80)
        size >>= 7
    varint.append(size)
    return bytes([_CONVERSATION_TAG]) + bytes(varint) + body


def draft_of(event: DurableEvent | PassingEvent, chats: ChatIds, received_at_ms: int) -> EventDraft:
    """The event to append for what the engine reported.

    Args:
        chats: gives the chat its id, and remembers aliases that are new.
        received_at_ms: when the engine had it, milliseconds since 1970.
    """
    mapper = _MAPPERS.get(type(event))
    if mapper is None:
        raise TypeError(f"no event of an engine: {type(event).__name__}")
    try:
        return mapper(event, chats, received_at_ms)
    except Exception as error:
        # Raised, it would be refused, delivered again and refused for ever, with all that is behind it.
        log.exception("an event was not understood: %s", type(event).__name__)
        return _raw(event, received_at_ms, error)


def _raw(event: DurableEvent | PassingEvent, received_at_ms: int, error: Exception) -> EventDraft:
    body = event.SerializeToString(deterministic=True)
    secret = isinstance(event, pb.Message) and event.secret
    return EventDraft(
        type=EventType.UNKNOWN,
        dedupe_key=f"raw:{hashlib.sha256(body).hexdigest()}",
        occurred_at=_moment(received_at_ms),
        received_at=_moment(received_at_ms),
        data={
            "kind": type(event).__name__,
            "error": f"{type(error).__name__}: {error}",
            "raw": None if secret else base64.b64encode(body).decode(),
        },
    )


# ---- messages -------------------------------------------------------------------------------------------


def _message(event: pb.Message, chats: ChatIds, received_at_ms: int) -> EventDraft:
    if event.history:
        return _history(event, chats, received_at_ms)
    data = _info(event.info, chats)
    data |= {"kind": event.kind or "unknown", "text": event.text or None}
    optional: dict[str, Any] = {
        "edit": event.edit,
        "ephemeral": event.ephemeral,
        "view_once": event.view_once,
        "protocol_type": event.protocol_type,
        "target_id": event.target_id,
    }
    data |= {name: value for name, value in optional.items() if value}
    if event.quoted_id:
        data["quoted"] = {"id": event.quoted_id, "sender": _party(event.quoted_sender)}
    if event.secret:
        # Keys of the account's devices travel as messages. Who has them can read and write for the account.
        return _draft(
            EventType.UNKNOWN,
            data | {"raw": None},
            _message_key("internal", data),
            event.info,
            received_at_ms,
        )
    data["raw"] = base64.b64encode(event.message).decode()
    if not event.info.from_me:
        return _draft(
            EventType.MESSAGE_RECEIVED, data, _message_key("message", data), event.info, received_at_ms
        )
    data["source"] = "device"
    return _draft(EventType.MESSAGE_SENT, data, _message_key("message", data), event.info, received_at_ms)


def _history(event: pb.Message, chats: ChatIds, received_at_ms: int) -> EventDraft:
    data = {"id": event.info.id, "notification": base64.b64encode(event.history).decode()}
    return EventDraft(
        type=EventType.HISTORY_RECEIVED,
        dedupe_key=f"history:{event.info.id}",
        occurred_at=_moment(event.info.timestamp_ms or received_at_ms),
        received_at=_moment(received_at_ms),
        data=data,
    )


def _undecryptable(event: pb.Undecryptable, chats: ChatIds, received_at_ms: int) -> EventDraft:
    data = _info(event.info, chats)
    data |= {
        "unavailable": event.unavailable,
        "unavailable_type": event.unavailable_type or None,
        "hidden": event.fail_mode == "hide",
    }
    key = _message_key("undecryptable", data)
    return _draft(EventType.MESSAGE_UNDECRYPTABLE, data, key, event.info, received_at_ms)


def _info(info: pb.MessageInfo, chats: ChatIds) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": info.id,
        "chat": chat_of(info.chat, chats).model_dump(),
        "sender": _party(info.sender, info.push_name),
        "from_me": info.from_me,
        "timestamp": _moment(info.timestamp_ms).isoformat() if info.timestamp_ms else None,
        "push_name": info.push_name or None,
    }
    if info.offline:
        data["offline"] = True
    return data


def _message_key(prefix: str, data: dict[str, Any]) -> str:
    # Ids are chosen by the sender's device: two people in a chat may choose the same. In a direct chat "me or
    # not" says who; in a group the person, by the identity that is known first and longest.
    if data["from_me"]:
        who = "me"
    elif data["chat"]["kind"] == "direct":
        who = "them"
    else:
        who = data["sender"]["lid"] or data["sender"]["phone"] or ""
    return f"{prefix}:{data['chat']['id']}:{who}:{data['id']}"


def _draft(
    kind: EventType, data: dict[str, Any], key: str, info: pb.MessageInfo, received_at_ms: int
) -> EventDraft:
    return EventDraft(
        type=kind,
        dedupe_key=key,
        occurred_at=_moment(info.timestamp_ms or received_at_ms),
        received_at=_moment(received_at_ms),
        chat_id=data["chat"]["id"],
        data=data,
    )


# ---- receipts -------------------------------------------------------------------------------------------


def _receipt(event: pb.Receipt, chats: ChatIds, received_at_ms: int) -> EventDraft:
    chat = chat_of(event.chat, chats)
    ids = list(event.message_ids)
    status = _STATUSES.get(event.type, event.type)
    ours = not event.from_me and event.type in _STATUSES
    return EventDraft(
        type=EventType.MESSAGE_STATUS,
        dedupe_key=f"receipt:{chat.id}:{event.sender.jid}:{event.type}:{event.timestamp_ms}:{_digest(*ids)}",
        occurred_at=_moment(event.timestamp_ms or received_at_ms),
        received_at=_moment(received_at_ms),
        chat_id=chat.id,
        data={
            "ids": ids,
            "chat": chat.model_dump(),
            "sender": _party(event.sender),
            "from_me": event.from_me,
            "status": status,
            "timestamp": _moment(event.timestamp_ms).isoformat() if event.timestamp_ms else None,
        },
        status_of=dict.fromkeys(ids, status) if ours else {},
    )


# ---- everything else ------------------------------------------------------------------------------------


def _other(event: pb.Other, chats: ChatIds, received_at_ms: int) -> EventDraft:
    data: dict[str, Any] = {"kind": event.kind, "event": _parse(event.json)}
    chat_id = None
    if event.chat.jid:
        chat = chat_of(event.chat, chats)
        chat_id = chat.id
        data["chat"] = chat.model_dump()
    if event.sender.jid:
        data["sender"] = _party(event.sender)
    # Without a key it cannot be told from an equal event: better twice than not at all.
    key = event.key or f"{received_at_ms}:{_digest(event.json.decode(errors='replace'))}"
    return EventDraft(
        type=_type_of(event),
        dedupe_key=f"{event.kind}:{key}",
        occurred_at=_moment(event.timestamp_ms or received_at_ms),
        received_at=_moment(received_at_ms),
        chat_id=chat_id,
        data=data,
    )


def _type_of(event: pb.Other) -> EventType:
    kind = event.kind
    if kind in _GROUP_KINDS or (kind == "picture" and kind_of(event.chat.jid) == "group"):
        return EventType.GROUP_CHANGED
    if kind in _CONTACT_KINDS:
        return EventType.CONTACT_CHANGED
    if kind.startswith("call_") or kind == "unknown_call_event":
        return EventType.CALL_RECEIVED
    return EventType.HISTORY_RECEIVED if kind == "history_sync" else EventType.UNKNOWN


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {"undecodable": base64.b64encode(body).decode()}


def _chat_presence(event: pb.ChatPresenceEvent, chats: ChatIds, received_at_ms: int) -> EventDraft:
    chat = chat_of(event.chat, chats)
    state = "recording" if event.state == "composing" and event.media == "audio" else event.state
    return _passing(
        EventType.CHAT_PRESENCE,
        {"chat": chat.model_dump(), "sender": _party(event.sender), "state": state},
        received_at_ms,
        chat.id,
    )


def _presence(event: pb.PresenceEvent, chats: ChatIds, received_at_ms: int) -> EventDraft:
    last_seen = _moment(event.last_seen_ms).isoformat() if event.last_seen_ms else None
    return _passing(
        EventType.CONTACT_PRESENCE,
        {"sender": _party(event.sender), "available": event.available, "last_seen": last_seen},
        received_at_ms,
        chats.id_of(event.sender),
    )


def _passing(kind: EventType, data: dict[str, Any], received_at_ms: int, chat_id: str) -> EventDraft:
    moment = _moment(received_at_ms)
    return EventDraft(
        type=kind,
        dedupe_key=f"{kind}:{chat_id}:{received_at_ms}:{_digest(json.dumps(data))}",
        occurred_at=moment,
        received_at=moment,
        chat_id=chat_id,
        data=data,
    )


# ---- parts ----------------------------------------------------------------------------------------------


def _party(identity: pb.Identity, name: str = "") -> dict[str, Any]:
    return Party(phone=phone_of(identity), lid=lid_of(identity), name=name or None).model_dump()


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(min(max(milliseconds, 0), _LAST_MOMENT) / 1000, UTC)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


_MAPPERS: dict[type, Callable[[Any, ChatIds, int], EventDraft]] = {
    pb.Message: _message,
    pb.Receipt: _receipt,
    pb.Undecryptable: _undecryptable,
    pb.Other: _other,
    pb.ChatPresenceEvent: _chat_presence,
    pb.PresenceEvent: _presence,
}
