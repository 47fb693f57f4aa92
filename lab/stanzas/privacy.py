"""Privacy settings, the block list, and the tokens by which contacts trust each other."""

from __future__ import annotations

import hashlib
import os
import time
from typing import TYPE_CHECKING

from lab.accounts import DEFAULT_PRIVACY
from lab.stanzas.errors import bad_request
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
        for category in query.children("privacy"):
            for setting in category.children("category"):
                if setting.text("name") not in DEFAULT_PRIVACY or not setting.text("value"):
                    raise bad_request()
                record.privacy[setting.text("name")] = setting.text("value")
        connection.board.directory.save(device.account)
    settings = [node("category", {"name": name, "value": value}) for name, value in record.privacy.items()]
    return [node("privacy", {}, settings)]


def answer_blocklist(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Read or change whom the account has blocked."""
    record, directory = device.account.record, connection.board.directory
    item = query.child("item")
    if query.text("type") == "set":
        account = directory.at(item.jid("jid")) if item else None
        if item is None or account is None:
            raise bad_request()
        record.blocked = [phone for phone in record.blocked if phone != account.phone]
        if item.text("action") == "block":
            record.blocked.append(account.phone)
        directory.save(device.account)
    blocked: list[Account] = [account for phone in record.blocked if (account := directory.find(phone))]
    digest = hashlib.sha256(",".join(record.blocked).encode()).hexdigest()[:16]
    return [node("list", {"dhash": digest}, [node("item", {"jid": other.jid(LIDS)}) for other in blocked])]


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
