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
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
    TimeoutError,
    TryAgainError,
)

T = TypeVar("T")

SOCKET_TIMEOUT = 5.0
ATTEMPT = 5.0
"""Seconds after which a step is tried again on another connection: this one may be cut without a word."""
PASSING = (
    ConnectionError,
    TimeoutError,
    OSError,
    BusyLoadingError,
    ReadOnlyError,
    OutOfMemoryError,
    ClusterDownError,
    MasterDownError,
    TryAgainError,
)
"""Errors of Redis that go away: it restarts, loads, fails over, has no room, or the network hiccups."""

PASSING_CODES = ("BUSY ", "MISCONF ", "NOREPLICAS ")
"""The same, where redis-py has no class for it: a script runs long, no disk, too few replicas."""


def passing(error: Exception) -> bool:
    """True if the same step may succeed a little later."""
    return isinstance(error, PASSING) or str(error).startswith(PASSING_CODES)


class StoreUnavailable(Exception):
    """Redis did not answer, or could not write, within the deadline. The step may have been carried out."""


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
        """A key that belongs to no instance, as in ``{malote}:tokens``: one hash tag for all of them, too."""
        return ":".join((f"{{{self.prefix}}}", *parts))

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
        # Without a socket timeout: up to Python 3.11 the one in redis-py loses a cancellation now and then
        # (asyncio.wait_for): neither a deadline nor a shutdown ended the wait. `run` has the deadlines.
        self.redis: Any = redis or connect(url, socket_timeout=None)
        self._scripts: dict[tuple[Path, ...], Callable[..., Awaitable[Any]]] = {}

    async def close(self) -> None:
        """Give back every connection."""
        await self.redis.aclose()

    async def run(self, step: Callable[[], Awaitable[T]], *, timeout: float, attempt: float = ATTEMPT) -> T:
        """Carry out a step, again and again while Redis is away, for at most ``timeout`` seconds.

        The step must be safe to repeat: a lost reply means that it is done a second time.

        Args:
            step: does it once.
            timeout: seconds in all.
            attempt: seconds that one attempt may take.

        Raises:
            StoreUnavailable: the time is over.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        delay = 0.05
        while True:
            try:
                async with asyncio.timeout_at(min(deadline, loop.time() + attempt)):
                    return await step()
            except (*PASSING, ResponseError) as error:
                if not passing(error):
                    raise
                pause = delay * random.uniform(0.5, 1.5)
                if loop.time() + pause >= deadline:
                    reason = str(error) or "the time is over"
                    raise StoreUnavailable(f"Redis at {self._place()} cannot be used: {reason}") from error
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
