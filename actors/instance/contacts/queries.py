"""How each kind of fact is asked of WhatsApp."""

from __future__ import annotations

from typing import Any

from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.connection.parts import party
from actors.instance.contacts.facts import Fact, Kind

NOT_THERE = frozenset({401, 403, 404})
"""WhatsApp's codes for what does not exist, or is not shown to this account."""
TOO_OFTEN = 429


async def ask(connection: Connection, kind: Kind, jid: str, at: float) -> Fact:
    """WhatsApp's answer; also that there is nothing is one.

    Args:
        at: seconds since 1970, for the fact.

    Raises:
        ConnectionError: no answer, or one that says nothing of the contact.
    """
    try:
        data, why = await _ASK[kind](connection, jid)
    except ConnectionError as error:
        if error.code == "rejected" and error.server_code in NOT_THERE:
            return Fact(data=None, at=at, why=f"rejected:{error.server_code}")
        raise
    return Fact(data=data, at=at, why=why)


async def _person(connection: Connection, jid: str) -> tuple[dict[str, Any] | None, str]:
    found = await connection.people.get([jid])
    if not found:
        return None, "not_on_whatsapp"
    entry = found[0]
    who = party(entry.identity)
    return {
        "phone": who["phone"],
        "lid": who["lid"],
        "about": entry.about or None,
        "picture_id": entry.picture_id or None,
        "verified_name": entry.verified_name or None,
    }, ""


async def _group(connection: Connection, jid: str) -> tuple[dict[str, Any] | None, str]:
    group = await connection.groups.get(jid)
    return {"name": group.name, "topic": group.topic or None}, ""


async def _picture(connection: Connection, jid: str) -> tuple[dict[str, Any] | None, str]:
    return await _image(connection, jid, preview=False)


async def _preview(connection: Connection, jid: str) -> tuple[dict[str, Any] | None, str]:
    return await _image(connection, jid, preview=True)


async def _image(connection: Connection, jid: str, *, preview: bool) -> tuple[dict[str, Any] | None, str]:
    found = await connection.picture(jid, preview=preview)
    if found.id:
        return {"id": found.id, "url": found.url}, ""
    return None, type(found).Absence.Name(found.absence).lower()


_ASK = {Kind.PERSON: _person, Kind.GROUP: _group, Kind.PICTURE: _picture, Kind.PREVIEW: _preview}
