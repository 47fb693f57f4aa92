"""The slots of a courier: each open attempt holds one. Who waits gets one by what `Shares` says."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

from actors.courier.fairness import Party, Shares

TIDY = 1_000
"""Slots given back between two looks for accounts that nobody needs any more."""


class Slots:
    """Bounds the attempts of a courier that are open at a time.

    Args:
        shares: decides who is next.
        clock: seconds, of a clock that never goes back.
    """

    def __init__(self, shares: Shares, clock: Callable[[], float] = time.monotonic) -> None:
        self._shares = shares
        self._clock = clock
        self._waiting: dict[Party, deque[asyncio.Future[None]]] = {}
        self._given = 0

    @property
    def waiting(self) -> int:
        """Attempts that wait for a slot."""
        return sum(len(futures) for futures in self._waiting.values())

    async def take(self, party: Party) -> None:
        """Wait for a slot. Whoever is cancelled meanwhile has none."""
        if party not in self._waiting and self._shares.free(party):
            # Whoever waits while there is a slot waits because the last ones are not for it.
            self._shares.take(party, self._clock())
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(party, deque()).append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self.give(party)
            else:
                self._leave(party, future)
            raise

    def give(self, party: Party) -> None:
        """Give a slot back: to the one that is next."""
        now = self._clock()
        self._shares.give(party, now)
        self._given += 1
        if self._given % TIDY == 0:
            self._shares.forget(now)
        while self._waiting and (chosen := self._shares.next(self._waiting, now)) is not None:
            future = self._waiting[chosen][0]
            self._leave(chosen, future)
            if future.done():
                continue  # cancelled, and its task did not run since
            self._shares.take(chosen, now)
            future.set_result(None)

    def _leave(self, party: Party, future: asyncio.Future[None]) -> None:
        futures = self._waiting.get(party)
        if futures is not None and future in futures:
            futures.remove(future)
            if not futures:
                del self._waiting[party]
