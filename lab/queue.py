"""What a device has not acknowledged yet, in order."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from lab.wire import Node, decode

Key = tuple[str, str, str, str, str]
"""What an acknowledgement names: kind of stanza, its id, where from, from whom in a group, its type."""


@dataclass(slots=True)
class Pending:
    """One stanza that a device still has to acknowledge."""

    seq: int
    key: Key
    body: bytes
    deliveries: int = 0


def key_of(stanza: Node) -> Key:
    """What the acknowledgement of this stanza will name."""
    kind = "" if stanza.tag == "message" else stanza.text("type")
    return stanza.tag, stanza.text("id"), stanza.text("from"), stanza.text("participant"), kind


class DeviceQueue:
    """The stanzas one device has not acknowledged, in the order they were accepted."""

    def __init__(self) -> None:
        self._pending: dict[int, Pending] = {}
        self._by_key: dict[Key, deque[int]] = {}

    def __len__(self) -> int:
        return len(self._pending)

    def restore(self, seq: int, body: bytes) -> None:
        """Put back a stanza that was stored before a restart."""
        self.add(seq, decode(body), body)

    def add(self, seq: int, stanza: Node, body: bytes) -> None:
        """Append a stanza. ``seq`` must grow."""
        key = key_of(stanza)
        self._pending[seq] = Pending(seq, key, body)
        self._by_key.setdefault(key, deque()).append(seq)

    def get(self, seq: int) -> Pending | None:
        """A stanza, unless it was acknowledged meanwhile."""
        return self._pending.get(seq)

    def seqs(self) -> list[int]:
        """Everything that waits, oldest first."""
        return list(self._pending)

    def holds(self, tag: str, id_: str) -> bool:
        """True if a stanza of this kind with this id still waits."""
        return any(key[:2] == (tag, id_) for key in self._by_key)

    def kinds(self) -> dict[str, int]:
        """How many of each kind wait."""
        counts: dict[str, int] = {}
        for pending in self._pending.values():
            counts[pending.key[0]] = counts.get(pending.key[0], 0) + 1
        return counts

    def acknowledge(self, key: Key) -> int | None:
        """Forget the oldest delivered stanza with this key; its seq, None if there is none."""
        seqs = self._by_key.get(key)
        if not seqs or not self._pending[seqs[0]].deliveries:
            return None
        seq = seqs.popleft()
        if not seqs:
            del self._by_key[key]
        del self._pending[seq]
        return seq
