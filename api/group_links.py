"""Links to groups: read and reset, look behind them, join by them."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api import problems as p
from api.chats import CALL_PROBLEMS
from api.fields import EXAMPLE_GROUP, Body, Query
from api.groups import GROUP_PROBLEMS, GroupFacts, group_in_path
from api.routing import Answer, Call, Routes

routes = Routes("Group links", "The link to a group: read, reset, look behind it, join by it.")

EXAMPLE_LINK = "https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv"
LINK = r"^(?:(?:https?://)?chat\.whatsapp\.com/(?:invite/)?)?[0-9A-Za-z_-]{10,40}/?(?:\?[!-~]*)?$"
LINK_PROBLEMS = (*CALL_PROBLEMS, p.INVITE_INVALID, p.GROUP_FORBIDDEN, p.RATE_LIMITED)


class Link(Query):
    """A link."""

    link: str = Field(
        max_length=300, pattern=LINK, description="Or the code at its end", examples=[EXAMPLE_LINK]
    )


class JoinByLink(Body):
    """A link."""

    link: str = Field(
        max_length=300, pattern=LINK, description="Or the code at its end", examples=[EXAMPLE_LINK]
    )


class GroupLink(BaseModel):
    """The link to a group."""

    link: str = Field(examples=[EXAMPLE_LINK])


class Joined(BaseModel):
    """Where the account is now."""

    group_id: str = Field(examples=[EXAMPLE_GROUP])
    joined: bool = Field(
        description="False: admins have to let it in first; `group.joined` tells when they do"
    )


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/groups/join",
    "Look behind a link",
    (200, Answer("The group, as it is shown to those who are not in it", GroupFacts)),
    query=Link,
    problems=LINK_PROBLEMS,
)
async def inspect(call: Call[None, Link]) -> GroupFacts:
    """Nobody in the group sees that somebody looked."""
    found = await call.services.calls.ask(call.instance_id, "groups", "inspect", call.query.link)
    return GroupFacts.model_validate(found)


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/groups/join",
    "Join a group",
    (200, Answer("The account is in the group, or asks to be let in", Joined)),
    body=JoinByLink,
    examples={"a link": {"link": EXAMPLE_LINK}},
    problems=LINK_PROBLEMS,
)
async def join(call: Call[JoinByLink, None]) -> Joined:
    """Again is harmless."""
    found = await call.services.calls.ask(call.instance_id, "groups", "join", call.body.link)
    return Joined.model_validate(found)


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/groups/{group_id}/invite",
    "Show a group's link",
    (200, Answer("The link", GroupLink)),
    problems=GROUP_PROBLEMS,
)
async def show(call: Call[None, None]) -> GroupLink:
    """Who has it can join. Only admins may see it."""
    link = await call.services.calls.ask(call.instance_id, "groups", "invite", group_in_path(call))
    return GroupLink(link=link)


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/groups/{group_id}/invite/reset",
    "Reset a group's link",
    (200, Answer("The new link", GroupLink)),
    problems=GROUP_PROBLEMS,
)
async def reset(call: Call[None, None]) -> GroupLink:
    """The link before leads nowhere any more."""
    link = await call.services.calls.ask(call.instance_id, "groups", "reset_invite", group_in_path(call))
    return GroupLink(link=link)
