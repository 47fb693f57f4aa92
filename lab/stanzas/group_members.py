"""Who is in a group: how people come, go, rise and fall, who may decide that, and who hears of it.

Refusals are StanzaErrors with WhatsApp's codes. Where several people are changed at once, each has a code of
their own: 0 for done, 403 where they or the rules forbid it, 404 where they are not there, 409 where they are
already, 419 where the group is full.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lab.groups import Addressing, Group, new_code
from lab.stanzas.errors import StanzaError, not_acceptable
from lab.stanzas.group_nodes import group_node, members, participant_node, tell
from lab.stanzas.group_settings import MAX_SUBJECT, need_admin, need_member
from lab.wire import Value, node

if TYPE_CHECKING:
    from lab.accounts import Account
    from lab.switchboard import Switchboard

MAX_MEMBERS = 1024
DONE, FORBIDDEN, NOT_THERE, ALREADY, FULL = 0, 403, 404, 409, 419

Outcomes = list[tuple["Account | None", int]]
"""For each person that was named: the account, None if there is none, and the code of what became of it."""


def create(
    board: Switchboard,
    creator: Account,
    subject: str,
    people: Iterable[Account | None],
    *,
    addressing: Addressing = "lid",
    members_add: bool = True,
    approval: bool = False,
    locked: bool = False,
    announcement: bool = False,
) -> tuple[Group, Outcomes]:
    """Create a group and add people to it."""
    if not subject or len(subject) > MAX_SUBJECT:
        raise not_acceptable()
    group = board.groups.create(creator, subject, addressing)
    record = group.record
    record.members_add, record.approval = members_add, approval
    record.locked, record.announcement = locked, announcement
    outcomes = [(person, _admit(group, creator, person)) for person in people if person is not creator]
    board.groups.save(group)
    _welcome(board, group, creator, members(board, group), type="new")
    return group, outcomes


def change(
    board: Switchboard, group: Group, actor: Account, action: str, people: Iterable[Account | None]
) -> Outcomes:
    """Add, remove, promote, demote, approve or reject people, by the name of the action."""
    if action == "add":
        return add(board, group, actor, people)
    if action == "remove":
        return remove(board, group, actor, people)
    if action in ("promote", "demote"):
        return set_admin(board, group, actor, people, admin=action == "promote")
    return decide(board, group, actor, people, approve=action == "approve")


def add(board: Switchboard, group: Group, actor: Account, people: Iterable[Account | None]) -> Outcomes:
    """Add people."""
    need_member(group, actor)
    if not group.record.members_add:
        need_admin(group, actor)
    before = members(board, group)
    outcomes = [(person, _admit(group, actor, person)) for person in people]
    _joined(board, group, actor, before, _done(outcomes))
    return outcomes


def remove(board: Switchboard, group: Group, actor: Account, people: Iterable[Account | None]) -> Outcomes:
    """Remove people. The one above all admins can't be."""
    need_admin(group, actor)
    outcomes: Outcomes = []
    for person in people:
        rank = group.rank(person) if person else None
        outcomes.append((person, NOT_THERE if rank is None else FORBIDDEN if rank == "superadmin" else DONE))
    _gone(board, group, actor, _done(outcomes))
    return outcomes


def set_admin(
    board: Switchboard, group: Group, actor: Account, people: Iterable[Account | None], *, admin: bool
) -> Outcomes:
    """Promote members to admins, or demote admins."""
    need_admin(group, actor)
    outcomes: Outcomes = []
    for person in people:
        rank = group.rank(person) if person else None
        code = NOT_THERE if rank is None else FORBIDDEN if rank == "superadmin" and not admin else DONE
        outcomes.append((person, code))
        if person and code == DONE and rank != "superadmin":
            group.record.members[person.phone] = "admin" if admin else "member"
    changed = _done(outcomes)
    if changed:
        listed = [participant_node(group, person) for person in changed]
        tell(board, group, actor, node("promote" if admin else "demote", _next_version(group), listed))
        board.groups.save(group)
    return outcomes


def leave(board: Switchboard, group: Group, actor: Account) -> None:
    """Leave a group. A group without admins gets its oldest member for one."""
    need_member(group, actor)
    _gone(board, group, actor, [actor])
    if group.record.members and not any(group.is_admin(person) for person in members(board, group)):
        heir = members(board, group)[0]
        group.record.members[heir.phone] = "admin"
        tell(board, group, heir, node("promote", _next_version(group), participant_node(group, heir)))
        board.groups.save(group)


