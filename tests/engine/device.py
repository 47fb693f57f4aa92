"""A device under test: an engine, and a handler that keeps what it is given."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from actors.events import EventDraft, EventType
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import (
    ConnectionError,
    DurableEvent,
    Gone,
    LabTarget,
    PassingEvent,
    Signal,
)
from actors.instance.connection.engine import EngineConnection
from actors.instance.connection.mapping import ChatIds, draft_of, text_message
from lab.accounts import LabError
from lab.network import Lab
from tests.wait import until

S = TypeVar("S")


class Device:
    """Survives its engine: after `kill`, `start` again and what it has kept is still there."""

    def __init__(self, binary: Path, lab: Lab, phone: str, store: str, name: str) -> None:
        self.phone = phone
        self.store = store
        self.name = name
        self.lab = lab
        self.drafts: dict[str, EventDraft] = {}
        self.raw: list[DurableEvent | PassingEvent] = []
        self.signals: list[Signal] = []
        self.repeated = 0
        self.before_storing: Callable[[EventDraft], object] | None = None
        self.scans = True
        self.answer_timeout = 60.0
        self.full_history = False
        self.target: LabTarget | None = lab.target
        self.engine: EngineConnection
        self._binary = binary
        self._chats = ChatIds()
        self._scanning: set[asyncio.Task[None]] = set()

    # ---- life ----

    async def start(self, *, lock_wait_ms: int = 0) -> pb.OpenResult:
        """Start an engine and open the session."""
        await self.launch()
        return await self.engine.open(
            store=self.store, device="", session=self.name, lock_wait_ms=lock_wait_ms
        )

    async def launch(self) -> None:
        """Start an engine that has nothing open."""
        self.engine = EngineConnection(
            self._binary,
            lab=self.target,
            answer_timeout=self.answer_timeout,
            full_history=self.full_history,
        )
        await self.engine.start(self)

    async def connect(self) -> None:
        """Connect, pairing if necessary, until logged in."""
        seen = len(self.signals)
        await self.engine.connect()
        await until(lambda: any(isinstance(s, pb.Connected) for s in self.signals[seen:]), what="connected")

    def kill(self) -> None:
        """SIGKILL the engine."""
        assert self.engine.pid
        os.kill(self.engine.pid, signal.SIGKILL)

    async def restart(self) -> None:
        """A new engine in the dead one's place, connected."""
        await self.engine.close()
        await self.start(lock_wait_ms=5000)
        await self.connect()

    async def close(self) -> None:
        """End the engine."""
        await self.engine.close()
        for task in self._scanning:
            task.cancel()
        await asyncio.gather(*self._scanning, return_exceptions=True)

    # ---- the handler ----

    async def on_event(self, event: DurableEvent | PassingEvent, received_at_ms: int) -> bool:
        draft = draft_of(event, self._chats, received_at_ms)
        if self.before_storing:
            result = self.before_storing(draft)
            if asyncio.iscoroutine(result):
                result = await result
            if result is False:
                return False
        self.raw.append(event)
        if draft.dedupe_key in self.drafts:
            self.repeated += 1
        self.drafts.setdefault(draft.dedupe_key, draft)
        return True

    def on_signal(self, signal: Signal) -> None:
        self.signals.append(signal)
        if isinstance(signal, pb.Qr) and self.scans:
            task = asyncio.create_task(self._scan(signal.code))
            self._scanning.add(task)
            task.add_done_callback(self._scanning.discard)

    async def _scan(self, code: str) -> None:
        # The engine may be gone while the phone still looks at its code.
        with suppress(LabError):
            await self.lab.scan(self.phone, code)

    # ---- what tests ask ----

    def of(self, kind: EventType) -> list[EventDraft]:
        """What was stored of a kind, in order, each once."""
        return [draft for draft in self.drafts.values() if draft.type is kind]

    def others(self, kind: str) -> list[dict[str, Any]]:
        """What whatsmeow told in events of a kind, in order, each once."""
        return [draft.data["event"] for draft in self.drafts.values() if draft.data.get("kind") == kind]

    async def other(self, kind: str, field: str, *, count: int = 1) -> Any:
        """Wait for the count-th event of a kind in which a field says something; what it says."""

        def found() -> list[Any]:
            return [event[field] for event in self.others(kind) if event.get(field)]

        what = f"{self.name}: {kind} with {field}"
        return (await until(lambda: found()[count - 1 : count], what=what))[0]

    def texts(self) -> list[str]:
        """The texts received, in order, each message once."""
        return [draft.data["text"] for draft in self.of(EventType.MESSAGE_RECEIVED)]

    def signals_of(self, kind: type[S]) -> list[S]:
        """The signals of a kind."""
        return [s for s in self.signals if isinstance(s, kind)]

    async def signal(self, kind: type[S], *, count: int = 1) -> S:
        """Wait for the count-th signal of a kind."""
        found = await until(
            lambda: self.signals_of(kind)[count - 1 : count], what=f"{self.name}: {kind.__name__}"
        )
        return found[0]

    async def received(self, count: int, *, timeout: float = 60.0) -> list[str]:
        """Wait until this many messages were received."""
        await until(lambda: len(self.texts()) >= count, timeout=timeout, what=f"{count} messages")
        return self.texts()

    async def acknowledged(self) -> None:
        """Wait until all that it was sent is acknowledged: after a kill, nothing of it comes again."""
        queue = self.lab.device(self.phone, 1).queue
        await until(lambda: not len(queue), what=f"{self.phone} to acknowledge everything")

    async def exited(self) -> int:
        """Wait for the engine's end; its exit code."""
        return (await self.signal(Gone, count=len(self.signals_of(Gone)) or 1)).exit_code

    async def write(self, phone: str, texts: list[str], *, prefix: str = "M") -> None:
        """Send texts in order, several at a time, to a number or a JID."""
        for start in range(0, len(texts), 100):
            batch = texts[start : start + 100]
            await asyncio.gather(*(self.send(phone, text, f"{prefix}{text}") for text in batch))

    async def send(self, phone: str, text: str, message_id: str) -> pb.SendResult:
        """Send one text."""
        to = phone if "@" in phone else f"{phone}@s.whatsapp.net"
        return await self.engine.send(to, message_id, text_message(text))


async def refused(awaitable: object) -> ConnectionError:
    """The error that a command fails with."""
    try:
        await awaitable  # type: ignore[misc]
    except ConnectionError as error:
        return error
    raise AssertionError("the command succeeded")


def numbered(count: int, start: int = 0) -> list[str]:
    """Texts whose order can be seen."""
    return [f"{number:05d}" for number in range(start, start + count)]
