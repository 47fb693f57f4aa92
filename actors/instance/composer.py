"""Makes of a queued message what goes to WhatsApp, with what is known of the message that it is about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from actors.events import Memory
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import whatsapp_pb2 as wa
from actors.instance.connection.chats import ChatIds
from actors.instance.known import KnownMessages
from actors.instance.outbox import QueuedMessage
from actors.messages.compose import Facts, compose, edited
from actors.messages.compose_media import Uploaded
from actors.messages.content import Content, Delete, Edit, Reaction, Vote
from actors.messages.describe import Described, describe, media_of, text_of
from actors.messages.known import RAW_MAX, KnownMessage
from actors.messages.raw import kind_of, poll_of, to_keep, unwrap
from actors.messages.received import ShownUnsupported, ShownVote
from actors.messages.rules import Windows, about, check, check_destination
from actors.registry import now
from actors.settings import OutboxSettings

DEVICE = re.compile(r"[.:][0-9]+(?=@)")


@dataclass(frozen=True, slots=True)
class Composed:
    """A message as it goes to WhatsApp."""

    content: Content
    message: wa.Message
    target: KnownMessage | None
    media_id: str | None = None
    media_handle: str = ""

    def shown(self) -> dict[str, Any]:
        """What events tell of it."""
        found = unwrap(self.message)
        described = describe(found.message, view_once=found.view_once)
        assert isinstance(described, Described)
        if isinstance(self.content, Vote) and isinstance(described, ShownVote):
            poll = poll_of(self.target.message) if self.target and self.target.message else None
            update = {"question": poll.name if poll else None, "options": tuple(self.content.options)}
            described = described.model_copy(update=update)
        content = described.model_dump(mode="json")
        if self.media_id is not None:
            content["media"] |= {"id": self.media_id, "state": "ready"}
        return {"kind": kind_of(found.message), "text": text_of(described), "content": content}

    def memory(self, message_id: str, result: pb.SendResult, chat_id: str, at: datetime) -> Memory | None:
        """What is remembered once it is sent."""
        content, target = self.content, self.target
        if isinstance(content, Reaction | Vote):
            return None
        if isinstance(content, Edit):
            new = unwrap(edited(content.text, content.mentions, target)).message
            return target.changed(new) if target else None
        if isinstance(content, Delete):
            return target.forgotten() if target else None
        message = unwrap(self.message).message
        return KnownMessage(
            id=message_id,
            chat_id=chat_id,
            chat=result.chat.jid,
            sender=DEVICE.sub("", result.sender),
            from_me=True,
            at_ms=round(at.timestamp() * 1000),
            raw=to_keep(message, RAW_MAX),
            media=media_of(message),
        ).learnt()


def unshown(message: QueuedMessage) -> dict[str, Any]:
    """What events tell of a message that was sent, and cannot be composed any more."""
    wanted = message.request.content
    return {
        "kind": wanted.type,
        "text": text_of(wanted),
        "content": ShownUnsupported().model_dump(mode="json"),
    }


class Composer:
    """Composes messages, one by one."""

    def __init__(self, known: KnownMessages, chats: ChatIds, settings: OutboxSettings) -> None:
        self._known = known
        self._chats = chats
        self._windows = Windows(edit=settings.edit_window, delete=settings.delete_window)

    async def compose(self, message: QueuedMessage, media: Uploaded | None = None) -> Composed:
        """The message as it goes to WhatsApp. Again, it is the same.

        Args:
            media: its file, if it has one.

        Raises:
            Unsendable: it cannot be sent, or not any more.
            StoreUnavailable
        """
        request = message.request
        content = request.content
        check_destination(content, request.to)
        target_id = about(content)
        target = await self._known.get(target_id) if target_id else None
        # Tried before, it may have been sent: it is not too late then.
        at = message.created_at if message.attempts else now()
        check(
            content,
            request.to,
            self._chats.known(request.to),
            target,
            at_ms=round(at.timestamp() * 1000),
            windows=self._windows,
        )
        facts = Facts(
            to=request.to,
            made_at_ms=round(message.created_at.timestamp() * 1000),
            secret=bytes.fromhex(message.secret),
            target=target,
            media=media,
        )
        composed = compose(content, facts)
        media_id = message.file.id if message.file else None
        return Composed(content, composed, target, media_id, media.handle if media else "")
