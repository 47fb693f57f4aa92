"""A client's acknowledgements: what it has need not come again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.queue import Key

if TYPE_CHECKING:
    from lab.accounts import Device
    from lab.connection import Connection
    from lab.wire import Node


def handle(connection: Connection, device: Device, ack: Node) -> None:
    """``<ack class= id= to= type=/>`` for a message, receipt or notification."""
    tag = ack.text("class")
    kind = "" if tag == "message" else ack.text("type")
    confirm(connection, device, (tag, ack.text("id"), ack.text("to"), ack.text("participant"), kind))


def confirm(connection: Connection, device: Device, key: Key) -> None:
    """Forget the stanza that a client says it has, unless a fault loses its word."""
    if connection.board.faults.loses_ack(device.account.phone, device.number):
        device.counters.acks_lost += 1
        return
    connection.board.acknowledged(device, device.queue.acknowledge(key))
