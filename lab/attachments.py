"""Files in messages: how a contact puts one in, and what a message says about the one that it brings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import whatsapp_pb2 as wa
from lab.accounts import LabError

Kind = Literal["image", "video", "audio", "document", "sticker"]
KINDS: tuple[str, ...] = get_args(Kind)
_TYPES: dict[str, str] = {
    "image": "image/jpeg",
    "video": "video/mp4",
    "audio": "audio/ogg; codecs=opus",
    "document": "application/octet-stream",
    "sticker": "image/webp",
}


@dataclass(frozen=True, slots=True)
class Attachment:
    """What is said of a file, besides where it is. What a kind cannot say is left out."""

    kind: Kind
    mimetype: str = ""
    caption: str = ""
    file_name: str = ""
    voice: bool = False
    gif: bool = False


def message_with(attachment: Attachment, uploaded: pb.UploadResult) -> bytes:
    """A serialized message that brings an uploaded file."""
    message = wa.Message()
    part = getattr(message, _field(attachment.kind))
    said: dict[str, Any] = {
        "mimetype": attachment.mimetype or _TYPES[attachment.kind],
        "caption": attachment.caption,
        "file_name": attachment.file_name,
        "ptt": attachment.voice,
        "gif_playback": attachment.gif,
        "url": uploaded.url,
        "direct_path": uploaded.direct_path,
        "media_key": uploaded.media_key,
        "file_sha256": uploaded.file_sha256,
        "file_enc_sha256": uploaded.file_enc_sha256,
        "file_length": uploaded.file_length,
    }
    for name, value in said.items():
        if value and name in part.DESCRIPTOR.fields_by_name:
            setattr(part, name, value)
    return message.SerializeToString()


def file_in(message: bytes) -> dict[str, Any]:
    """What an engine's ``fetch_media`` needs for the file in a serialized message. Raises LabError."""
    parsed = wa.Message.FromString(message)
    kind = next((kind for kind in KINDS if parsed.HasField(_field(kind))), None)
    if kind is None:
        raise LabError("no_media", "this message brings no file", 409)
    part = getattr(parsed, _field(kind))
    return {
        "kind": kind,
        "direct_path": part.direct_path,
        "media_key": part.media_key,
        "file_sha256": part.file_sha256,
        "file_enc_sha256": part.file_enc_sha256,
    }


def _field(kind: str) -> str:
    return f"{kind}_message"
