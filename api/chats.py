"""Chats: list them, change them, read receipts and typing."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field, model_validator

from actors.instance.chats.record import ChatRecord
from actors.instance.chats.shelf import ChatShelf
from actors.instance.connection.parts import moment
from actors.messages.content import MessageId
from actors.messages.recipients import BadRecipient, is_group, parse_person, parse_recipient
from api import problems as p
from api.fields import EXAMPLE_JID, EXAMPLE_TIME, Body, Query, Recipient, Timer
from api.instances import page_limit
from api.routing import Answer, Call, Routes

routes = Routes("Chats", "List chats; archive, pin, mute them; mark as read, show that you are typing.")

CALL_PROBLEMS = (p.INVALID, p.NOT_CONNECTED, p.NOT_PAIRED, p.INSTANCE_UNAVAILABLE, p.TIMED_OUT, p.REJECTED)


SETTING_PROBLEMS = (*CALL_PROBLEMS, p.NOT_READY)


class LastMessage(BaseModel):
    """The newest message of a chat."""

    id: str
    at: datetime
    from_me: bool


class ChatView(BaseModel):
    """A chat. Settings of it that no device told are null."""

    id: str = Field(description="As events have it", examples=[EXAMPLE_JID])
    kind: Literal["direct", "group", "newsletter"]
    phone: str | None = Field(None, description="E.164, if known")
    lid: str | None = Field(None, description="The person's other identity, if known")
    last_message: LastMessage | None = None
    unread: int = Field(description="Messages that came since the device was linked and were not read")
    marked_unread: bool = Field(description="It was marked as unread by hand")
    archived: bool | None
    pinned: bool | None
    muted: bool | None
    muted_until: datetime | None = Field(None, description="With `muted` true, null: for ever")


class ChatPage(BaseModel):
    """Chats, those with the newest message first."""

    items: list[ChatView]
    next: str | None = Field(None, description="Value of `after` for the next page; null: this is the last")


class ChatListing(Query):
    """A page of chats."""

    after: str | None = Field(
        None, max_length=150, pattern=r"^\d{1,15}:.+$", description="`next` of the page before"
    )
    limit: int | None = Field(None, ge=1, description="Entries of a page")


class ChangeChat(Body):
    """What shall change; the rest stays."""

    expires_in: Timer | None = Field(
        None, description="Messages of either side disappear after so many seconds; 0: they stay"
    )
    archived: bool | None = Field(None, description="Archiving takes the pin off")
    pinned: bool | None = None
    muted: bool | None = None
    muted_until: AwareDatetime | None = Field(None, description="With `muted` true; without it: for ever")
    read: bool | None = Field(
        None, description="For the account's own devices; senders see nothing of it. False: marked as unread"
    )

    @model_validator(mode="after")
    def _says_something(self) -> ChangeChat:
        if self.muted_until is not None and not self.muted:
            raise ValueError("`muted_until` needs `muted`: true")
        if all(getattr(self, name) is None for name in ("expires_in", "archived", "pinned", "muted", "read")):
            raise ValueError("say what shall change: expires_in, archived, pinned, muted or read")
        return self


class MarkRead(Body):
    """Messages that were read."""

    message_ids: Annotated[list[MessageId], Field(min_length=1, max_length=100)]
    sender: Recipient | None = Field(None, description="Who wrote them; needed in groups")
    played: bool = Field(False, description="Voice messages that were listened to")


class Typing(Body):
    """What to show in the chat."""

    state: Literal["composing", "recording", "paused"] = "composing"


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/chats",
    "List chats",
    (200, Answer("A page of chats", ChatPage)),
    query=ChatListing,
)
async def list_chats(call: Call[None, ChatListing]) -> ChatPage:
    """Made of the events since the device was linked: a chat without any is not there."""
    limit = page_limit(call.services, call.query.limit)
    shelf = ChatShelf(call.services.mailbox(call.instance_id))
    order = sorted(await shelf.order(), key=lambda entry: (-entry[1], entry[0]))
    if call.query.after is not None:
        at, _, last = call.query.after.partition(":")
        order = [entry for entry in order if (-entry[1], entry[0]) > (-int(at), last)]
    page = order[:limit]
    known = await shelf.get([id_ for id_, _ in page])
    rest = f"{page[-1][1]}:{page[-1][0]}" if len(order) > limit else None
    return ChatPage(items=[_shown(known[id_]) for id_, _ in page if id_ in known], next=rest)


@routes.add(
    "PATCH",
    "/v1/instances/{instance_id}/chats/{chat_id}",
    "Archive, pin, mute or mark a chat, let its messages disappear",
    (204, Answer("It is so on all devices of the account; `chat.updated` tells of it")),
    body=ChangeChat,
    examples={
        "archive": {"archived": True},
        "mute for a while": {"muted": True, "muted_until": EXAMPLE_TIME},
        "let messages disappear": {"expires_in": 604_800},
        "mark as unread": {"read": False},
    },
    problems=SETTING_PROBLEMS,
)
async def change(call: Call[ChangeChat, None]) -> None:
    """`chat_id` is a chat's id as events give it, or a phone number."""
    chat = recipient_in_path(call.path("chat_id"), "chat_id")
    changes = call.body.model_dump(mode="json", exclude_none=True)
    await call.services.calls.ask(call.instance_id, "chats", "change", chat, changes)


def _shown(record: ChatRecord) -> ChatView:
    last, until = record.last, record.muted_until_ms
    ended = until is not None and 0 < until < time.time() * 1000
    return ChatView.model_validate(
        {
            **record.model_dump(exclude={"last", "muted_until_ms"}),
            "last_message": last and {"id": last.id, "at": moment(last.at_ms), "from_me": last.from_me},
            "muted": None if until is None else until != 0 and not ended,
            "muted_until": moment(until) if until is not None and until > 0 and not ended else None,
        }
    )


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/chats/{chat_id}/read",
    "Mark messages as read",
    (204, Answer("The senders' phones will show it")),
    body=MarkRead,
    examples={"two messages": {"message_ids": ["3EB0A1", "3EB0A2"]}},
    problems=CALL_PROBLEMS,
)
async def read(call: Call[MarkRead, None]) -> None:
    """`chat_id` is a chat's id as events give it, or a phone number."""
    chat = recipient_in_path(call.path("chat_id"), "chat_id")
    body = call.body
    if is_group(chat) and body.sender is None:
        raise p.invalid("in a group, say who wrote the messages", pointer="#/sender")
    await call.services.calls.mark_read(call.instance_id, chat, body.message_ids, body.sender, body.played)


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/chats/{chat_id}/typing",
    "Show typing",
    (204, Answer("It is shown for some seconds, or until `paused`")),
    body=Typing,
    examples={"typing": {"state": "composing"}, "recording a voice message": {"state": "recording"}},
    problems=CALL_PROBLEMS,
)
async def typing(call: Call[Typing, None]) -> None:
    """`chat_id` is a chat's id as events give it, or a phone number."""
    chat = recipient_in_path(call.path("chat_id"), "chat_id")
    await call.services.calls.typing(call.instance_id, chat, call.body.state)


def recipient_in_path(text: str, name: str) -> str:
    """A recipient that is a part of the path.

    Raises:
        Problem: it is none.
    """
    try:
        return parse_recipient(text)
    except BadRecipient as error:
        raise p.invalid(str(error), parameter=name) from error


def person_in_path(text: str, name: str) -> str:
    """A person that is a part of the path.

    Raises:
        Problem: it is none, or a group.
    """
    try:
        return parse_person(text)
    except BadRecipient as error:
        raise p.invalid(str(error), parameter=name) from error
