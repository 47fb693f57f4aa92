"""How many couriers there are. The supervisor that leads says it, so that couriers of two settings agree.

Without that, one that was started with another number would claim endpoints from the others, and they from
it, for as long as both live: while a roll-out changes the number, or for good when it becomes smaller.
"""

from __future__ import annotations

from actors.store import Store

COUNT = "count"
"""A field of `key`; the others are the couriers' indexes."""


def key(store: Store) -> str:
    """The hash with the number, and with who holds each index."""
    return store.keys.shared("couriers")


async def announce(store: Store, count: int) -> None:
    """Say how many there are from now on.

    Raises:
        StoreUnavailable
    """
    redis = store.redis
    await store.run(lambda: redis.hset(key(store), COUNT, count), timeout=5)
