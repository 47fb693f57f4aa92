"""What is measured of an instance: its events, its connection, what it asks WhatsApp."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from actors import metrics
from actors.instance.connection.base import ConnectionError
from actors.instance.policy import Ending
from actors.metrics_node import memory
from actors.settings import MetricsSettings

AGAIN = frozenset(
    {Ending.LOST, Ending.SILENT, Ending.ENGINE_GONE, Ending.CONNECT_FAILED, Ending.LOGIN_TIMEOUT}
)
"""Endings after which it is tried again by itself, although nobody wanted them."""

_APPENDED = {kind: metrics.Tally(metrics.APPENDED.labels(kind)) for kind in metrics.TYPES}
_RECEIVED = {kind: metrics.Tally(metrics.RECEIVED.labels(kind)) for kind in metrics.TYPES}
_APPEND = metrics.Durations(metrics.APPEND_SECONDS)


class Handlers:
    """The events that are being stored now."""

    def __init__(self) -> None:
        self._begun: dict[object, float] = {}

    @contextmanager
    def one(self) -> Iterator[None]:
        """Around the handling of one event."""
        key = object()
        self._begun[key] = time.monotonic()
        try:
            yield
        finally:
            del self._begun[key]

    def sample(self) -> None:
        """Set the gauges."""
        now = time.monotonic()
        metrics.HANDLERS.set(len(self._begun))
        metrics.HANDLER_OLDEST.set(now - min(self._begun.values(), default=now))


def sample(instance_id: str, handlers: Handlers, engine_pid: int | None, settings: MetricsSettings) -> None:
    """Set the gauges of an instance."""
    handlers.sample()
    if settings.per_instance:
        used = memory() + (memory(engine_pid) if engine_pid else 0)
        metrics.INSTANCE_MEMORY.labels(metrics.instance_label(instance_id)).set(used)


def received(kind: str) -> None:
    """WhatsApp brought an event."""
    _RECEIVED[kind].number += 1


def stored(received_at_ms: int) -> None:
    """An event that WhatsApp brought is stored."""
    _APPEND.observe(max(0.0, time.time() - received_at_ms / 1000))


def appended(kind: str, outcome: str) -> None:
    """Redis answered an append."""
    if outcome == "stale":
        metrics.FENCED.inc()
    elif outcome == "dropped":
        metrics.DROPPED.inc()
    elif outcome != "full":
        _APPENDED[kind].number += 1


def refused(reason: str) -> None:
    """An event could not be stored: ``mailbox_full``, ``store_unavailable`` or ``fenced``."""
    metrics.REFUSED.labels(reason).inc()
    if reason == "store_unavailable":
        metrics.TIMEOUTS.labels("append").inc()


def ended(ending: Ending, *, parked: bool) -> None:
    """A connection, or the attempt at one, ended.

    Args:
        parked: it was parked before.
    """
    if ending in AGAIN:
        metrics.RECONNECTS.inc()
    match ending:
        case Ending.PARKED if not parked:
            metrics.PARKS.labels("events").inc()
        case Ending.REPLACED:
            metrics.CONFLICTS.inc()
        case Ending.SILENT:
            metrics.SILENCES.inc()
        case Ending.ENGINE_GONE:
            metrics.ENGINES_LOST.inc()
        case Ending.LOGIN_TIMEOUT:
            metrics.TIMEOUTS.labels("login").inc()


@asynccontextmanager
async def query(kind: str) -> AsyncIterator[None]:
    """Around a question to WhatsApp, the wait for its turn included.

    Args:
        kind: what is asked, of a few words that are known beforehand.
    """
    started = time.monotonic()
    outcome = "error"
    metrics.QUERIES.inc()
    try:
        yield
        outcome = "ok"
    except (TimeoutError, ConnectionError) as error:
        if isinstance(error, TimeoutError) or error.code == "timeout":
            outcome = "timeout"
            metrics.TIMEOUTS.labels("query").inc()
        raise
    except asyncio.CancelledError:
        outcome = "cancelled"
        raise
    finally:
        metrics.QUERIES.dec()
        metrics.QUERY_SECONDS.labels(kind, outcome).observe(time.monotonic() - started)
