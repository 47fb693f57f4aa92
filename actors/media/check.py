"""Whether a file may be taken at all: its size, and what it was called against what it is."""

from __future__ import annotations

from pathlib import Path

from actors.media.errors import Code, MediaError, too_large
from actors.media.kinds import Kind
from actors.media.sniff import HEAD, check_claim, sniff
from actors.settings import MediaSettings


def cap_of(settings: MediaSettings, kind: Kind) -> int:
    """The most bytes that are taken of a kind."""
    return {
        Kind.IMAGE: settings.image_bytes,
        Kind.VIDEO: settings.video_bytes,
        Kind.GIF: settings.gif_bytes,
        Kind.AUDIO: settings.audio_bytes,
        Kind.VOICE: settings.voice_bytes,
        Kind.STICKER: settings.sticker_bytes,
        Kind.DOCUMENT: settings.document_bytes,
    }[kind]


def examine(path: Path, *, cap: int, claimed: str | None) -> str | None:
    """The MIME type by a file's beginning, None if nothing is known.

    Args:
        cap: the most bytes it may have.
        claimed: what it was called, None if nothing.

    Raises:
        MediaError: EMPTY, TOO_LARGE or MISMATCH.
    """
    size = path.stat().st_size
    if size == 0:
        raise MediaError(Code.EMPTY, "the file is empty: send one with something in it")
    if size > cap:
        raise too_large(cap)
    with path.open("rb") as file:
        found = sniff(file.read(HEAD))
    check_claim(claimed, found)
    return found
