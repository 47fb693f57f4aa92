"""Bytes on their way in, written to a file on this machine: uploads, base64, and what is left of them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from actors.media.errors import Code, MediaError, too_large
from actors.media.media import mime_type_of

DATA_URL = re.compile(r"data:([^,;]*)(?:;[^,;]*)*;base64,", re.IGNORECASE)
BASE64_CHUNK = 4 * 64 * 1024


@asynccontextmanager
async def scratch_file(folder: Path) -> AsyncIterator[Path]:
    """A new, empty file in a folder; what is still there at the end of the context is removed."""
    path = await asyncio.to_thread(_new, folder)
    try:
        yield path
    finally:
        await asyncio.to_thread(path.unlink, True)


async def spool(chunks: AsyncIterable[bytes], path: Path, *, cap: int) -> int:
    """Write what comes to a file; its size. Never more than `cap` bytes are written.

    Raises:
        MediaError: TOO_LARGE, EMPTY, or STORE if the disk takes no more.
    """
    size = 0
    try:
        with path.open("wb") as file:
            async for chunk in chunks:
                size += len(chunk)
                if size > cap:
                    raise too_large(cap)
                await asyncio.to_thread(file.write, chunk)
    except OSError as error:
        raise MediaError(
            Code.STORE, f"the file could not be written: {error.strerror or 'disk'}", again=True
        ) from error
    if size == 0:
        raise MediaError(Code.EMPTY, "the file is empty: send one with something in it")
    return size


async def spool_base64(text: str, path: Path, *, cap: int) -> str | None:
    """Write a file that came as base64, or as a ``data:`` URL; the MIME type that the URL names, if any.

    Raises:
        MediaError: BASE64, TOO_LARGE, EMPTY, STORE.
    """
    mime_type = None
    if text[:5].lower() == "data:":
        head = DATA_URL.match(text)
        if head is None:
            raise MediaError(
                Code.BASE64, "the data URL is not base64: write data:<MIME type>;base64,<the file>"
            )
        mime_type, text = mime_type_of(head[1]), text[head.end() :]
    if len(text) * 3 // 4 - 2 > cap and not re.search(r"\s", text):
        raise too_large(cap)
    await spool(_decoded(text), path, cap=cap)
    return mime_type


async def _decoded(text: str) -> AsyncIterator[bytes]:
    try:
        plain = re.sub(r"[ \t\r\n]+", "", text).encode("ascii")
        for start in range(0, len(plain), BASE64_CHUNK):
            piece = plain[start : start + BASE64_CHUNK]
            if start + BASE64_CHUNK < len(plain) and b"=" in piece:
                raise binascii.Error("something follows its end")
            yield base64.b64decode(piece, validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        reason = "a letter that is not ASCII" if isinstance(error, UnicodeEncodeError) else str(error)
        raise MediaError(
            Code.BASE64,
            f"not base64 ({reason[:1].lower()}{reason[1:]}): use the standard alphabet, with padding",
        ) from error


def sweep(folder: Path, before: float) -> int:
    """Remove what is in a folder and was last written before a time (seconds since 1970); how much it was."""
    found = 0
    with suppress(FileNotFoundError):
        for path in list(folder.iterdir()):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    found += 1
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return found


def _new(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix="spool-", dir=folder)
    os.close(handle)
    return Path(name)
