"""Groups and calls in the control interface: what people do with their phones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from aiohttp import web
from pydantic import BaseModel, Field

from lab.accounts import Account, LabError, StatusAudience
from lab.calls import Call
from lab.control.http import route
from lab.control.models import Done
from lab.groups import Addressing, Group, Rank
from lab.stanzas import calls
from lab.stanzas import group_members as membership
from lab.stanzas import group_settings as settings
from lab.stanzas.errors import StanzaError

if TYPE_CHECKING:
    from lab.network import Lab

INVITE_PREFIX = "https://chat.whatsapp.com/"


class NewGroup(BaseModel):
    """A group to create."""

    name: str = Field(examples=["Family"])
    owner: str = Field(description="Number of who creates it")
    members: list[str] = Field([], description="Numbers of the others")
    addressing: Addressing = Field("lid", description="By what its members are addressed; old groups: pn")


class GroupChange(BaseModel):
    """What somebody changes of a group; what is not given stays."""

    by: str = Field(description="Number of who changes it")
    name: str | None = None
    topic: str | None = None
    locked: bool | None = Field(None, description="Only admins may change name, topic and picture")
    announce: bool | None = Field(None, description="Only admins may write")
    join_approval: bool | None = Field(None, description="Admins decide who joins")
    members_add: bool | None = Field(None, description="Every member may add others")
    disappearing_s: int | None = Field(None, description="0, 86400, 604800 or 7776000")


class MemberChange(BaseModel):
    """What somebody does to members, or to those who want to be."""

    by: str = Field(description="Number of who does it")
    action: Literal["add", "remove", "promote", "demote", "approve", "reject"]
    people: list[str] = Field(min_length=1, description="Their numbers")


class Somebody(BaseModel):
    """Who does something."""

    phone: str = Field(description="Digits with country code")


class NewCall(BaseModel):
    """A call to make."""

    to: str = Field(description="Number of who is called")
    video: bool = False


class StatusPrivacy(BaseModel):
    """To whom an account's status goes."""

    audience: StatusAudience = "contacts"
    people: list[str] = Field([], description="The numbers on the list")


class GroupView(BaseModel):
    """A group."""

    jid: str
    name: str
    topic: str
    owner: str
    addressing: Addressing
    locked: bool
    announce: bool
    join_approval: bool
    members_add: bool
    disappearing_s: int
    picture: str | None = Field(description="Where its picture can be fetched")
    link: str
    members: dict[str, Rank] = Field(description="By number: member, admin or superadmin")
    requests: list[str] = Field(description="Numbers of those who want to be let in")


def group_view(lab: Lab, group: Group) -> GroupView:
    """A group as it is now."""
    record = group.record
    return GroupView(
        jid=str(group.jid),
        name=record.subject,
        topic=record.description,
        owner=record.creator,
        addressing=record.addressing,
        locked=record.locked,
        announce=record.announcement,
        join_approval=record.approval,
        members_add=record.members_add,
        disappearing_s=record.expiration,
        picture=lab.picture_url(group),
        link=INVITE_PREFIX + record.invite,
        members=record.members,
        requests=list(record.requests),
    )


@contextmanager
def _rules() -> Iterator[None]:
    """What the network refuses a client, it refuses a phone."""
    try:
        yield
    except StanzaError as error:
        raise LabError("refused", f"the network says {error}", 409) from error


def _account(lab: Lab, phone: str) -> Account:
    return lab.board.directory.get(phone.lstrip("+"))


def _group(lab: Lab, request: web.Request) -> Group:
    id_ = request.match_info["id"].removesuffix("@g.us")
    group = lab.board.groups.find(id_)
    if group is None:
        raise LabError("no_such_group", f"there is no group {id_}; GET /groups lists them", 404)
    return group


# ---- groups ----------------------------------------------------------------------------------------------


@route("GET", "/groups", result=list[GroupView])
async def list_groups(lab: Lab, request: web.Request, body: None) -> list[GroupView]:
    """All groups with their members."""
    return [group_view(lab, group) for group in lab.board.groups.all()]


@route("POST", "/groups", body=NewGroup, result=GroupView, status=201)
async def create_group(lab: Lab, request: web.Request, body: NewGroup) -> GroupView:
    """Create a group of accounts; those whose privacy forbids it are left out."""
    owner, people = _account(lab, body.owner), [_account(lab, phone) for phone in body.members]
    with _rules():
        group, _ = membership.create(lab.board, owner, body.name, people, addressing=body.addressing)
    return group_view(lab, group)


