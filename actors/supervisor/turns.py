"""Lets moves start one after another, as `pacing` decides."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any

from actors.supervisor.pacing import Bounds, Pace, next_move
from actors.supervisor.placement import Move


class GivenUp(Exception):
    """A move is not wanted as it was any more, and its turn had not come yet."""


class Turns:
    """A queue of moves that wait for their turn, and those that run."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._pace = Pace()
        self._wanted: list[tuple[Move, asyncio.Event, bool]] = []
        self._running: list[Move] = []
        self._timer: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def turn(
        self, move: Move, *, last: bool = False, unless: Collection[asyncio.Task[Any]] = ()
    ) -> AsyncIterator[None]:
        """Wait for this move's turn, and take part in the bounds until it ends.

        Args:
            last: it goes behind all others, those that come later too.

        Raises:
            GivenUp: one of ``unless`` was done first.
        """
        go = asyncio.Event()
        waits = (move, go, last)
        place = len(self._wanted) if last else sum(not behind for *_, behind in self._wanted)
        self._wanted.insert(place, waits)
        self._let_in()
        called = asyncio.create_task(go.wait())
        try:
            await asyncio.wait([called, *unless], return_when=asyncio.FIRST_COMPLETED)
            if not go.is_set():
                raise GivenUp("its turn had not come yet")
            yield
        finally:
            called.cancel()
            if waits in self._wanted:
                self._wanted.remove(waits)
            else:
                self._running.remove(move)
            self._let_in()

    def _let_in(self) -> None:
        now = asyncio.get_running_loop().time()
        waiting = [move for move, *_ in self._wanted]
        while (move := next_move(waiting, self._running, self._bounds, self._pace, now)) is not None:
            index = waiting.index(move)
            waiting.pop(index)
            _, go, _ = self._wanted.pop(index)
            self._running.append(move)
            self._pace = self._pace.after(self._bounds, now, draw=random.random())
            go.set()
        if self._wanted and (left := self._pace.wait(now)) > 0:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = asyncio.get_running_loop().call_later(left, self._let_in)
