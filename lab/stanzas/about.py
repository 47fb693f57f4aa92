"""The text about an account, and to whom its status goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lab.stanzas.errors import StanzaError, bad_request
from lab.wire import USERS, Node, node

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.connection import Connection
    from lab.switchboard import Switchboard

MUTATION = "w:mex 9152604461510864"
"""WhatsApp's number for the change of one's text."""
MAX_LENGTH = 139


def answer(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Set the own text, read others', or read to whom the own status goes."""
    directory = connection.board.directory
    if query.child("privacy"):
        return [_audience(connection.board, device.account)]
    about = query.child("status")
    if query.text("type") == "set":
        change(connection.board, device.account, about.words() if about else "")
        return []
    users = about.children("user") if about else query.children("user")
    found = [directory.at(jid) for user in users if (jid := user.jid("jid"))]
    listed = [
        node("user", {"jid": account.jid(USERS), "t": account.record.last_seen}, account.record.about)
        for account in found
        if account
    ]
    return [node("status", {}, listed)]


def answer_mutation(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Set the own text, as today's clients do."""
    wanted = query.child("query")
    try:
        text = json.loads(wanted.data() if wanted else b"")["variables"]["input"]["text"]
    except (ValueError, KeyError, TypeError):
        raise bad_request() from None
    if not isinstance(text, str):
        raise bad_request()
    change(connection.board, device.account, text)
    done = json.dumps({"data": {"xwa2_update_text_status": {"result": "SUCCESS"}}})
    return [node("result", {}, done)]


def change(board: Switchboard, account: Account, text: str) -> None:
    """Change an account's text; everybody who wrote with it hears of it. Raises StanzaError."""
    if len(text) > MAX_LENGTH:
        raise StanzaError(406, "not-acceptable")
    account.record.about = text
    board.directory.save(account)
    for watcher in board.watchers(account):
        for target in watcher.devices.values():
            board.notify(target, "status", account.jid(USERS), [node("set", {}, text)])


def _audience(board: Switchboard, account: Account) -> Node:
    found = (board.directory.find(phone) for phone in account.record.status_people)
    people = [node("user", {"jid": person.jid(USERS)}) for person in found if person]
    listed = node("list", {"type": account.record.status_audience, "default": "true"}, people or None)
    return node("privacy", {}, listed)
