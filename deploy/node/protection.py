"""Scale-in protection: held while the node owns instances, let go when it is empty.

ECS spares a protected task when it scales in and when it deploys. It does not spare it from Spot reclaims,
retirement or StopTask: those come as SIGTERM, which has the node drained. Tasks of no service, as the
autoscaler runs them, cannot be protected: nobody but the autoscaler ends those (`deploy.autoscaler`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from enum import Enum

from actors.registry import Registry
from actors.store import StoreUnavailable
from deploy.node.ecs import EcsError

AT_A_TIME = 50

log = logging.getLogger(__name__)


class Step(Enum):
    """What is to be done about the protection now."""

    NOTHING = "nothing"
    HOLD = "hold"
    RELEASE = "release"


def decide(owned: int | None, held_since: float | None, lifetime: float, now: float) -> Step:
    """What to do.

    Args:
        owned: instances of the node; None if that is not known, which counts as some.
        held_since: when the protection was last granted; None if it is not held.
        lifetime: seconds that a grant lasts.
        now: on the clock of ``held_since``.
    """
    if owned == 0:
        return Step.NOTHING if held_since is None else Step.RELEASE
    if held_since is None or now - held_since >= lifetime / 2:
        return Step.HOLD
    return Step.NOTHING


async def owners(registry: Registry) -> Counter[str] | None:
    """How many instances each node owns by the registry; None while Redis is away."""
    try:
        ids = [record.id for record in await registry.list()]
        count: Counter[str] = Counter()
        for first in range(0, len(ids), AT_A_TIME):
            found = await asyncio.gather(*map(registry.owner, ids[first : first + AT_A_TIME]))
            count.update(owner.node for owner in found if owner is not None)
    except StoreUnavailable as error:
        log.warning("what nodes own is not known now: %s", error)
        return None
    return count


async def owned(registry: Registry, node: str) -> int | None:
    """How many instances a node owns by the registry; None while Redis is away."""
    found = await owners(registry)
    return None if found is None else found[node]


async def keep(
    count: Callable[[], Awaitable[int | None]],
    protect: Callable[[int | None], Awaitable[None]],
    *,
    minutes: int,
    look: float,
) -> None:
    """Hold, renew and release until cancelled.

    Args:
        protect: grants for so many minutes or, told None, releases.
        look: seconds between two looks.
    """
    held_since: float | None = None
    while True:
        step = decide(await count(), held_since, minutes * 60, now := time.monotonic())
        try:
            if step is Step.HOLD:
                await protect(minutes)
                held_since = now
            elif step is Step.RELEASE:
                await protect(None)
                held_since = None
        except EcsError as error:
            # Tried again at the next look. An old grant has at least half of its life left at first.
            log.warning("scale-in protection: %s", error)
        await asyncio.sleep(look)
