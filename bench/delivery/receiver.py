"""The customers' server: as little of HTTP/1.1 as is correct, and as bad as it is told to be.

It is a protocol of its own instead of a web framework, so that it is not what limits the measurement.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from bench.delivery.books import Arrival

HEAD_MAX = 16 * 1024
BACKLOG = 1024
DRIP = 0.5
"""Seconds between two bytes of an answer that never ends."""
REQUEST = re.compile(rb"POST (/\S*) HTTP/1\.1\r\n")
HEADERS = re.compile(
    rb"\r\n(content-length|transfer-encoding|webhook-id|malote-(?:instance|seq|attempt)): *([^\r]*)",
    re.IGNORECASE,
)
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 2\r\ncontent-length: 0\r\n\r\n"
BAD = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
DRIPPED = b"HTTP/1.1 204 No Content\r\nx-endless: "


class Manner(StrEnum):
    """How an endpoint answers."""

    WELL = "well"
    HANG = "hangs"
    DRIP = "drips its answer"
    RESET = "resets"
    FAIL = "answers 500"
    BUSY = "answers 429"


class _Request(NamedTuple):
    """As it came; read only when it is asked for, which is after what is measured."""

    headers: dict[bytes, bytes]
    body: bytes
    at: float
    status: int | None


class Receiver:
    """A service for a process of its own. Paths answer well unless told otherwise."""

    def __init__(self) -> None:
        self.requests: list[_Request] = []
        self.manners: dict[str, Manner] = {}
        self.connections: set[_Connection] = set()
        self._arrived = asyncio.Event()
        self._servers: list[asyncio.Server] = []

    async def start(self) -> tuple[int, int]:
        """Listen.

        Returns:
            The port that answers, and one that refuses connections until `light`.
        """
        loop = asyncio.get_running_loop()
        for lit in (True, False):
            place = socket.socket()
            place.bind(("127.0.0.1", 0))
            self._servers.append(
                await loop.create_server(
                    lambda: _Connection(self), sock=place, backlog=BACKLOG, start_serving=lit
                )
            )
        port, dark = (server.sockets[0].getsockname()[1] for server in self._servers)
        return port, dark

    async def light(self) -> None:
        """Let the second port be served from now on."""
        await self._servers[1].start_serving()

    async def behave(self, manners: Mapping[str, Manner]) -> None:
        """Answer as told, by path. Who waits for an answer from before waits in vain: its connection ends."""
        self.manners = dict(manners)
        for connection in [one for one in self.connections if one.held]:
            connection.reset()

    async def wait(self, count: int, seconds: float) -> int:
        """Wait until so many requests have come since the last `take`, at most for so long."""
        try:
            async with asyncio.timeout(seconds):
                while len(self.requests) < count:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            pass
        return len(self.requests)

    async def take(self) -> list[Arrival]:
        """Everything that came since the last time, in order."""
        requests, self.requests = self.requests, []
        return [_read(request) for request in requests]

    async def close(self) -> None:
        """Stop."""
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.reset()

    def book(self, headers: dict[bytes, bytes], body: bytes, status: int | None) -> None:
        """Remember a request."""
        self.requests.append(_Request(headers, body, time.monotonic(), status))
        self._arrived.set()


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._transport: asyncio.Transport | None = None
        self._bytes = bytearray()
        self._dripping: asyncio.TimerHandle | None = None
        self.held = False
        """A request waits for an answer that will never come."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._receiver.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._receiver.connections.discard(self)
        if self._dripping is not None:
            self._dripping.cancel()

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        while not self.held and self._one():
            pass

    def reset(self) -> None:
        """End the connection the hard way: the other end sees a reset."""
        assert self._transport is not None
        if self._transport.is_closing():
            return
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _one(self) -> bool:
        # True if a whole request was there and the next one may be looked for.
        end = self._bytes.find(b"\r\n\r\n")
        if end < 0:
            if len(self._bytes) > HEAD_MAX:
                self._refuse()
            return False
        head = bytes(self._bytes[:end])
        request = REQUEST.match(head)
        headers = {name.lower(): value for name, value in HEADERS.findall(head)}
        length = headers.get(b"content-length", b"")
        if request is None or not length.isdigit() or b"transfer-encoding" in headers:
            self._refuse()
            return False
        whole = end + 4 + int(length)
        if len(self._bytes) < whole:
            return False
        body = bytes(self._bytes[end + 4 : whole])
        del self._bytes[:whole]
        return self._answer(self._receiver.manners.get(request[1].decode()), headers, body)

    def _refuse(self) -> None:
        assert self._transport is not None
        self._transport.write(BAD)
        self._transport.close()

    def _answer(self, manner: Manner | None, headers: dict[bytes, bytes], body: bytes) -> bool:
        assert self._transport is not None
        match manner:
            case Manner.FAIL:
                self._transport.write(FAILED)
                self._receiver.book(headers, body, 500)
            case Manner.BUSY:
                self._transport.write(BUSY)
                self._receiver.book(headers, body, 429)
            case Manner.RESET:
                self._receiver.book(headers, body, None)
                self.reset()
                return False
            case Manner.HANG | Manner.DRIP:
                self._receiver.book(headers, body, None)
                self.held = True
                if manner is Manner.DRIP:
                    self._transport.write(DRIPPED)
                    self._drip()
                return False
            case _:
                self._transport.write(TAKEN)
                self._receiver.book(headers, body, 204)
        return True

    def _drip(self) -> None:
        assert self._transport is not None
        self._transport.write(b"x")
        self._dripping = asyncio.get_running_loop().call_later(DRIP, self._drip)


def _read(request: _Request) -> Arrival:
    event = json.loads(request.body)
    arrival = Arrival(
        instance_id=request.headers[b"malote-instance"].decode(),
        seq=int(request.headers[b"malote-seq"]),
        event_id=request.headers[b"webhook-id"].decode(),
        chat=event["chat_id"],
        attempt=int(request.headers[b"malote-attempt"]),
        at=request.at,
        status=request.status,
    )
    if (event["instance_id"], event["seq"], event["id"]) != arrival[:3]:
        raise ValueError(f"the body is not what the headers say: {arrival}")
    return arrival
