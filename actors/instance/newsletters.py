"""What an instance asks and changes of newsletters (the app's channels). Answers are in JSON's types."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from actors.events import utc
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import whatsapp_pb2 as wa
from actors.instance.connection.base import Connection
from actors.instance.connection.parts import moment
from actors.instance.errors import CallFailed
from actors.instance.groups import Query
from actors.messages.describe import Described, Expiration, describe, text_of
from actors.messages.raw import unwrap
from actors.messages.received import ShownUnsupported

log = logging.getLogger(__name__)

_REFUSED = {
    403: ("newsletter_forbidden", "WhatsApp does not let this account do that with the newsletter"),
    404: ("newsletter_unknown", "WhatsApp knows no newsletter, or message in it, with this id or link"),
}


class NewsletterQueries:
    """Queries about newsletters, which are given by their JIDs. All raise CallFailed.

    Args:
        query: a bounded place for a query.
    """

    def __init__(self, query: Query) -> None:
        self._query = query

    async def all(self) -> list[dict[str, Any]]:
        """Those that the account follows or owns."""
        async with self._asking() as connection:
            return [_newsletter(one) for one in await connection.newsletters.all()]

    async def get(self, jid: str) -> dict[str, Any]:
        """One, followed or not."""
        async with self._asking() as connection:
            return _newsletter(await connection.newsletters.get(jid))

    async def inspect(self, link: str) -> dict[str, Any]:
        """The one that a link, or the code at its end, leads to."""
        async with self._asking() as connection:
            return _newsletter(await connection.newsletters.behind(link))

    async def create(self, name: str, description: str) -> dict[str, Any]:
        """Create one."""
        async with self._asking() as connection:
            return _newsletter(await connection.newsletters.create(name, description))

    async def follow(self, jid: str, followed: bool) -> None:
        """Follow one, or end that. Again is harmless."""
        async with self._asking() as connection:
            await connection.newsletters.follow(jid, followed=followed)

    async def mute(self, jid: str, muted: bool) -> None:
        """Mute one, or end that. Again is harmless."""
        async with self._asking() as connection:
            await connection.newsletters.mute(jid, muted=muted)

    async def posts(self, jid: str, count: int, before: int) -> list[dict[str, Any]]:
        """What stands in one, the newest first.

        Args:
            before: only what is before the one with this number; 0: from the newest on.
        """
        async with self._asking() as connection:
            found = await connection.newsletters.posts(jid, count=count, before=before)
        return [_post(one) for one in sorted(found, key=lambda one: one.server_id, reverse=True)]

    async def react(self, jid: str, number: int, emoji: str) -> None:
        """React to the message with this number; with no emoji, take the reaction back."""
        async with self._asking() as connection:
            await connection.newsletters.react(jid, number, emoji)

    async def view(self, jid: str, number: int) -> None:
        """Have it counted that the message with this number was seen. Again is harmless."""
        async with self._asking() as connection:
            await connection.newsletters.view(jid, number)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Connection]:
        try:
            async with self._query() as connection:
                yield connection
        except CallFailed as error:
            told = _REFUSED.get(error.server_code) if error.code == "rejected" else None
            if told is None:
                raise
            raise CallFailed(told[0], told[1], error.server_code) from None


def _newsletter(one: pb.Newsletter) -> dict[str, Any]:
    return {
        "id": one.jid,
        "name": one.name,
        "description": one.description or None,
        "link": f"https://whatsapp.com/channel/{one.invite}" if one.invite else None,
        "followers": one.followers,
        "created_at": utc(moment(one.created_at_ms)) if one.created_at_ms > 0 else None,
        "verified": one.verified,
        "role": one.role or None,
        "muted": one.muted if one.role else None,
        "state": one.state or None,
    }


def _post(one: pb.NewsletterPost) -> dict[str, Any]:
    content = _content(one.message)
    return {
        "number": one.server_id,
        "id": one.id,
        "timestamp": utc(moment(one.timestamp_ms)) if one.timestamp_ms > 0 else None,
        "views": one.views,
        "reactions": dict(sorted(one.reactions.items())),
        "text": text_of(content) if content else None,
        "content": content.model_dump(mode="json") if content else None,
    }


def _content(message: bytes) -> Described | None:
    try:
        found = unwrap(wa.Message.FromString(message)).message if message else None
        content = describe(found) if found is not None else None
    except Exception as error:
        # Anybody can write anything.
        log.warning("a message of a newsletter was not understood: %s", type(error).__name__)
        return ShownUnsupported()
    return None if isinstance(content, Expiration) else content
