"""Who is in a group, in which role, and who asks to be let in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from actors.events import Party
from actors.instance.connection.base import ParticipantChange
from api import problems as p
from api.chats import person_in_path
from api.fields import Body, Person
from api.groups import GROUP_PROBLEMS, PEOPLE_MAX, Outcome, distinct, group_in_path
from api.problems import Problem
from api.routing import Answer, Call, Routes

routes = Routes("Group members", "Add, remove, promote and demote members; approve and reject who asks.")

EXAMPLES = {"two people": {"participants": ["+55 11 91234-5678", "123456789012345@lid"]}}


class Participants(Body):
    """People."""

    participants: Annotated[
        list[Person], AfterValidator(distinct), Field(min_length=1, max_length=PEOPLE_MAX)
    ]


class Outcomes(BaseModel):
    """In the order of the request, each person once."""

    results: list[Outcome]


class JoinRequest(Party):
    """Somebody who asks to be let in."""

    requested_at: datetime | None = None


class JoinRequests(BaseModel):
    """Who asks to be let in."""

    items: list[JoinRequest]


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/groups/{group_id}/participants",
    "Add members",
    (200, Answer("What became of each", Outcomes)),
    body=Participants,
    examples=EXAMPLES,
    problems=GROUP_PROBLEMS,
)
async def add(call: Call[Participants, None]) -> Outcomes:
    """Who is in it already counts as added. If nobody was, that is a problem, with the same `results`."""
    return await _change(call, "add")


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/groups/{group_id}/participants/remove",
    "Remove members",
    (200, Answer("What became of each", Outcomes)),
    body=Participants,
    examples=EXAMPLES,
    problems=GROUP_PROBLEMS,
)
async def remove(call: Call[Participants, None]) -> Outcomes:
    """Who is not in it counts as removed."""
    return await _change(call, "remove")


@routes.add(
    "DELETE",
    "/v1/instances/{instance_id}/groups/{group_id}/participants/{who}",
    "Remove a member",
    (204, Answer("They are not in it")),
    problems=GROUP_PROBLEMS,
)
async def remove_one(call: Call[None, None]) -> None:
    """`who` is a phone number or a JID. Again is harmless."""
    await _ask(call, "remove", [person_in_path(call.path("who"), "who")])


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/groups/{group_id}/participants/promote",
    "Make members admins",
    (200, Answer("What became of each", Outcomes)),
    body=Participants,
    examples=EXAMPLES,
    problems=GROUP_PROBLEMS,
)
async def promote(call: Call[Participants, None]) -> Outcomes:
    """Who is one already stays one."""
    return await _change(call, "promote")


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/groups/{group_id}/participants/demote",
    "Make admins members",
    (200, Answer("What became of each", Outcomes)),
    body=Participants,
    examples=EXAMPLES,
    problems=GROUP_PROBLEMS,
)
async def demote(call: Call[Participants, None]) -> Outcomes:
    """They stay in the group. Its owner stays an admin."""
    return await _change(call, "demote")


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/groups/{group_id}/requests",
    "List requests to join",
    (200, Answer("Who asks to be let in", JoinRequests)),
    problems=GROUP_PROBLEMS,
)
async def requests(call: Call[None, None]) -> JoinRequests:
    """There are some only where admins decide who joins (`join_approval`)."""
    found = await call.services.calls.ask(call.instance_id, "groups", "join_requests", group_in_path(call))
    return JoinRequests(items=found)


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/groups/{group_id}/requests/approve",
    "Let people in",
    (200, Answer("What became of each", Outcomes)),
    body=Participants,
    examples=EXAMPLES,
    problems=GROUP_PROBLEMS,
)
async def approve(call: Call[Participants, None]) -> Outcomes:
    """They are members then. Who did not ask is not let in."""
    return await _change(call, "approve")


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/groups/{group_id}/requests/reject",
    "Turn people away",
    (200, Answer("What became of each", Outcomes)),
    body=Participants,
    examples=EXAMPLES,
    problems=GROUP_PROBLEMS,
)
async def reject(call: Call[Participants, None]) -> Outcomes:
    """They may ask again."""
    return await _change(call, "reject")


async def _change(call: Call[Participants, None], change: ParticipantChange) -> Outcomes:
    return await _ask(call, change, list(call.body.participants))


async def _ask(call: Call[Any, Any], change: ParticipantChange, people: list[str]) -> Outcomes:
    """Have it done.

    Raises:
        Problem: it was done with nobody.
    """
    jid = group_in_path(call)
    found = await call.services.calls.ask(
        call.instance_id, "groups", "change_people", jid, change, list(people)
    )
    outcomes = Outcomes(results=found)
    if not any(one.done for one in outcomes.results):
        first = outcomes.results[0]
        more = f" And so on: {len(people)} people in all, see `results`." if len(people) > 1 else ""
        raise Problem(
            p.REJECTED,
            f"{first.phone or first.lid}: {first.detail}{more}",
            code=first.code,
            results=[one.model_dump(mode="json") for one in outcomes.results],
        )
    return outcomes
