"""A customer's endpoint: a real HTTP server that behaves, or misbehaves, as it is told."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError


@dataclass(frozen=True)
class Got:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def seq(self) -> int:
        return int(self.event["seq"])

    @property
    def attempt(self) -> int:
        return int(self.headers["malote-attempt"])

    def verify(self, secret: str) -> None:
        """Raises if the signature is not one of this secret."""
        Webhook(secret).verify(self.body, self.headers)


Answer = Callable[[Got, web.Request], Awaitable[web.StreamResponse | None]]


@dataclass
class Receiver:
    """Keeps what it got, and what of it it took (answered with a 2xx).

    With a ``secret``, signatures are checked as requests come (later they would be too old to be good), and
    what has none stands in ``forged``.
    """

    port: int = 0
    host: str = "127.0.0.1"
    tls: ssl.SSLContext | None = None
    secret: str | None = None
    got: list[Got] = field(default_factory=list)
    taken: list[Got] = field(default_factory=list)
    forged: list[Got] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    open: int = 0
    most_open: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _runner: web.AppRunner | None = None

    def url(self, path: str = "/") -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{path}"

    def answer(self, answer: Answer, path: str = "/") -> None:
        """Answer requests to ``path`` so; an answer of None is a 200."""
        self.answers[path] = answer

    def obey(self, path: str = "/") -> None:
        """Take everything again."""
        self.answers.pop(path, None)

    def seqs(self, path: str = "/") -> list[int]:
        """Sequence numbers of what was taken, in order."""
        return [got.seq for got in self.taken if got.path == path]

    async def wait(self, done: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until something is true of what came."""
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(done)

    async def wait_got(self, least: int) -> None:
        """Wait until at least so many requests came."""
        await self.wait(lambda: len(self.got) >= least)

    async def wait_taken(self, least: int) -> None:
        """Wait until at least so many requests were taken."""
        await self.wait(lambda: len(self.taken) >= least)

    async def start(self) -> None:
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, ssl_context=self.tls)
        await site.start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        got = Got(
            request.path,
            {name.lower(): value for name, value in request.headers.items()},
            await request.read(),
        )
        if self.secret is not None:
            try:
                got.verify(self.secret)
            except WebhookVerificationError:
                self.forged.append(got)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            async with self.changed:
                self.got.append(got)
                self.changed.notify_all()
            answer = self.answers.get(got.path)
            response = (await answer(got, request) if answer else None) or web.Response(text="thanks")
            if 200 <= response.status < 300:
                async with self.changed:
                    self.taken.append(got)
                    self.changed.notify_all()
            return response
        finally:
            self.open -= 1
