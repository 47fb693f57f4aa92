"""The customer's server: checks every signature and books every event."""

from __future__ import annotations

import json
import time
from datetime import datetime

from aiohttp import web

from bench.handoff.books import Books
from deploy.demo.receiver import verify

BACKLOG = 1024


class Receiver:
    """One path for each instance, one signing secret for all."""

    def __init__(self, books: Books, secret: str) -> None:
        self._books = books
        self._secret = secret
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        """Listen on a free port of this machine."""
        app = web.Application()
        app.router.add_post("/hook/{instance}", self._hook)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, backlog=BACKLOG).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def url(self, instance_id: str) -> str:
        """Where the events of an instance go."""
        return f"http://127.0.0.1:{self._port}/hook/{instance_id}"

    async def _hook(self, request: web.Request) -> web.Response:
        body = await request.read()
        now = time.time()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if not verify(self._secret, headers, body, now=now):
            self._books.refused += 1
            return web.Response(status=401, text="bad signature")
        event = json.loads(body)
        if event["id"] != headers["webhook-id"] or event["instance_id"] != request.match_info["instance"]:
            self._books.refused += 1
            return web.Response(status=400, text="the event is not the one that was signed for")
        had = datetime.fromisoformat(event["received_at"]).timestamp()
        self._books.deliver(
            event, attempt=int(headers["malote-attempt"]), at=time.monotonic(), latency=now - had
        )
        return web.Response(status=204)
