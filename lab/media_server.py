"""The HTTPS side of media: uploads and downloads as WhatsApp's servers take and give them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import time
from typing import TYPE_CHECKING

from aiohttp import web

from lab.media import MAX_FILE, PATH

if TYPE_CHECKING:
    from lab.accounts import Device
    from lab.switchboard import Switchboard

_BLOCK = 1 << 16


class MediaServer:
    """Serves a network's media."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board

    def add_to(self, app: web.Application) -> None:
        """Add its routes."""
        for prefix in ("mms", "newsletter"):
            app.router.add_post(f"/{prefix}/{{kind}}/{{token}}", self._upload)
        app.router.add_delete("/mms/{kind}/{token}", self._remove)
        app.router.add_get(f"{PATH}/{{name}}", self._download, allow_head=False)

    async def _upload(self, request: web.Request) -> web.Response:
        device = self._uploader(request)
        phone, number = device.account.phone, device.number
        wanted = _hash(request.match_info["token"])
        faults, media = self._board.faults, self._board.media
        if code := faults.refuses_upload(phone, number):
            return web.Response(status=code, text="refused on purpose")
        pace = _Pace(faults.media_pace(phone, number))
        with media.draft() as draft:
            async for block in request.content.iter_chunked(pace.block):
                draft.write(block)
                if draft.size > MAX_FILE:
                    raise web.HTTPRequestEntityTooLarge(max_size=MAX_FILE, actual_size=draft.size)
                await pace.passed(len(block))
            if draft.digest() != wanted:
                raise web.HTTPBadRequest(text="the file is not what its token says")
            blob = media.keep(draft, request.match_info["kind"], phone, number)
        url = f"https://{self._board.address}{blob.direct_path}"
        told = {"url": url, "direct_path": blob.direct_path}
        if blob.kind.startswith("newsletter-"):
            told["handle"] = f"handle-{blob.name}"
        return web.json_response(told)

    async def _remove(self, request: web.Request) -> web.Response:
        # A device may remove what its own account has uploaded: a part of the history that it has read.
        device = self._uploader(request)
        blob = self._board.media.find(_hash(request.match_info["token"]).hex())
        if blob is None or blob.phone != device.account.phone or blob.kind != request.match_info["kind"]:
            raise web.HTTPNotFound(text="there is no such file of this account")
        self._board.media.delete(blob.name)
        return web.Response()

    def _uploader(self, request: web.Request) -> Device:
        permitted = self._board.media.permitted(request.query.get("auth", ""))
        account = self._board.directory.find(permitted[0]) if permitted else None
        device = account.devices.get(permitted[1]) if account and permitted else None
        if device is None:
            raise web.HTTPUnauthorized(text="no permission to upload: ask for one (w:m)")
        return device

    async def _download(self, request: web.Request) -> web.StreamResponse:
        blob = self._board.media.find(request.match_info["name"])
        if blob is None:
            raise web.HTTPNotFound(text="there is no such file")
        faults = self._board.faults
        if code := faults.loses_media(blob.phone, blob.device):
            return web.Response(status=code, text="lost on purpose")
        corrupt = faults.corrupts_media(blob.phone, blob.device)
        breaks = faults.breaks_media(blob.phone, blob.device)
        pace = _Pace(faults.media_pace(blob.phone, blob.device))
        answer = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        answer.content_length = blob.size
        with self._board.media.path(blob).open("rb") as file:
            await answer.prepare(request)
            if breaks:
                await answer.write(file.read(blob.size // 2))
                raise ConnectionResetError("broken off on purpose")
            while block := file.read(pace.block):
                await answer.write(bytes((block[0] ^ 0xFF,)) + block[1:] if corrupt else block)
                await pace.passed(len(block))
        await answer.write_eof()
        return answer


class _Pace:
    """Lets so many bytes a second pass, or any number."""

    def __init__(self, bytes_per_second: int | None) -> None:
        self._rate = bytes_per_second
        self._start = time.monotonic()
        self._passed = 0
        self.block = min(_BLOCK, max(1, bytes_per_second // 10)) if bytes_per_second else _BLOCK

    async def passed(self, count: int) -> None:
        self._passed += count
        if self._rate:
            await asyncio.sleep(max(0.0, self._start + self._passed / self._rate - time.monotonic()))


def _hash(token: str) -> bytes:
    try:
        digest = base64.b64decode(token, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise web.HTTPBadRequest(text="the token is not the SHA-256 of a file")
    return digest
