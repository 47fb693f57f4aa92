"""Messages: received, or sent by another device of the account."""

from __future__ import annotations

import base64
import logging
from typing import Any

from actors.events import EventDraft, EventType, Memory
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import whatsapp_pb2 as wa
from actors.instance.connection.chats import ChatIds, chat_of, kind_of
from actors.instance.connection.parts import moment, party
from actors.messages.compose import edited
from actors.messages.describe import Described, Expiration, describe, media_of, text_of
from actors.messages.known import RAW_MAX, KnownMessage, options_of
from actors.messages.raw import field_of, to_keep, unwrap, without_secrets
from actors.messages.received import ShownDelete, ShownEdit, ShownReaction, ShownUnsupported, ShownVote
from actors.messages.rules import EDITABLE

log = logging.getLogger(__name__)

_TYPES: dict[type, EventType] = {
    ShownEdit: EventType.MESSAGE_EDITED,
    ShownDelete: EventType.MESSAGE_DELETED,
    ShownReaction: EventType.MESSAGE_REACTION,
    ShownVote: EventType.POLL_VOTE,
    Expiration: EventType.CHAT_CHANGED,
    type(None): EventType.UNKNOWN,
}
"""What is done to other messages has types of its own: who answers messages should not have to tell."""


def refers_to(event: pb.Message) -> str | None:
    """The message that has to be looked up to understand this one, None if there is none."""
    changes = event.vote or event.edit or event.protocol_type in ("REVOKE", "MESSAGE_EDIT")
    return (event.target_id or None) if changes else None


def message(
    event: pb.Message, chats: ChatIds, received_at_ms: int, target: KnownMessage | None = None
) -> EventDraft:
    """The event to append for a message.

    Args:
        target: the message that `refers_to` names, if it is known.
    """
    if event.history and event.info.from_me:
        return _history(event, received_at_ms)
    data = info(event.info, chats)
    data |= {"kind": event.kind or "unknown", "text": event.text or None}
    optional: dict[str, Any] = {
        "edit": event.edit,
        "ephemeral": event.ephemeral,
        "view_once": event.view_once,
        "protocol_type": event.protocol_type,
        "target_id": event.target_id,
        "undecrypted": event.undecrypted,
        "retried": event.retry_count > 0 or bool(event.unavailable_request_id),
    }
    data |= {name: value for name, value in optional.items() if value}
    if event.quoted_id:
        data["quoted"] = {"id": event.quoted_id, "sender": party(event.quoted_sender)}
    if event.info.from_me:
        data["source"] = "device"
    if event.secret:
        # Keys of the account's devices travel as messages. Who has them can read and write for the account.
        key = message_key("internal", data)
        return draft(EventType.UNKNOWN, data | {"raw": None}, key, event.info, received_at_ms)
    read, content = _read(event, target)
    standing = EventType.MESSAGE_SENT if event.info.from_me else EventType.MESSAGE_RECEIVED
    kind = _TYPES.get(type(content), standing)
    if isinstance(content, Expiration):
        data["expires_in"] = content.seconds
    elif content is not None:
        data["text"] = event.text or text_of(content)
        data["content"] = content.model_dump(mode="json")
    data["raw"] = base64.b64encode(without_keys(event.message)).decode()
    made = draft(kind, data, message_key("message", data), event.info, received_at_ms)
    memory = None
    if read is not None:
        memory = _memory(event, read, content, target, made, received_at_ms)
    return made.model_copy(update={"memory": memory})


def _read(
    event: pb.Message, target: KnownMessage | None
) -> tuple[wa.Message | None, Described | Expiration | None]:
    try:
        found = unwrap(wa.Message.FromString(event.message))
        content = describe(found.message, view_once=event.view_once or found.view_once)
    except Exception as error:
        # Anybody can send anything: it is a message all the same, and whole in `raw`. What the error says
        # of it is not for the log.
        log.warning("a message was not understood: %s: %s", event.kind, type(error).__name__)
        return None, ShownUnsupported()
    if isinstance(content, ShownVote) and event.vote:
        content = _vote(content, event, target)
    elif event.edit and event.target_id and not isinstance(content, ShownEdit | Expiration | None):
        # An edit that came encrypted, and is nothing but the new message when that is undone.
        mentions = getattr(content, "mentions", ())
        content = ShownEdit(message_id=event.target_id, text=text_of(content), mentions=mentions)
    return found.message, content


