"""Redis: how it is reached, what its keys are called, and how a step is made atomic and safe to repeat."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, ReadOnlyError, TimeoutError

T = TypeVar("T")

SOCKET_TIMEOUT = 5.0
PASSING = (ConnectionError, TimeoutError, BusyLoadingError, ReadOnlyError, OSError)
"""Errors of Redis that go away by themselves: it restarts, loads, fails over, or the network hiccups."""


class StoreUnavailable(Exception):
    """Redis did not answer within the deadline. Whether the step was carried out is unknown."""


class StaleEpoch(Exception):
    """The writer is no longer the owner. It has to disconnect and end itself.

    Args:
        mine: the epoch that was refused.
        current: the epoch that holds now, None if the instance is gone.
    """

    def __init__(self, mine: int, current: int | None) -> None:
        super().__init__(f"epoch {mine} was refused, the current one is {current}")
        self.mine = mine
        self.current = current


def connect(url: str, *, socket_timeout: float | None = SOCKET_TIMEOUT) -> Redis:
    """A client that never repeats a command by itself.

    redis-py's own retries write twice when a reply is lost; ours are in `Store.run`, around steps that are
    safe to repeat. Blocking reads need ``socket_timeout=None``.
    """
    client: Redis = Redis.from_url(
        url,
        decode_responses=True,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=socket_timeout,
        socket_connect_timeout=2.0,
        health_check_interval=15,
    )
    return client


@dataclass(frozen=True, slots=True)
class Keys:
    """Names of keys. All keys of an instance share one hash tag, so that one script may touch them."""

    prefix: str

    def instance(self, instance_id: str, *parts: str) -> str:
        """A key of an instance, as in ``malote:{inst_1}:mailbox``."""
        return ":".join((self.prefix, f"{{{instance_id}}}", *parts))

    def shared(self, *parts: str) -> str:
        """A key that belongs to no instance."""
        return ":".join((self.prefix, *parts))

    @property
    def ring(self) -> str:
        """The channel on which an append announces the instance it was for."""
        return self.shared("ring")

    @property
    def wake(self) -> str:
        """The channel on which a change of what is desired is announced."""
        return self.shared("wake")


class Store:
    """A Redis client, its keys, and its scripts."""

    def __init__(self, url: str, prefix: str = "malote", *, redis: Redis | None = None) -> None:
        self.url = url
        self.keys = Keys(prefix)
        # Any: redis-py types each reply as the union of what all its protocols and settings may return.
        self.redis: Any = redis or connect(url)
        self._scripts: dict[tuple[Path, ...], Callable[..., Awaitable[Any]]] = {}

    async def close(self) -> None:
        """Give back every connection."""
        await self.redis.aclose()

    async def run(self, step: Callable[[], Awaitable[T]], *, timeout: float) -> T:
        """Carry out a step, again and again while Redis is away, for at most ``timeout`` seconds.

        The step must be safe to repeat: a lost reply means that it is done a second time.

        Raises:
            StoreUnavailable: the time is over.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        delay = 0.05
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    return await step()
            except PASSING as error:
                pause = delay * random.uniform(0.5, 1.5)
                if loop.time() + pause >= deadline:
                    raise StoreUnavailable(f"Redis at {self._place()} does not answer: {error}") from error
                await asyncio.sleep(pause)
                delay = min(delay * 2, 1.0)

    async def script(
        self, *paths: Path, keys: list[str], args: list[str | int | float | bytes], timeout: float = 5.0
    ) -> Any:
        """Run a Lua script, put together from ``paths`` in order, as one atomic, repeatable step."""
        function = self._scripts.get(paths)
        if function is None:
            function = self.redis.register_script("\n".join(path.read_text() for path in paths))
            self._scripts[paths] = function
        run = function
        return await self.run(lambda: run(keys=keys, args=args), timeout=timeout)

    def _place(self) -> str:
        return self.url.rsplit("@", 1)[-1]
