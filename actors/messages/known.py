"""What is remembered of a message, so that others can refer to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from actors.events import Memory
from actors.instance.connection import whatsapp_pb2 as wa
from actors.messages.raw import poll_of, to_keep
from actors.messages.received import MediaReference

RAW_MAX = 8 * 1024
"""Bytes of a message's content that are kept at most."""


class KnownMessage(BaseModel):
    """A message that was received or sent.

    Args:
        chat_id: the chat's stable id.
        chat: its JID, as WhatsApp addressed the message.
        sender: JID of who wrote it.
        at_ms: WhatsApp's time of it, milliseconds since 1970.
        raw: its content, a serialised waE2E.Message; None if that was too large to be kept.
        media: where its file is.
    """

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64", val_json_bytes="base64")

    id: str
    chat_id: str
    chat: str
    sender: str
    from_me: bool
    at_ms: int
    raw: bytes | None = None
    media: MediaReference | None = None

    def learnt(self) -> Memory:
        """It is new."""
        return Memory(step="learn", id=self.id, record=self.model_dump_json())

    def changed(self, message: wa.Message) -> Memory:
        """It says something else from now on."""
        new = self.model_copy(update={"raw": to_keep(message, RAW_MAX)})
        return Memory(step="change", id=self.id, record=new.model_dump_json())

    def forgotten(self) -> Memory:
        """It was taken back."""
        return Memory(step="forget", id=self.id)

    @property
    def message(self) -> wa.Message | None:
        """Its content, None if it was too large to be kept."""
        return None if self.raw is None else wa.Message.FromString(self.raw)


def options_of(
    poll: KnownMessage | None, hashes: Sequence[bytes]
) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """What was voted for in a poll.

    Args:
        hashes: SHA-256 of the names of options.

    Returns:
        The question, the names of the options, and the hashes (hexadecimal) that are of no option.
    """
    message = poll.message if poll else None
    creation = poll_of(message) if message is not None else None
    if creation is None:
        return "", (), tuple(value.hex() for value in hashes)
    names = {
        hashlib.sha256(option.option_name.encode()).digest(): option.option_name
        for option in creation.options
    }
    known = tuple(names[value] for value in hashes if value in names)
    return creation.name, known, tuple(value.hex() for value in hashes if value not in names)
