"""What stands in newsletters: read, with how often it was seen and reacted to; react to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from actors.messages.content import may_be_emoji
from actors.messages.received import ShownContent
from api import problems as p
from api.fields import Body, Query
from api.newsletters import PROBLEMS, newsletter_in_path
from api.routing import Answer, Call, Routes

routes = Routes(
    "Newsletter messages", "What stands in newsletters: how often it was seen and reacted to; react to it."
)

LARGEST = 2**31 - 1


class NewsletterMessage(BaseModel):
    """A message that stands in a newsletter."""

    number: int = Field(description="Its number in the newsletter, by which it is reacted to", examples=[17])
    id: str
    timestamp: datetime | None = None
    views: int = Field(description="How often it was seen, as WhatsApp counts")
    reactions: dict[str, int] = Field(description="How many reacted, by emoji", examples=[{"👍": 3}])
    text: str | None = None
    content: ShownContent | None = Field(None, description="Null: WhatsApp did not send it along")


class NewsletterMessageList(BaseModel):
    """Messages, the newest first."""

    items: list[NewsletterMessage]


class Page(Query):
    """Which messages."""

    limit: int = Field(20, ge=1, le=100, description="How many, at most")
    before: int = Field(
        0, ge=0, le=LARGEST, description="Only those before the one with this number; 0: from the newest on"
    )


def _emoji(text: str) -> str:
    if not may_be_emoji(text):
        raise ValueError("one emoji, as in 👍")
    return text


class NewsletterReaction(Body):
    """A reaction."""

    emoji: Annotated[str, AfterValidator(_emoji)] = Field(min_length=1, max_length=40, examples=["👍"])


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/newsletters/{newsletter_id}/messages",
    "List a newsletter's messages",
    (200, Answer("The messages, with their counts as they are now", NewsletterMessageList)),
    query=Page,
    problems=PROBLEMS,
)
async def list_messages(call: Call[None, Page]) -> NewsletterMessageList:
    """WhatsApp is asked each time: ask seldom. Files are not fetched by this."""
    newsletter, page = newsletter_in_path(call), call.query
    found = await call.services.calls.ask(
        call.instance_id, "newsletters", "posts", newsletter, page.limit, page.before
    )
    return NewsletterMessageList(items=found)


@routes.add(
    "PUT",
    "/v1/instances/{instance_id}/newsletters/{newsletter_id}/messages/{number}/reaction",
    "React to a newsletter's message",
    (204, Answer("It is reacted to; a reaction of before is replaced")),
    body=NewsletterReaction,
    examples={"a reaction": {"emoji": "👍"}},
    problems=PROBLEMS,
)
async def react(call: Call[NewsletterReaction, None]) -> None:
    """Nobody is told who reacted. Again is harmless."""
    await _react(call, call.body.emoji)


@routes.add(
    "DELETE",
    "/v1/instances/{instance_id}/newsletters/{newsletter_id}/messages/{number}/reaction",
    "Take a reaction back",
    (204, Answer("It is not reacted to any more")),
    problems=PROBLEMS,
)
async def take_back(call: Call[None, None]) -> None:
    """Again is harmless."""
    await _react(call, "")


@routes.add(
    "PUT",
    "/v1/instances/{instance_id}/newsletters/{newsletter_id}/messages/{number}/view",
    "Count a newsletter's message as seen",
    (204, Answer("It is counted")),
    problems=PROBLEMS,
)
async def view(call: Call[None, None]) -> None:
    """The account's view is one of those that `views` counts. Nothing is counted without this."""
    newsletter, number = newsletter_in_path(call), _number(call)
    await call.services.calls.ask(call.instance_id, "newsletters", "view", newsletter, number)


async def _react(call: Call[Any, None], emoji: str) -> None:
    newsletter, number = newsletter_in_path(call), _number(call)
    await call.services.calls.ask(call.instance_id, "newsletters", "react", newsletter, number, emoji)


def _number(call: Call[Any, Any]) -> int:
    text = call.path("number")
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:11]) <= LARGEST and len(text) <= 10):
        raise p.invalid("not the number of a message, as the list has it", parameter="number")
    return int(text)
