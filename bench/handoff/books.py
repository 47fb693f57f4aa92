"""What was sent, what came, how often and in which order: at the receiver's end and at the contacts'."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deploy.demo.ledger import Flow, Numbers

LATENCIES = 100_000
SETTLING = 5.0
"""Seconds by which an answer may have come before its courier's death and still not be written down."""


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An event that came again. Times are the receiver's, in seconds of the monotonic clock."""

    instance_id: str
    seq: int
    attempt: int
    first: float
    again: float


@dataclass(frozen=True, slots=True)
class Death:
    """A courier was killed, and had ended at the latest when that was seen. Monotonic seconds."""

    killed: float
    seen: float


class Books:
    """Everything that can be counted from outside.

    Attributes:
        inbound: messages of contacts, by instance and WhatsApp id; they arrive at the receiver.
        outbound: messages sent through the API, by contact and WhatsApp id; they arrive at the contact.
        deliveries: requests with a valid signature.
        refused: requests without one.
        duplicates: of the deliveries, those of an event that was there before.
        repeated: messages that a contact's device got again under the same id, and whose user sees them once.
        reordered: events of a chat that came after a later one, and messages that overtook another one of
            the same writer to the same reader.
        latencies: seconds from Malote's having an event to the receiver's having it.
    """

    def __init__(self) -> None:
        self.inbound = Flow()
        self.outbound = Flow()
        self.deliveries = 0
        self.refused = 0
        self.duplicates: list[Duplicate] = []
        self.repeated = 0
        self.reordered: list[str] = []
        self.latencies: deque[float] = deque(maxlen=LATENCIES)
        self._first: dict[str, float] = {}
        self._numbers: dict[str, Numbers] = {}
        self._latest: dict[tuple[str, ...], int] = {}

    def deliver(self, event: Mapping[str, Any], *, attempt: int, at: float, latency: float) -> None:
        """Take in an event whose signature was valid.

        Args:
            attempt: what the request says of itself.
            at: monotonic seconds.
            latency: seconds since Malote had the event.
        """
        self.deliveries += 1
        instance_id, seq = str(event["instance_id"]), int(event["seq"])
        if event["id"] in self._first:
            self.duplicates.append(Duplicate(instance_id, seq, attempt, self._first[event["id"]], at))
            return
        self._first[event["id"]] = at
        self.latencies.append(latency)
        self._numbers.setdefault(instance_id, Numbers()).add(seq)
        chat = event.get("chat_id")
        if chat:
            self._in_order(seq, "event", instance_id, chat)
        if event["type"] == "message.received":
            self.inbound.arrive(f"{instance_id}/{event['data']['id']}")
            self._in_order(number(event["data"]["text"]), "message", instance_id, str(chat))

    def arrive(self, contact: str, arrival: Mapping[str, Any]) -> None:
        """Take in what the lab says that a contact's device received."""
        if arrival["from_me"]:
            return
        if arrival["repeated"]:
            self.repeated += 1
            return
        self.outbound.arrive(f"{contact}/{arrival['id']}")
        self._in_order(number(arrival["text"]), "sent", contact, str(arrival["text"]).rpartition(" ")[0])

    def _in_order(self, position: int, *line: str) -> None:
        latest = self._latest.get(line, 0)
        if position < latest:
            self.reordered.append(f"{' '.join(line)}: {position} after {latest}")
        self._latest[line] = max(position, latest)

    def gaps(self, newest: Mapping[str, int]) -> int:
        """Events that were skipped and have not come.

        Args:
            newest: the last sequence number of each instance, as Malote has it.
        """
        missing = 0
        for instance_id, last in newest.items():
            numbers = self._numbers.get(instance_id, Numbers())
            top = max([numbers.floor, *numbers.above])
            missing += numbers.gaps + max(0, last - top)
        return missing

    def by_kill(self, deaths: Sequence[Death]) -> list[Duplicate]:
        """The duplicates that a lost answer explains.

        Either the request says itself that an attempt went before, or the courier was killed when it had the
        first answer at best for a moment, and the event came again from its successor.
        """
        return [
            duplicate
            for duplicate in self.duplicates
            if duplicate.attempt > 1
            or any(
                death.killed - SETTLING <= duplicate.first <= death.seen and duplicate.again >= death.killed
                for death in deaths
            )
        ]


def number(text: str) -> int:
    """The number that a message of this benchmark ends with."""
    return int(text.rpartition(" ")[2])
