"""A TCP proxy on loopback between a Redis client and its server, which fails in the ways a network does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

NOSCRIPT = b"-NOSCRIPT"


@dataclass(slots=True)
class _Fault:
    command: bytes
    lose: Literal["request", "reply"]
    times: int


@dataclass(slots=True)
class Hold:
    """Requests that are stopped on their way until `release`.

    Attributes:
        picks: by the bytes of a request, whether it is one of these.
        carried_out: the request reaches the server and only its reply is held back.
        reached: set when the first one was stopped, and was carried out if it was to be.
    """

    picks: Callable[[bytes], bool]
    carried_out: bool
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let go on what was stopped, and what comes."""
        self.released.set()


class Proxy:
    """Forwards bytes to one Redis server, until told otherwise.

    Args:
        upstream: a redis:// URL.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._faults: list[_Fault] = []
        self._holds: list[Hold] = []
        self.port = 0
        self.lost = 0
        """Requests and replies that were swallowed so far, by `lose_reply` and `lose_request`."""

    @property
    def url(self) -> str:
        """Where clients connect to."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Listen; again on the same port after `refuse`."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        self._flowing.set()
        self.release()
        await self.refuse()

    async def refuse(self) -> None:
        """Drop every connection and refuse new ones, until `start`."""
        if self._server is not None:
            self._server.close()
            self._server = None
        await self.cut()

    async def cut(self) -> None:
        """Drop every connection; new ones are served."""
        connections = list(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    def stall(self) -> None:
        """Keep connections open and accept new ones, but forward nothing in either direction."""
        self._flowing.clear()

    def resume(self) -> None:
        """Forward again, also what came meanwhile."""
        self._flowing.set()

    def lose_reply(self, command: str = "EVALSHA", times: int = 1) -> None:
        """The next ``times`` requests with this command are carried out, but their replies never arrive.

        The connection is dropped instead. An answer that the script is not loaded yet is let through, since
        nothing was carried out then.
        """
        self._faults.append(_Fault(command.encode().upper(), "reply", times))

    def lose_request(self, command: str = "EVALSHA", times: int = 1) -> None:
        """The next ``times`` requests with this command never reach the server: the connection is dropped."""
        self._faults.append(_Fault(command.encode().upper(), "request", times))

    def hold(self, picks: Callable[[bytes], bool], *, carried_out: bool) -> Hold:
        """Stop requests before they reach the server, or (``carried_out``) before their replies come back.

        Meanwhile nothing else happens on their connections; others are served.
        """
        hold = Hold(picks, carried_out)
        self._holds.append(hold)
        return hold

    def release(self) -> None:
        """Release and forget every hold."""
        for hold in self._holds:
            hold.release()
        self._holds.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await self._serve(reader, writer)
        finally:
            self._connections.discard(task)
            await _close(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        armed: list[_Fault] = []
        held: list[Hold] = []
        try:
            ways = [
                asyncio.ensure_future(self._requests(reader, up_writer, armed, held)),
                asyncio.ensure_future(self._replies(up_reader, writer, armed, held)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            await _close(up_writer)

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        armed: list[_Fault],
        held: list[Hold],
    ) -> None:
        while data := await reader.read(65536):
            await self._flowing.wait()
            fault = next((f for f in self._faults if f.times > 0 and f.command in data.upper()), None)
            if fault is not None and fault.lose == "request":
                self._strike(fault)
                return
            if fault is not None and not armed:
                armed.append(fault)
            hold = next((h for h in self._holds if not h.released.is_set() and h.picks(data)), None)
            if hold is not None and hold.carried_out:
                held.append(hold)
            elif hold is not None:
                hold.reached.set()
                await hold.released.wait()
            writer.write(data)
            await writer.drain()

    async def _replies(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        armed: list[_Fault],
        held: list[Hold],
    ) -> None:
        while data := await reader.read(65536):
            await self._flowing.wait()
            if armed and not data.startswith(NOSCRIPT):
                self._strike(armed[0])
                return
            armed.clear()
            if held and not data.startswith(NOSCRIPT):
                hold = held.pop()
                hold.reached.set()
                await hold.released.wait()
            writer.write(data)
            await writer.drain()

    def _strike(self, fault: _Fault) -> None:
        fault.times -= 1
        self.lost += 1


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
