"""A stored file: its id, its name and what is known about it."""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict, Field

from actors.media.errors import Code, MediaError

MEDIA_ID = re.compile(r"med_[0-9a-f]{32}")
INSTANCE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
MIME_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
NAME_BYTES = 240
"""Longest file name, in UTF-8: file systems take 255, object stores 2 KB for everything about a file."""


class Media(BaseModel):
    """A stored file. It never changes."""

    model_config = ConfigDict(frozen=True)

    id: str
    instance_id: str
    size: int = Field(description="Bytes")
    sha256: str = Field(description="Hexadecimal")
    mime_type: str
    file_name: str | None = None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """What a list of stored files says of each.

    Args:
        size: bytes.
        created_at: seconds since 1970.
    """

    id: str
    size: int
    created_at: float


def new_media_id() -> str:
    """A fresh id that nobody can guess."""
    return f"med_{secrets.token_hex(16)}"


def media_id_of(instance_id: str, message_id: str) -> str:
    """The id of a message's file: known before it is fetched, and the same when the message comes again."""
    return f"med_{hashlib.sha256(f'{instance_id} {message_id}'.encode()).hexdigest()[:32]}"


def checked(instance_id: str, media_id: str) -> tuple[str, str]:
    """Both, if they are what ids look like: they become parts of paths.

    Raises:
        MediaError: NOT_FOUND, they are not.
    """
    if not INSTANCE_ID.fullmatch(instance_id) or not MEDIA_ID.fullmatch(media_id):
        raise not_found(media_id)
    return instance_id, media_id


def not_found(media_id: str) -> MediaError:
    """The error for a file that is not there."""
    shown = media_id if MEDIA_ID.fullmatch(media_id) else "of this id"
    return MediaError(
        Code.NOT_FOUND, f"there is no file {shown}: it was never stored, or its time was over; send it again"
    )


def mime_type_of(text: str | None) -> str | None:
    """A MIME type in lower case, without parameters; None for what is none or says nothing."""
    bare = (text or "").partition(";")[0].strip().lower()
    if not MIME_TYPE.fullmatch(bare) or bare in ("application/octet-stream", "binary/octet-stream"):
        return None
    return bare


def file_name_of(text: str | None) -> str | None:
    """A file name without folders and control characters, at most 240 bytes; None if nothing is left."""
    if text is None:
        return None
    last = PurePosixPath(text.replace("\\", "/")).name
    clean = "".join(one for one in unicodedata.normalize("NFC", last) if _shown(one)).strip(" .")
    stem, dot, ending = clean.rpartition(".")
    if not dot or len(ending.encode()) > 16:
        stem, dot, ending = clean, "", ""
    room = NAME_BYTES - len((dot + ending).encode())
    return stem.encode()[:room].decode("utf-8", "ignore") + dot + ending or None


def _shown(character: str) -> bool:
    # Not the controls that turn text round either: they hide what a file's name ends in.
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
