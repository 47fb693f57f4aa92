"""Chats: read receipts and typing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from actors.messages.content import MessageId
from actors.messages.recipients import BadRecipient, is_group, parse_person, parse_recipient
from api import problems as p
from api.fields import Body, Recipient
from api.routing import Answer, Call, Routes

routes = Routes("Chats", "Mark as read, show that you are typing.")

CALL_PROBLEMS = (p.INVALID, p.NOT_CONNECTED, p.NOT_PAIRED, p.INSTANCE_UNAVAILABLE, p.TIMED_OUT, p.REJECTED)


class MarkRead(Body):
    """Messages that were read."""

    message_ids: Annotated[list[MessageId], Field(min_length=1, max_length=100)]
    sender: Recipient | None = Field(None, description="Who wrote them; needed in groups")
    played: bool = Field(False, description="Voice messages that were listened to")


class Typing(Body):
    """What to show in the chat."""

    state: Literal["composing", "recording", "paused"] = "composing"


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
