"""Small queries about the session itself and what surrounds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.media import PERMISSION_S
from lab.stanzas.errors import bad_request, not_found
from lab.wire import USERS, Attrs, Node, node

if TYPE_CHECKING:
    from lab.accounts import Device
    from lab.connection import Connection


def answer_passive(connection: Connection, device: Device, query: Node) -> list[Node]:
    """A client that logged in passive says that it is ready for what waits for it."""
    if query.child("active"):
        connection.activate()
    return []


def answer_ping(connection: Connection, device: Device, query: Node) -> list[Node]:
    """The client looks whether the network is there."""
    return []


def answer_media(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Where media is uploaded and fetched, and the permission to upload."""
    auth = connection.board.media.permit(device)
    attrs: Attrs = {"auth": auth, "ttl": PERMISSION_S // 2, "auth_ttl": PERMISSION_S, "max_buckets": 12}
    return [node("media_conn", attrs, node("host", {"hostname": connection.board.address}))]


def answer_app_state(connection: Connection, device: Device, query: Node) -> list[Node]:
    """The account's synchronised settings: none were ever made."""
    sync = query.child("sync")
    if sync is None:
        raise bad_request()
    collections = [
        node(
            "collection",
            {"name": collection.text("name"), "version": collection.text("version", "0")},
        )
        for collection in sync.children("collection")
    ]
    return [node("sync", {}, collections)]


def answer_groups(connection: Connection, device: Device, query: Node) -> list[Node]:
    """The account is in no group."""
    if query.child("participating"):
        return [node("groups", {}, [])]
    raise not_found()


def answer_about(connection: Connection, device: Device, query: Node) -> list[Node]:
    """The about text: set the own, or read others'."""
    about = query.child("status")
    if query.text("type") == "set":
        device.account.record.about = about.words() if about else ""
        connection.board.directory.save(device.account)
        return []
    users = about.children("user") if about else query.children("user")
    found = [(jid, connection.board.directory.at(jid)) for user in users if (jid := user.jid("jid"))]
    listed = [
        node("user", {"jid": account.jid(USERS), "t": account.record.last_seen}, account.record.about)
        for _, account in found
        if account
    ]
    return [node("status", {}, listed)]
