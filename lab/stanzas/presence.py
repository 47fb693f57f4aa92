"""Presence and typing: told to whoever is there to see it, never kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.stanzas.group_nodes import members
from lab.wire import LIDS, USERS, Jid, Node, node

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.connection import Connection
    from lab.groups import Group


def handle(connection: Connection, device: Device, presence: Node) -> None:
    """A client's own presence, or its wish to see another's."""
    kind = presence.text("type", "available")
    if kind == "subscribe":
        _subscribe(connection, presence.jid("to"))
    elif kind == "unsubscribe":
        account = connection.board.directory.at(presence.jid("to"))
        connection.subscriptions.pop(account.phone if account else "", None)
    else:
        name = presence.text("name")
        if name and name != device.account.record.push_name:
            device.account.record.push_name = name
            connection.board.directory.save(device.account)
        _set(connection, device, available=kind == "available")


def handle_chat_state(connection: Connection, device: Device, state: Node) -> None:
    """Typing: told to the other side's devices that are in use."""
    to = state.jid("to")
    group = connection.board.groups.at(to)
    if group:
        _tell_group(connection, device, group, state)
        return
    account = connection.board.directory.at(to)
    if account is None or to is None or device.account.phone in account.record.blocked:
        return
    for peer in connection.board.online(account):
        if peer.available and peer is not connection:
            peer.post(node("chatstate", {"from": device.jid(to.server)}, state.content))


def _tell_group(connection: Connection, device: Device, group: Group, state: Node) -> None:
    if not group.rank(device.account):
        return
    typing = node("chatstate", {"from": group.jid, "participant": device.jid(group.server)}, state.content)
    for member in members(connection.board, group):
        for peer in connection.board.online(member) if member is not device.account else ():
            if peer.available:
                peer.post(typing)


def gone(connection: Connection) -> None:
    """A client that was there has left."""
    if connection.device:
        _set(connection, connection.device, available=False)


def _set(connection: Connection, device: Device, *, available: bool) -> None:
    board, account = connection.board, device.account
    others = any(peer.available for peer in board.online(account) if peer is not connection)
    before, after = others or connection.available, others or available
    connection.available = available
    if before and not after:
        account.record.last_seen = int(time.time())
        board.directory.save(account)
    if before == after:
        return
    for watcher in board.connections():
        server = watcher.subscriptions.get(account.phone)
        if server:
            watcher.post(_seen(account, server, available=after))


def _subscribe(connection: Connection, to: Jid | None) -> None:
    account = connection.board.directory.at(to)
    if account is None or to is None:
        return
    connection.subscriptions[account.phone] = to.server
    available = _is_available(connection, account)
    connection.post(_seen(account, to.server, available=available))


def _is_available(connection: Connection, account: Account) -> bool:
    return any(peer.available for peer in connection.board.online(account))


def _seen(account: Account, server: str, *, available: bool) -> Node:
    attrs: dict[str, str | int | Jid] = {"from": account.jid(LIDS if server == LIDS else USERS)}
    if not available:
        attrs["type"] = "unavailable"
        hidden = account.record.privacy.get("last") == "none" or not account.record.last_seen
        attrs["last"] = "deny" if hidden else account.record.last_seen
    return node("presence", attrs)
