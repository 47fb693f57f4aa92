"""Files: uploaded, described, handed out by signed links, removed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from urllib.parse import quote

from aiohttp import BodyPartReader, content_disposition_filename, hdrs, parse_content_disposition, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, Field

from actors.media.errors import Code, MediaError
from actors.media.media import Media, not_found
from api import problems as p
from api.auth import Access
from api.fields import EXAMPLE_TIME, Query
from api.problems import Problem
from api.routing import Answer, Call, Routes
from api.services import Services

routes = Routes("Media", "Files to send, and those of messages: upload, describe, fetch, delete.")

log = logging.getLogger(__name__)

CHUNK = 256 * 1024
PIECE = 64 * 1024
"""Bytes that a reader takes within the deadline of a write."""
FORM = "application/x-www-form-urlencoded"
EXAMPLE_MEDIA = "med_0a1b2c3d4e5f60718293a4b5c6d7e8f9"


class MediaLink(BaseModel):
    """Where the file can be fetched without a key, for a time."""

    url: str = Field(
        description="A path of this API, unless MALOTE_GATEWAY_PUBLIC_URL says where customers reach it",
        examples=[f"/v1/media/inst_1/{EXAMPLE_MEDIA}?expires=1767225600&signature=…"],
    )
    expires_at: datetime


class StoredMedia(BaseModel):
    """A stored file."""

    id: str = Field(examples=[EXAMPLE_MEDIA])
    size: int = Field(description="Bytes")
    sha256: str = Field(description="Hexadecimal")
    mime_type: str = Field(examples=["image/jpeg"])
    file_name: str | None
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    link: MediaLink


class Upload(Query):
    """What is said of the file."""

    file_name: str | None = Field(
        None, max_length=255, description="Unset: that of the form, or of Content-Disposition"
    )


class Signed(Query):
    """What a link has."""

    expires: str = Field(max_length=20, description="Seconds since 1970")
    signature: str = Field(max_length=100)


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/media",
    "Upload a file",
    (201, Answer("The stored file", StoredMedia)),
    query=Upload,
    uploads=True,
    problems=(p.BAD_REQUEST, p.MEDIA_REFUSED, p.MEDIA_TOO_LARGE, p.MEDIA_WRONG_TYPE, p.MEDIA_UNAVAILABLE),
)
async def upload(call: Call[None, Upload]) -> StoredMedia:
    """The file is the body, with its own Content-Type, or the first file of a form (multipart/form-data).

    Send it in any number of messages, by its id. It is kept for some time only: upload it again if a message
    is refused for that.
    """
    request = call.request
    if request.content_type.startswith("multipart/"):
        part = await _file_of_form(request, call.services.settings.media.intake_timeout)
        chunks, mime_type, name = _part(part), part.headers.get(hdrs.CONTENT_TYPE), part.filename
    else:
        chunks = request.content.iter_chunked(CHUNK)
        # What a client sends that was told nothing is no claim.
        mime_type = None if request.content_type == FORM else request.headers.get(hdrs.CONTENT_TYPE)
        name = _disposition_name(request)
    media = await call.services.intake.upload(
        call.instance_id, chunks, mime_type=mime_type, file_name=call.query.file_name or name
    )
    return await _shown(call.services, media)


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/media/{media_id}",
    "Describe a file",
    (200, Answer("The stored file, with a fresh link", StoredMedia)),
    problems=(p.MEDIA_UNAVAILABLE,),
)
async def show(call: Call[None, None]) -> StoredMedia:
    """Of a message whose file is still being fetched, there is none yet."""
    media = await call.services.files.get(call.instance_id, call.path("media_id"))
    return await _shown(call.services, media)


@routes.add(
    "DELETE",
    "/v1/instances/{instance_id}/media/{media_id}",
    "Delete a file",
    (204, Answer("It is gone")),
    problems=(p.MEDIA_UNAVAILABLE,),
)
async def delete(call: Call[None, None]) -> None:
    """Messages with it that are not sent yet will fail."""
    media_id = call.path("media_id")
    if not await call.services.files.delete(call.instance_id, media_id):
        raise not_found(media_id)


@routes.add(
    "GET",
    "/v1/media/{instance_id}/{media_id}",
    "Fetch a file",
    (200, Answer("The file", media={"*/*": ""}, headers={"ETag": "Its SHA-256"})),
    (206, Answer("The part that was asked for", media={"*/*": ""})),
    (304, Answer("It is what `If-None-Match` says")),
    (416, Answer("The range is not within the file", headers={"Content-Range": "Its size"})),
    access=Access.PUBLIC,
    query=Signed,
    headers={"Range": "One range of bytes", "If-None-Match": "An ETag", "If-Range": "An ETag"},
    problems=(p.MEDIA_LINK_INVALID, p.MEDIA_LINK_EXPIRED, p.MEDIA_UNAVAILABLE),
)
async def fetch(call: Call[None, Signed]) -> web.StreamResponse:
    """By a link of ours, which needs no key. Browsers save the file, and do not show it."""
    services, request = call.services, call.request
    instance_id, media_id = call.path("instance_id"), call.path("media_id")
    await services.linker.check(
        instance_id, media_id, expires=call.query.expires, signature=call.query.signature
    )
    media = await services.files.get(instance_id, media_id)
    etag = f'"{media.sha256}"'
    response = web.StreamResponse(headers=_headers(media, etag))
    if etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        response.set_status(304)
        return response
    span = _range(request, etag, media.size)
    if span is None:
        response.set_status(416)
        response.headers[hdrs.CONTENT_RANGE] = f"bytes */{media.size}"
        response.content_length = 0
        return response
    start, end = span
    if end - start < media.size:
        response.set_status(206)
        response.headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{end - 1}/{media.size}"
    response.content_length = end - start
    if request.method == hdrs.METH_HEAD:
        return response
    chunks = services.files.read(instance_id, media_id, start=start, end=end)
    async with aclosing(chunks):  # type: ignore[type-var]
        # Before the first byte, an error can still be told.
        first = await anext(chunks, b"")
        await response.prepare(request)
        await _send(request, response, first, chunks, services.settings.gateway.stream_write_timeout)
    return response


async def _send(
    request: web.Request,
    response: web.StreamResponse,
    first: bytes,
    rest: AsyncIterator[bytes],
    patience: float,
) -> None:
    """Write a body to its end, or break the connection off: no error can be told behind its beginning.

    Args:
        patience: seconds within which the reader has to take a piece.
    """
    try:
        await _write(response, first, patience)
        async for chunk in rest:
            await _write(response, chunk, patience)
        await response.write_eof()
    except (ConnectionError, TimeoutError):
        _break_off(request)
    except MediaError as error:
        log.warning("a file was broken off", extra={"error": str(error)})
        _break_off(request)


async def _write(response: web.StreamResponse, chunk: bytes, patience: float) -> None:
    for start in range(0, len(chunk), PIECE):
        async with asyncio.timeout(patience):
            await response.write(chunk[start : start + PIECE])


def _break_off(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _shown(services: Services, media: Media) -> StoredMedia:
    link = await services.linker.link(media.instance_id, media.id)
    return StoredMedia(
        **media.model_dump(exclude={"instance_id"}), link=MediaLink(url=link.url, expires_at=link.expires_at)
    )


async def _file_of_form(request: web.Request, patience: float) -> BodyPartReader:
    try:
        # What stands before the file is read and dropped, however long it is.
        async with asyncio.timeout(patience):
            async for part in await request.multipart():
                if isinstance(part, BodyPartReader) and part.filename is not None:
                    return part
    except TimeoutError as error:
        raise MediaError(
            Code.SLOW, f"no file came in the form within {patience:g} s: put it first", again=True
        ) from error
    except (ValueError, HttpProcessingError) as error:
        raise Problem(p.BAD_REQUEST, "The form cannot be read: send it as multipart/form-data.") from error
    raise MediaError(Code.EMPTY, "there is no file in the form: add one, with a file name")


async def _part(part: BodyPartReader) -> AsyncIterator[bytes]:
    while chunk := await part.read_chunk(CHUNK):
        yield chunk


def _disposition_name(request: web.Request) -> str | None:
    found = request.headers.get("Content-Disposition")
    if found is None:
        return None
    _, parameters = parse_content_disposition(found)
    return content_disposition_filename(parameters)


def _headers(media: Media, etag: str) -> dict[str, str]:
    name = quote(media.file_name or media.id, safe="")
    return {
        hdrs.CONTENT_TYPE: media.mime_type,
        hdrs.CONTENT_DISPOSITION: f"attachment; filename*=UTF-8''{name}",
        # A file is somebody else's page: should a browser show it all the same, it can do nothing.
        "Content-Security-Policy": "sandbox; default-src 'none'",
        hdrs.CACHE_CONTROL: "private, max-age=86400, immutable",
        hdrs.ACCEPT_RANGES: "bytes",
        hdrs.ETAG: etag,
    }


def _range(request: web.Request, etag: str, size: int) -> tuple[int, int] | None:
    """From where to before where; the whole file if no part is asked for, None if there is no such part."""
    given = request.headers.get(hdrs.IF_RANGE)
    if given is not None and given != etag:
        return 0, size
    try:
        asked = request.http_range
    except ValueError:
        return 0, size
    if asked.start is None and asked.stop is None:
        return 0, size
    start, end, _ = slice(asked.start, asked.stop).indices(size)
    return (start, end) if start < end else None
