"""What is known of a chat, and how an event changes it. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from actors.events import Event, EventType

_KINDS = frozenset({"direct", "group", "newsletter"})
_READ = frozenset({"read_self", "played_self"})
"""Receipts by which another device of the account says that it has read."""


class LastMessage(BaseModel):
    """The newest message of a chat."""

    model_config = ConfigDict(frozen=True)

    id: str
    at_ms: int
    from_me: bool
    sender: str | None = Field(None, description="A JID; only of those that others sent")


class ChatRecord(BaseModel):
    """A chat as the events tell of it. What no event told is null."""

    model_config = ConfigDict(frozen=True)

    id: str
    kind: str
    phone: str | None = None
    lid: str | None = None
    last: LastMessage | None = None
    unread: int = Field(0, description="Messages that came and that no device has read")
    marked_unread: bool = False
    archived: bool | None = None
    pinned: bool | None = None
    muted_until_ms: int | None = Field(None, description="-1: for ever; 0: not muted")

    @property
    def at_ms(self) -> int:
        """When its newest message was written; 0 if none is known."""
        return self.last.at_ms if self.last else 0

    def read(self, count: int | None = None) -> ChatRecord:
        """After so many of its messages were read, None: all."""
        left = 0 if count is None else max(self.unread - count, 0)
        return self.model_copy(update={"unread": left, "marked_unread": False})


def chat_in(event: Event) -> str | None:
    """The id of the chat that `applied` wants to know for an event, None if the event changes none."""
    changes = event.type in _CHANGES or (event.type == EventType.MESSAGE_STATUS and _is_read(event.data))
    chat = event.data.get("chat")
    return str(chat["id"]) if changes and chat and chat.get("kind") in _KINDS else None


def applied(record: ChatRecord | None, event: Event) -> ChatRecord:
    """The chat after an event for which `chat_in` names it.

    Args:
        record: the chat before, None if this is the first that is heard of it.
    """
    chat, data = event.data["chat"], event.data
    before = record or ChatRecord(id=chat["id"], kind=chat["kind"])
    known = {name: chat[name] for name in ("phone", "lid") if chat.get(name)}
    before = before.model_copy(update=known)
    match event.type:
        case EventType.MESSAGE_RECEIVED | EventType.MESSAGE_SENT:
            return _after_message(before, event)
        case EventType.MESSAGE_STATUS:
            return before.read(len(data["ids"]))
        case _:
            return _after_change(before, data.get("changes") or {})


def _after_message(before: ChatRecord, event: Event) -> ChatRecord:
    data = event.data
    at_ms = int(event.occurred_at.timestamp() * 1000)
    mine = bool(data["from_me"])
    sender = (data.get("sender") or {}) if not mine else {}
    update: dict[str, Any] = {}
    if (data.get("content") or {}).get("type") in _ABOUT_OTHERS:
        return before
    if at_ms >= before.at_ms:
        jid = sender.get("lid") or (f"{sender['phone'][1:]}@s.whatsapp.net" if sender.get("phone") else None)
        update["last"] = LastMessage(id=data["id"], at_ms=at_ms, from_me=mine, sender=jid)
    if not mine:
        update["unread"] = before.unread + 1
    return before.model_copy(update=update)


def _after_change(before: ChatRecord, changes: dict[str, Any]) -> ChatRecord:
    update: dict[str, Any] = {
        name: changes[name] for name in ("archived", "pinned") if changes.get(name) is not None
    }
    if changes.get("muted") is not None:
        until = changes.get("muted_until")
        end = int(datetime.fromisoformat(until).timestamp() * 1000) if until else -1
        update["muted_until_ms"] = end if changes["muted"] else 0
    after = before.model_copy(update=update)
    if changes.get("read") is None:
        return after
    return after.read() if changes["read"] else after.model_copy(update={"marked_unread": True})


def _is_read(data: dict[str, Any]) -> bool:
    return bool(data.get("from_me")) and data.get("status") in _READ


_ABOUT_OTHERS = frozenset({"reaction", "edit", "delete", "poll_vote"})
_CHANGES = frozenset({EventType.MESSAGE_RECEIVED, EventType.MESSAGE_SENT, EventType.CHAT_UPDATED})
