"""What is remembered of a message, so that others can refer to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict

from actors.instance.connection import whatsapp_pb2 as wa
from actors.messages.raw import poll_of
from actors.messages.received import MediaReference


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

    @property
    def message(self) -> wa.Message | None:
        """Its content, None if it was too large to be kept."""
        return None if self.raw is None else wa.Message.FromString(self.raw)


@dataclass(frozen=True, slots=True)
class Memory:
    """What an event changes in what is known.

    ``learn`` keeps what is known under this id already: ids are chosen by the sender's device, and nobody may
    take the place of another's message. ``change`` and ``forget`` are of a message that was looked up.
    """

    step: Literal["learn", "change", "forget"]
    id: str
    message: KnownMessage | None = None


def options_of(poll: KnownMessage, hashes: Sequence[bytes]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """What was voted for in a poll.

    Args:
        hashes: SHA-256 of the names of options.

    Returns:
        The question, the names of the options, and the hashes (hexadecimal) that are of no option.
    """
    message = poll.message
    creation = poll_of(message) if message is not None else None
    if creation is None:
        return "", (), tuple(value.hex() for value in hashes)
    names = {
        hashlib.sha256(option.option_name.encode()).digest(): option.option_name
        for option in creation.options
    }
    known = tuple(names[value] for value in hashes if value in names)
    return creation.name, known, tuple(value.hex() for value in hashes if value not in names)
