"""Queries about linked devices: pairing by code, and unlinking."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from lab.stanzas.errors import StanzaError, bad_request, not_found
from lab.wire import Node

if TYPE_CHECKING:
    from lab.connection import Connection

_GOODBYE = 0.5


def answer(connection: Connection, query: Node) -> list[Node]:
    """The stages of pairing by code, for a client that is not linked; unlinking, for one that is."""
    request = query.child("link_code_companion_reg")
    if request and connection.pairing:
        return _pair(connection, request)
    removal = query.child("remove-companion-device")
    if removal and connection.device:
        return _remove(connection, removal)
    raise bad_request()


def _pair(connection: Connection, request: Node) -> list[Node]:
    assert connection.pairing
    if request.text("stage") == "companion_hello":
        reference = connection.pairing.hello(request)
        if reference is None:
            raise not_found()
        return [reference]
    if request.text("stage") != "companion_finish" or not connection.pairing.finish(request):
        raise bad_request()
    return []


def _remove(connection: Connection, removal: Node) -> list[Node]:
    device = connection.board.directory.device_at(removal.jid("jid"))
    assert connection.device
    if device is None or device.account is not connection.device.account:
        raise StanzaError(403, "forbidden")
    # The answer goes out first: a client hears that it is unlinked before its connection ends.
    asyncio.get_running_loop().call_later(_GOODBYE, connection.board.remove_device, device)
    return []
