"""Writes down what came of an endpoint's attempts, and announces what that means for the endpoint."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, TypeVar

from redis.exceptions import RedisError

from actors.courier.breaker import Memory
from actors.courier.ledger import Changed, Claim, Ledger, LogEntry, Lost, Settlement
from actors.courier.news import News, disabled, failing, recovered
from actors.courier.queue import Item
from actors.courier.reader import Source
from actors.courier.records import EndpointRecord
from actors.store import StoreUnavailable

T = TypeVar("T")
log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds before the next try after Redis failed."""
MANY, GATHER = 4, 0.02
"""Results that came together, after which the next step waits so many seconds for more of them. A step costs
the courier and Redis as much as several results in it; where they come one by one, none waits."""


class Ended(NamedTuple):
    """An attempt whose result is not written down yet. Its chat waits until it is.

    Args:
        worrying: the endpoint seems to fail altogether.
    """

    source: Source
    item: Item
    result: Settlement
    worrying: bool


class Scribe:
    """Writes in batches: one step for all results that came while the step before was under way.

    Args:
        circuit: what the endpoint's gate has to remember, as of now.
        patience: seconds of nothing but failures after which the endpoint is switched off, as of now.
        adopt: called with the record after the endpoint was switched off or turned out to be changed.
        wake: called when something was written down, or cannot be.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        circuit: Callable[[], Memory | None],
        patience: Callable[[], float],
        adopt: Callable[[EndpointRecord], None],
        wake: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self.ledger = ledger
        self.claim: Claim | None = None
        self.lost = False
        """Another courier has the endpoint, or it is gone."""
        self.changed = False
        """What was read has to be read again."""
        self.stumbled = False
        """Something failed that should not; not to be repeated at once."""
        self._circuit = circuit
        self._patience = patience
        self._adopt = adopt
        self._wake = wake
        self._clock = clock
        self._told = ""
        self._results: list[Ended] = []
        self._writing = 0
        self._has_results = asyncio.Event()

    def begin(self, claim: Claim) -> None:
        """Write by this claim from now on."""
        self.claim = claim
        self.lost = self.changed = self.stumbled = False
        self._told = claim.told

    @property
    def failing(self) -> bool:
        """True while the endpoint is known to take nothing at all."""
        return self._told == "failing"

    @property
    def pending(self) -> int:
        """Results that are not written down yet."""
        return len(self._results) + self._writing

    def add(self, ended: Ended) -> None:
        """Have a result written down."""
        self._results.append(ended)
        self._has_results.set()

    async def run(self) -> None:
        """Write until cancelled."""
        many = False
        while True:
            await self._has_results.wait()
            if many:
                await asyncio.sleep(GATHER)
            self._has_results.clear()
            batch, self._results = self._results, []
            self._writing = len(batch)
            many = len(batch) >= MANY
            try:
                for source in {id(ended.source): ended.source for ended in batch}.values():
                    await self._settle_what_is_known(source, [one for one in batch if one.source is source])
            except Lost:
                self.lost = True
            except Exception:
                log.exception("results were not written down", extra={"endpoint": self.ledger.endpoint_id})
                self.stumbled = self.changed = True
            self._writing = 0
            self._wake()

    async def _settle_what_is_known(self, source: Source, batch: list[Ended]) -> None:
        try:
            await self._settle(source, batch)
        except Changed:
            log.warning("Redis lost what was read from it", extra={"endpoint": self.ledger.endpoint_id})
            self.changed = True

    async def _settle(self, source: Source, batch: list[Ended]) -> None:
        assert self.claim is not None
        results = [ended.result for ended in batch]
        since = await self.until_done(
            partial(self.ledger.settle, source.name, self.claim, results, self._circuit())
        )
        for ended in batch:
            if ended.result.retry is not None:
                source.queue.postpone(ended.item.position, ended.result.retry)
            else:
                source.queue.finish(ended.item.position)
        self._wake()
        if since is None:
            taken = any(ended.result.verdict == "done" for ended in batch)
            if taken and self._told in ("failing", "disabled"):
                record = await self.until_done(self.ledger.record)
                await self._announce(recovered(record, f"{batch[-1].result.at:.3f}"))
            return
        if self._told != "failing" and (worries := [ended for ended in batch if ended.worrying]):
            record = await self.until_done(self.ledger.record)
            entry = worries[-1].result.log
            await self._announce(failing(record, since, entry.error if entry else None))
        if self._clock() - since >= self._patience():
            days = (self._clock() - since) / 86_400
            record = await self.until_done(self.ledger.record)
            await self.give_up(record, None, f"every attempt failed for {days:.1f} days")

    async def _announce(self, news: News) -> None:
        assert self.claim is not None
        await self.until_done(partial(self.ledger.announce, self.claim, news))
        self._told = news.told
        log.warning("endpoint " + news.told, extra={"endpoint": self.ledger.endpoint_id})

    async def give_up(self, attempted: EndpointRecord, entry: LogEntry | None, reason: str) -> None:
        """Switch the endpoint off, unless it was changed to another URL meanwhile.

        Args:
            attempted: the record that the attempt was made by.
            entry: the attempt that is the cause, None if it is written down already.

        Raises:
            Lost
        """
        assert self.claim is not None
        record = attempted
        while record.enabled and record.url == attempted.url:
            before = record
            after = before.model_copy(
                update={"enabled": False, "disabled_reason": reason, "revision": before.revision + 1}
            )
            step = partial(
                self.ledger.disable, self.claim, before, after, entry, self._clock(), disabled(after)
            )
            if await self.until_done(step):
                self._told = "disabled"
                self._adopt(after)
                return
            record = await self.until_done(self.ledger.record)
        self._adopt(record)

    async def until_done(self, step: Callable[[], Awaitable[T]]) -> T:
        """Take a step, again and again while Redis is away: an endpoint's answer must not be forgotten."""
        while True:
            try:
                return await step()
            except (StoreUnavailable, RedisError) as error:
                log.warning(
                    "Redis is away", extra={"endpoint": self.ledger.endpoint_id, "reason": str(error)}
                )
                await asyncio.sleep(PAUSE * random.uniform(0.5, 1.5))
