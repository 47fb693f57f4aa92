"""A courier: serves the endpoints that rendezvous hashing gives it, each by a line of its own.

It pulls, nobody pushes to it: a ring from a mailbox is only a hint to look, and a sweep every few seconds
makes a lost ring harmless. All state is in Redis; one that dies is replaced by one that claims its endpoints.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from pydantic import ValidationError
from redis.exceptions import RedisError

from actors.courier import council
from actors.courier.addresses import Guard
from actors.courier.assignment import assigned
from actors.courier.bodies import Bodies
from actors.courier.egress import Egress
from actors.courier.endpoints import endpoints_channel
from actors.courier.fairness import Shares
from actors.courier.ledger import Ledger
from actors.courier.line import Line
from actors.courier.records import EndpointRecord
from actors.courier.slots import Slots
from actors.settings import Settings
from actors.store import Store, StoreUnavailable, connect

log = logging.getLogger(__name__)

STEPS = 64
"""Steps in Redis that a courier takes at a time."""
PAGE = 500
"""Instances looked at in one round trip."""
COOLDOWN = 5.0
"""Seconds before an endpoint that another courier claimed is claimed back, if it still is ours."""
STOPPED = 0.1
"""Seconds in which a line without open attempts has stopped."""
HELD_LOOK = 0.25
"""Seconds from one look to the next while the predecessor still has attempts open."""
HELD_MARGIN = 5.0
"""Seconds for which endpoints count as the predecessor's after it must have let go of them, if it died."""

Members = Callable[[], Sequence[int]] | Sequence[int] | None
Place = tuple[str, str]


class Deposed(Exception):
    """Another courier with the same index has started. This one has to end itself."""


