"""How a group and the people in it look on the wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lab.wire import GROUPS, LIDS, USERS, Jid, Node, Value, node

if TYPE_CHECKING:
    from lab.accounts import Account
    from lab.groups import Group
    from lab.switchboard import Switchboard


def group_node(
    board: Switchboard, group: Group, *, participants: bool = True, refused: Iterable[Node] = ()
) -> Node:
    """All that its members may know of it.

    Args:
        participants: False leaves them out.
        refused: people who could not be added, as participants with an error.
    """
    record, directory = group.record, board.directory
    attrs: dict[str, Value | None] = {
        "id": group.id,
        "jid": group.jid,
        "subject": record.subject,
        "s_t": record.subject_at,
        "creation": record.created_at,
        "size": len(record.members),
        "addressing_mode": record.addressing,
        "p_v_id": record.version,
        **_who(group, directory.find(record.subject_by), "s_o"),
        **_who(group, directory.find(record.creator), "creator"),
    }
    content = [participant_node(group, account) for account in members(board, group) if participants]
    content += refused
    if record.description:
        by = _who(group, directory.find(record.description_by), "participant")
        attrs_ = {"id": record.description_id, "t": record.description_at, **by}
        content.append(node("description", attrs_, node("body", {}, record.description)))
    content += [
        node(tag)
        for tag, is_set in (("locked", record.locked), ("announcement", record.announcement))
        if is_set
    ]
    if record.expiration:
        content.append(node("ephemeral", {"expiration": record.expiration}))
    if record.approval:
        content.append(approval_node(required=True))
    content.append(add_mode_node(members_add=record.members_add))
    if record.community:
        content.append(node("parent", {"default_membership_approval_mode": "request_required"}))
    if record.parent:
        content.append(node("linked_parent", {"jid": Jid(record.parent, GROUPS)}))
    return node("group", attrs, content)


def participant_node(group: Group, account: Account, **attrs: Value) -> Node:
    """A person in a group: by both addresses, with the rank of a member."""
    rank = group.rank(account)
    named: dict[str, Value | None] = {
        "jid": account.jid(group.server),
        **_other_address(group, account),
        "type": rank if rank and rank != "member" else None,
        **attrs,
    }
    return node("participant", named)


def approval_node(*, required: bool) -> Node:
    """Whether admins decide who joins."""
    return node("membership_approval_mode", {}, node("group_join", {"state": "on" if required else "off"}))


def add_mode_node(*, members_add: bool) -> Node:
    """Whether every member may add others."""
    return node("member_add_mode", {}, "all_member_add" if members_add else "admin_add")


def members(board: Switchboard, group: Group) -> list[Account]:
    """The accounts in a group, in the order in which they came."""
    found = (board.directory.find(phone) for phone in group.record.members)
    return [account for account in found if account]


def by(group: Group, account: Account) -> dict[str, Value | None]:
    """The attributes that say who did something in a group."""
    return {**_who(group, account, "participant"), "addressing_mode": group.record.addressing}


def tell(
    board: Switchboard, group: Group, actor: Account, change: Node, people: list[Account] | None = None
) -> None:
    """Let people know, all members if none are named: every device, also the one that it came from."""
    attrs = {name: value for name, value in by(group, actor).items() if value is not None}
    attrs["notify"] = actor.record.push_name
    for person in members(board, group) if people is None else people:
        for device in person.devices.values():
            board.notify(device, "w:gp2", group.jid, [change], **attrs)


def _who(group: Group, account: Account | None, name: str) -> dict[str, Value | None]:
    if account is None:
        return {}
    other = f"{name}_pn" if group.server == LIDS else f"{name}_lid"
    return {name: account.jid(group.server), other: account.jid(_other(group))}


def _other_address(group: Group, account: Account) -> dict[str, Value]:
    return {"phone_number" if group.server == LIDS else "lid": account.jid(_other(group))}


def _other(group: Group) -> str:
    return USERS if group.server == LIDS else LIDS
