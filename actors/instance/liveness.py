"""Keeps asking whether a connection is alive, as the watchdog decides."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from actors import metrics
from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.watchdog import Probe, Reconnect, Sleep, Watchdog
from actors.settings import InstanceSettings

log = logging.getLogger(__name__)


class Liveness:
    """Watches a connection beside everything else that happens on it.

    Args:
        instance_id: for the log.
        silent: called once if the connection is to be given up. Must not block.
    """

    def __init__(
        self, instance_id: str, settings: InstanceSettings, silent: Callable[[Reconnect], None]
    ) -> None:
        self._instance_id = instance_id
        self._settings = settings
        self._silent = silent
        self._doubt = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, connection: Connection) -> None:
        """Watch this connection, which has just been logged in, instead of any other."""
        self.stop()
        self._doubt.clear()
        self._task = asyncio.create_task(self._watch(connection))
        self._task.add_done_callback(self._ended)

    def stop(self) -> None:
        """Watch nothing. A question that is on its way is not waited for."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def doubt(self) -> None:
        """Ask at once."""
        self._doubt.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the watchdog failed", extra={"instance": self._instance_id}, exc_info=error)

    async def _watch(self, connection: Connection) -> None:
        clock = asyncio.get_running_loop().time
        watchdog = Watchdog(
            silence=self._settings.watchdog_silence, failures=self._settings.watchdog_failures, now=clock()
        )
        while True:
            if self._doubt.is_set():
                self._doubt.clear()
                watchdog.doubt()
            watchdog.heard(connection.heard)
            match watchdog.decide(clock()):
                case Sleep(seconds):
                    await self._doubted(seconds)
                case Probe():
                    asked = clock()
                    if await self._ask(connection):
                        watchdog.heard(clock())
                    else:
                        watchdog.heard(connection.heard)
                        watchdog.unanswered(asked)
                case Reconnect() as decision:
                    self._silent(decision)
                    return

    async def _doubted(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._doubt.wait()

    async def _ask(self, connection: Connection) -> bool:
        timeout = self._settings.watchdog_timeout
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            await connection.ping(timeout)
        except ConnectionError as error:
            metrics.TIMEOUTS.labels("watchdog").inc()
            log.warning("no sign of life", extra={"instance": self._instance_id, "code": error.code})
            # An engine that cannot even ask knows of the connection's end and is about to say why: do not
            # overtake that.
            await self._until(deadline)
            return False
        return True

    async def _until(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))
