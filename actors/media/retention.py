"""Which stored files have to go: by age, and by how much there is. Pure, with a runner."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from actors.media.media import Entry
from actors.media.store import MediaStore


@dataclass(frozen=True, slots=True)
class Policy:
    """How long, and how much of, an instance's files are kept.

    Args:
        seconds: longest age.
        size: bytes of all together.
    """

    seconds: float
    size: int


@dataclass(frozen=True, slots=True)
class Removed:
    """What a run has removed.

    Args:
        count: files.
        size: bytes.
    """

    count: int
    size: int


def outdated(
    entries: Iterable[Entry], policy: Policy, *, now: float, needed: Collection[str] = ()
) -> list[Entry]:
    """The files that go, oldest first: those too old, then as many as it takes to come within the size.

    Args:
        now: seconds since 1970.
        needed: ids of files that stay in any case, such as those of messages that are not sent yet. They
            count towards the size.
    """
    ordered = sorted(entries, key=lambda entry: (entry.created_at, entry.id))
    over = sum(entry.size for entry in ordered) - policy.size
    gone = []
    for entry in ordered:
        if entry.id in needed:
            continue
        if entry.created_at < now - policy.seconds or over > 0:
            gone.append(entry)
            over -= entry.size
    return gone


async def remove_all(store: MediaStore, instance_id: str) -> None:
    """Remove every file of an instance.

    Raises:
        MediaError: STORE; what was removed until then is removed.
    """
    for entry in [entry async for entry in store.entries(instance_id)]:
        await store.delete(instance_id, entry.id)


async def enforce(
    store: MediaStore, instance_id: str, policy: Policy, *, now: float, needed: Collection[str] = ()
) -> Removed:
    """Remove what is outdated of an instance; what another run removed meanwhile is not counted.

    Raises:
        MediaError: STORE; what was removed until then is removed.
    """
    entries = [entry async for entry in store.entries(instance_id)]
    count = size = 0
    for entry in outdated(entries, policy, now=now, needed=needed):
        if await store.delete(instance_id, entry.id):
            count += 1
            size += entry.size
    return Removed(count, size)
