"""What a file is sent as."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """The ways in which WhatsApp shows a file."""

    IMAGE = "image"
    VIDEO = "video"
    GIF = "gif"
    AUDIO = "audio"
    VOICE = "voice"
    STICKER = "sticker"
    DOCUMENT = "document"


TAKES = {
    Kind.IMAGE: "JPEG, PNG, WebP, GIF, AVIF, BMP or TIFF",
    Kind.VIDEO: "MP4, MOV, 3GP, WebM, Matroska, AVI or MPEG",
    Kind.GIF: "GIF, animated WebP or PNG, or a video",
    Kind.AUDIO: "MP3, M4A, AAC, Ogg, AMR, WAV, FLAC or WebM",
    Kind.VOICE: "MP3, M4A, AAC, Ogg, AMR, WAV, FLAC or WebM",
    Kind.STICKER: "WebP, PNG, GIF, JPEG or AVIF",
    Kind.DOCUMENT: "any file",
}
"""What each is made from, for people."""
