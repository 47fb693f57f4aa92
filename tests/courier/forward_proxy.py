"""A small forward proxy: CONNECT, and requests in absolute form."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from yarl import URL


@dataclass
class ForwardProxy:
    """Passes everything on to loopback, whatever host is asked for: it has names of its own.

    Attributes:
        refusal: a status line that it answers instead, as in ``502 Bad Gateway``.
        silent: it closes the connection instead of answering.
        to: a port of loopback that everything is passed on to, whichever was asked for.
        asked: method and target of each request that came, and its headers.
    """

    port: int = 0
    refusal: str | None = None
    silent: bool = False
    to: int | None = None
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    _talks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def end(self) -> None:
        for task in self._talks:
            task.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, version = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.asked.append((method, target, headers))
        if self.silent:
            return
        if self.refusal is not None:
            writer.write(f"HTTP/1.1 {self.refusal}\r\ncontent-length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        url = URL(f"//{target}" if method == "CONNECT" else target)
        assert url.port is not None
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self.to or url.port)
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.write(
                    "\r\n".join([f"{method} {url.raw_path_qs} {version}", *lines, "", ""]).encode()
                )
            back = asyncio.create_task(_pump(upstream_reader, writer))
            await _pump(reader, upstream)
            await back
        finally:
            upstream.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def forward_proxy(
    refusal: str | None = None, *, silent: bool = False, to: int | None = None
) -> AsyncIterator[ForwardProxy]:
    proxy = ForwardProxy(refusal=refusal, silent=silent, to=to)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = int(server.sockets[0].getsockname()[1])
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
