"""How much memory instances take."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from deploy.processes import command_line, descendants, proportional_memory

LOOK = 0.25
TITLE = "ray::Instance"


class Memory:
    """The most bytes that all instances of this machine took together, their engines included."""

    def __init__(self) -> None:
        self.most = 0

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look again and again while the block runs."""
        watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _watch(self) -> None:
        instances = [
            process.pid for process in descendants(os.getpid()) if TITLE in command_line(process.pid)
        ]
        while True:
            # In a thread: a look takes 10 ms, and the loop is what takes the events that are measured.
            self.most = max(self.most, await asyncio.to_thread(_memory, instances))
            await asyncio.sleep(LOOK)


def _memory(roots: list[int]) -> int:
    pids = {pid for root in roots for pid in (root, *(one.pid for one in descendants(root)))}
    return sum(proportional_memory(pid) for pid in pids)
