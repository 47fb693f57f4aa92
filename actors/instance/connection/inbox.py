"""What an engine reports, handed to its handler: events one at a time, signals at once."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from actors import metrics
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import DurableEvent, Handler, PassingEvent

log = logging.getLogger(__name__)

PASSING_BOUND = 256
"""Presence and typing kept while the handler is busy. Beyond that they are dropped: they age in seconds."""

_DURABLE = frozenset({"message", "receipt", "undecryptable", "other"})
_PASSING = frozenset({"chat_presence", "presence"})

Answer = Callable[[int, bool, str], Awaitable[None]]


class Inbox:
    """A queue in front of a handler. The engine bounds it: it sends the next event when the last is answered.

    Args:
        answer: takes an event's id, whether it was stored, and why not.
    """

    def __init__(self, handler: Handler, answer: Answer) -> None:
        self._handler = handler
        self._answer = answer
        self._events: deque[pb.Event] = deque()
        self._filled = asyncio.Event()
        self._passing = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def take(self, event: pb.Event) -> None:
        """Take an event from the engine. Signals are handled before this returns."""
        kind = event.WhichOneof("event")
        if kind in _PASSING:
            if self._passing >= PASSING_BOUND:
                metrics.DROPPED.inc()
                return
            self._passing += 1
        elif kind not in _DURABLE:
            self._signal(event, kind)
            return
        self._events.append(event)
        self._idle.clear()
        self._filled.set()

    def _signal(self, event: pb.Event, kind: str | None) -> None:
        if kind is None:
            return
        try:
            self._handler.on_signal(getattr(event, kind))
        except Exception:
            log.exception("a signal was not handled: %s", kind)

    async def idle(self) -> None:
        """Wait until every event that was taken has been handled."""
        await self._idle.wait()

    async def run(self) -> None:
        """Hand over events until cancelled."""
        try:
            while True:
                await self._filled.wait()
                self._filled.clear()
                while self._events:
                    await self._hand_over(self._events.popleft())
                self._idle.set()
        finally:
            self._idle.set()

    async def _hand_over(self, event: pb.Event) -> None:
        kind = event.WhichOneof("event")
        assert kind is not None
        content: DurableEvent | PassingEvent = getattr(event, kind)
        if kind in _PASSING:
            self._passing -= 1
        stored, reason = False, ""
        try:
            stored = await self._handler.on_event(content, event.received_at_ms)
        except Exception as error:
            log.exception("an event was not handled: %s", kind)
            # No more than that: what an error says of an event may be what stands in it.
            reason = type(error).__name__
        if event.event_id:
            await self._answer(event.event_id, stored is True, reason)
