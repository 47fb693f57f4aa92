"""What a file's first bytes say it is, and whether it was called something else. Pure."""

from __future__ import annotations

import re

import puremagic

from actors.media.errors import Code, MediaError

HEAD = 4096
"""Bytes of a file that are looked at."""
LEAST_CONFIDENCE = 0.2
USUAL = {
    "application/ogg": "audio/ogg",
    "audio/wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/x-m4a": "audio/mp4",
    "audio/mp3": "audio/mpeg",
    "video/avi": "video/x-msvideo",
    "image/jpg": "image/jpeg",
    "image/x-ms-bmp": "image/bmp",
    "application/x-gzip": "application/gzip",
    "application/x-matroska": "video/x-matroska",
    "application/x-pdf": "application/pdf",
}
"""Other names of a type."""
SIGNED = ((b"#!AMR", "audio/amr"), (b"MZ", "application/vnd.microsoft.portable-executable"))
"""Beginnings that puremagic has no MIME type for."""
BRANDS = {b"M4A ": "audio/mp4", b"M4B ": "audio/mp4", b"heic": "image/heic", b"heix": "image/heic"}
"""What an ISO file says it is; the container is that of MP4 in each."""
OFFICE = "application/vnd.openxmlformats-officedocument."
PARTS = (
    (b"word/", OFFICE + "wordprocessingml.document"),
    (b"xl/", OFFICE + "spreadsheetml.sheet"),
    (b"ppt/", OFFICE + "presentationml.presentation"),
)
"""Folders in a ZIP file that is a document; puremagic calls every ZIP file a Word document."""
NAMED_ZIP = re.compile(rb"PK\x03\x04.{26}mimetype(application/[a-z0-9.+-]+)", re.DOTALL)
MARKUP = re.compile(rb"\s*(<!--.*?-->\s*)*<(!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
SHOWN = frozenset({"image", "audio", "video"})


def sniff(head: bytes) -> str | None:
    """The MIME type of a file that begins like this, None if nothing is known. What it says is a beginning's
    word: whether the rest is as good, decoding tells.
    """
    head = head[:HEAD]
    if head[4:8] == b"ftyp" and (brand := BRANDS.get(head[8:12])):
        return brand
    for beginning, mime_type in SIGNED:
        if head.startswith(beginning):
            return mime_type
    if head.startswith(b"PK\x03\x04"):
        return _zipped(head)
    if MARKUP.match(head):
        return "text/html"
    if head and (found := _by_magic(head)):
        return found
    return "text/plain" if head and _is_text(head) else None


def usual(mime_type: str) -> str:
    """The name that a type has here."""
    return USUAL.get(mime_type, mime_type)


def check_claim(claimed: str | None, found: str | None) -> None:
    """Refuse a file that was called what it is not.

    A picture that is of another format than it says passes, and so do sound and film for each other: they
    share containers, and what they are sent as goes by what they are.

    Args:
        claimed: what the sender or the server said, None if nothing.
        found: what `sniff` says.

    Raises:
        MediaError: MISMATCH.
    """
    if claimed is None or found is None:
        return
    claimed, found = usual(claimed), usual(found)
    if claimed == found or _alike(claimed, found):
        return
    is_page = found == "text/html"
    if is_page or claimed == "application/pdf" or {_family(claimed), _family(found)} & SHOWN:
        hint = (
            "it is a web page, perhaps one that says what went wrong: give the address of the file itself"
            if is_page
            else "send the file that was meant, or leave its type out"
        )
        raise MediaError(Code.MISMATCH, f"the file is called {claimed} but is {found}; {hint}")


def _by_magic(head: bytes) -> str | None:
    try:
        matches = puremagic.magic_string(head)
    except (puremagic.PureError, ValueError):
        return None
    for match in matches:
        if match.mime_type and match.confidence >= LEAST_CONFIDENCE:
            return usual(match.mime_type)
    return None


def _zipped(head: bytes) -> str:
    if named := NAMED_ZIP.match(head):
        return named[1].decode()
    if b"[Content_Types].xml" in head:
        return next((mime_type for part, mime_type in PARTS if part in head), "application/zip")
    return "application/zip"


def _alike(claimed: str, found: str) -> bool:
    first, second = _family(claimed), _family(found)
    if found == "text/html":
        return first == "text" or claimed == "application/xhtml+xml"
    if found == "text/plain":
        # Much is text below: SVG, JSON, calendars.
        return (first not in SHOWN and claimed != "application/pdf") or claimed.endswith("xml")
    moving = {"audio", "video"}
    return first in SHOWN and (first == second or {first, second} <= moving)


def _family(mime_type: str) -> str:
    return mime_type.partition("/")[0]


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # not just a letter cut in two
            return False
        text = head[: error.start].decode("utf-8")
    return all(one.isprintable() or one in "\t\r\n\f" for one in text.replace("\ufeff", ""))