def _vote(content: ShownVote, event: pb.Message, target: KnownMessage | None) -> ShownVote:
    hashes = list(event.vote_options)
    question, names, rest = options_of(target, hashes)
    return content.model_copy(
        update={
            "message_id": event.target_id or content.message_id,
            "question": question or None,
            "options": names if names or not hashes else None,
            "option_hashes": rest or None,
        }
    )


def without_keys(body: bytes) -> bytes:
    """A serialised message as it may be shown."""
    try:
        return without_secrets(body)
    except Exception:
        return body


# ---- what is remembered ---------------------------------------------------------------------------------


def _memory(
    event: pb.Message,
    message: wa.Message,
    content: Described | Expiration | None,
    target: KnownMessage | None,
    made: EventDraft,
    received_at_ms: int,
) -> Memory | None:
    if isinstance(content, ShownEdit | ShownDelete):
        if target is None or target.chat_id != made.chat_id:
            return None
        if isinstance(content, ShownDelete):
            # Phones take it from nobody else either; in groups there are admins.
            theirs = kind_of(event.info.chat.jid) == "group" or _wrote(event.info, target)
            return target.forgotten() if theirs else None
        original = target.message
        if content.text is None or not _wrote(event.info, target):
            return None
        if original is None or field_of(original) not in EDITABLE:
            return None
        return target.changed(unwrap(edited(content.text, content.mentions, target)).message)
    if content is None or isinstance(content, ShownReaction | ShownVote | Expiration):
        return None
    return KnownMessage(
        id=event.info.id,
        chat_id=made.chat_id or "",
        chat=event.info.chat.jid,
        sender=event.info.sender.jid,
        from_me=event.info.from_me,
        at_ms=event.info.timestamp_ms or received_at_ms,
        raw=to_keep(message, RAW_MAX),
        media=media_of(message),
    ).learnt()


def _wrote(info: pb.MessageInfo, target: KnownMessage) -> bool:
    if info.from_me or target.from_me:
        return info.from_me and target.from_me
    sender = info.sender
    return target.sender in (sender.jid, f"{sender.phone}@s.whatsapp.net", f"{sender.lid}@lid")


# ---- parts ----------------------------------------------------------------------------------------------


def info(info: pb.MessageInfo, chats: ChatIds) -> dict[str, Any]:
    """What is told of every message: which, where, by whom, when."""
    data: dict[str, Any] = {
        "id": info.id,
        "chat": chat_of(info.chat, chats).model_dump(),
        "sender": party(info.sender, info.push_name),
        "from_me": info.from_me,
        "timestamp": moment(info.timestamp_ms).isoformat() if info.timestamp_ms else None,
        "push_name": info.push_name or None,
    }
    if info.offline:
        data["offline"] = True
    return data


def message_key(prefix: str, data: dict[str, Any]) -> str:
    """What identifies a message."""
    # Ids are chosen by the sender's device: two people in a chat may choose the same. In a direct chat "me or
    # not" says who; in a group the person, by the identity that is known first and longest.
    if data["from_me"]:
        who = "me"
    elif data["chat"]["kind"] == "direct":
        who = "them"
    else:
        who = data["sender"]["lid"] or data["sender"]["phone"] or ""
    return f"{prefix}:{data['chat']['id']}:{who}:{data['id']}"


def draft(
    kind: EventType, data: dict[str, Any], key: str, info: pb.MessageInfo, received_at_ms: int
) -> EventDraft:
    """An event of a message."""
    return EventDraft(
        type=kind,
        dedupe_key=key,
        occurred_at=moment(info.timestamp_ms or received_at_ms),
        received_at=moment(received_at_ms),
        chat_id=data["chat"]["id"],
        data=data,
    )


def _history(event: pb.Message, received_at_ms: int) -> EventDraft:
    """The phone's offer. What it can be read with is secret, and no part of the event."""
    notice = wa.HistorySyncNotification.FromString(event.history)
    oldest = notice.oldest_message_at
    data = {
        "id": event.info.id,
        "sync": wa.HistorySyncNotification.Type.Name(notice.sync_type).lower(),
        "chunk": notice.chunk_order or None,
        "progress": notice.progress or None,
        "size": notice.file_length or None,
        "oldest_message_at": moment(oldest * 1000).isoformat() if oldest > 0 else None,
        "request_id": notice.peer_data_request_session_id or None,
    }
    return EventDraft(
        type=EventType.HISTORY_OFFERED,
        dedupe_key=f"history:{event.info.id}",
        occurred_at=moment(event.info.timestamp_ms or received_at_ms),
        received_at=moment(received_at_ms),
        data=data,
    )
