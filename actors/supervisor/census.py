"""Counts all instances, mailboxes and dead letters now and then, whether their actors live or not."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from prometheus_client import Gauge
from pydantic import ValidationError
from redis.exceptions import RedisError

from actors import metrics
from actors.courier.endpoints import endpoint_keys
from actors.registry import ConnectionState, Desired, InstanceRecord, InstanceState, Registry
from actors.settings import Settings
from actors.store import Store, StoreUnavailable

log = logging.getLogger(__name__)

PAGE = 200
"""Instances looked at in one round trip."""

EACH = (metrics.DEPTH, metrics.OLDEST, metrics.SEQ, metrics.UP, metrics.OUTBOX)


@dataclass(frozen=True, slots=True)
class Seen:
    """One instance as it stood.

    Args:
        leased: somebody owns it and holds the lease.
        depth: events that some endpoint has not finished.
        waiting: number of the first event that an enabled endpoint has not finished, None if there is none.
        oldest: seconds since that one was received.
        outbox: messages that wait.
        dead: dead letters kept.
    """

    record: InstanceRecord
    state: InstanceState | None
    leased: bool
    seq: int
    depth: int
    waiting: int | None
    endpoints: tuple[str, ...]
    outbox: int
    oldest: float = 0.0
    dead: int = 0

    @property
    def connection(self) -> ConnectionState:
        """Where its connection stands."""
        return self.state.connection if self.state else ConnectionState.STARTING

    @property
    def down(self) -> bool:
        """True if it should be connected, could be, and is not."""
        paired = self.state is not None and self.state.device is not None
        wanted = self.record.desired is Desired.CONNECTED and paired
        return wanted and not (self.leased and self.connection is ConnectionState.CONNECTED)


class Census:
    """Looks at every instance in Redis and sets the gauges of the whole cluster."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._registry = Registry(store)
        self._counted = time.monotonic()

    def sample(self) -> None:
        """Say how old the last count is."""
        metrics.CENSUS_AGE.set(time.monotonic() - self._counted)

    async def run(self) -> None:
        """Count until cancelled."""
        while True:
            try:
                await self.turn()
            except (StoreUnavailable, RedisError, ValidationError) as error:
                metrics.REDIS_UP.labels("supervisor").set(0)
                log.warning("no census", extra={"error": str(error)})
            except Exception:
                log.exception("census failed")
            await asyncio.sleep(self._settings.metrics.census)

    async def turn(self) -> None:
        """Count once.

        Raises:
            StoreUnavailable, RedisError, ValidationError
        """
        redis = self._store.redis
        records = await self._registry.list()
        found: list[Seen] = []
        for first in range(0, len(records), PAGE):
            found += await self._look(records[first : first + PAGE])
        memory = await self._store.run(lambda: redis.info("memory"), timeout=5)
        metrics.REDIS_UP.labels("supervisor").set(1)
        metrics.REDIS_USED.set(memory.get("used_memory", 0))
        metrics.REDIS_LIMIT.set(memory.get("maxmemory", 0))
        self._tell(found)
        self._counted = time.monotonic()

    async def _look(self, records: Sequence[InstanceRecord]) -> list[Seen]:
        key = self._store.keys.instance

        def ask(pipe: Any) -> None:
            for record in records:
                pipe.get(key(record.id, "state"))
                pipe.hget(key(record.id, "owner"), "epoch")
                pipe.get(key(record.id, "lease"))
                pipe.hget(key(record.id, "meta"), "seq")
                pipe.hgetall(key(record.id, "floors"))
                pipe.hgetall(key(record.id, "endpoints"))
                pipe.xlen(key(record.id, "outbox"))

        answers = iter(await self._ask(ask))
        seen = [_seen(record, *(next(answers) for _ in range(7))) for record in records]

        def ask_more(pipe: Any) -> None:
            for one in seen:
                if one.waiting is not None:
                    pipe.xrange(key(one.record.id, "mailbox"), min=f"{one.waiting}-0", count=1)
                for endpoint_id in one.endpoints:
                    pipe.zcard(endpoint_keys(self._store, one.record.id, endpoint_id)["dead_index"])

        answers = iter(await self._ask(ask_more))
        now = time.time()
        return [
            replace(
                one,
                oldest=_age(next(answers), now) if one.waiting is not None else 0.0,
                dead=sum(int(next(answers)) for _ in one.endpoints),
            )
            for one in seen
        ]

    async def _ask(self, fill: Callable[[Any], None]) -> list[Any]:
        async def step() -> list[Any]:
            pipe = self._store.redis.pipeline(transaction=False)
            fill(pipe)
            return list(await pipe.execute())

        return await self._store.run(step, timeout=5)

    def _tell(self, found: Sequence[Seen]) -> None:
        states = Counter(one.connection for one in found)
        for state in ConnectionState:
            metrics.INSTANCES.labels(state.value).set(states[state])
        metrics.DOWN.set(sum(one.down for one in found))
        metrics.UNOWNED.set(sum(not one.leased for one in found))
        metrics.DEAD_KEPT.set(sum(one.dead for one in found))
        deepest = max((one.depth for one in found), default=0)
        metrics.DEPTH_RATIO.set(deepest / self._settings.mailbox.hard_bound)
        if not self._settings.metrics.per_instance:
            # The worst of all, under no id.
            _replace(metrics.DEPTH, [("", deepest)])
            _replace(metrics.OLDEST, [("", max((one.oldest for one in found), default=0.0))])
            _replace(metrics.OUTBOX, [("", max((one.outbox for one in found), default=0))])
            return
        values = [
            (
                metrics.instance_label(one.record.id),
                (one.depth, one.oldest, one.seq, one.leased and one.connection == "connected", one.outbox),
            )
            for one in found
        ]
        for number, gauge in enumerate(EACH):
            _replace(gauge, [(label, every[number]) for label, every in values])


def _replace(gauge: Gauge, values: Iterable[tuple[str, float]]) -> None:
    gauge.clear()
    for label, value in values:
        gauge.labels(label).set(value)


def _seen(
    record: InstanceRecord,
    state: str | None,
    epoch: str | None,
    lease: str | None,
    seq: str | None,
    floors: dict[str, str],
    endpoints: dict[str, str],
    outbox: int,
) -> Seen:
    last = int(seq or 0)
    enabled = [one for one, raw in endpoints.items() if json.loads(raw).get("enabled", True)]
    floor = min((int(floors.get(one, last)) for one in enabled), default=last)
    return Seen(
        record=record,
        state=InstanceState.model_validate_json(state) if state else None,
        leased=epoch is not None and lease == epoch,
        seq=last,
        depth=last - min((int(value) for value in floors.values()), default=last),
        waiting=floor + 1 if floor < last else None,
        endpoints=tuple(endpoints),
        outbox=int(outbox),
    )


def _age(entries: list[tuple[str, dict[str, str]]], now: float) -> float:
    if not entries:
        return 0.0
    received = datetime.fromisoformat(json.loads(entries[0][1]["e"])["received_at"])
    return max(0.0, now - received.timestamp())
