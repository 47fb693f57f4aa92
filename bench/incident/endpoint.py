"""The endpoint that hangs."""

from __future__ import annotations

import asyncio

from aiohttp import web

from bench.handoff.books import Books
from bench.handoff.receiver import Receiver


class Endpoint(Receiver):
    """Takes a request and does not answer it while it hangs; books only what it answers.

    Attributes:
        held: requests that were not answered.
    """

    def __init__(self, books: Books, secret: str) -> None:
        super().__init__(books, secret)
        self.held = 0
        self._well = asyncio.Event()
        self._well.set()

    def hang(self) -> None:
        """From now on."""
        self._well.clear()

    def recover(self) -> None:
        """Answer again, also what waits still."""
        self._well.set()

    async def _hook(self, request: web.Request) -> web.Response:
        if not self._well.is_set():
            self.held += 1
            await request.read()
            await self._well.wait()
        if request.transport is None or request.transport.is_closing():
            return web.Response(status=503, text="nobody waits for the answer any more")
        return await super()._hook(request)
