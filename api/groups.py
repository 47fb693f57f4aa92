"""Groups: list, create, show, change, leave."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, model_validator

from actors.events import Party
from actors.messages.notices import GroupMember
from actors.messages.recipients import is_group
from api import problems as p
from api.chats import CALL_PROBLEMS, recipient_in_path
from api.fields import EXAMPLE_GROUP, EXAMPLE_PICTURE, Body, NewPicture, Person, Timer
from api.idempotency import KEY, REPLAYED, key_of
from api.routing import Answer, Call, Reply, Routes

routes = Routes("Groups", "List, create, show, change and leave groups.")

GROUP_PROBLEMS = (*CALL_PROBLEMS, p.GROUP_UNKNOWN, p.GROUP_FORBIDDEN, p.RATE_LIMITED)

NAME_MAX, TOPIC_MAX, PEOPLE_MAX = 100, 2_048, 1_023
"""WhatsApp's own bounds, in characters and people."""


def distinct(people: list[str]) -> list[str]:
    """Each once, in their order."""
    return list(dict.fromkeys(people))


People = Annotated[list[Person], AfterValidator(distinct), Field(max_length=PEOPLE_MAX)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX, examples=["Friends"])]


class CreateGroup(Body):
    """A new group."""

    name: Name
    participants: People = Field([], description="Who is added, besides this account")


class ChangeGroup(Body):
    """What to change; what is not mentioned stays."""

    name: Name | None = None
    topic: str | None = Field(None, max_length=TOPIC_MAX, description="Empty: there is none any more")
    locked: bool | None = Field(None, description="Only admins may change name, topic and picture")
    announce: bool | None = Field(None, description="Only admins may write")
    members_add: bool | None = Field(None, description="Every member may add others, else only admins")
    join_approval: bool | None = Field(None, description="Admins decide who joins by the link")
    expires_in: Timer | None = Field(None, description="New messages disappear after so many seconds; 0: not")

    @model_validator(mode="after")
    def _something(self) -> ChangeGroup:
        if not self.changes:
            raise ValueError(f"name what to change: one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def changes(self) -> dict[str, Any]:
        """What is mentioned."""
        return self.model_dump(exclude_none=True)


class GroupFacts(BaseModel):
    """A group without its members."""

    id: str = Field(description="Can be used as the recipient of a message", examples=[EXAMPLE_GROUP])
    name: str
    topic: str | None = None
    owner: Party | None = Field(None, description="Who created it, if that is known")
    created_at: datetime | None = None
    locked: bool = Field(description="Only admins may change name, topic and picture")
    announce: bool = Field(description="Only admins may write")
    members_add: bool = Field(description="Every member may add others, else only admins")
    join_approval: bool = Field(description="Admins decide who joins by the link")
    expires_in: int = Field(description="Messages disappear after so many seconds; 0: they stay")
    community: bool = Field(False, description="It is a community, not a chat")
    parent: str | None = Field(None, description="Id of the community that it belongs to")
    size: int = Field(description="How many are in it")


class Group(GroupFacts):
    """A group."""

    members: list[GroupMember]


class Outcome(BaseModel):
    """What became of one person."""

    phone: str | None = None
    lid: str | None = None
    done: bool = Field(description="They are as asked for, whether or not they were so before")
    code: str | None = Field(
        None,
        description="Why not: `not_allowed`, `not_on_whatsapp`, `left_recently`, `group_full`, "
        "`not_a_member`, `no_request`, `refused`, `unanswered`; or `already_member`",
        examples=["not_allowed"],
    )
    detail: str | None = Field(None, description="The same in words, with what to do")
    server_code: int = Field(0, description="WhatsApp's own code, 0: none")


class CreatedGroup(Group):
    """A new group."""

    refused: list[Outcome] = Field(description="Who could not be added, and why")


class GroupList(BaseModel):
    """Groups."""

    items: list[GroupFacts]


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/groups",
    "List groups",
    (200, Answer("Every group that the account is in, without members", GroupList)),
    problems=(*CALL_PROBLEMS, p.RATE_LIMITED),
)
async def list_all(call: Call[None, None]) -> GroupList:
    """WhatsApp is asked each time: ask seldom, and follow `group.joined` and `group.changed` events."""
    return GroupList(items=await call.services.calls.ask(call.instance_id, "groups", "all"))


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/groups",
    "Create a group",
    (201, Answer("The group, and who could not be added", CreatedGroup)),
    body=CreateGroup,
    examples={
        "a group": {"name": "Friends", "participants": ["+55 11 91234-5678"]},
        "only this account": {"name": "Notes"},
    },
    headers={
        KEY: "Any text of up to 255 characters that stands for this group. Repeated with the same body, no "
        "second group is created: the answer is the first one"
    },
    problems=(*CALL_PROBLEMS, p.RATE_LIMITED, p.GROUP_FORBIDDEN, p.IDEMPOTENCY_KEY_REUSED),
)
async def create(call: Call[CreateGroup, None]) -> Reply:
    """It belongs to this account. Who cannot be added keeps nobody else out.

    Without an Idempotency-Key, list the groups before repeating this after a 504: it may have been created.
    With one that is done for you: a group of this name that the account has created since is taken for it.
    Who could not be added is not known of such a group: the list is empty.
    """
    body, key, people = call.body, key_of(call), list(call.body.participants)
    ask = call.services.calls.ask
    if key is None:
        made = await ask(call.instance_id, "groups", "create", body.name, people)
        return Reply(CreatedGroup.model_validate(made), 201)
    made = await ask(call.instance_id, "made_groups", "once", key, body.name, people)
    headers = REPLAYED if made["replayed"] else {}
    return Reply(CreatedGroup.model_validate(made), 201, headers)


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/groups/{group_id}",
    "Show a group",
    (200, Answer("The group with its members", Group)),
    problems=GROUP_PROBLEMS,
)
async def show(call: Call[None, None]) -> Group:
    """Its picture is looked up as that of a contact."""
    found = await call.services.calls.ask(call.instance_id, "groups", "get", group_in_path(call))
    return Group.model_validate(found)


