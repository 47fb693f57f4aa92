"""Queries about groups (``w:g2``): those about one go to its address, the others to all groups' server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.stanzas import group_members as membership
from lab.stanzas import group_settings as settings
from lab.stanzas.errors import bad_request, forbidden, not_found
from lab.stanzas.group_nodes import group_node, participant_node
from lab.wire import GROUPS, Jid, Node, node

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.connection import Connection
    from lab.groups import Group
    from lab.switchboard import Switchboard


def answer(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Read or change groups."""
    board, actor = connection.board, device.account
    to = query.jid("to")
    request = next(iter(query.children()), None)
    if to is None or to.server != GROUPS or request is None:
        raise bad_request()
    if not to.user:
        return _about_all(board, actor, query.text("type"), request)
    group = board.groups.at(to)
    if group is None:
        raise not_found()
    return _about_one(board, group, actor, query.text("type"), request)


def _about_all(board: Switchboard, actor: Account, kind: str, request: Node) -> list[Node]:
    if request.tag == "participating":
        return [node("groups", {}, [group_node(board, group) for group in board.groups.of(actor)])]
    if request.tag == "create" and kind == "set":
        return [_create(board, actor, request)]
    if request.tag == "invite":
        group = membership.invited_by(board, request.text("code"))
        if kind != "set":
            return [group_node(board, group, participants=False)]
        joined = membership.join(board, group, actor)
        return [node("group" if joined else "membership_approval_request", {"jid": group.jid})]
    if request.tag == "leave" and kind == "set":
        return [
            node("leave", {}, [_left(board, actor, item.jid("id")) for item in request.children("group")])
        ]
    raise bad_request()


def _create(board: Switchboard, actor: Account, request: Node) -> Node:
    add_mode, approval = (
        request.child("member_add_mode"),
        request.child("membership_approval_mode", "group_join"),
    )
    group, outcomes = membership.create(
        board,
        actor,
        request.text("subject"),
        _people(board, request),
        members_add=add_mode is None or add_mode.words() != "admin_add",
        approval=approval is not None and approval.text("state") == "on",
        locked=request.child("locked") is not None,
        announcement=request.child("announcement") is not None,
    )
    refused = [item for item in _listed(board, group, request, outcomes) if item.attrs.get("error")]
    return group_node(board, group, refused=refused)


def _left(board: Switchboard, actor: Account, jid: Jid | None) -> Node:
    group = board.groups.at(jid)
    if group is None:
        return node("group", {"id": jid, "error": membership.NOT_THERE})
    membership.leave(board, group, actor)
    return node("group", {"id": jid})


def _about_one(board: Switchboard, group: Group, actor: Account, kind: str, request: Node) -> list[Node]:
    if request.tag == "invite":
        code = membership.invite(board, group, actor, reset=kind == "set")
        return [node("invite", {"code": code})]
    if request.tag == "query":
        if not group.rank(actor):
            raise forbidden()
        return [group_node(board, group)]
    if request.tag == "membership_approval_requests":
        return [_requests(board, group, actor)]
    if kind != "set":
        raise bad_request()
    if request.tag in ("add", "remove", "promote", "demote"):
        outcomes = membership.change(board, group, actor, request.tag, _people(board, request))
        return [node(request.tag, {}, _listed(board, group, request, outcomes))]
    if request.tag == "membership_requests_action":
        decision = next(iter(request.children()), None)
        if decision is None or decision.tag not in ("approve", "reject"):
            raise bad_request()
        outcomes = membership.change(board, group, actor, decision.tag, _people(board, decision))
        return [node(request.tag, {}, node(decision.tag, {}, _listed(board, group, decision, outcomes)))]
    change = _CHANGES.get(request.tag)
    if change is None:
        raise bad_request()
    change(board, group, actor, request)
    return []


def _people(board: Switchboard, request: Node) -> list[Account | None]:
    return [board.directory.at(item.jid("jid")) for item in request.children("participant")]


def _listed(board: Switchboard, group: Group, request: Node, outcomes: membership.Outcomes) -> list[Node]:
    """The people who were named, each with what became of it."""
    codes = {person.phone: code for person, code in outcomes if person}
    listed = []
    for item in request.children("participant"):
        person = board.directory.at(item.jid("jid"))
        if person is None:
            listed.append(node("participant", {"jid": item.attrs.get("jid"), "error": membership.NOT_THERE}))
        elif code := codes.get(person.phone, membership.DONE):
            listed.append(participant_node(group, person, error=code))
        else:
            listed.append(participant_node(group, person))
    return listed


def _requests(board: Switchboard, group: Group, actor: Account) -> Node:
    listed = [
        node(
            "membership_approval_request",
            {"jid": person.jid(group.server), "request_time": at, "request_method": "invite_link"},
        )
        for phone, at in membership.requests(group, actor).items()
        if (person := board.directory.find(phone))
    ]
    return node("membership_approval_requests", {}, listed)


def _describe(board: Switchboard, group: Group, actor: Account, request: Node) -> None:
    body = request.child("body")
    settings.set_description(
        board, group, actor, body.words() if body else "", request.text("id"), request.text("prev")
    )


def _approve(board: Switchboard, group: Group, actor: Account, request: Node) -> None:
    state = request.child("group_join")
    if state is None:
        raise bad_request()
    settings.set_approval(board, group, actor, required=state.text("state") == "on")


def _expire(board: Switchboard, group: Group, actor: Account, request: Node) -> None:
    seconds = request.text("expiration", "0")
    if not seconds.isdigit():
        raise bad_request()
    settings.set_expiration(board, group, actor, int(seconds))


_CHANGES: dict[str, Callable[[Switchboard, Group, Account, Node], None]] = {
    "subject": lambda board, group, actor, r: settings.set_subject(board, group, actor, r.words()),
    "description": _describe,
    "locked": lambda board, group, actor, _: settings.set_locked(board, group, actor, locked=True),
    "unlocked": lambda board, group, actor, _: settings.set_locked(board, group, actor, locked=False),
    "announcement": lambda board, group, actor, _: settings.set_announcement(
        board, group, actor, announcement=True
    ),
    "not_announcement": lambda board, group, actor, _: settings.set_announcement(
        board, group, actor, announcement=False
    ),
    "membership_approval_mode": _approve,
    "member_add_mode": lambda board, group, actor, r: settings.set_add_mode(
        board, group, actor, members_add=r.words() == "all_member_add"
    ),
    "ephemeral": _expire,
    "not_ephemeral": lambda board, group, actor, _: settings.set_expiration(board, group, actor, 0),
}
