"""The operations of the control interface for media, polls and messages of any kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from aiohttp import web

from lab.accounts import LabError
from lab.attachments import KINDS, Attachment, Kind
from lab.control.http import route
from lab.control.models import AnyMessage, Ballot, BlobView
from lab.media import MAX_FILE
from lab.writing import Written

if TYPE_CHECKING:
    from lab.contact import Contact
    from lab.network import Lab

_BLOCK = 1 << 16


def _contact(lab: Lab, request: web.Request) -> Contact:
    return lab.contacts.get(request.match_info["phone"].lstrip("+"))


@route("POST", "/contacts/{phone}/raw", body=AnyMessage, result=Written, status=201)
async def write_any(lab: Lab, request: web.Request, body: AnyMessage) -> Written:
    """Let a contact write a message of any kind, given as WhatsApp serializes it."""
    return await _contact(lab, request).write_message(body.to, body.message, body.id)


@route("POST", "/contacts/{phone}/media", result=Written, status=201)
async def write_file(lab: Lab, request: web.Request, body: None) -> Written:
    """Let a contact send the file in the body: ?to=&kind=image&caption=&file_name=&voice=1&gif=1&id=."""
    contact, query = _contact(lab, request), request.query
    kind, id_ = query.get("kind", ""), query.get("id", "")
    if kind not in KINDS:
        raise LabError("bad_input", f"kind: one of {', '.join(KINDS)}", 422)
    if not re.fullmatch("[0-9A-Za-z_-]{0,60}", id_):
        raise LabError("bad_input", "id: up to 60 letters, digits, - and _", 422)
    attachment = Attachment(
        kind=cast("Kind", kind),
        mimetype=query.get("mimetype", ""),
        caption=query.get("caption", ""),
        file_name=query.get("file_name", ""),
        voice=query.get("voice", "") in ("1", "true"),
        gif=query.get("gif", "") in ("1", "true"),
    )
    path = contact.room()
    try:
        size = 0
        with path.open("wb") as file:
            async for block in request.content.iter_chunked(_BLOCK):
                size += len(block)
                if size > MAX_FILE:
                    raise LabError("too_large", f"a file has at most {MAX_FILE} bytes", 413)
                file.write(block)
        return await contact.write_file(query.get("to", ""), path, attachment, id_)
    finally:
        path.unlink(missing_ok=True)


@route("POST", "/contacts/{phone}/votes", body=Ballot, result=Written, status=201)
async def vote(lab: Lab, request: web.Request, body: Ballot) -> Written:
    """Let a contact vote in a poll, change its vote or take it back."""
    return await _contact(lab, request).vote(
        body.chat, body.poll_id, body.options, sender=body.sender, id_=body.id
    )


@route("GET", "/contacts/{phone}/messages/{id}/media", result=bytes)
async def fetch(lab: Lab, request: web.Request, body: None) -> bytes:
    """The file that a message brought to a contact, downloaded and decrypted by its client."""
    return await _contact(lab, request).fetch(request.match_info["id"])


@route("GET", "/media", result=list[BlobView])
async def list_media(lab: Lab, request: web.Request, body: None) -> list[BlobView]:
    """Every file that was uploaded and is still there, oldest first; all are encrypted."""
    return [
        BlobView(
            name=blob.name, kind=blob.kind, phone=blob.phone, size=blob.size, direct_path=blob.direct_path
        )
        for blob in lab.board.media.all()
    ]


@route("DELETE", "/media/{name}")
async def delete_media(lab: Lab, request: web.Request, body: None) -> None:
    """Let a file be gone, as the real network does after some weeks."""
    lab.board.media.delete(request.match_info["name"])