@routes.add(
    "PATCH",
    "/v1/instances/{instance_id}/groups/{group_id}",
    "Change a group",
    (200, Answer("The group as it is now", Group)),
    body=ChangeGroup,
    examples={
        "rename": {"name": "Old friends", "topic": "Every Sunday"},
        "only admins write": {"announce": True},
        "messages disappear after a week": {"expires_in": 604_800},
    },
    problems=GROUP_PROBLEMS,
)
async def change(call: Call[ChangeGroup, None]) -> Group:
    """One after the other, in the order of the fields. If one is refused, the detail says what went before.

    Members see who changed what; the event is `group.changed`.
    """
    jid = group_in_path(call)
    found = await call.services.calls.ask(call.instance_id, "groups", "change", jid, call.body.changes)
    return Group.model_validate(found)


@routes.add(
    "PUT",
    "/v1/instances/{instance_id}/groups/{group_id}/picture",
    "Change a group's picture",
    (204, Answer("It is changed")),
    body=NewPicture,
    examples={"a picture": EXAMPLE_PICTURE},
    problems=GROUP_PROBLEMS,
)
async def set_picture(call: Call[NewPicture, None]) -> None:
    """Everybody in the group sees it."""
    jid = group_in_path(call)
    await call.services.calls.ask(call.instance_id, "groups", "set_picture", jid, call.body.base64)


@routes.add(
    "DELETE",
    "/v1/instances/{instance_id}/groups/{group_id}/picture",
    "Remove a group's picture",
    (204, Answer("There is none any more")),
    problems=GROUP_PROBLEMS,
)
async def remove_picture(call: Call[None, None]) -> None:
    """Again is harmless."""
    await call.services.calls.ask(call.instance_id, "groups", "set_picture", group_in_path(call), "")


@routes.add(
    "DELETE",
    "/v1/instances/{instance_id}/groups/{group_id}",
    "Leave a group",
    (204, Answer("The account is not in it")),
    problems=CALL_PROBLEMS,
)
async def leave(call: Call[None, None]) -> None:
    """The group goes on without this account. Again is harmless."""
    await call.services.calls.ask(call.instance_id, "groups", "leave", group_in_path(call))


def group_in_path(call: Call[Any, Any]) -> str:
    """The group that the path names.

    Raises:
        Problem: it is none.
    """
    text = call.path("group_id")
    jid = recipient_in_path(text, "group_id") if "@" in text else text
    if not is_group(jid):
        raise p.invalid(f"not a group: its id is as in {EXAMPLE_GROUP}", parameter="group_id")
    return jid
