"""Privacy settings, the block list, and the tokens by which contacts trust each other."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

from lab.accounts import PRIVACY_VALUES
from lab.stanzas.errors import bad_request
from lab.stanzas.group_settings import TIMERS
from lab.wire import LIDS, USERS, Node, node

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.connection import Connection


def answer(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Read or change settings, or hand a contact a token."""
    record = device.account.record
    tokens = query.child("tokens")
    if tokens:
        _hand_out(connection, device, tokens)
        return []
    if query.text("type") == "set":
        _change(
            connection, device, [c for part in query.children("privacy") for c in part.children("category")]
        )
    settings = [node("category", {"name": name, "value": value}) for name, value in record.privacy.items()]
    return [node("privacy", {}, settings)]


def _change(connection: Connection, device: Device, settings: list[Node]) -> None:
    record = device.account.record
    for setting in settings:
        if setting.text("value") not in PRIVACY_VALUES.get(setting.text("name"), ()):
            raise bad_request()
    record.privacy |= {setting.text("name"): setting.text("value") for setting in settings}
    connection.board.directory.save(device.account)
    _tell_own_devices(connection, device, node("privacy", {}, settings))


def answer_blocklist(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Read or change whom the account has blocked."""
    record, directory = device.account.record, connection.board.directory
    item = query.child("item")
    if query.text("type") == "set":
        account = directory.at(item.jid("jid")) if item else None
        if item is None or account is None or item.text("action") not in ("block", "unblock"):
            raise bad_request()
        before = _digest(record.blocked)
        record.blocked = [phone for phone in record.blocked if phone != account.phone]
        if item.text("action") == "block":
            record.blocked.append(account.phone)
        directory.save(device.account)
        changed = node("item", {"jid": account.jid(LIDS), "action": item.text("action")})
        attrs = {"action": "modify", "dhash": _digest(record.blocked), "prev_dhash": before}
        _tell_own_devices(connection, device, node("blocklist", attrs, changed))
    blocked: list[Account] = [account for phone in record.blocked if (account := directory.find(phone))]
    listed = [node("item", {"jid": other.jid(LIDS)}) for other in blocked]
    return [node("list", {"dhash": _digest(record.blocked)}, listed)]


def answer_disappearing(connection: Connection, device: Device, query: Node) -> list[Node]:
    """After how long messages disappear in new chats of the account."""
    mode = query.child("disappearing_mode")
    if query.text("type") == "set":
        seconds = mode.text("duration") if mode else ""
        if seconds not in {str(timer) for timer in TIMERS}:
            raise bad_request()
        device.account.record.disappearing = int(seconds)
        connection.board.directory.save(device.account)
    return [node("disappearing_mode", {"duration": device.account.record.disappearing})]


def _tell_own_devices(connection: Connection, device: Device, change: Node) -> None:
    for other in device.account.devices.values():
        if other is not device:
            connection.board.notify(other, "account_sync", device.account.jid(USERS), [change])


def _digest(blocked: list[str]) -> str:
    return hashlib.sha256(",".join(blocked).encode()).hexdigest()[:16]


def _hand_out(connection: Connection, device: Device, tokens: Node) -> None:
    for token in tokens.children("token"):
        account = connection.board.directory.at(token.jid("jid"))
        if account is None:
            continue
        handed = node("token", {"type": "trusted_contact", "t": int(time.time())}, os.urandom(16))
        for target in account.devices.values():
            connection.board.notify(
                target,
                "privacy_token",
                device.account.jid(USERS),
                [node("tokens", {}, handed)],
                sender_lid=device.account.jid(LIDS),
            )
