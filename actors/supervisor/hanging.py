"""Owners that live and do nothing: frozen, hung, or cut off from Redis alone. Ray does not notice them.

What tells is that they let their lease run out.
"""

from __future__ import annotations

import asyncio

from actors.registry import Registry
from actors.settings import Settings
from actors.store import StoreUnavailable
from actors.supervisor.kept import Kept
from actors.supervisor.workers import Ended, Worker

LEASES_MISSED = 3
"""Looks in a row, two leases long together, that find no lease before an owner counts as hung."""


async def without_lease(registry: Registry, kept: Kept, settings: Settings) -> None:
    """Pend until the owner has not renewed its lease for long, though Redis can be reached."""
    assert kept.owner is not None
    epoch, missed = kept.owner.epoch, 0
    while missed < LEASES_MISSED:
        await asyncio.sleep(2 * settings.instance.lease_ttl / LEASES_MISSED)
        try:
            missed = 0 if await registry.leased(kept.record.id, epoch) else missed + 1
        except StoreUnavailable:
            missed = 0


async def start(registry: Registry, kept: Kept, worker: Worker, settings: Settings) -> None:
    """Have an owner work that was found. One that does not answer for long, and has no lease, is ended.

    Raises:
        Ended: it does not work.
        StoreUnavailable
    """
    assert kept.owner is not None
    now = asyncio.get_running_loop().time
    began = now() if kept.deaf_since is None else kept.deaf_since
    try:
        await worker.start()
        kept.deaf_since = None
    except Ended:
        # It may be just about to come up, as many others may be.
        late = now() - began > settings.supervisor.start_timeout
        kept.deaf_since = began
        if late and not await registry.leased(kept.record.id, kept.owner.epoch):
            await worker.kill()
            kept.deaf_since = None
        raise