@route("GET", "/groups/{id}", result=GroupView)
async def show_group(lab: Lab, request: web.Request, body: None) -> GroupView:
    """One group."""
    return group_view(lab, _group(lab, request))


@route("PATCH", "/groups/{id}", body=GroupChange, result=GroupView)
async def change_group(lab: Lab, request: web.Request, body: GroupChange) -> GroupView:
    """Let somebody change what a group is and how it is used."""
    group, by, board = _group(lab, request), _account(lab, body.by), lab.board
    with _rules():
        if body.name is not None:
            settings.set_subject(board, group, by, body.name)
        if body.topic is not None:
            settings.set_description(board, group, by, body.topic)
        if body.locked is not None:
            settings.set_locked(board, group, by, locked=body.locked)
        if body.announce is not None:
            settings.set_announcement(board, group, by, announcement=body.announce)
        if body.join_approval is not None:
            settings.set_approval(board, group, by, required=body.join_approval)
        if body.members_add is not None:
            settings.set_add_mode(board, group, by, members_add=body.members_add)
        if body.disappearing_s is not None:
            settings.set_expiration(board, group, by, body.disappearing_s)
    return group_view(lab, group)


@route("POST", "/groups/{id}/members", body=MemberChange, result=dict[str, int])
async def change_members(lab: Lab, request: web.Request, body: MemberChange) -> dict[str, int]:
    """Let somebody add, remove, promote, demote, approve or reject people: for each 0, or a code why not."""
    group, by = _group(lab, request), _account(lab, body.by)
    people = [_account(lab, phone) for phone in body.people]
    with _rules():
        outcomes = membership.change(lab.board, group, by, body.action, people)
    return {person.phone: code for person, code in outcomes if person}


@route("POST", "/groups/{id}/join", body=Somebody, result=Done)
async def join_group(lab: Lab, request: web.Request, body: Somebody) -> Done:
    """Let somebody join by the link; not done where admins have to approve first."""
    with _rules():
        return Done(done=membership.join(lab.board, _group(lab, request), _account(lab, body.phone)))


@route("POST", "/groups/{id}/leave", body=Somebody)
async def leave_group(lab: Lab, request: web.Request, body: Somebody) -> None:
    """Let somebody leave."""
    with _rules():
        membership.leave(lab.board, _group(lab, request), _account(lab, body.phone))


# ---- calls and status ------------------------------------------------------------------------------------


@route("POST", "/accounts/{phone}/calls", body=NewCall, result=Call, status=201)
async def make_call(lab: Lab, request: web.Request, body: NewCall) -> Call:
    """Call somebody from an account's phone: their devices ring."""
    caller, callee = _account(lab, request.match_info["phone"]), _account(lab, body.to)
    if caller is callee:
        raise LabError("bad_input", "nobody calls themselves", 422)
    return calls.ring(lab.board, caller, callee, video=body.video)


@route("GET", "/accounts/{phone}/calls", result=list[Call])
async def list_calls(lab: Lab, request: web.Request, body: None) -> list[Call]:
    """The calls that an account made or got since the lab started."""
    return lab.board.calls.of(_account(lab, request.match_info["phone"]).phone)


@route("DELETE", "/accounts/{phone}/calls/{id}", result=Done)
async def hang_up(lab: Lab, request: web.Request, body: None) -> Done:
    """End a call that an account made; not done if it rings no longer."""
    caller, call = _account(lab, request.match_info["phone"]), lab.board.calls.find(request.match_info["id"])
    if call is None or call.caller != caller.phone:
        raise LabError("no_such_call", f"{caller.phone} made no such call", 404)
    return Done(done=calls.hang_up(lab.board, call))


@route("PUT", "/accounts/{phone}/status-privacy", body=StatusPrivacy)
async def set_status_privacy(lab: Lab, request: web.Request, body: StatusPrivacy) -> None:
    """Choose to whom an account's status goes."""
    account = _account(lab, request.match_info["phone"])
    account.record.status_audience = body.audience
    account.record.status_people = [_account(lab, phone).phone for phone in body.people]
    lab.board.directory.save(account)
