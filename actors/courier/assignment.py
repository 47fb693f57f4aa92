"""Which courier serves an endpoint: rendezvous hashing, so that a change of couriers moves only a share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def assigned(endpoint: str, members: Sequence[int]) -> int | None:
    """The courier that serves an endpoint.

    Args:
        endpoint: its name, unique over all instances.
        members: indexes of the couriers, in any order.

    Returns:
        One of ``members``, None if there is none. Everybody who asks with the same members gets the same.
    """
    return max(members, key=lambda member: (_weight(endpoint, member), member), default=None)


def _weight(endpoint: str, member: int) -> int:
    digest = hashlib.blake2b(f"{member}:{endpoint}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")
