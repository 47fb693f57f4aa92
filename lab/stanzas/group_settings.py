"""What a group is and how it is used: who may change that, and who hears of it.

Refusals are StanzaErrors with WhatsApp's codes.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

from lab.groups import Group
from lab.stanzas.errors import StanzaError, bad_request, forbidden, not_acceptable
from lab.stanzas.group_nodes import add_mode_node, approval_node, by, members, tell
from lab.wire import Node, Value, node

if TYPE_CHECKING:
    from lab.accounts import Account
    from lab.switchboard import Switchboard

MAX_SUBJECT = 100
MAX_DESCRIPTION = 2048
TIMERS = (0, 86_400, 604_800, 7_776_000)
"""Seconds after which messages can disappear."""


def need_member(group: Group, actor: Account) -> None:
    """Refuse whoever is not in the group."""
    if not group.rank(actor):
        raise forbidden()


def need_admin(group: Group, actor: Account) -> None:
    """Refuse whoever is no admin of it."""
    if not group.is_admin(actor):
        raise forbidden()


def _need_editor(group: Group, actor: Account) -> None:
    need_member(group, actor)
    if group.record.locked:
        need_admin(group, actor)


def set_subject(board: Switchboard, group: Group, actor: Account, subject: str) -> None:
    """Rename a group."""
    _need_editor(group, actor)
    if not subject or len(subject) > MAX_SUBJECT:
        raise not_acceptable()
    record = group.record
    record.subject, record.subject_at, record.subject_by = subject, int(time.time()), actor.phone
    who = by(group, actor)
    attrs: dict[str, Value | None] = {
        "subject": subject,
        "s_t": record.subject_at,
        "s_o": who["participant"],
        "s_o_pn": who.get("participant_pn"),
    }
    _changed(board, group, actor, node("subject", attrs))


def set_description(
    board: Switchboard, group: Group, actor: Account, text: str, id_: str = "", previous: str | None = None
) -> None:
    """Describe a group; with an empty text no longer.

    Args:
        id_: of the new description, a fresh one if empty.
        previous: id of the one it replaces, None if it doesn't matter. Another than the current is refused.
    """
    _need_editor(group, actor)
    record = group.record
    if len(text) > MAX_DESCRIPTION:
        raise not_acceptable()
    if previous is not None and previous != record.description_id:
        raise StanzaError(409, "conflict")
    record.description, record.description_by = text, actor.phone
    record.description_id, record.description_at = id_ or secrets.token_hex(8).upper(), int(time.time())
    content = node("body", {}, text) if text else node("delete")
    _changed(board, group, actor, node("description", {"id": record.description_id}, content))


def set_locked(board: Switchboard, group: Group, actor: Account, *, locked: bool) -> None:
    """Let only admins change what the group is."""
    need_admin(group, actor)
    group.record.locked = locked
    _changed(board, group, actor, node("locked" if locked else "unlocked"))


def set_announcement(board: Switchboard, group: Group, actor: Account, *, announcement: bool) -> None:
    """Let only admins write."""
    need_admin(group, actor)
    group.record.announcement = announcement
    tag = "announcement" if announcement else "not_announcement"
    _changed(board, group, actor, node(tag, {"v_id": int(time.time() * 1000)}))


def set_approval(board: Switchboard, group: Group, actor: Account, *, required: bool) -> None:
    """Let admins decide who joins. Without that, whoever still waits has asked in vain."""
    need_admin(group, actor)
    group.record.approval = required
    if not required:
        group.record.requests.clear()
    _changed(board, group, actor, approval_node(required=required))


def set_add_mode(board: Switchboard, group: Group, actor: Account, *, members_add: bool) -> None:
    """Let every member add others, or only admins."""
    need_admin(group, actor)
    group.record.members_add = members_add
    _changed(board, group, actor, add_mode_node(members_add=members_add))


def set_expiration(board: Switchboard, group: Group, actor: Account, seconds: int) -> None:
    """Let messages disappear after a time, or with 0 never."""
    _need_editor(group, actor)
    if seconds not in TIMERS:
        raise bad_request()
    group.record.expiration = seconds
    changed = node("ephemeral", {"expiration": seconds}) if seconds else node("not_ephemeral")
    _changed(board, group, actor, changed)


def set_picture(board: Switchboard, group: Group, actor: Account, image: bytes | None) -> None:
    """Set or remove a group's picture."""
    _need_editor(group, actor)
    board.groups.set_picture(group, image)
    author = actor.jid(group.server)
    if group.picture:
        change = node("set", {"jid": group.jid, "id": group.picture[0], "author": author})
    else:
        change = node("delete", {"jid": group.jid, "author": author})
    for member in members(board, group):
        for device in member.devices.values():
            board.notify(device, "picture", group.jid, [change])


def _changed(board: Switchboard, group: Group, actor: Account, change: Node) -> None:
    board.groups.save(group)
    tell(board, group, actor, change)