class Courier:
    """Serves endpoints until drained, closed or deposed.

    Args:
        index: its number among the members.
        members: indexes of all couriers, or a function that says which these are; None for as many as the
            supervisor says, or the settings if it said nothing yet.
        egress: the way out; by default one that the settings describe, closed with the courier.
        clock: seconds since 1970.
        dice: random numbers of [0, 1), for the jitter.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        index: int,
        members: Members,
        *,
        egress: Egress | None = None,
        clock: Callable[[], float] = time.time,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.store = store
        self.settings = settings
        self.index = index
        self._members = members
        self._egress = egress
        self._clock = clock
        self._dice = dice
        self._token = secrets.token_hex(8)
        self._name = f"courier-{index}"
        self._steps = asyncio.Semaphore(STEPS)
        self._slots = Slots(Shares(settings.courier.concurrency_total, settings.courier.concurrency_reserved))
        self._bodies = Bodies(settings.courier.body_cache_bytes)
        self._lines: dict[Place, Line] = {}
        self._tasks: dict[Place, asyncio.Task[None]] = {}
        self._of_instance: dict[str, set[Place]] = {}
        self._revisions: dict[str, int] = {}
        self._cooling: dict[Place, float] = {}
        self._held: set[Place] = set()
        """Endpoints that the predecessor has attempts open for."""
        self._stale: set[str] = set()
        self._sweep_now = asyncio.Event()
        self._server: str | None = None
        self._council: tuple[int, ...] = ()
        self._stopping = False
        self.swept = time.monotonic()
        """When the last look at every mailbox ended, by the monotonic clock."""
        self.ready = asyncio.Event()
        """Set after the first look at every mailbox."""
        self.yielded = asyncio.Event()
        """Set after `drain`, once a successor may start: it leaves alone what is still open here."""

    # ---- life ----

    async def run(self) -> None:
        """Deliver until `drain`. Ends every task of its own, however it ends.

        Raises:
            Deposed: another courier with this index has started.
        """
        if self._egress is None:
            guard = Guard(allow_private=self.settings.courier.allow_private, allow=self.settings.allow_hosts)
            proxy = self.settings.courier.proxy
            self._egress = Egress(guard, proxy=proxy.get_secret_value() if proxy else None)
        listener = asyncio.create_task(self._listen())
        try:
            await self._take_office()
            while not self._stopping:
                self._sweep_now.clear()
                try:
                    await self._sweep()
                    self.swept = time.monotonic()
                    self.ready.set()
                except (StoreUnavailable, RedisError) as error:
                    log.warning("Redis is away", extra={"courier": self.index, "reason": str(error)})
                await self._pause(HELD_LOOK if self._held else self.settings.courier.sweep)
            await self._let_finish()
        finally:
            listener.cancel()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(listener, *self._tasks.values(), return_exceptions=True)
            await self._egress.close()

    def drain(self) -> None:
        """Start nothing more; `run` returns when the open attempts have ended, or their time is over.

        A successor may start before that, once `yielded` is set.
        """
        self._stopping = True
        for line in self._lines.values():
            line.stop()
        self._sweep_now.set()

    async def make_way(self, running: asyncio.Task[Any]) -> None:
        """Drain; returns when a successor may start.

        Args:
            running: the task of `run`. Without Redis a successor has to wait for its end.
        """
        self.drain()
        yielded = asyncio.create_task(self.yielded.wait())
        await asyncio.wait([yielded, running], return_when=asyncio.FIRST_COMPLETED)
        yielded.cancel()

    @property
    def draining(self) -> bool:
        """True after `drain`."""
        return self._stopping

    @property
    def lines(self) -> list[Line]:
        """The endpoints that it serves."""
        return list(self._lines.values())

    @property
    def slots_waiting(self) -> int:
        """Attempts that wait for a slot."""
        return self._slots.waiting

    def describe(self) -> dict[str, Any]:
        """What it is doing now, in numbers."""
        return {
            "index": self.index,
            "endpoints": len(self._lines),
            "open_attempts": sum(line.open_attempts for line in self._lines.values()),
            "known_events": sum(line.known for line in self._lines.values()),
            "body_bytes": self._bodies.size,
            "draining": self.draining,
        }

    async def _let_finish(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks.values(), timeout=STOPPED)
        open_ = {place: task for place, task in self._tasks.items() if not task.done()}
        try:
            await self._hold(open_)
            self.yielded.set()
        except (StoreUnavailable, RedisError) as error:
            log.warning("a successor has to wait", extra={"courier": self.index, "reason": str(error)})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.courier.drain_timeout):
                await asyncio.gather(*(self._release(place, task) for place, task in open_.items()))

    async def _hold(self, places: Collection[Place]) -> None:
        """Keep the successor from these until `_release`, and no longer than this one can have them."""
        if not places:
            return
        key, members = self._leaving, ["/".join(place) for place in places]
        lasts = self.settings.courier.drain_timeout + HELD_MARGIN

        async def write() -> None:
            pipe = self.store.redis.pipeline(transaction=True)
            pipe.sadd(key, *members)
            pipe.pexpire(key, int(lasts * 1000))
            await pipe.execute()

        await self.store.run(write, timeout=5)

    async def _release(self, place: Place, line: asyncio.Task[None]) -> None:
        await asyncio.wait([line])
        redis = self.store.redis
        with contextlib.suppress(StoreUnavailable, RedisError):
            await self.store.run(lambda: redis.srem(self._leaving, "/".join(place)), timeout=5)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._sweep_now.wait()

    # ---- one courier of an index at a time ----

    @property
    def _offices(self) -> str:
        return council.key(self.store)

    @property
    def _leaving(self) -> str:
        return self.store.keys.shared("leaving", str(self.index))

    async def _take_office(self) -> None:
        redis = self.store.redis
        while not self._stopping:
            try:
                await self.store.run(
                    lambda: redis.hset(self._offices, str(self.index), self._token), timeout=5
                )
                return
            except (StoreUnavailable, RedisError) as error:
                log.warning("waits for Redis", extra={"courier": self.index, "reason": str(error)})
                await self._pause(1.0)

    def _check_office(self, holder: str | None) -> None:
        # One that drains may have a successor.
        if holder is not None and holder != self._token and not self._stopping:
            raise Deposed(f"another courier {self.index} has started")

    # ---- looking ----

    async def _listen(self) -> None:
        channels = (self.store.keys.ring, endpoints_channel(self.store))
        while True:
            client = connect(self.store.url, socket_timeout=None)
            try:
                async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                    await pubsub.subscribe(*channels)
                    self._sweep_now.set()
                    async for message in pubsub.listen():
                        self._heard(message["channel"], message["data"])
            except Exception as error:
                log.warning("hears no rings", extra={"courier": self.index, "reason": str(error)})
            finally:
                await client.aclose()
            await asyncio.sleep(random.uniform(0.2, 0.6))

    def _heard(self, channel: str, instance_id: str) -> None:
        if channel == endpoints_channel(self.store):
            self._stale.add(instance_id)
            self._sweep_now.set()
            return
        for place in self._of_instance.get(instance_id, ()):
            self._lines[place].wake()

    async def _sweep(self) -> None:
        redis = self.store.redis

        async def look() -> tuple[list[str | None], list[str], str, set[str]]:
            pipe = redis.pipeline(transaction=False)
            pipe.hmget(self._offices, str(self.index), council.COUNT)
            pipe.hkeys(self.store.keys.shared("instances"))
            pipe.info("server")
            pipe.smembers(self._leaving)
            office, instances, server, held = await pipe.execute()
            return office, instances, str(server["run_id"]), held

        (holder, count), instances, server, held = await self.store.run(look, timeout=5)
        self._held = {(instance, endpoint) for instance, _, endpoint in (one.partition("/") for one in held)}
        self._check_office(holder)
        if holder is None:
            await self._take_office()
        if self._server not in (None, server):
            # Another Redis answers now, and it may have lost the end of what we have read.
            self._revisions.clear()
            for line in self._lines.values():
                line.doubt()
        self._server = server
        self._bury_the_dead()
        self._stale &= set(instances)
        self._convene(int(count or self.settings.courier.count))
        # Those without lines, too: their ids may be others', later.
        for gone in (self._of_instance.keys() | self._revisions.keys()) - set(instances):
            self._drop_instance(gone)
        for first in range(0, len(instances), PAGE):
            await self._look_at(instances[first : first + PAGE])

    def _convene(self, count: int) -> None:
        if self._members is None:
            members = tuple(range(count))
        else:
            members = tuple(self._members() if callable(self._members) else self._members)
        if members != self._council:
            self._council = members
            self._revisions.clear()

    async def _look_at(self, instances: Sequence[str]) -> None:
        redis = self.store.redis

        async def look() -> list[Any]:
            pipe = redis.pipeline(transaction=False)
            for instance_id in instances:
                pipe.hmget(self.store.keys.instance(instance_id, "meta"), "seq", "endpoints", "replays")
            return list(await pipe.execute())

        for instance_id, (seq, revision, replays) in zip(
            instances, await self.store.run(look, timeout=5), strict=True
        ):
            if int(revision or 0) != self._revisions.get(instance_id, 0) or instance_id in self._stale:
                self._stale.discard(instance_id)
                self._revisions.pop(instance_id, None)
                await self._refresh(instance_id)
                self._revisions[instance_id] = int(revision or 0)
            for place in self._of_instance.get(instance_id, ()):
                line = self._lines[place]
                line.look(int(seq or 0), int(replays or 0))

    async def _refresh(self, instance_id: str) -> None:
        redis = self.store.redis
        key = self.store.keys.instance(instance_id, "endpoints")

        async def look() -> tuple[dict[str, str], str | None]:
            pipe = redis.pipeline(transaction=False)
            pipe.hgetall(key)
            pipe.hget(self.store.keys.shared("instances"), instance_id)
            endpoints, instance = await pipe.execute()
            return endpoints, instance

        raw, instance = await self.store.run(look, timeout=5)
        tenant = (json.loads(instance).get("tenant") if instance else None) or instance_id
        mine: dict[Place, EndpointRecord] = {}
        for endpoint_id, value in raw.items():
            if assigned(f"{instance_id}/{endpoint_id}", self._council) != self.index:
                continue
            try:
                mine[(instance_id, endpoint_id)] = EndpointRecord.stored(value)
            except ValidationError:
                # One that cannot be read must not end the deliveries of all others.
                log.exception("a record is not valid", extra={"endpoint": endpoint_id})
        for place in self._of_instance.get(instance_id, set()) - set(mine):
            self._lines[place].stop()
        for place, record in mine.items():
            if place in self._lines:
                self._lines[place].charge(tenant)
                self._lines[place].update(record)
            elif place not in self._held and self._cooling.get(place, 0.0) <= time.monotonic():
                self._adopt(place, record, tenant)
            else:
                self._stale.add(instance_id)

    # ---- lines ----

    def _adopt(self, place: Place, record: EndpointRecord, tenant: str) -> None:
        assert self._egress is not None
        if self._stopping:
            return
        line = Line(
            Ledger(self.store, self.settings, *place, self._steps),
            record,
            tenant=tenant,
            courier=self._name,
            egress=self._egress,
            bodies=self._bodies,
            slots=self._slots,
            clock=self._clock,
            dice=self._dice,
        )
        self._cooling.pop(place, None)
        self._lines[place] = line
        self._of_instance.setdefault(place[0], set()).add(place)
        self._tasks[place] = asyncio.create_task(line.run(), name=f"line {place[1]}")

    def _bury_the_dead(self) -> None:
        now = time.monotonic()
        self._cooling = {place: until for place, until in self._cooling.items() if until > now}
        for place, task in list(self._tasks.items()):
            if not task.done():
                continue
            if not task.cancelled() and task.exception() is not None:
                log.error("a line ended", extra={"endpoint": place[1]}, exc_info=task.exception())
            del self._tasks[place], self._lines[place]
            self._of_instance[place[0]].discard(place)
            if not self._of_instance[place[0]]:
                del self._of_instance[place[0]]
            # If it still is ours at the next look, then somebody was wrong about that.
            self._cooling[place] = now + COOLDOWN * random.uniform(0.8, 1.2)
            self._stale.add(place[0])

    def _drop_instance(self, instance_id: str) -> None:
        for place in self._of_instance.get(instance_id, ()):
            self._lines[place].stop()
        self._revisions.pop(instance_id, None)
        self._stale.discard(instance_id)
