"""What an instance changes of its chats, on all devices of the account."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from actors.instance.chats.shelf import ChatShelf
from actors.instance.connection import engine_pb2 as pb
from actors.instance.errors import CallFailed, store_failures
from actors.instance.groups import Query
from actors.instance.known import KnownMessages
from actors.messages.recipients import is_group


class ChatQueries:
    """Changes of chats. All raise CallFailed.

    Args:
        query: a bounded place for a query.
        known: messages that are remembered.
        chat_id: the stable id of the chat with an address.
    """

    def __init__(
        self, query: Query, shelf: ChatShelf, known: KnownMessages, chat_id: Callable[[str], str]
    ) -> None:
        self._query = query
        self._known = known
        self._shelf = shelf
        self._chat_id = chat_id

    async def change(self, jid: str, changes: dict[str, Any]) -> None:
        """Change what is given of ``expires_in, archived, pinned, muted, muted_until, read``."""
        chat = self._chat_id(jid)
        if "expires_in" in changes:
            async with self._query() as connection:
                await connection.profile.set_disappearing(changes["expires_in"], chat=chat)
        for command in commands(chat, changes):
            if command.WhichOneof("change") in ("archived", "read"):
                await self._add_last(command)
            async with self._query() as connection:
                await connection.chats.set(command)

    async def star(self, message_id: str, starred: bool) -> None:
        """Put a star at a message that is remembered, or take it off. Again is harmless."""
        with store_failures():
            message = await self._known.get(message_id)
        if message is None:
            text = "This instance has no such message, or remembers it no longer"
            raise CallFailed("message_unknown", text)
        in_group = is_group(message.chat) and not message.from_me
        star = pb.Star(
            message_id=message_id,
            sender=message.sender if in_group else "",
            from_me=message.from_me,
            starred=starred,
        )
        async with self._query() as connection:
            await connection.chats.set(pb.SetChat(chat=message.chat, star=star))

    async def _add_last(self, command: pb.SetChat) -> None:
        # By it a device knows whether the change was made before or after a message that it has.
        record = (await self._shelf.get([command.chat])).get(command.chat)
        if record is None or record.last is None:
            return
        command.last_id, command.last_at_ms = record.last.id, record.last.at_ms
        command.last_from_me = record.last.from_me
        if record.kind == "group":
            command.last_sender = record.last.sender or ""


def commands(chat: str, changes: dict[str, Any]) -> list[pb.SetChat]:
    """The engine's commands for changes, in the order in which they are made."""
    made: list[pb.SetChat] = []
    # Archiving takes the pin off, so a pin that is wanted comes after it.
    for name in ("read", "archived", "pinned"):
        if changes.get(name) is not None:
            made.append(pb.SetChat(**{"chat": chat, name: changes[name]}))
    if changes.get("muted") is not None:
        until = changes.get("muted_until")
        end = int(datetime.fromisoformat(until).timestamp() * 1000) if until else -1
        made.append(pb.SetChat(chat=chat, muted_until_ms=end if changes["muted"] else 0))
    return made
