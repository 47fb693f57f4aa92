"""The Ray actor of a courier: a thin shell around `Courier`."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from typing import Any, Literal

from actors import cluster, logs, metrics, metrics_node, otlp, version
from actors.courier import garbage, measured
from actors.courier.courier import Courier, Deposed
from actors.settings import Settings
from actors.store import Store

log = logging.getLogger(__name__)

Ending = Literal["drained", "deposed"]

Stage = Literal["new", "working", "draining", "ended"]


def belongs(name: str, index: int) -> bool:
    """Whether an actor of this name is a courier of this index: one that serves, or a successor of it."""
    return name.split(":")[:2] == ["courier", str(index)]


# max_restarts=0: the supervisor learns of its death from the pending watch, and makes another.
@cluster.actor(num_cpus=0, max_restarts=0, max_task_retries=0)
class CourierActor:
    """One courier in a process of its own.

    Args:
        settings: with ``redis_url`` set.
        index: from 0, below ``settings.courier.count``.
    """

    def __init__(self, settings: Settings, index: int) -> None:
        logs.configure(
            settings.log_level, events=settings.log_events, courier=index, node=cluster.current_node()
        )
        otlp.start(settings.otlp_endpoint, "malote-courier")
        garbage.rarely()
        self._settings = settings
        self._index = index
        self._courier: Courier | None = None
        self._running: asyncio.Task[Ending] | None = None
        self._exporting: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"Courier({self._index})"

    async def start(self) -> None:
        """Begin to deliver, again also after it was drained or deposed. While it delivers this is harmless.

        Who calls this found the actor by its name, so it is the one that should be in office.
        """
        if self._exporting is None:
            # One for as long as the process lives: another one would tell again what it has counted.
            metrics.SAMPLERS.append(self._sample)
            self._exporting = asyncio.create_task(metrics_node.run(self._settings, "courier"))
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> Ending:
        store = Store(self._settings.redis_url or "", self._settings.prefix)
        self._courier = Courier(store, self._settings, self._index, members=None)
        try:
            await self._courier.run()
        except Deposed as error:
            log.warning("deposed", extra={"courier": self._index, "reason": str(error)})
            return "deposed"
        finally:
            await store.close()
        return "drained"

    def _sample(self) -> None:
        at_work = self._running is not None and not self._running.done()
        measured.sample(self._courier if at_work else None, self._settings.metrics)

    async def watch(self) -> Ending:
        """Pends for as long as it delivers; its end, or this process's, ends the call."""
        if self._running is None:
            raise RuntimeError("watch() before start()")
        return await asyncio.shield(self._running)

    async def make_way(self) -> None:
        """Start no more attempts; answers when a successor may start, while those that are open go on."""
        if self._courier is not None and self._running is not None:
            await self._courier.make_way(self._running)

    async def drain(self) -> dict[str, Any]:
        """Start no more attempts; answers when the open ones have ended, or their time is over.

        Nothing has to be given back: what was not delivered is in Redis, and whoever comes next claims it.
        """
        if self._courier is not None and self._running is not None:
            self._courier.drain()
            await asyncio.wait([self._running])
        return await self._numbers()

    async def leave(self) -> None:
        """End this process."""
        if self._exporting is not None:
            self._exporting.cancel()
            await asyncio.gather(self._exporting, return_exceptions=True)
        cluster.exit_actor()

    async def describe(self) -> dict[str, Any]:
        """What it is doing now, in numbers."""
        return await self._numbers()

    async def _numbers(self) -> dict[str, Any]:
        numbers = self._courier.describe() if self._courier else {"index": self._index}
        return {
            **numbers,
            "pid": os.getpid(),
            "node": cluster.current_node(),
            "version": version.of(self._settings),
            "stage": self._stage,
        }

    @property
    def _stage(self) -> Stage:
        if self._running is None:
            return "new"
        if self._running.done():
            return "ended"
        return "draining" if self._courier is not None and self._courier.draining else "working"


def create(settings: Settings, index: int, node: str) -> tuple[str, cluster.Handle]:
    """Create courier ``index`` as a detached actor on this node, in the namespace of the settings.

    There may be others of this index: only the one that was started last delivers.

    Returns:
        Its name, which no other actor ever had, and its handle.
    """
    name = f"courier:{index}:{secrets.token_hex(4)}"
    options: Any = CourierActor
    handle: cluster.Handle = options.options(
        name=name,
        namespace=settings.namespace,
        lifetime="detached",
        scheduling_strategy=cluster.on_node(node),
    ).remote(settings, index)
    return name, handle
