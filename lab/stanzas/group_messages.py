"""Messages to many: one ciphertext for all, and for some devices the key to read it.

A status goes the same way; who gets it is whom the writer sends the key to.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.stanzas.group_nodes import by, members
from lab.stanzas.messages import CHILDREN_PASSED_ON, PASSED_ON
from lab.switchboard import devices_hash
from lab.wire import LIDS, STATUS, USERS, Jid, Node, Value, node

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.connection import Connection
    from lab.groups import Group
    from lab.switchboard import Switchboard

Keys = dict[tuple[str, int], Node]
"""What is encrypted for one device each: by number and device."""

_BAD_REQUEST, _FORBIDDEN, _NOT_FOUND = 400, 403, 404


def handle(connection: Connection, device: Device, message: Node) -> None:
    """Put a message into the queues of all devices of all members, then acknowledge it."""
    board, to, id_ = connection.board, message.jid("to"), message.text("id")
    now = int(time.time())
    device.counters.received += 1
    group = board.groups.at(to)
    error = _refusal(group, device.account, message)
    answer: dict[str, Value | None] = {"class": "message", "id": id_, "from": to, "t": now}
    if error:
        connection.post(node("ack", {**answer, "error": error}))
        return
    again = message.jid("participant")
    if again:
        _pass_again(board, device, group, message, again, now)
    elif group:
        _fan_out(board, device, group, message, _keys(board, message), members(board, group), now)
        answer["phash"] = _changed_devices(board, group, message)
    else:
        keys = _keys(board, message)
        readers = {phone: None for phone, _ in keys} | {device.account.phone: None}
        found = [account for phone in readers if (account := board.directory.find(phone))]
        _fan_out(board, device, None, message, keys, found, now)
    if not board.faults.loses_send_ack(device.account.phone, device.number):
        connection.post(node("ack", answer))


def _refusal(group: Group | None, writer: Account, message: Node) -> int | None:
    to = message.jid("to")
    if group is None and to != STATUS:
        return _NOT_FOUND
    if not message.text("id") or message.child("enc") is None:
        return _BAD_REQUEST
    if group is None:
        return None
    silenced = group.record.announcement and not group.is_admin(writer)
    return _FORBIDDEN if group.rank(writer) is None or silenced else None


def _keys(board: Switchboard, message: Node) -> Keys:
    listed = message.child("participants")
    keys: Keys = {}
    for item in listed.children("to") if listed else ():
        jid, enc = item.jid("jid"), item.child("enc")
        account = board.directory.at(jid)
        if jid and account and enc:
            keys[account.phone, jid.device] = enc
    return keys


def _fan_out(
    board: Switchboard,
    writer: Device,
    group: Group | None,
    message: Node,
    keys: Keys,
    readers: list[Account],
    now: int,
) -> None:
    sealed = message.children("enc")
    for account in readers:
        if group is None and writer.account.phone in account.record.blocked:
            continue
        account.phone_received += 1
        for device in list(account.devices.values()):
            if device is not writer:
                key = keys.get((account.phone, device.number))
                parts = [*([key] if key else []), *sealed]
                board.deliver(device, _copy(writer, group, message, parts, now))


def _pass_again(
    board: Switchboard, writer: Device, group: Group | None, message: Node, to: Jid, now: int
) -> None:
    """A device could not read the message and asked for it: it alone gets it, encrypted for it."""
    device = board.directory.device_at(to)
    if device and (group is None or group.rank(device.account)):
        board.deliver(device, _copy(writer, group, message, message.children("enc"), now))


def _copy(writer: Device, group: Group | None, message: Node, parts: list[Node], now: int) -> Node:
    named: dict[str, Value | None]
    if group:
        named = {**by(group, writer.account), "participant": writer.jid(group.server)}
    else:
        named = {"participant": writer.jid(USERS), "participant_lid": writer.account.jid(LIDS)}
    attrs: dict[str, Value | None] = {
        "from": message.jid("to"),
        **named,
        "id": message.text("id"),
        "type": message.text("type", "text"),
        "t": now,
        "notify": writer.account.record.push_name or None,
        **{name: message.attrs.get(name) for name in PASSED_ON},
    }
    children = [*parts, *(child for tag in CHILDREN_PASSED_ON for child in message.children(tag))]
    identity = message.child("device-identity")
    if identity and any(part.text("type") == "pkmsg" for part in parts):
        children.append(identity)
    return node("message", attrs, children)


def _changed_devices(board: Switchboard, group: Group, message: Node) -> str | None:
    """The hash of the right devices if the writer knew others, None if it was up to date."""
    right = devices_hash(jid for member in members(board, group) for jid in member.device_jids(group.server))
    return None if message.text("phash") == right else right
