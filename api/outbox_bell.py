"""Tells an instance that a message waits, without anybody waiting for that."""

from __future__ import annotations

import asyncio
import logging

from actors.instance.errors import CallFailed
from api.calls import InstanceCalls, InstanceUnavailable

log = logging.getLogger(__name__)


class OutboxBell:
    """At most one ring per instance is under way; a lost one is made up for by the instance's own sweep."""

    def __init__(self, calls: InstanceCalls) -> None:
        self._calls = calls
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()

    def ring(self, instance_id: str) -> None:
        """Tell the instance, now or right after the ring that is under way."""
        if instance_id in self._under_way:
            self._again.add(instance_id)
            return
        self._under_way[instance_id] = asyncio.create_task(self._ring(instance_id))

    async def _ring(self, instance_id: str) -> None:
        try:
            while True:
                self._again.discard(instance_id)
                await self._calls.ring_outbox(instance_id)
                if instance_id not in self._again:
                    return
        except (CallFailed, InstanceUnavailable) as error:
            log.info("ring was not heard", extra={"instance": instance_id, "error": str(error)})
        except Exception:
            log.exception("ring failed", extra={"instance": instance_id})
        finally:
            self._again.discard(instance_id)
            del self._under_way[instance_id]

    async def close(self) -> None:
        """End the rings that are under way."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
