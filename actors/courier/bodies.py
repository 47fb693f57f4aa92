"""Bodies that will be needed soon, within a bound of bytes. What is forgotten is read again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple


class Parcel(NamedTuple):
    """What is posted of an event, and what the log says of it."""

    event_id: str
    seq: int
    type: str
    body: bytes


class Bodies:
    """A cache that forgets what was used least lately.

    Args:
        limit: bytes, of bodies alone.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._parcels: OrderedDict[Hashable, Parcel] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._size

    def put(self, key: Hashable, parcel: Parcel) -> None:
        """Remember a parcel; one above the limit is not kept."""
        replaced = self._parcels.pop(key, None)
        if replaced is not None:
            self._size -= len(replaced.body)
        self._parcels[key] = parcel
        self._size += len(parcel.body)
        while self._size > self._limit:
            _, oldest = self._parcels.popitem(last=False)
            self._size -= len(oldest.body)

    def get(self, key: Hashable) -> Parcel | None:
        """A parcel, None if it is not here (any more)."""
        parcel = self._parcels.get(key)
        if parcel is not None:
            self._parcels.move_to_end(key)
        return parcel
