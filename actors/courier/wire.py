"""One POST on a pooled connection of aiohttp, without its session.

A session prepares every request as if it were the first to its URL: cookies, redirects, a writer, a response.
To post a signed event, that is most of the work. The connector, its pool, the guard in it and the parser are
aiohttp's here too; what all requests to an endpoint begin with is written once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping
from functools import cached_property
from types import TracebackType
from weakref import WeakSet

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from multidict import CIMultiDictProxy
from yarl import URL

LINE, FIELD = 8190, 8190
"""Bytes that the status line and a header of an answer may have."""
PROMPT = 1.0
"""Seconds in which news of a connection that was closed already arrive. Later, the endpoint was at work."""


class _Template(aiohttp.ClientRequest):
    """Never sent: tells the connector where to connect, and which connections are as good."""

    @cached_property
    def connection_key(self) -> ConnectionKey:
        """As the connector asks for it with every request."""
        return super().connection_key


class Target:
    """Where requests go, and what all of them begin with. Belongs to the running event loop.

    Args:
        headers: those of every request, checked: no name and no value may contain a line break.
    """

    __slots__ = ("head", "request")

    def __init__(self, url: URL, headers: Mapping[str, str]) -> None:
        self.request = _Template("POST", url, headers=headers, loop=asyncio.get_running_loop())
        lines = [f"POST {url.raw_path_qs} HTTP/1.1"]
        lines += [
            f"{name}: {value}" for name, value in self.request.headers.items() if name != "Content-Length"
        ]
        self.head = ("\r\n".join(lines) + "\r\n").encode()


class Answer:
    """The head of an answer, and a stream with its body. Release it: as a context, or by `release`."""

    __slots__ = ("_connection", "content", "headers", "status")

    def __init__(
        self,
        connection: Connection,
        status: int,
        headers: CIMultiDictProxy[str],
        content: aiohttp.StreamReader,
    ) -> None:
        self.status = status
        self.headers = headers
        self.content = content
        self._connection = connection

    def close(self) -> None:
        """Drop the connection."""
        self._connection.close()

    def release(self) -> None:
        """Give the connection back if it can be used again, else drop it."""
        transport = self._connection.transport
        if transport is None or transport.get_write_buffer_size():
            # Answered before the request was sent: what is left of it must not precede another one.
            self._connection.close()
        else:
            self._connection.release()

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Wire:
    """Posts on the connections of connectors. Belongs to the running event loop."""

    def __init__(self) -> None:
        self._unsent: deque[tuple[Connection, bytes]] = deque()
        self._used: WeakSet[ResponseHandler | None] = WeakSet()
        """Connections that have brought an answer."""

    async def post(
        self,
        connector: aiohttp.BaseConnector,
        target: Target,
        head: bytes,
        body: bytes,
        timeout: aiohttp.ClientTimeout,
    ) -> Answer:
        """Send a request and wait for the head of its answer.

        If a connection that was used before breaks at once and without an answer, the request is sent once
        more, on a new one: most likely it was closed for being idle, and the request came too late. An
        endpoint that did take it gets it twice, as it would after any answer that is lost.

        Args:
            head: lines of further headers, each with its line break. The length is added.
            timeout: for connecting only.

        Raises:
            aiohttp.ConnectionTimeoutError: no connection in time.
            aiohttp.ClientError, OSError, aiohttp.http.HttpProcessingError: anything else.
        """
        request = b"%b%bContent-Length: %d\r\n\r\n%b" % (target.head, head, len(body), body)
        connection = await self._connect(connector, target, timeout)
        used = connection.protocol in self._used
        began = time.monotonic()
        try:
            return await self._ask(connection, request)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if not used or not was_idle(error, began):
                raise
        connection = await self._connect(connector, target, timeout, new=True)
        return await self._ask(connection, request)

    async def _connect(
        self,
        connector: aiohttp.BaseConnector,
        target: Target,
        timeout: aiohttp.ClientTimeout,
        *,
        new: bool = False,
    ) -> Connection:
        while True:
            try:
                connection = await connector.connect(target.request, [], timeout)
            except TimeoutError as error:
                raise aiohttp.ConnectionTimeoutError("no connection in time") from error
            protocol = connection.protocol
            if protocol is None:
                return connection
            if protocol not in self._used:
                if protocol.should_close:
                    # A server may speak first, to send us away. That is its answer, and the end.
                    protocol.force_close()
                return connection
            if not new and not protocol.should_close:
                return connection
            # If something was said there that nobody asked for, it would pass for the answer to this request.
            connection.close()

    async def _ask(self, connection: Connection, request: bytes) -> Answer:
        try:
            protocol = connection.protocol
            if protocol is None:
                raise aiohttp.ServerDisconnectedError
            # This makes a new parser. One that goes on keeps parts of what was said before the answer.
            protocol.set_response_params(auto_decompress=False, max_line_size=LINE, max_field_size=FIELD)
            self._send(connection, request)
            while True:
                message, content = await protocol.read()
                if connection.protocol is None:  # closed before the request was sent: this is no answer to it
                    raise aiohttp.ServerDisconnectedError
                # 101 is an answer: nobody asked to switch.
                if message.code >= 200 or message.code == 101:
                    self._used.add(protocol)
                    return Answer(connection, message.code, message.headers, content)
        except BaseException:
            connection.close()
            raise

    # What becomes ready in one turn of the event loop is sent together, at its end. An endpoint with little
    # to do sleeps. To wake its machine costs the sender as much as to make the request, and were there
    # something else to do in between, every request would wake it again.

    def _send(self, connection: Connection, request: bytes) -> None:
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append((connection, request))

    def _flush(self) -> None:
        try:
            while self._unsent:
                connection, request = self._unsent.popleft()
                protocol, transport = connection.protocol, connection.transport
                if protocol is None or transport is None or transport.is_closing():
                    continue  # who asked finds out
                if protocol in self._used and protocol.should_close:
                    connection.close()  # something was said since, that nobody asked for
                else:
                    transport.write(request)
        finally:
            if self._unsent:
                asyncio.get_running_loop().call_soon(self._flush)


def was_idle(error: Exception, began: float) -> bool:
    """True if a connection that broke was probably closed for being idle, at the moment of its use.

    Args:
        began: when the request was made, by the monotonic clock.
    """
    answered = isinstance(error, aiohttp.ServerDisconnectedError) and not isinstance(error.message, str)
    return not answered and time.monotonic() - began < PROMPT
