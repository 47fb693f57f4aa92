"""Everything one endpoint gets: pulls its events, posts them, has written down what came of it.

A line holds at most a window of events, and of those only positions; what waits, waits in Redis. It has its
own task and its own gate, so that an endpoint that hangs holds up nobody but itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable
from typing import NamedTuple

from redis.exceptions import RedisError

from actors import logs, traces
from actors.courier import measured
from actors.courier.addressee import Addressee, addressee
from actors.courier.bodies import Bodies, Parcel
from actors.courier.delivery import attempt
from actors.courier.egress import Egress
from actors.courier.fairness import Party
from actors.courier.gate import Gate, terms
from actors.courier.ledger import Changed, Claim, Lane, Ledger, Lost
from actors.courier.queue import Item, Retry
from actors.courier.reader import PULL, Reader, Source
from actors.courier.records import EndpointRecord
from actors.courier.retry import Verdict, judge, worn_out
from actors.courier.scribe import PAUSE, Ended, Scribe
from actors.courier.settlements import attempted, merged, settled, unsent
from actors.courier.slots import Slots
from actors.store import StoreUnavailable

log = logging.getLogger(__name__)

UNSETTLED = 2
"""Results per permitted attempt that may wait to be written down before no more attempts are started."""
LANES = 4
"""Events of the mailbox and those of the replay lane, for the first time or again."""
WORRYING = 4
"""Attempts at one event that fail while nothing succeeds, after which its endpoint is said to fail."""


class Job(NamedTuple):
    """An attempt that was let through the gate.

    Args:
        again: the event was refused before.
        probe: the endpoint is down, and this is to show whether it still is.
    """

    source: Source
    again: bool
    item: Item
    probe: bool


class Line:
    """One endpoint at work.

    Args:
        record: its configuration; `update` brings a newer one.
        tenant: whom its slots are charged to.
        courier: name of the courier, for people.
        slots: bounds the attempts of the whole courier.
        clock: seconds since 1970.
        dice: random numbers of [0, 1).
    """

    def __init__(
        self,
        ledger: Ledger,
        record: EndpointRecord,
        *,
        tenant: str,
        courier: str,
        egress: Egress,
        bodies: Bodies,
        slots: Slots,
        clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.ledger = ledger
        self.record = record
        self._party = Party(tenant, f"{ledger.instance_id}/{record.id}")
        self._settings = ledger.settings.courier
        self._terms = terms(self._settings, record.delivery)
        self._to = self._addressee()
        self._gate = Gate(self._terms, clock())
        self._courier = courier
        self._egress = egress
        self._slots = slots
        self._clock = clock
        self._dice = dice
        self._claim: Claim | None = None
        self._reader = Reader(ledger, bodies, record=lambda: self.record, clock=clock)
        self._turn = 0
        self._urgent = False
        self._last = 0
        self._replayed = 0
        self._last_success = 0.0
        self._open: dict[asyncio.Task[None], bool] = {}
        self._not_begun: set[asyncio.Task[None]] = set()
        self.begun: dict[asyncio.Task[None], float] = {}
        """When each request that is open was begun, by the monotonic clock."""
        self._wake = asyncio.Event()
        self._stopping = False
        self._reload = False
        self._doubted = False
        self._scribe = Scribe(
            ledger,
            circuit=lambda: self._gate.memory(),
            patience=lambda: self._terms.disable_after,
            adopt=self.update,
            wake=self._wake.set,
            clock=clock,
        )

    @property
    def cursor(self) -> int:
        """Sequence number of the mailbox up to which it has read."""
        return self._reader.mailbox.queue.cursor

    @property
    def open_attempts(self) -> int:
        """Attempts that are open, or whose results are not written down yet."""
        return len(self._open) + self._scribe.pending

    @property
    def known(self) -> int:
        """Unfinished events that it holds positions of."""
        return len(self._reader.mailbox.queue) + len(self._reader.replays.queue)

    @property
    def unwritten(self) -> int:
        """Results of attempts that are not in Redis yet."""
        return self._scribe.pending

    @property
    def behind(self) -> int:
        """Events from the first unfinished one to the end of the mailbox."""
        return max(0, self._waiting)

    @property
    def standing(self) -> measured.Standing:
        """How the endpoint is."""
        return "disabled" if not self.record.enabled else "down" if self._gate.down else "open"

    def wake(self) -> None:
        """There may be something new."""
        self._reader.expect()
        self._wake.set()

    def look(self, last: int, replays: int) -> None:
        """The mailbox ends with this sequence number; so often its endpoints were given replays."""
        self._last = last
        if last != self.cursor or replays != self._replayed:
            self._replayed = replays
            self.wake()

    def charge(self, tenant: str) -> None:
        """Charge its slots to this tenant from now on."""
        self._party = self._party._replace(tenant=tenant)

    def update(self, record: EndpointRecord) -> None:
        """Go on with a newer configuration."""
        doubted, self._doubted = self._doubted, False
        if record == self.record or (record.revision <= self.record.revision and not doubted):
            return
        before, after = self.record.delivery, record.delivery
        waits_otherwise = (before.media, before.media_wait) != (after.media, after.media_wait)
        if waits_otherwise or record.ordering is not self.record.ordering:
            self._reload = True
        self.record = record
        self._terms = terms(self._settings, record.delivery)
        self._to = self._addressee()
        self._gate.change(self._terms, self._clock())
        self._wake.set()

    def reload(self) -> None:
        """Forget what was read, once the open attempts have ended, and read it again."""
        self._reload = True
        self._wake.set()

    def doubt(self) -> None:
        """Read again what Redis may have lost the end of, and take the next configuration for the newest.

        Its revision may have been another's before.
        """
        self._doubted = True
        self.reload()

    def stop(self) -> None:
        """Start no more attempts; `run` returns when the open ones have ended."""
        self._stopping = True
        for task in self._not_begun:
            task.cancel()
        self._wake.set()

    # ---- at work ----

    async def run(self) -> None:
        """Deliver until stopped, or until another courier claims the endpoint or it is deleted."""
        logs.bind(instance=self.ledger.instance_id, endpoint=self.record.id)
        scribe = asyncio.create_task(self._scribe.run())
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
            for task in (scribe, *self._open):
                task.cancel()
            await asyncio.gather(scribe, *self._open, return_exceptions=True)

    async def _quiet(self) -> None:
        while self.open_attempts and not self._scribe.lost:
            self._wake.clear()
            await self._wake.wait()

    async def _load(self) -> None:
        await self._quiet()
        if self._scribe.lost:
            raise Lost(self.record.id)
        if self._scribe.stumbled:
            await asyncio.sleep(PAUSE)
        self._reload = False
        claim = await self.ledger.claim(self._courier)
        self._reader.begin(claim)
        self._last_success = claim.last_success
        if self._claim is None:
            self._gate = Gate(self._terms, self._clock(), claim.circuit)
        # Nothing is under way: a probe that failed in itself must not be waited for.
        self._gate.abandon(probe=True)
        self._claim = claim
        self._scribe.begin(claim)

    async def _serve(self) -> None:
        while True:
            self._wake.clear()
            if self._scribe.lost:
                raise Lost(self.record.id)
            if self._leaving:
                if not self.open_attempts:
                    return
            elif self._too_far_behind and not self.open_attempts:
                await self._spill()
            elif self.record.enabled:
                self._start()
                for source in self._reader.sources:
                    while self._wants_more(source):
                        await self._pull(source)
                        self._start()
                await self._reader.release()
                self._start()
            await self._sleep()

    @property
    def _too_far_behind(self) -> bool:
        # Failing, with a closed circuit: each of its refusals may be the event's fault.
        away = self._gate.down or self._scribe.failing or not self.record.enabled
        return away and self._waiting > self._settings.backlog

    @property
    def _waiting(self) -> int:
        return self._last - self._reader.mailbox.queue.floor

    async def _spill(self) -> None:
        # The mailbox is bounded, and for this endpoint alone it must not run full.
        assert self._claim is not None
        floor = self._reader.mailbox.queue.floor
        count = min(PULL, self._waiting - self._settings.backlog)
        entries = await self.ledger.read(Lane.MAILBOX, after=floor, count=count)
        if not entries:
            self._last = floor  # until the next look: there is less than there was
            return
        now = self._clock()
        reason = f"given up: more than {self._settings.backlog} events were waiting"
        queue = self._reader.mailbox.queue
        results = [
            unsent(entry, reason, at=now, retry=queue.retry_of(entry.position))
            for entry in entries
            if self._reader.wanted(entry) and queue.unfinished(entry.position)
        ]
        unwanted = [(entry.position, entry.position) for entry in entries if not self._reader.wanted(entry)]
        with contextlib.suppress(Changed):
            if unwanted:
                await self.ledger.skip(self._claim, merged(unwanted), entries[-1])
            if results:
                await self.ledger.settle(Lane.MAILBOX, self._claim, results, self._gate.memory())
        measured.given_up_unsent(len(results))
        log.warning("events given up unsent", extra={"endpoint": self.record.id, "events": len(results)})
        self.reload()

    @property
    def _leaving(self) -> bool:
        return self._stopping or self._reload or self._scribe.changed or self._scribe.lost

    async def _sleep(self) -> None:
        moment_ = self._next_moment()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if moment_ is None else max(0.0, moment_ - self._clock())):
                await self._wake.wait()

    def _next_moment(self) -> float | None:
        # When something can be started without anything else happening before.
        if self._full or not self.record.enabled or self._leaving or self._too_far_behind:
            return None
        queues = [source.queue for source in self._reader.sources]
        due = [due for queue in queues if (due := queue.next_due()) is not None]
        if any(queue.ready(again=again) for queue in queues for again in (False, True)):
            due.append(0.0)
        opens = self._gate.opens_at(self._clock())
        return max(min(due), opens) if due and opens is not None else None

    @property
    def _full(self) -> bool:
        capacity = self._gate.capacity
        return len(self._open) >= capacity or self.open_attempts >= (1 + UNSETTLED) * capacity

    def _wants_more(self, source: Source) -> bool:
        queue = source.queue
        return (
            source.more
            and not self._leaving
            and queue.ready(again=False) < self._gate.capacity
            and not self._is_full(source)
        )

    def _is_full(self, source: Source) -> bool:
        queue = source.queue
        return len(queue) >= self._settings.window or queue.cursor >= queue.floor + self._settings.reach

    def _stopped_by_one(self, source: Source) -> bool:
        # Nothing but the event under way could be tried: nothing else can show that the endpoint works.
        queue = source.queue
        others = queue.under_way > 1 or queue.ready(again=False) or queue.ready(again=True)
        return source.more and self._is_full(source) and not others

    async def _pull(self, source: Source) -> None:
        try:
            urgent = await self._reader.pull(source)
        except Changed:
            self.reload()
            return
        if urgent:
            self._urgent = True
            self._gate.try_now(self._clock())

    def _start(self) -> None:
        while (job := self._take()) is not None:
            task = asyncio.create_task(self._work(job))
            self._note(task, job)
            task.add_done_callback(self._ended)

    def _take(self) -> Job | None:
        """Something that may be attempted now."""
        if self._leaving or self._full or self._too_far_behind or not self.record.enabled:
            return None
        now = self._clock()
        opens = self._gate.opens_at(now)
        if opens is None or opens > now:
            return None
        self._reader.mailbox.queue.promote(now)
        self._reader.replays.queue.promote(now)
        if (found := self._next()) is None:
            return None
        return Job(*found, probe=self._gate.enter(now))

    def _note(self, task: asyncio.Task[None], job: Job) -> None:
        self._open[task] = job.again
        self._not_begun.add(task)

    def _next(self) -> tuple[Source, bool, Item] | None:
        # In turns: neither a replay of thousands, nor a busy account, nor a storm of retries starves the
        # others. First tries find half of the attempts free of retries.
        if self._urgent and (item := self._reader.replays.queue.start(again=False)) is not None:
            self._urgent = False
            return self._reader.replays, False, item
        for step in range(1, LANES + 1):
            turn = (self._turn + step) % LANES
            source, again = self._reader.replays if turn // 2 else self._reader.mailbox, turn % 2 == 1
            if not source.queue.ready(again=again) or (again and self._enough_retries):
                continue
            item = source.queue.start(again=again)
            if item is not None:
                self._turn = turn
                return source, again, item
        return None

    @property
    def _enough_retries(self) -> bool:
        fresh = self._reader.mailbox.queue.ready(again=False) or self._reader.replays.queue.ready(again=False)
        return bool(fresh) and sum(self._open.values()) >= max(1, self._gate.capacity // 2)

    async def _work(self, job: Job) -> None:
        # One attempt after another, for as long as there is something: a task for each would cost as much as
        # the signature.
        task = asyncio.current_task()
        assert task is not None
        while True:
            await self._deliver(job, task)
            del self._open[task]
            if (following := self._take()) is None:
                return
            job = following
            self._note(task, job)
            if not self._full:
                self._wake.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task, None)
        self._not_begun.discard(task)
        self._wake.set()
        if not task.cancelled() and task.exception() is not None:
            log.error(
                "an attempt failed in itself", extra={"endpoint": self.record.id}, exc_info=task.exception()
            )
            self._scribe.stumbled = self._scribe.changed = True

    # ---- one attempt ----

    async def _deliver(self, job: Job, task: asyncio.Task[None]) -> None:
        party = self._party
        source, item = job.source, job.item
        try:
            parcel = self._reader.remembered(source.name, item)
            if parcel is None:
                parcel = await self._scribe.until_done(lambda: self._reader.again(source.name, item))
            whole = parcel
            if self.record.delivery.media == "wait":
                whole = await self._scribe.until_done(lambda: self._reader.whole(parcel))
            asked = time.monotonic()
            await self._slots.take(party)
        except asyncio.CancelledError:
            self._gate.abandon(probe=job.probe)
            source.queue.give_back(item.position)
            raise
        except Changed:
            log.warning("Redis lost what was read from it", extra={"endpoint": self.record.id})
            self._gate.abandon(probe=job.probe)
            self._scribe.changed = True
            return
        try:
            self._not_begun.discard(task)
            if not self.record.enabled:  # switched off while it waited for the slot
                self._gate.abandon(probe=job.probe)
                source.queue.give_back(item.position)
                return
            self.begun[task] = measured.slot_taken(asked)
            await self._post(job, whole)
        except Lost:
            self._scribe.lost = True
        finally:
            self.begun.pop(task, None)
            self._slots.give(party)

    async def _post(self, job: Job, parcel: Parcel) -> None:
        source, item = job.source, job.item
        record, terms_ = self.record, self._terms
        started = self._clock()
        earlier = source.queue.retry_of(item.position) or Retry(0, 0.0, started, 0)
        number = earlier.attempts + 1
        outcome = await attempt(
            self._egress,
            self._to,
            body=parcel.body,
            event_id=parcel.event_id,
            seq=parcel.seq,
            number=number,
            secrets=record.active_secrets(started),
            timestamp=int(started),
        )
        traces.attempted(
            parcel.event_id,
            self._to.place,
            number,
            instance=self.ledger.instance_id,
            endpoint=record.id,
            number=number,
            status=outcome.status,
            error=outcome.error,
            started=started,
            duration=outcome.duration,
        )
        measured.attempted(outcome, terms_.timeout)
        now = self._clock()
        spared = self._gate.leave(
            outcome, item.event_id, probe=job.probe, open_attempts=len(self._open), started=started, now=now
        )
        others_succeed = self._last_success > earlier.first
        if worn_out(
            outcome,
            spared=earlier.attempts - earlier.counted,
            others_succeed=others_succeed,
            down=self._gate.down and not self._stopped_by_one(source),
        ):
            spared = False
        verdict, due = judge(
            outcome,
            attempt=earlier.counted + 1,
            policy=terms_.policy,
            now=now,
            dice=self._dice(),
            others_succeed=others_succeed,
            spared=spared,
        )
        log_ = attempted(source.name, item, parcel, outcome, verdict, number=number, started=started)
        if verdict is Verdict.DISABLE and not item.test:
            await self._scribe.give_up(record, log_, "the endpoint answered 410 Gone")
            source.queue.give_back(item.position)
            return
        retry = None
        if log_.result == "retry":
            retry = Retry(number, due, earlier.first, earlier.counted + (not spared))
            log_ = log_._replace(next_attempt_at=round(max(due, self._gate.opens_at(now) or due), 3))
        measured.concluded(log_, parcel.body, now)
        if outcome.ok:
            self._last_success = now
        result = settled(item, log_, outcome, first=earlier.first, at=now, retry=retry)
        lasting = self._gate.down or (number >= WORRYING and not others_succeed)
        worrying = lasting and result.fault and not outcome.ok
        self._scribe.add(Ended(source, item, result, worrying))

    def _addressee(self) -> Addressee:
        return addressee(
            self.record.url,
            self.ledger.instance_id,
            headers=self.record.headers,
            timeout=self._terms.timeout,
            connect_timeout=self._terms.connect_timeout,
            answer_bytes=self._settings.answer_bytes,
            tls=self.record.tls,
        )
