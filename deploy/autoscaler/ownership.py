"""What the nodes of tasks own: each notes which node it is, and the registry says whose an instance is."""

from __future__ import annotations

from collections.abc import Collection

from actors.registry import Registry
from actors.store import Store, StoreUnavailable
from deploy.node import protection

TIMEOUT = 5.0


async def note(store: Store, task: str, node: str) -> None:
    """Say which node of Ray a task is.

    Raises:
        StoreUnavailable
    """
    await store.run(lambda: store.redis.hset(_key(store), task, node), timeout=TIMEOUT)


async def forget(store: Store, task: str) -> None:
    """Say that a task is a node no more.

    Raises:
        StoreUnavailable
    """
    await store.run(lambda: store.redis.hdel(_key(store), task), timeout=TIMEOUT)


async def owned(store: Store, tasks: Collection[str]) -> dict[str, int] | None:
    """How many instances the node of each task owns: 0 for a task that never was one. None if not known."""
    try:
        nodes: dict[str, str] = await store.run(lambda: store.redis.hgetall(_key(store)), timeout=TIMEOUT)
    except StoreUnavailable:
        return None
    owners = await protection.owners(Registry(store))
    if owners is None:
        return None
    return {task: owners[nodes[task]] if task in nodes else 0 for task in tasks}


def _key(store: Store) -> str:
    return store.keys.shared("tasks")
