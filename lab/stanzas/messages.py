"""Messages from one device to all devices of both sides."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from lab.accounts import LabError
from lab.switchboard import devices_hash
from lab.wire import LIDS, USERS, Jid, Node, node

if TYPE_CHECKING:
    from lab.accounts import Device
    from lab.connection import Connection

log = logging.getLogger(__name__)

_NOT_FOUND = 404
_BAD_REQUEST = 400
PASSED_ON = ("category", "edit", "push_priority", "phash")
"""Attributes of a message that its readers get, too."""
CHILDREN_PASSED_ON = ("meta", "biz", "bot", "reporting", "url_number", "url_text")
"""Parts of a message that its readers get, too."""


def handle(connection: Connection, device: Device, message: Node) -> None:
    """Put a message's copies into the queues of the devices they are encrypted for, then acknowledge it."""
    board = connection.board
    to, id_ = message.jid("to"), message.text("id")
    now = int(time.time())
    copies = _copies(message, to)
    recipient = board.directory.at(to)
    device.counters.received += 1
    answer: dict[str, str | int | Jid | None] = {"class": "message", "id": id_, "from": to, "t": now}
    if to is None or not id_ or not copies or recipient is None:
        answer["error"] = _NOT_FOUND if to and id_ and copies else _BAD_REQUEST
        connection.post(node("ack", answer))
        return
    for jid, enc in copies:
        target = board.directory.at(jid)
        if target is None or device.account.phone in target.record.blocked:
            continue
        companion = target.devices.get(jid.device)
        if companion:
            board.deliver(companion, _copy(device, companion, message, to, enc, now))
        elif jid.device == 0:
            target.phone_received += 1
            if target is device.account and message.text("category") == "peer":
                _tell_phone(connection, device, message)
    if message.child("participants"):
        answer["phash"] = _changed_devices(connection, device, to, [jid for jid, _ in copies])
    if not board.faults.loses_send_ack(device.account.phone, device.number):
        connection.post(node("ack", answer))


def _tell_phone(connection: Connection, device: Device, message: Node) -> None:
    try:
        connection.board.phones.received(device, message)
    except LabError as error:
        # What it cannot read a phone keeps to itself.
        log.warning("%s: %s", error.code, error.detail)


def _copies(message: Node, to: Jid | None) -> list[tuple[Jid, Node]]:
    participants = message.child("participants")
    if participants is None:
        enc = message.child("enc")
        return [(to, enc)] if to and enc else []
    pairs = ((part.jid("jid"), part.child("enc")) for part in participants.children("to"))
    return [(jid, enc) for jid, enc in pairs if jid and enc]


def _copy(source: Device, target: Device, message: Node, to: Jid, enc: Node, now: int) -> Node:
    server = to.server if to.server in (USERS, LIDS) else USERS
    other = USERS if server == LIDS else LIDS
    alternate = "pn" if server == LIDS else "lid"
    attrs: dict[str, str | int | Jid | None] = {
        "from": source.jid(server),
        "id": message.text("id"),
        "type": message.text("type", "text"),
        "t": now,
        "notify": source.account.record.push_name or None,
        **{name: message.attrs.get(name) for name in PASSED_ON},
    }
    if target.account is source.account:
        recipient = message.jid("recipient") or (None if to.user == source.jid(server).user else to)
        attrs["recipient"] = recipient
        attrs[f"peer_recipient_{alternate}"] = message.jid(f"peer_recipient_{alternate}")
    else:
        attrs[f"sender_{alternate}"] = source.account.jid(other)
        attrs["addressing_mode"] = "lid" if server == LIDS else "pn"
    children = [enc, *(child for tag in CHILDREN_PASSED_ON for child in message.children(tag))]
    identity = message.child("device-identity")
    if identity and enc.text("type") == "pkmsg":
        children.append(identity)
    return node("message", attrs, children)


def _changed_devices(connection: Connection, device: Device, to: Jid, given: list[Jid]) -> str | None:
    """The hash of the right devices if the client addressed others, None if it was up to date."""
    recipient = connection.board.directory.at(to)
    if recipient is None:
        return None
    right = {*recipient.device_jids(to.server), *device.account.device_jids(to.server)}
    return None if {*given, device.jid(to.server)} == right else devices_hash(right)
