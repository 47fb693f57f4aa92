"""What an instance asks WhatsApp about people, and whom it blocks. Answers are in JSON's types."""

from __future__ import annotations

from typing import Any

from actors.instance.connection.parts import party
from actors.instance.errors import CallFailed
from actors.instance.groups import Query


class PeopleQueries:
    """Queries about people, who are given by their JIDs. All raise CallFailed.

    Args:
        query: a bounded place for a query.
    """

    def __init__(self, query: Query) -> None:
        self._query = query

    async def get(self, jid: str) -> dict[str, Any]:
        """What a person shows: ``phone, lid, about, picture_id, verified_name``."""
        async with self._query() as connection:
            found = await connection.people.get([jid])
        if not found:
            text = (
                "Nobody on WhatsApp has this number. See that it is right; `contacts/check` tells beforehand"
            )
            raise CallFailed("not_on_whatsapp", text)
        (entry,) = found
        return {
            "phone": party(entry.identity)["phone"],
            "lid": party(entry.identity)["lid"],
            "about": entry.about or None,
            "picture_id": entry.picture_id or None,
            "verified_name": entry.verified_name or None,
        }

    async def blocklist(self) -> list[dict[str, Any]]:
        """Whom the account has blocked: ``phone, lid`` of each."""
        async with self._query() as connection:
            return [party(identity) for identity in await connection.people.blocklist()]

    async def block(self, jid: str, blocked: bool) -> list[dict[str, Any]]:
        """Block a person or end that; whom the account has blocked then. Again is harmless."""
        async with self._query() as connection:
            return [party(identity) for identity in await connection.people.block(jid, blocked=blocked)]

    async def reject_call(self, caller: str, call_id: str) -> None:
        """Turn down a call that rings. WhatsApp does not say whether it still did."""
        async with self._query() as connection:
            await connection.people.reject_call(caller, call_id)
