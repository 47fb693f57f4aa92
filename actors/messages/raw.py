"""WhatsApp's own form of a message: unwrapped, looked into, and made fit to be kept or shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import Message as Protobuf

from actors.instance.connection import whatsapp_pb2 as wa

WRAPPERS = (
    "ephemeral_message",
    "view_once_message",
    "view_once_message_v2",
    "view_once_message_v2_extension",
    "lottie_sticker_message",
    "document_with_caption_message",
    "edited_message",
)
"""What a message can be wrapped in, from the outside in."""

ACCOMPANYING = "message_context_info"
POLLS = (
    "poll_creation_message",
    "poll_creation_message_v2",
    "poll_creation_message_v3",
    "poll_creation_message_v5",
    "poll_creation_message_v6",
)
SECRETS = ("media_key", "message_secret")
THUMBNAILS = ("jpeg_thumbnail", "png_thumbnail")


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """A message without what it was wrapped in."""

    message: wa.Message
    view_once: bool = False


def unwrap(message: wa.Message) -> Unwrapped:
    """Take a message out of its wrappers."""
    view_once = False
    for name in WRAPPERS:
        if message.HasField(name):
            message = getattr(message, name).message
            view_once = view_once or name.startswith("view_once")
    return Unwrapped(message, view_once)


def field_of(message: wa.Message) -> str | None:
    """The name of the field that makes up the message, None if there is none that is known."""
    for field, _ in message.ListFields():
        if field.name != ACCOMPANYING:
            name: str = field.name
            return name
    return None


def kind_of(message: wa.Message) -> str:
    """The same as JSON and events have it, as in ``conversation`` or ``imageMessage``."""
    name = field_of(message)
    kind: str = wa.Message.DESCRIPTOR.fields_by_name[name].json_name if name else "unknown"
    return kind


def context_of(message: wa.Message) -> wa.ContextInfo | None:
    """How a message stands to others, None if it does not say."""
    for _, value in message.ListFields():
        if isinstance(value, Protobuf) and _has(value, "context_info"):
            found: wa.ContextInfo = value.context_info  # type: ignore[attr-defined]
            return found
    return None


def poll_of(message: wa.Message) -> wa.PollCreationMessage | None:
    """The poll in a message, if it is one."""
    for name in POLLS:
        if message.HasField(name):
            poll: wa.PollCreationMessage = getattr(message, name)
            return poll
    return None


def without_secrets(body: bytes) -> bytes:
    """A serialised message without the keys of its files and of what is said about it."""
    message = wa.Message.FromString(body)
    found = [part for part in _parts(message) if any(_has(part, name) for name in SECRETS)]
    if not found:
        return body
    _clear(found, SECRETS)
    return message.SerializeToString(deterministic=True)


def to_keep(message: wa.Message, most: int) -> bytes | None:
    """A message as it is kept to be quoted, edited and forwarded.

    Args:
        most: bytes that it may have; above, pictures of it are left out first.

    Returns:
        It, serialised; None if it is too large all the same.
    """
    kept = wa.Message()
    kept.CopyFrom(message)
    kept.ClearField("message_context_info")
    context = context_of(kept)
    if context is not None:
        context.ClearField("quoted_message")
    if kept.ByteSize() > most:
        _clear(list(_parts(kept)), THUMBNAILS)
    return kept.SerializeToString(deterministic=True) if kept.ByteSize() <= most else None


def _parts(message: Protobuf) -> Iterator[Protobuf]:
    yield message
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for part in value if field.is_repeated else (value,):
            yield from _parts(part)


def _has(part: Protobuf, name: str) -> bool:
    return name in part.DESCRIPTOR.fields_by_name and part.HasField(name)


def _clear(parts: list[Protobuf], names: tuple[str, ...]) -> None:
    for part in parts:
        for name in names:
            if _has(part, name):
                part.ClearField(name)
