"""What an instance asks WhatsApp about people, and whom it blocks. Answers are in JSON's types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from actors.events import utc
from actors.instance.connection.parts import party
from actors.instance.contacts.contacts import Contacts
from actors.instance.contacts.facts import Kind
from actors.instance.errors import CallFailed
from actors.instance.groups import Query


class PeopleQueries:
    """Queries about people, who are given by their JIDs. All raise CallFailed.

    Args:
        query: a bounded place for a query.
        contacts: what is known of them.
    """

    def __init__(self, query: Query, contacts: Contacts) -> None:
        self._query = query
        self._contacts = contacts

    async def get(self, jid: str, refresh: bool = False) -> dict[str, Any]:
        """What a person shows: ``phone, lid, name, about, picture_id, verified_name, known_at``.

        Args:
            refresh: ask WhatsApp, whatever is known.
        """
        fact = await self._contacts.get(Kind.PERSON, jid, refresh=refresh)
        if fact.data is None:
            text = (
                "Nobody on WhatsApp has this number. See that it is right; `contacts/check` tells beforehand"
            )
            raise CallFailed("not_on_whatsapp", text)
        known_at = utc(datetime.fromtimestamp(fact.at, UTC))
        return {**fact.data, "name": await self._contacts.name(jid), "known_at": known_at}

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
