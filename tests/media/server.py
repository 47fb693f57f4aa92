"""A server of files that hangs, drips, lies, breaks off and redirects, as a test says.

127.0.0.2 plays an address of the public internet, 127.0.0.1 one that nobody may connect to.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from tests.valkey import free_port

GOOD = "127.0.0.2"
DATA = bytes(range(256)) * 300

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers every path as the test says; raw answers are bytes on the wire, as they are."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.handlers: dict[str, Handler] = {}

    def url(self, path: str = "/file", host: str = GOOD) -> str:
        return f"http://{host}:{self.port}{path}"

    def on(self, path: str, handler: Handler) -> str:
        self.handlers[path] = handler
        return self.url(path)

    def raw(self, path: str, *pieces: bytes, then: asyncio.Event | None = None, pause: float = 0) -> str:
        """These bytes and no others; then the connection ends, once the event is set."""

        async def answer(request: web.Request) -> web.StreamResponse:
            transport = request.transport
            assert transport is not None
            for piece in pieces:
                transport.write(piece)  # type: ignore[attr-defined]
                await asyncio.sleep(pause)
            if then is not None:
                await then.wait()
            transport.close()
            return web.Response()

        return self.on(path, answer)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return await self.handlers[request.path](request)


@asynccontextmanager
async def running_server() -> AsyncIterator[Server]:
    outside = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", outside.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    outside.port = free_port()
    for host in (GOOD, "127.0.0.1"):
        await web.TCPSite(runner, host, outside.port).start()
    try:
        yield outside
    finally:
        await runner.cleanup()


def serve(data: bytes = DATA, **headers: str) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(
            body=data, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )

    return answer
