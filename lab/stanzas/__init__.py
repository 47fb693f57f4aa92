"""What the network does with a client's stanzas, a module a kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.stanzas import acks, calls, group_messages, messages, newsletters, presence, queries, receipts
from lab.wire import GROUPS, NEWSLETTERS, STATUS

if TYPE_CHECKING:
    from lab.connection import Connection
    from lab.wire import Node


def handle(connection: Connection, stanza: Node) -> None:
    """Serve one stanza. Answers are posted to the connection, deliveries to the queues of devices."""
    if stanza.tag == "iq":
        queries.handle(connection, stanza)
    elif connection.device is None:
        return
    elif stanza.tag == "message":
        if _is_newsletter(stanza):
            newsletters.handle(connection, connection.device, stanza)
        elif _is_many(stanza):
            group_messages.handle(connection, connection.device, stanza)
        else:
            messages.handle(connection, connection.device, stanza)
    elif stanza.tag == "receipt":
        receipts.handle(connection, connection.device, stanza)
    elif stanza.tag == "call":
        calls.handle(connection, connection.device, stanza)
    elif stanza.tag == "ack":
        acks.handle(connection, connection.device, stanza)
    elif stanza.tag == "presence":
        presence.handle(connection, connection.device, stanza)
    elif stanza.tag == "chatstate":
        presence.handle_chat_state(connection, connection.device, stanza)


def _is_many(stanza: Node) -> bool:
    to = stanza.jid("to")
    return to is not None and (to.server == GROUPS or to == STATUS)


def _is_newsletter(stanza: Node) -> bool:
    to = stanza.jid("to")
    return to is not None and to.server == NEWSLETTERS


def gone(connection: Connection) -> None:
    """A logged in connection ended."""
    presence.gone(connection)
