"""How a contact writes: one message at a time, in order, and again if its connection was lost meanwhile."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.connection.mapping import text_message
from lab.accounts import LabError
from lab.attachments import Attachment, message_with
from lab.wire import LIDS, USERS, Jid

_RETRY_DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_FINAL = frozenset({"bad_request", "not_on_whatsapp", "unsupported", "not_paired", "poll_unknown"})

Step = Callable[[Connection], Awaitable[Any]]


class Written(BaseModel):
    """What became of a command to write."""

    ids: list[str] = Field(description="The ids of all messages, in the order of writing")
    sent: int = Field(description="How many of them, from the first, the network has accepted")
    error: str | None = Field(None, description="Why the rest was not sent")
    done: bool = True


class Writer:
    """What one contact writes.

    Args:
        engine: waits a while for its engine to be connected. Raises LabError if it is not.
    """

    def __init__(self, engine: Callable[[], Awaitable[Connection]]) -> None:
        self.sent = 0
        self._engine = engine
        self._turn = asyncio.Lock()
        self._jobs: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Give up what is not written yet."""
        for job in self._jobs:
            job.cancel()
        await asyncio.gather(*self._jobs, return_exceptions=True)

    async def texts(
        self, to: str, texts: Sequence[str], *, interval: float, id_prefix: str, wait: bool
    ) -> Written:
        """Write texts, one after the other."""
        address = str(address_of(to))
        ids = _ids(len(texts), id_prefix)

        def step(id_: str, text: str) -> Step:
            return lambda engine: engine.send(address, id_, text_message(text))

        steps = [step(id_, text) for id_, text in zip(ids, texts, strict=True)]
        return await self._write(ids, steps, interval=interval, wait=wait)

    async def message(self, to: str, message: bytes, id_: str = "") -> Written:
        """Write a serialized message, whatever it is."""
        address, ids = str(address_of(to)), [id_] if id_ else _ids(1)
        return await self._write(ids, [lambda engine: engine.send(address, ids[0], message)])

    async def file(self, to: str, path: Path, attachment: Attachment, id_: str = "") -> Written:
        """Upload a file and write a message that brings it."""
        address, ids = str(address_of(to)), [id_] if id_ else _ids(1)

        async def step(engine: Connection) -> None:
            uploaded = await engine.upload(path, attachment.kind)
            await engine.send(address, ids[0], message_with(attachment, uploaded))

        return await self._write(ids, [step])

    async def vote(
        self, chat: str, poll_id: str, options: Sequence[str], *, sender: str = "", id_: str = ""
    ) -> Written:
        """Vote in a poll."""
        address, ids = str(address_of(chat)), [id_] if id_ else _ids(1)
        author = str(address_of(sender)) if sender else ""
        return await self._write(
            ids, [lambda engine: engine.vote(address, poll_id, options, ids[0], sender=author)]
        )

    async def _write(
        self, ids: list[str], steps: Sequence[Step], *, interval: float = 0.0, wait: bool = True
    ) -> Written:
        result = Written(ids=ids, sent=0, done=False)
        job = self._start(self._take_turn(result, steps, interval))
        if wait:
            await asyncio.shield(job)
        return result

    async def _take_turn(self, result: Written, steps: Sequence[Step], interval: float) -> None:
        async with self._turn:
            for step in steps:
                result.error = await self._attempt(step)
                if result.error:
                    break
                result.sent += 1
                self.sent += 1
                if interval:
                    await asyncio.sleep(interval)
        result.done = True

    async def _attempt(self, step: Step) -> str | None:
        error = ""
        for delay in _RETRY_DELAYS:
            try:
                await step(await self._engine())
            except ConnectionError as failure:
                error = str(failure)
                if failure.code in _FINAL:
                    return error
            except LabError as failure:
                return failure.detail
            else:
                return None
            await asyncio.sleep(delay)
        return error

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
        return task


def _ids(count: int, prefix: str = "") -> list[str]:
    prefix = prefix or f"3EB0{secrets.token_hex(6).upper()}"
    return [f"{prefix}{n:06d}" for n in range(1, count + 1)]


def address_of(to: str) -> Jid:
    """The address that digits or an address such as 123@lid stand for. Raises LabError."""
    user, _, server = to.lstrip("+").partition("@")
    if not user or (not server and not user.isdigit()):
        raise LabError("bad_address", f"{to!r} is neither a number nor an address such as 123@lid", 422)
    return Jid(user, {"lid": LIDS, "": USERS}.get(server, server))
