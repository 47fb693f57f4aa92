"""Asks WhatsApp about people and groups: beside the event path, in order of importance, and within bounds."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

from actors import metrics
from actors.instance import measured
from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.contacts import queries
from actors.instance.contacts.agenda import Agenda, Priority, Subject
from actors.instance.contacts.breaker import Breaker, State
from actors.instance.contacts.facts import Fact
from actors.instance.errors import CallFailed
from actors.instance.refusals import NOT_AN_ATTEMPT, call_failure
from actors.rate import Bucket
from actors.settings import ContactSettings

log = logging.getLogger(__name__)


class Desk:
    """One query at a time about each subject, a few at a time in all.

    Args:
        online: set while the instance is connected.
        connection: the engine; raises ConnectionError while not connected.
        known: a fresh answer that is kept, so that nothing need be asked; for what nobody waits for.
        learn: takes every answer, after those who waited for it have it.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        *,
        instance_id: str,
        settings: ContactSettings,
        online: asyncio.Event,
        connection: Callable[[], Connection],
        known: Callable[[Subject], Awaitable[Fact | None]],
        learn: Callable[[Subject, Fact], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._instance_id = instance_id
        self._settings = settings
        self._online = online
        self._connection = connection
        self._known = known
        self._learn = learn
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._agenda = Agenda(settings.waiting)
        self._breaker = Breaker(settings.breaker_failures, settings.breaker_first, settings.breaker_longest)
        self._bucket = Bucket(settings.rate, settings.burst, self._loop.time())
        self._places = asyncio.Semaphore(settings.concurrency)
        self._news = asyncio.Event()
        self._addresses: dict[Subject, str] = {}
        self._waiting: dict[Subject, asyncio.Future[Fact]] = {}
        self._under_way: set[Subject] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy_until = 0.0
        self.outcomes: Counter[str] = Counter()
        """How queries ended: ``answered``, ``timeout``, or the code of the refusal."""

    # ---- what others want ----

    def want(self, subject: Subject, jid: str, priority: Priority) -> bool:
        """Have a subject asked for, some time. False if there is no room for it."""
        if subject in self._under_way:
            return True
        if not self._agenda.add(subject, priority):
            return False
        self._addresses[subject] = jid
        if len(self._addresses) > 2 * self._settings.waiting:
            self._addresses = {one: jid for one, jid in self._addresses.items() if self._concerned(one)}
        self._news.set()
        return True

    async def answer(self, subject: Subject, jid: str, patience: float) -> Fact:
        """WhatsApp's answer. All who want it at the same time share one query.

        Args:
            jid: whom to ask about.
            patience: seconds.

        Raises:
            CallFailed
        """
        try:
            self._connection()
        except ConnectionError as error:
            raise call_failure(error) from None
        self._refuse_if_broken()
        if not self.want(subject, jid, Priority.ASKED):
            raise CallFailed("busy", "Too many queries about contacts wait already")
        future = self._waiting.get(subject)
        if future is None:
            future = self._waiting[subject] = self._loop.create_future()
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
        try:
            async with asyncio.timeout(patience):
                return await asyncio.shield(future)
        except TimeoutError:
            raise CallFailed("timeout", "WhatsApp did not answer in time") from None

    def busy(self) -> None:
        """An event came: what nobody waits for is put off."""
        self._busy_until = self._loop.time() + self._settings.prefetch_idle

    def asks_about(self, subject: Subject) -> bool:
        """True while a query about it is under way."""
        return subject in self._under_way

    def sample(self) -> None:
        """Set the gauges."""
        metrics.CONTACT_QUERIES.set(len(self._agenda))
        metrics.CONTACT_BREAKERS.set(self._breaker.state is not State.CLOSED)

    def describe(self) -> dict[str, object]:
        """What is going on."""
        return {
            "waiting": {priority.name.lower(): self._agenda.waiting(priority) for priority in Priority},
            "under_way": len(self._under_way),
            "displaced": self._agenda.displaced,
            "breaker": self._breaker.state,
            "breaker_opened": self._breaker.opened,
            "outcomes": dict(self.outcomes),
        }

    def _concerned(self, subject: Subject) -> bool:
        return subject in self._agenda or subject in self._under_way

    def _refuse_if_broken(self) -> None:
        wait = self._breaker.wait(self._loop.time())
        if wait != 0.0:
            when = "shortly" if wait is None else f"in {wait:.0f} s"
            raise CallFailed("busy", f"WhatsApp leaves queries about contacts unanswered; tried again {when}")

    # ---- the loop ----

    async def run(self) -> None:
        """Ask what is wanted, until cancelled."""
        try:
            while True:
                await self._places.acquire()
                subject = await self._next()
                probe = self._breaker.started()
                self._under_way.add(subject)
                task = asyncio.create_task(self._serve(subject, probe))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for subject in list(self._waiting):
                self._fail(subject, CallFailed("not_connected", "the instance is being moved or stopped"))

    async def _next(self) -> Subject:
        while True:
            self._news.clear()
            now = self._loop.time()
            if not len(self._agenda):
                await self._news.wait()
                continue
            if not self._online.is_set():
                self._fail_all("not_connected", "the instance is not connected")
                await self._online.wait()
                continue
            wait = self._breaker.wait(now)
            if wait != 0.0:
                await self._news_within(wait)
                continue
            if pause := self._bucket.wait(now):
                await asyncio.sleep(pause)
                continue
            idle = now >= self._busy_until
            subject = self._agenda.next(Priority.PREFETCH if idle else Priority.STALE)
            if subject is None:
                await self._news_within(self._busy_until - now)
                continue
            self._bucket.take(now)
            return subject

    async def _news_within(self, seconds: float | None) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()

    async def _serve(self, subject: Subject, probe: bool) -> None:
        try:
            try:
                fact, asked = await self._find(subject, probe)
            except CallFailed as error:
                self._fail(subject, error)
                return
            except Exception:
                log.exception("a query about a contact failed", extra={"instance": self._instance_id})
                self._breaker.abandoned(probe=probe)
                self._fail(subject, CallFailed("internal", "the query failed; the log says how"))
                return
            finally:
                self._under_way.discard(subject)
                self._addresses.pop(subject, None)
            self._answered(subject, fact)
            if asked:
                await self._learn(subject, fact)
        finally:
            self._places.release()

    async def _find(self, subject: Subject, probe: bool) -> tuple[Fact, bool]:
        """The answer, and whether WhatsApp was asked for it."""
        if subject not in self._waiting and (known := await self._known(subject)) is not None:
            self._breaker.abandoned(probe=probe)
            self._news.set()
            return known, False
        try:
            return await self._ask(subject, probe), True
        finally:
            self._news.set()

    async def _ask(self, subject: Subject, probe: bool) -> Fact:
        kind, id_ = subject
        try:
            async with measured.query(f"contact_{kind}"), asyncio.timeout(self._settings.timeout):
                connection = self._connection()
                fact = await queries.ask(connection, kind, self._addresses.get(subject, id_), self._clock())
        except TimeoutError:
            self._timed_out(probe)
            raise CallFailed("timeout", "WhatsApp did not answer in time") from None
        except ConnectionError as error:
            self._refused(error, probe)
            raise call_failure(error) from None
        self.outcomes["answered"] += 1
        self._breaker.answered()
        return fact

    def _refused(self, error: ConnectionError, probe: bool) -> None:
        if error.code == "timeout":
            self._timed_out(probe)
            return
        self.outcomes[error.code] += 1
        if error.code in NOT_AN_ATTEMPT:
            self._breaker.abandoned(probe=probe)
        elif error.code == "rate_limited" or error.server_code == queries.TOO_OFTEN:
            self._breaker.trip(self._loop.time())
            self._opened("WhatsApp said that it is asked too often")
        else:
            self._breaker.answered()

    def _timed_out(self, probe: bool) -> None:
        self.outcomes["timeout"] += 1
        opened = self._breaker.opened
        self._breaker.timed_out(self._loop.time(), probe=probe)
        if self._breaker.opened > opened:
            self._opened("queries were not answered in time")

    def _opened(self, why: str) -> None:
        log.warning("contacts are not asked about for now", extra={"instance": self._instance_id, "why": why})
        if self._breaker.state is State.OPEN:
            self._fail_all("busy", "WhatsApp leaves queries about contacts unanswered; try again later")

    # ---- those who wait ----

    def _answered(self, subject: Subject, fact: Fact) -> None:
        future = self._waiting.pop(subject, None)
        if future is not None and not future.done():
            future.set_result(fact)

    def _fail(self, subject: Subject, error: CallFailed) -> None:
        future = self._waiting.pop(subject, None)
        if future is not None and not future.done():
            future.set_exception(error)

    def _fail_all(self, code: str, message: str) -> None:
        for subject in self._agenda.asked():
            self._fail(subject, CallFailed(code, message))
