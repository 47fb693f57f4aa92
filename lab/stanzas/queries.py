"""Queries (``<iq>``): finding the one who answers, and the faults on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.faults import DelayQuery, FailQuery
from lab.stanzas import (
    about,
    app_state,
    groups,
    linking,
    newsletters,
    pictures,
    prekeys,
    privacy,
    session,
    usync,
)
from lab.stanzas.errors import StanzaError
from lab.wire import SERVER, Node, node

if TYPE_CHECKING:
    from lab.accounts import Device
    from lab.connection import Connection

Answer = Callable[["Connection", "Device", Node], list[Node]]

_ANSWERS: dict[str, Answer] = {
    "encrypt": prekeys.answer,
    "usync": usync.answer,
    "w:profile:picture": pictures.answer,
    "privacy": privacy.answer,
    "blocklist": privacy.answer_blocklist,
    "passive": session.answer_passive,
    "w:p": session.answer_ping,
    "urn:xmpp:ping": session.answer_ping,
    "w:m": session.answer_media,
    "w:sync:app:state": app_state.answer,
    "w:g2": groups.answer,
    "status": about.answer,
    about.MUTATION: about.answer_mutation,
    "disappearing_mode": privacy.answer_disappearing,
    newsletters.TERMS: newsletters.answer_terms,
    "newsletter": newsletters.answer_messages,
    **dict.fromkeys(newsletters.NAMESPACES, newsletters.answer),
}


def handle(connection: Connection, query: Node) -> None:
    """Answer a query, or take the answer to one of the server's."""
    kind, namespace = query.text("type"), query.text("xmlns")
    if kind in ("result", "error"):
        if connection.pairing:
            connection.pairing.answered(query)
        return
    fault = connection.board.faults.on_query(connection.phone, connection.number, namespace)
    if fault is None:
        connection.post(_answered(connection, query))
    elif isinstance(fault, DelayQuery):
        answer = _answered(connection, query)
        asyncio.get_running_loop().call_later(fault.seconds, connection.post, answer)
    elif isinstance(fault, FailQuery):
        connection.post(_error(query, StanzaError(fault.code, "internal-server-error")))


def _answered(connection: Connection, query: Node) -> Node:
    try:
        return _reply(query, "result", _content(connection, query))
    except StanzaError as error:
        return _error(query, error)


def _content(connection: Connection, query: Node) -> list[Node]:
    namespace = query.text("xmlns")
    if namespace == "md":
        return linking.answer(connection, query)
    if connection.device is None:
        raise StanzaError(401, "not-authorized")
    if namespace == "w:mex":
        # A kind of query that names what it asks for by a number.
        wanted = query.child("query")
        namespace = f"w:mex {wanted.text('query_id')}" if wanted else namespace
    answer = _ANSWERS.get(namespace)
    if answer is None:
        unknown = connection.board.unknown_queries
        unknown[namespace] = unknown.get(namespace, 0) + 1
        raise StanzaError(501, "feature-not-implemented")
    return answer(connection, connection.device, query)


def _reply(query: Node, kind: str, content: list[Node]) -> Node:
    attrs = {"from": query.attrs.get("to", SERVER), "id": query.text("id"), "type": kind}
    return node("iq", attrs, content or None)


def _error(query: Node, error: StanzaError) -> Node:
    return _reply(query, "error", [node("error", {"code": error.code, "text": error.text})])
