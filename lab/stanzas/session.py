"""Small queries about the session itself and what surrounds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.media import PERMISSION_S
from lab.wire import Attrs, Node, node

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
