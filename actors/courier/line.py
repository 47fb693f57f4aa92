"""Everything one endpoint gets: pulls its events, posts them, writes down what came of it.

A line holds at most a window of events, and of those only positions; what waits, waits in Redis. It has its
own task and its own limit of open attempts, so that an endpoint that hangs holds up nobody but itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeVar

from redis.exceptions import RedisError

from actors.courier.bodies import Bodies, Parcel
from actors.courier.delivery import attempt
from actors.courier.egress import Egress
from actors.courier.ledger import Changed, Claim, Entry, Lane, Ledger, Lost, Settlement
from actors.courier.limit import Limit, evidence
from actors.courier.queue import Item, Queue, Retry
from actors.courier.records import Attempt, EndpointRecord, Ordering, moment
from actors.courier.retry import Outcome, Policy, Verdict, judge
from actors.store import StoreUnavailable

T = TypeVar("T")
log = logging.getLogger(__name__)

PULL = 64
"""Events read at a time."""
PAUSE = 1.0
"""Seconds before the next try after Redis failed."""
RESULTS: dict[Verdict, Literal["delivered", "retry", "dead", "disabled"]] = {
    Verdict.DONE: "delivered",
    Verdict.RETRY: "retry",
    Verdict.DEAD: "dead",
    Verdict.DISABLE: "disabled",
}


UNSETTLED = 2
"""Results per permitted attempt that may wait to be written down before no more attempts are started."""


@dataclass(slots=True)
class _Lane:
    name: Lane
    queue: Queue = field(default_factory=Queue)
    more: bool = True


@dataclass(frozen=True, slots=True)
class _Ended:
    """An attempt whose result is not written down yet. Its chat waits until it is."""

    lane: _Lane
    item: Item
    result: Settlement


class Line:
    """One endpoint at work.

    Args:
        record: its configuration; `update` brings a newer one.
        courier: name of the courier, for people.
        permits: bounds the attempts of the whole courier.
        clock: seconds since 1970.
        dice: random numbers of [0, 1).
    """

    def __init__(
        self,
        ledger: Ledger,
        record: EndpointRecord,
        *,
        courier: str,
        egress: Egress,
        bodies: Bodies,
        permits: asyncio.Semaphore,
        clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.ledger = ledger
        self.record = record
        self._settings = ledger.settings.courier
        self._policy = Policy(
            schedule=self._settings.schedule,
            jitter=self._settings.jitter,
            retry_after_max=self._settings.retry_after_max,
            poison_attempts=self._settings.poison_attempts,
        )
        self._courier = courier
        self._egress = egress
        self._bodies = bodies
        self._permits = permits
        self._clock = clock
        self._dice = dice
        self._claim: Claim | None = None
        self._mailbox = _Lane(Lane.MAILBOX)
        self._replays = _Lane(Lane.REPLAY)
        self._limit = Limit(
            min(self._settings.concurrency, self._settings.concurrency_max), self._settings.concurrency_max
        )
        self._last_success = 0.0
        self._wake = asyncio.Event()
        self._open: set[asyncio.Task[None]] = set()
        self._results: list[_Ended] = []
        self._writing = 0
        self._has_results = asyncio.Event()
        self._replay_next = False
        self._reload = False
        self._stumbled = False
        self._lost = False
        self._stopping = False

    # ---- told from outside ----

    @property
    def cursor(self) -> int:
        """Sequence number of the last event looked at."""
        return self._mailbox.queue.cursor

    @property
    def open_attempts(self) -> int:
        """Attempts that are open, or whose results are not written down yet."""
        return len(self._open) + self._unsettled

    @property
    def known(self) -> int:
        """Unfinished events that it holds positions of."""
        return len(self._mailbox.queue) + len(self._replays.queue)

    def wake(self) -> None:
        """There may be something new."""
        self._mailbox.more = self._replays.more = True
        self._wake.set()

    def update(self, record: EndpointRecord) -> None:
        """Go on with a newer configuration."""
        if record.revision <= self.record.revision:
            return
        if record.ordering is not self.record.ordering:
            self._reload = True
        self.record = record
        self._wake.set()

    def reload(self) -> None:
        """Forget what was read, once the open attempts have ended, and read it again."""
        self._reload = True
        self._wake.set()

    def stop(self) -> None:
        """Start no more attempts; `run` returns when the open ones have ended."""
        self._stopping = True
        self._wake.set()

    # ---- at work ----

    async def run(self) -> None:
        """Deliver until stopped, or until another courier claims the endpoint or it is deleted."""
        writer = asyncio.create_task(self._write_down())
        try:
            while not self._stopping:
                try:
                    await self._load()
                    await self._serve()
                except (StoreUnavailable, RedisError) as error:
                    log.warning("Redis is away", extra={"endpoint": self.record.id, "reason": str(error)})
                    await asyncio.sleep(PAUSE * random.uniform(0.5, 1.5))
            await self._quiet()
        except Lost:
            log.info("let go: claimed by another courier, or deleted", extra={"endpoint": self.record.id})
        finally:
            for task in (writer, *self._open):
                task.cancel()
            await asyncio.gather(writer, *self._open, return_exceptions=True)

    async def _quiet(self) -> None:
        while self._busy and not self._lost:
            self._wake.clear()
            await self._wake.wait()

    async def _load(self) -> None:
        await self._quiet()
        if self._stumbled:
            await asyncio.sleep(PAUSE)
        self._reload = self._stumbled = False
        if self._lost:
            raise Lost(self.record.id)
        claim = await self.ledger.claim(self._courier)
        ordered = self.record.ordering is Ordering.CHAT
        self._mailbox = _Lane(
            Lane.MAILBOX,
            Queue(claim.floor, finished=claim.finished, retries=claim.retries, ordered=ordered),
        )
        self._replays = _Lane(Lane.REPLAY, Queue(retries=claim.replay_retries, ordered=ordered))
        self._last_success = claim.last_success
        self._claim = claim

    async def _serve(self) -> None:
        while True:
            self._wake.clear()
            if self._lost:
                raise Lost(self.record.id)
            if self._reload or self._stopping:
                if not self._busy:
                    return
            elif self.record.enabled:
                self._start()
                for lane in (self._mailbox, self._replays):
                    while self._wants_more(lane):
                        try:
                            await self._pull(lane)
                        except Changed:
                            self.reload()
                        self._start()
            await self._sleep()

    async def _sleep(self) -> None:
        due = [lane.queue.next_due() for lane in (self._mailbox, self._replays)]
        soonest = min((moment_ for moment_ in due if moment_ is not None), default=None)
        idle = soonest is None or self._full or not self.record.enabled or self._stopping or self._reload
        timeout = None if idle or soonest is None else max(0.0, soonest - self._clock())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wake.wait()

    @property
    def _unsettled(self) -> int:
        return len(self._results) + self._writing

    @property
    def _busy(self) -> bool:
        return bool(self._open or self._unsettled)

    @property
    def _full(self) -> bool:
        limit = self._limit.value
        return len(self._open) >= limit or self._unsettled >= UNSETTLED * limit

    def _wants_more(self, lane: _Lane) -> bool:
        queue = lane.queue
        return (
            lane.more
            and not (self._reload or self._stopping or self._lost)
            and queue.ready < self._limit.value
            and len(queue) < self._settings.window
            and queue.cursor < queue.floor + self._settings.reach
        )

    async def _pull(self, lane: _Lane) -> None:
        queue = lane.queue
        count = min(PULL, self._settings.window - len(queue))
        lane.more = False
        entries = await self.ledger.read(lane.name, after=queue.cursor, count=count)
        skipped: list[tuple[int, int]] = []
        for entry in entries:
            if entry.position > queue.cursor + 1:
                skipped += queue.skip(entry.position - 1)
            if lane.name is Lane.MAILBOX and not self.record.wants(entry.parcel.type):
                skipped += queue.skip(entry.position)
                continue
            self._bodies.put(self._body_key(lane.name, entry.position), entry.parcel)
            queue.add(entry.position, entry.parcel.event_id, entry.chat, test=entry.test)
        if len(entries) == count:
            lane.more = True
        if skipped and lane.name is Lane.MAILBOX:
            assert self._claim is not None
            await self.ledger.skip(self._claim, _merge(skipped), entries[-1])

    def _start(self) -> None:
        if self._reload or self._stopping or self._lost:
            return
        now = self._clock()
        self._mailbox.queue.promote(now)
        self._replays.queue.promote(now)
        while not self._full:
            lane = self._next_lane()
            item = lane.queue.start()
            if item is None:
                return
            task = asyncio.create_task(self._deliver(lane, item))
            self._open.add(task)
            task.add_done_callback(self._ended)

    def _next_lane(self) -> _Lane:
        # In turns, so that neither a replay of thousands nor a busy account starves the other.
        first, second = (
            (self._replays, self._mailbox) if self._replay_next else (self._mailbox, self._replays)
        )
        lane = first if first.queue.ready else second
        self._replay_next = lane is self._mailbox
        return lane

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._open.discard(task)
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.error(
                "an attempt failed in itself", extra={"endpoint": self.record.id}, exc_info=task.exception()
            )
            self._stumbled = self._reload = True

    # ---- one attempt ----

    async def _deliver(self, lane: _Lane, item: Item) -> None:
        assert self._claim is not None
        claim = self._claim
        try:
            parcel = await self._until_done(lambda: self._parcel(lane.name, item))
            record = self.record
            earlier = lane.queue.retry_of(item.position)
            number = (earlier.attempts if earlier else 0) + 1
            async with self._permits:
                started = self._clock()
                outcome = await attempt(
                    self._egress,
                    url=record.url,
                    body=parcel.body,
                    event_id=parcel.event_id,
                    instance_id=self.ledger.instance_id,
                    seq=parcel.seq,
                    number=number,
                    secrets=record.active_secrets(moment(started)),
                    headers=record.headers,
                    timestamp=int(started),
                    timeout=self._settings.timeout,
                    connect_timeout=self._settings.connect_timeout,
                    answer_bytes=self._settings.answer_bytes,
                    tls=record.tls,
                )
            self._limit.learn(
                evidence(outcome), open_attempts=len(self._open), started=started, now=self._clock()
            )
            first = earlier.first if earlier else started
            verdict, due = judge(
                outcome,
                attempt=number,
                policy=self._policy,
                now=self._clock(),
                dice=self._dice(),
                others_succeed=self._last_success > first,
            )
            entry = _attempt_entry(lane.name, item, parcel, number, started, outcome)
            entry.result = RESULTS[verdict]
            if item.test:
                verdict = Verdict.DONE
                entry.result = "delivered" if outcome.ok else "dropped"
            if verdict is Verdict.DISABLE:
                await self._disable(claim, record, entry, "the endpoint answered 410 Gone")
                lane.queue.give_back(item.position)
                return
            retry = Retry(number, due, first) if verdict is Verdict.RETRY else None
            if retry:
                entry.next_attempt_at = moment(due)
            at = self._clock()
            result = Settlement(
                position=item.position,
                event_id=item.event_id,
                verdict="drop" if entry.result == "dropped" else verdict.value,
                at=at,
                log=entry,
                retry=retry,
                letter={
                    "attempts": number,
                    "first_attempt_at": moment(first).isoformat(),
                    "died_at": moment(at).isoformat(),
                    "status": outcome.status,
                    "error": outcome.error,
                },
            )
            if outcome.ok:
                self._last_success = at
            self._results.append(_Ended(lane, item, result))
            self._has_results.set()
        except Lost:
            self._lost = True
        except Changed:
            log.warning("Redis lost what was read from it", extra={"endpoint": self.record.id})
            self._reload = True

    async def _write_down(self) -> None:
        # One step for all results that came while the step before was under way.
        while True:
            await self._has_results.wait()
            self._has_results.clear()
            batch, self._results = self._results, []
            self._writing = len(batch)
            try:
                for lane in {id(ended.lane): ended.lane for ended in batch}.values():
                    await self._settle(lane, [ended for ended in batch if ended.lane is lane])
            except Lost:
                self._lost = True
            except Changed:
                log.warning("Redis lost what was read from it", extra={"endpoint": self.record.id})
                self._reload = True
            except Exception:
                log.exception("results were not written down", extra={"endpoint": self.record.id})
                self._stumbled = self._reload = True
            self._writing = 0
            self._wake.set()

    async def _settle(self, lane: _Lane, batch: list[_Ended]) -> None:
        assert self._claim is not None
        results = [ended.result for ended in batch]
        failing_since = await self._until_done(partial(self.ledger.settle, lane.name, self._claim, results))
        for ended in batch:
            if ended.result.retry is not None:
                lane.queue.postpone(ended.item.position, ended.result.retry)
            else:
                lane.queue.finish(ended.item.position)
        if failing_since is not None and self._clock() - failing_since >= self._settings.disable_after:
            days = (self._clock() - failing_since) / 86_400
            await self._disable(self._claim, self.record, None, f"every attempt failed for {days:.1f} days")

    async def _parcel(self, lane: Lane, item: Item) -> Parcel:
        parcel = self._bodies.get(self._body_key(lane, item.position))
        if parcel is not None and parcel.event_id == item.event_id:
            return parcel
        found: list[Entry] = await self.ledger.read(lane, after=item.position - 1, count=1)
        if not found or found[0].position != item.position or found[0].parcel.event_id != item.event_id:
            raise Changed
        return found[0].parcel

    async def _disable(
        self, claim: Claim, attempted: EndpointRecord, entry: Attempt | None, reason: str
    ) -> None:
        record = attempted
        while record.enabled and record.url == attempted.url:
            before = record
            after = before.model_copy(
                update={
                    "enabled": False,
                    "disabled_reason": reason,
                    "revision": before.revision + 1,
                }
            )
            at = self._clock()
            if await self._until_done(partial(self.ledger.disable, claim, before, after, entry, at)):
                self.update(after)
                return
            record = await self._until_done(self.ledger.record)
        self.update(record)

    async def _until_done(self, step: Callable[[], Awaitable[T]]) -> T:
        # What an endpoint answered must not be forgotten because Redis is away just now.
        while True:
            try:
                return await step()
            except (StoreUnavailable, RedisError) as error:
                log.warning("Redis is away", extra={"endpoint": self.record.id, "reason": str(error)})
                await asyncio.sleep(PAUSE * random.uniform(0.5, 1.5))

    def _body_key(self, lane: Lane, position: int) -> tuple[str, str, int]:
        # All endpoints of an instance get the same bodies from its mailbox.
        return (self.ledger.instance_id, "" if lane is Lane.MAILBOX else self.record.id, position)


def _attempt_entry(
    lane: Lane, item: Item, parcel: Parcel, number: int, started: float, outcome: Outcome
) -> Attempt:
    return Attempt(
        event_id=parcel.event_id,
        seq=parcel.seq,
        type=parcel.type,
        attempt=number,
        kind="test" if item.test else "delivery" if lane is Lane.MAILBOX else "replay",
        at=moment(started),
        duration_ms=round(outcome.duration * 1000),
        result="retry",
        status=outcome.status,
        failure=outcome.failure.value if outcome.failure else None,
        error=outcome.error,
        answer=outcome.answer,
    )


def _merge(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in ranges:
        if merged and merged[-1][1] + 1 == first:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return merged
