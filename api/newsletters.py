"""Newsletters, which the app calls channels: list, look behind a link, create, follow, mute."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, Field

from actors.messages.recipients import NEWSLETTER
from api import problems as p
from api.chats import CALL_PROBLEMS
from api.fields import EXAMPLE_NEWSLETTER, Body, Query
from api.routing import Answer, Call, Routes

routes = Routes(
    "Newsletters", "What the app calls channels: list, look behind a link, create, follow, mute them."
)

LINK = r"^(?:(?:https?://)?(?:www\.)?whatsapp\.com/channel/)?[0-9A-Za-z_-]{10,40}/?$"
PROBLEMS = (*CALL_PROBLEMS, p.RATE_LIMITED, p.NOT_FOUND, p.NEWSLETTER_FORBIDDEN)


class Newsletter(BaseModel):
    """A newsletter."""

    id: str = Field(
        description="Its owner can use it as the recipient of a text", examples=[EXAMPLE_NEWSLETTER]
    )
    name: str
    description: str | None = None
    link: str | None = None
    followers: int
    created_at: datetime | None = None
    verified: bool
    role: str | None = Field(
        None,
        description="What this account is to it: `owner`, `admin`, `subscriber` or `guest`; null: not told",
        examples=["subscriber"],
    )
    muted: bool | None = None
    state: str | None = Field(None, description="As WhatsApp has it", examples=["active"])


class NewsletterList(BaseModel):
    """Newsletters."""

    items: list[Newsletter]


class CreateNewsletter(Body):
    """A new newsletter."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["News of the bakery"])]
    description: str = Field("", max_length=2_048)


class ChannelLink(Query):
    """A link to a newsletter."""

    link: str = Field(pattern=LINK, max_length=200, description="The link, or the code at its end")


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/newsletters",
    "List newsletters",
    (200, Answer("Those that the account follows or owns", NewsletterList)),
    problems=(*CALL_PROBLEMS, p.RATE_LIMITED),
)
async def list_all(call: Call[None, None]) -> NewsletterList:
    """WhatsApp is asked each time: ask seldom."""
    return NewsletterList(items=await call.services.calls.ask(call.instance_id, "newsletters", "all"))


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/newsletters",
    "Create a newsletter",
    (201, Answer("The newsletter", Newsletter)),
    body=CreateNewsletter,
    examples={"a newsletter": {"name": "News of the bakery", "description": "What is fresh today"}},
    problems=(*CALL_PROBLEMS, p.RATE_LIMITED, p.NEWSLETTER_FORBIDDEN),
)
async def create(call: Call[CreateNewsletter, None]) -> Newsletter:
    """It belongs to this account, for which WhatsApp's terms for newsletters are accepted.

    After a 504, list the newsletters before repeating this: it may have been created.
    """
    body = call.body
    made = await call.services.calls.ask(
        call.instance_id, "newsletters", "create", body.name, body.description
    )
    return Newsletter.model_validate(made)


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/newsletters/invite",
    "Look behind a link to a newsletter",
    (200, Answer("The newsletter", Newsletter)),
    query=ChannelLink,
    problems=PROBLEMS,
)
async def inspect(call: Call[None, ChannelLink]) -> Newsletter:
    """What this account is to it is not told here."""
    code = re.sub(r"/$", "", call.query.link)
    found = await call.services.calls.ask(call.instance_id, "newsletters", "inspect", code)
    return Newsletter.model_validate(found)


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/newsletters/{newsletter_id}",
    "Show a newsletter",
    (200, Answer("The newsletter", Newsletter)),
    problems=PROBLEMS,
)
async def show(call: Call[None, None]) -> Newsletter:
    """Followed or not."""
    found = await call.services.calls.ask(call.instance_id, "newsletters", "get", newsletter_in_path(call))
    return Newsletter.model_validate(found)


@routes.add(
    "PUT",
    "/v1/instances/{instance_id}/newsletters/{newsletter_id}/follow",
    "Follow a newsletter",
    (204, Answer("It is followed: what is written in it comes as `message.received`")),
    problems=PROBLEMS,
)
async def follow(call: Call[None, None]) -> None:
    """Again is harmless. Its files are described and, unlike those of other chats, not fetched."""
    await call.services.calls.ask(call.instance_id, "newsletters", "follow", newsletter_in_path(call), True)


@routes.add(
    "DELETE",
    "/v1/instances/{instance_id}/newsletters/{newsletter_id}/follow",
    "Unfollow a newsletter",
    (204, Answer("It is not followed")),
    problems=PROBLEMS,
)
async def unfollow(call: Call[None, None]) -> None:
    """Again is harmless."""
    await call.services.calls.ask(call.instance_id, "newsletters", "follow", newsletter_in_path(call), False)


@routes.add(
    "PUT",
    "/v1/instances/{instance_id}/newsletters/{newsletter_id}/mute",
    "Mute a newsletter",
    (204, Answer("It is muted")),
    problems=PROBLEMS,
)
async def mute(call: Call[None, None]) -> None:
    """Again is harmless."""
    await call.services.calls.ask(call.instance_id, "newsletters", "mute", newsletter_in_path(call), True)


@routes.add(
    "DELETE",
    "/v1/instances/{instance_id}/newsletters/{newsletter_id}/mute",
    "Unmute a newsletter",
    (204, Answer("It is not muted")),
    problems=PROBLEMS,
)
async def unmute(call: Call[None, None]) -> None:
    """Again is harmless."""
    await call.services.calls.ask(call.instance_id, "newsletters", "mute", newsletter_in_path(call), False)


def newsletter_in_path(call: Call[Any, Any]) -> str:
    """The newsletter that the path names.

    Raises:
        Problem: it is none.
    """
    text = call.path("newsletter_id")
    if not NEWSLETTER.fullmatch(text):
        raise p.invalid(f"not a newsletter: its id is as in {EXAMPLE_NEWSLETTER}", parameter="newsletter_id")
    return text
