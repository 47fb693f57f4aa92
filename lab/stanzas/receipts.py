"""Receipts: delivered, read, played, and the request to encrypt a message anew."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from lab.accounts import LabError
from lab.stanzas import newsletters
from lab.stanzas.acks import confirm
from lab.wire import GROUPS, NEWSLETTERS, STATUS, USERS, Jid, Node, Value, node

if TYPE_CHECKING:
    from lab.accounts import Device
    from lab.connection import Connection

log = logging.getLogger(__name__)

_CONFIRMING = frozenset({"", "inactive", "sender", "peer_msg", "hist_sync"})
_FILE_WANTED = "server-error"
"""A file is no longer there: the account's phone is to upload it again."""
_SEEN = frozenset({"read", "played"})
_SEEN_BY_SELF = frozenset({"read-self", "played-self"})


def handle(connection: Connection, device: Device, receipt: Node) -> None:
    """Acknowledge a receipt, take it as the client's word that it has the message, and pass it on."""
    to, kind = receipt.jid("to"), receipt.text("type")
    connection.post(
        node(
            "ack",
            {
                "class": "receipt",
                "id": receipt.text("id"),
                "from": to,
                "type": kind or None,
                "participant": receipt.attrs.get("participant"),
                "t": int(time.time()),
            },
        )
    )
    if to is None:
        return
    if kind == "view" and to.server == NEWSLETTERS:
        newsletters.viewed(connection, device, receipt)
        return
    if kind in _CONFIRMING:
        confirm(connection, device, ("message", receipt.text("id"), str(to), receipt.text("participant"), ""))
    if kind == "retry":
        device.counters.retries += 1
    own = connection.board.directory.at(to) is device.account
    if kind == _FILE_WANTED and own:
        _ask_phone(connection, device, receipt)
    elif to.server == GROUPS or to == STATUS:
        _pass_to_writer(connection, device, receipt, to)
    elif kind == "retry":
        _pass_to_device(connection, device, receipt, to)
    elif kind in _SEEN_BY_SELF:
        _tell_own_devices(connection, device, receipt, to)
    elif own:
        _pass_to_device(connection, device, receipt, to)
    else:
        _pass_to_user(connection, device, receipt, to)


def _ask_phone(connection: Connection, device: Device, receipt: Node) -> None:
    try:
        connection.board.phones.files.asked(device, receipt)
    except LabError as error:
        # What it cannot read a phone keeps to itself.
        log.warning("%s: %s", error.code, error.detail)


def _pass_to_device(connection: Connection, device: Device, receipt: Node, to: Jid) -> None:
    target = connection.board.directory.device_at(to)
    if target and target is not device:
        connection.board.deliver(target, _passed_on(receipt, device.jid(to.server)))


def _pass_to_user(connection: Connection, device: Device, receipt: Node, to: Jid) -> None:
    seen = receipt.text("type") in _SEEN
    if seen:
        _tell_own_devices(connection, device, receipt, to)
    account = connection.board.directory.at(to)
    if account is None or (seen and device.account.record.privacy.get("readreceipts") == "none"):
        return
    sender = device.account.jid(to.server) if seen else device.jid(to.server)
    for target in list(account.devices.values()):
        connection.board.deliver(target, _passed_on(receipt, sender))


def _tell_own_devices(connection: Connection, device: Device, receipt: Node, to: Jid) -> None:
    for target in list(device.account.devices.values()):
        if target is not device:
            told = _passed_on(receipt, device.jid(to.server))
            told.attrs["recipient"] = to.bare()
            connection.board.deliver(target, told)


def _pass_to_writer(connection: Connection, device: Device, receipt: Node, to: Jid) -> None:
    """For what was written to many: ``participant`` is the writer, or that device of the writer."""
    board, kind, writer = connection.board, receipt.text("type"), receipt.jid("participant")
    account, group = board.directory.at(writer), board.groups.at(to)
    server = group.server if group else USERS
    if kind in _SEEN or kind in _SEEN_BY_SELF:
        for own in list(device.account.devices.values()):
            if own is not device:
                told = _passed_on(receipt, to, participant=device.jid(server))
                told.attrs["recipient"] = receipt.attrs.get("participant", to)
                board.deliver(own, told)
    hidden = kind in _SEEN and device.account.record.privacy.get("readreceipts") == "none"
    if account is None or hidden or kind in _SEEN_BY_SELF:
        return
    if kind == "retry" or account is device.account:
        found = board.directory.device_at(writer)
        targets = [found] if found and found is not device else []
    else:
        targets = list(account.devices.values())
    reader = device.account.jid(server) if kind in _SEEN else device.jid(server)
    for target in targets:
        board.deliver(target, _passed_on(receipt, to, participant=reader))


def _passed_on(receipt: Node, sender: Jid, *, participant: Value | None = None) -> Node:
    """A receipt as it is delivered: from a person, or from somebody in a group."""
    return node(
        "receipt",
        {
            "from": sender,
            "id": receipt.text("id"),
            "type": receipt.text("type") or None,
            "t": int(time.time()),
            "recipient": receipt.attrs.get("recipient"),
            "participant": participant or receipt.attrs.get("participant"),
        },
        receipt.content,
    )
