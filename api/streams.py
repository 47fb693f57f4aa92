"""Live streams (Server-Sent Events): opened within bounds, written with deadlines, ended in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterator

from aiohttp import web

from actors.metrics import STREAMS
from api.problems import TOO_MANY_STREAMS, Problem

log = logging.getLogger(__name__)

CONTENT_TYPE = "text/event-stream"


class StreamEnded(Exception):
    """There is nothing more to send: the reader is gone, takes nothing, or may see nothing any more."""


class Streams:
    """Counts the streams of each instance.

    Args:
        limit: of one instance at a time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: Counter[str] = Counter()

    @contextlib.contextmanager
    def slot(self, instance_id: str) -> Iterator[None]:
        """Hold one of the instance's streams.

        Raises:
            Problem: all are taken.
        """
        if self._open[instance_id] >= self._limit:
            raise Problem(
                TOO_MANY_STREAMS,
                f"The instance has {self._limit} live streams open here, which is the most it may have.",
                headers={"Retry-After": "5"},
            )
        self._open[instance_id] += 1
        try:
            yield
        finally:
            self._open[instance_id] -= 1
            if not self._open[instance_id]:
                del self._open[instance_id]


class EventStream:
    """One response as Server-Sent Events.

    Nothing is queued here: a write returns when the bytes are with the operating system, all but the last
    64 KiB, so that a slow reader slows down its own stream and costs no memory.
    """

    def __init__(self, request: web.Request, response: web.StreamResponse, write_timeout: float) -> None:
        self._request = request
        self._write_timeout = write_timeout
        self.response = response

    async def event(self, data: str, *, name: str, event_id: int | None = None) -> None:
        """Send one event; ``data`` is one line.

        Raises:
            StreamEnded
        """
        head = f"event: {name}\n" if event_id is None else f"id: {event_id}\nevent: {name}\n"
        await self._write(f"{head}data: {data}\n\n")

    async def heartbeat(self) -> None:
        """Send a sign of life that readers ignore.

        Raises:
            StreamEnded
        """
        await self._write(": alive\n\n")

    async def _write(self, text: str) -> None:
        try:
            async with asyncio.timeout(self._write_timeout):
                await self.response.write(text.encode())
        except (ConnectionError, TimeoutError) as error:
            # What is left in the reader's buffer must not keep the connection open.
            if self._request.transport is not None:
                self._request.transport.abort()
            raise StreamEnded from error


@contextlib.asynccontextmanager
async def event_stream(
    request: web.Request, *, route: str, write_timeout: float
) -> AsyncIterator[EventStream]:
    """Answer with a live stream, until the block is left or its reader is gone."""
    response = web.StreamResponse(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    response.content_type = CONTENT_TYPE
    response.charset = "utf-8"
    response.enable_chunked_encoding()
    await response.prepare(request)
    STREAMS.labels(route).inc()
    stream = EventStream(request, response, write_timeout)
    try:
        yield stream
    except StreamEnded:
        pass
    except Exception:
        # The answer has begun: all that can be said now is that it is broken off.
        log.exception("stream failed", extra={"route": route})
        if request.transport is not None:
            request.transport.abort()
    finally:
        STREAMS.labels(route).dec()
