"""Pages of the history as events: the messages in them are told as received ones are. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from actors.events import EventDraft, EventType
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.chats import ChatIds, chat_of
from actors.instance.connection.mapping import draft_of
from actors.instance.connection.parts import moment
from actors.instance.history_offers import Part
from actors.instance.waiting_files import Job, with_file_on_demand


class Page(NamedTuple):
    """The event of a page, and the files of the messages in it, which can be asked for."""

    draft: EventDraft
    files: list[Job]


def page_of(instance_id: str, part: Part, page: pb.HistoryPage, chats: ChatIds, at: datetime) -> Page:
    """A page, as it is told.

    Args:
        part: as it is before this page.
        page: the one that begins where the part stands.
        chats: gives the chats their ids, and remembers aliases that are new.
        at: now.
    """
    received_at_ms = int(at.timestamp() * 1000)
    told = [_message(instance_id, message, chats, received_at_ms) for message in page.messages]
    messages = [one[0] for one in told if one is not None]
    files = [one[1] for one in told if one is not None and one[1] is not None]
    data = {
        **about(part),
        "chunk": page.chunk or part.chunk,
        "progress": page.progress or None,
        "page": part.pages + 1,
        "last": page.done,
        "chats": [_chat(chat, chats) for chat in page.chats],
        "messages": messages,
        "skipped": page.skipped + len(told) - len(messages),
    }
    # By the place, not by what is in it: read again, the page that is there already is recognised.
    return Page(_draft(EventType.HISTORY_MESSAGES, f"history:{part.id}:{part.start}", data, at), files)


def failure_of(part: Part, reason: str, message: str, at: datetime) -> EventDraft:
    """The event of a part that is not read, or not to its end.

    Args:
        part: with its attempts.
        reason: ``gone``, ``corrupt``, ``too_large``, ``unavailable`` or ``other_account``.
        message: for people.
    """
    data = {
        **about(part),
        "reason": reason,
        "message": message,
        "attempts": part.attempts,
        "pages": part.pages,
    }
    return _draft(EventType.HISTORY_FAILED, f"history:{part.id}:failed", data, at)


def about(part: Part) -> dict[str, Any]:
    """Which part it is."""
    return {"id": part.id, "sync": part.sync, "chunk": part.chunk, "request_id": part.request_id}


def _draft(kind: EventType, key: str, data: dict[str, Any], at: datetime) -> EventDraft:
    return EventDraft(type=kind, dedupe_key=key, occurred_at=at, received_at=at, data=data)


def _message(
    instance_id: str, message: pb.Message, chats: ChatIds, received_at_ms: int
) -> tuple[dict[str, Any], Job | None] | None:
    """A message as its own event would have told of it, with its file; None for what is between devices."""
    draft = draft_of(message, chats, received_at_ms)
    if message.secret or draft.type in (EventType.UNKNOWN, EventType.HISTORY_OFFERED):
        return None
    draft, job = with_file_on_demand(draft, instance_id)
    return {"type": draft.type.value, **draft.data}, job


def _chat(chat: pb.HistoryChat, chats: ChatIds) -> dict[str, Any]:
    muted = chat.muted_until_ms
    return {
        "chat": chat_of(chat.chat, chats).model_dump(),
        "name": chat.name or None,
        "unread": chat.unread,
        "archived": chat.archived,
        "pinned": chat.pinned,
        "muted_until": "forever" if muted < 0 else moment(muted).isoformat() if muted else None,
        "last_message_at": moment(chat.last_message_ms).isoformat() if chat.last_message_ms > 0 else None,
        "complete": chat.complete,
    }
