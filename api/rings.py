"""News of appends: one subscription for the whole gateway, heard by everybody who waits for an instance."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator

from redis.exceptions import RedisError

from actors.store import Store, connect

log = logging.getLogger(__name__)

READ_TIMEOUT = 5.0
RECONNECT_FIRST = 0.1
RECONNECT_MAX = 5.0


class Watch:
    """One listener for the news of one instance. A ring says only that there may be news, never which."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """There may be news."""
        self._event.set()

    async def wait(self, timeout: float) -> None:
        """Return at a ring since the last wait, or after ``timeout`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._event.wait()
        self._event.clear()


class Rings:
    """The subscription. While Redis is away nobody is rung: listeners look by themselves now and then."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._watches: dict[str, set[Watch]] = {}

    @contextlib.contextmanager
    def watch(self, instance_id: str) -> Iterator[Watch]:
        """Listen for news of an instance."""
        watch = Watch()
        self._watches.setdefault(instance_id, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[instance_id]
            watches.discard(watch)
            if not watches:
                del self._watches[instance_id]

    def ring_all(self) -> None:
        """Let everybody look: news may have been missed, or the gateway is closing."""
        for watches in self._watches.values():
            for watch in watches:
                watch.ring()

    async def run(self) -> None:
        """Keep the subscription, until cancelled."""
        delay = RECONNECT_FIRST
        while True:
            redis = connect(self._store.url, socket_timeout=None)
            try:
                async with redis.pubsub() as pubsub:
                    await pubsub.subscribe(self._store.keys.ring)
                    delay = RECONNECT_FIRST
                    self.ring_all()
                    while True:
                        message = await pubsub.get_message(
                            ignore_subscribe_messages=True, timeout=READ_TIMEOUT
                        )
                        if message is not None:
                            self._heard(str(message["data"]))
            except (RedisError, OSError) as error:
                log.warning("subscription lost", extra={"error": str(error)})
            finally:
                await redis.aclose()
            await asyncio.sleep(delay)
            delay = min(delay * 2, RECONNECT_MAX)

    def _heard(self, instance_id: str) -> None:
        for watch in self._watches.get(instance_id, ()):
            watch.ring()
