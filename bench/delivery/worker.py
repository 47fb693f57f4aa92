"""Processes of one's own that do what they are asked to, one thing at a time."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Protocol

START = 60.0
END = 10.0


class Service(Protocol):
    """What runs in the process: its coroutine methods can be asked for by name."""

    async def close(self) -> None:
        """Give back everything."""


class WorkerFailed(Exception):
    """What was asked of a process went wrong there, or the process has ended."""


class Worker:
    """One process. It ends with this one, however this one ends.

    Args:
        name: for people.
        make: makes the service, in the process; can be pickled.
    """

    def __init__(self, name: str, make: Callable[[], Service]) -> None:
        self._name = name
        # A fork would share sockets and locks with this process.
        context = multiprocessing.get_context("spawn")
        self._mine, theirs = context.Pipe()
        self._turn = asyncio.Lock()
        self._asked = False
        self._process = context.Process(target=_serve, args=(theirs, make), name=name, daemon=True)
        self._process.start()
        theirs.close()

    async def ask(self, what: str, *args: Any, within: float = 300.0) -> Any:
        """Call a method of the service.

        Raises:
            WorkerFailed
        """
        async with self._turn:
            try:
                async with asyncio.timeout(within):
                    self._asked = True
                    self._mine.send((what, args))
                    failed, answer = await asyncio.to_thread(self._mine.recv)
                    self._asked = False
            except (EOFError, OSError) as error:
                raise WorkerFailed(f"{self._name} has ended") from error
        if failed:
            raise WorkerFailed(f"{self._name}, {what}: {answer}")
        return answer

    async def end(self) -> None:
        """End it, in good order unless it was interrupted at something."""
        if self._asked:
            # A thread still waits for the answer, so the pipe cannot be closed under it.
            self._process.kill()
        else:
            self._mine.close()
        await asyncio.to_thread(self._process.join, END)
        if self._process.is_alive():
            self._process.kill()
            await asyncio.to_thread(self._process.join)


def _serve(asked: Connection, make: Callable[[], Service]) -> None:
    # Ctrl-C reaches every process of the terminal's group; ending is the parent's to order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(_answer(asked, make))


async def _answer(asked: Connection, make: Callable[[], Service]) -> None:
    service = make()
    coming = asyncio.create_task(asyncio.to_thread(asked.recv))
    try:
        while True:
            what, args = await coming
            coming = asyncio.create_task(asyncio.to_thread(asked.recv))
            work = asyncio.create_task(_do(service, what, args))
            # Nobody asks twice at a time: before the answer, only the end of who asked can come.
            await asyncio.wait({work, coming}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                asked.send(work.result())
            else:
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
    except (EOFError, OSError):
        return
    finally:
        await asyncio.gather(coming, return_exceptions=True)
        await service.close()


async def _do(service: Service, what: str, args: tuple[Any, ...]) -> tuple[bool, Any]:
    """Whether it failed, and the answer or the reason."""
    try:
        return False, await getattr(service, what)(*args)
    except Exception as error:
        logging.getLogger(__name__).exception("%s failed", what)
        return True, f"{type(error).__name__}: {error}"