def join(board: Switchboard, group: Group, actor: Account) -> bool:
    """Join by a link; False if admins have to approve first."""
    if group.rank(actor):
        raise StanzaError(ALREADY, "conflict")
    if len(group.record.members) >= MAX_MEMBERS:
        raise StanzaError(FULL, "resource-limit")
    if group.record.approval:
        group.record.requests.setdefault(actor.phone, int(time.time()))
        board.groups.save(group)
        request = node("created_membership_requests", {"request_method": "invite_link"})
        tell(board, group, actor, request, _admins(board, group))
        return False
    before = members(board, group)
    group.record.members[actor.phone] = "member"
    _joined(board, group, actor, before, [actor], reason="invite")
    return True


def decide(
    board: Switchboard, group: Group, actor: Account, people: Iterable[Account | None], *, approve: bool
) -> Outcomes:
    """Let people in who asked for it, or don't."""
    need_admin(group, actor)
    before = members(board, group)
    outcomes: Outcomes = []
    for person in people:
        if person is None or person.phone not in group.record.requests:
            outcomes.append((person, NOT_THERE))
        elif approve and len(group.record.members) >= MAX_MEMBERS:
            outcomes.append((person, FULL))
        else:
            outcomes.append((person, DONE))
            del group.record.requests[person.phone]
            if approve:
                group.record.members[person.phone] = "member"
    if approve:
        _joined(board, group, actor, before, _done(outcomes))
    elif _done(outcomes):
        listed = [participant_node(group, person) for person in _done(outcomes)]
        tell(board, group, actor, node("revoked_membership_requests", {}, listed), _admins(board, group))
    board.groups.save(group)
    return outcomes


def invited_by(board: Switchboard, code: str) -> Group:
    """The group that a code leads to. Raises StanzaError: 406 if it never did, 410 if it does no longer."""
    group = board.groups.by_invite(code)
    if group is None:
        raise not_acceptable()
    if code != group.record.invite:
        raise StanzaError(410, "gone")
    return group


def invite(board: Switchboard, group: Group, actor: Account, *, reset: bool) -> str:
    """The code of the group's link; a new one if `reset`."""
    need_member(group, actor)
    if not group.is_admin(actor):
        raise StanzaError(401, "not-authorized")
    if reset:
        group.record.reset_invites.append(group.record.invite)
        group.record.invite = new_code()
        board.groups.save(group)
        changed = node("invite", {"code": group.record.invite})
        tell(board, group, actor, changed, _admins(board, group))
    return group.record.invite


def requests(group: Group, actor: Account) -> dict[str, int]:
    """Who asked to be let in, and when (seconds since 1970)."""
    need_admin(group, actor)
    return group.record.requests


def _admins(board: Switchboard, group: Group) -> list[Account]:
    return [account for account in members(board, group) if group.is_admin(account)]


def _admit(group: Group, actor: Account, person: Account | None) -> int:
    if person is None:
        return NOT_THERE
    if group.rank(person):
        return ALREADY
    # The lab knows nobody's address book: who lets only contacts do it lets nobody.
    if person.record.privacy["groupadd"] != "all" or actor.phone in person.record.blocked:
        return FORBIDDEN
    if len(group.record.members) >= MAX_MEMBERS:
        return FULL
    group.record.members[person.phone] = "member"
    return DONE


def _done(outcomes: Outcomes) -> list[Account]:
    return [person for person, code in outcomes if person and code == DONE]


def _joined(
    board: Switchboard,
    group: Group,
    actor: Account,
    before: list[Account],
    joined: list[Account],
    reason: str | None = None,
) -> None:
    if not joined:
        return
    for person in joined:
        group.record.requests.pop(person.phone, None)
    listed = [participant_node(group, person) for person in joined]
    tell(board, group, actor, node("add", {"reason": reason, **_next_version(group)}, listed), before)
    board.groups.save(group)
    _welcome(board, group, actor, joined, reason=reason)


def _gone(board: Switchboard, group: Group, actor: Account, gone: list[Account]) -> None:
    if not gone:
        return
    before = members(board, group)
    listed = [participant_node(group, person) for person in gone]
    for person in gone:
        del group.record.members[person.phone]
    tell(board, group, actor, node("remove", _next_version(group), listed), before)
    board.groups.save(group)


def _welcome(
    board: Switchboard, group: Group, actor: Account, people: list[Account], **attrs: str | None
) -> None:
    tell(board, group, actor, node("create", attrs, group_node(board, group)), people)


def _next_version(group: Group) -> dict[str, Value]:
    group.record.version += 1
    return {"prev_v_id": group.record.version - 1, "v_id": group.record.version}
