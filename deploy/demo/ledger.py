"""What has to arrive, what did, and in which order: the books that a demonstration is judged by."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

REMEMBERED = 200_000
LATENCIES = 2_000


class Recent:
    """A set that forgets its oldest members above a bound, so that it can run for ever."""

    def __init__(self, bound: int = REMEMBERED) -> None:
        self._bound = bound
        self._members: dict[str, None] = {}

    def add(self, member: str) -> bool:
        """Add a member. False if it was there already."""
        if member in self._members:
            return False
        self._members[member] = None
        if len(self._members) > self._bound:
            del self._members[next(iter(self._members))]
        return True

    def __contains__(self, member: str) -> bool:
        return member in self._members


class Flow:
    """Messages from one end to the other, told apart by their ids.

    A message may be reported by either end first: that it arrived can be known before the one who sent it
    has been told its id.
    """

    def __init__(self) -> None:
        self.started = 0
        self.arrived = 0
        self.repeated = 0
        self._missing: dict[str, None] = {}
        self._early: dict[str, None] = {}
        self._known = Recent()
        self._landed = Recent()

    def start(self, message_id: str) -> None:
        """It was sent. Reporting it again changes nothing."""
        if not self._known.add(message_id):
            return
        self.started += 1
        if message_id in self._early:
            del self._early[message_id]
            self.arrived += 1
        else:
            self._missing[message_id] = None

    def arrive(self, message_id: str) -> None:
        """It arrived."""
        if not self._landed.add(message_id):
            self.repeated += 1
        elif message_id in self._missing:
            del self._missing[message_id]
            self.arrived += 1
        else:
            self._early[message_id] = None

    @property
    def missing(self) -> list[str]:
        """Sent and not arrived, oldest first."""
        return list(self._missing)


@dataclass
class Numbers:
    """The sequence numbers of one instance that were delivered: all up to a floor, and some above it."""

    first: int | None = None
    floor: int = 0
    above: set[int] = field(default_factory=set)

    def add(self, number: int) -> bool:
        """Take one in. False if it was there already."""
        if self.first is None:
            # Subscribed in the middle of the log: what came before it is nobody's to expect.
            self.first = number
            self.floor = number
            return True
        if number <= self.floor or number in self.above:
            return False
        self.above.add(number)
        while self.floor + 1 in self.above:
            self.floor += 1
            self.above.discard(self.floor)
        return True

    @property
    def gaps(self) -> int:
        """Numbers below the greatest one that have not come."""
        return max(self.above) - self.floor - len(self.above) if self.above else 0


class Ledger:
    """Everything a receiver of webhooks can check about what it gets.

    Attributes:
        inbound: messages from contacts, by their WhatsApp ids.
        outbound: messages sent through the API, by their WhatsApp ids.
        deliveries: requests with a valid signature.
        duplicated: of these, requests with an event that was there before. Allowed, and to be few.
        reordered: events of a chat that came after a later one of the same chat.
        refused: requests with a bad signature.
        latencies: seconds from Malote's having the event to the receiver's, of the latest ones.
    """

    def __init__(self) -> None:
        self.inbound = Flow()
        self.outbound = Flow()
        self.deliveries = 0
        self.duplicated = 0
        self.reordered = 0
        self.refused = 0
        self.latencies: deque[float] = deque(maxlen=LATENCIES)
        self._events = Recent()
        self._numbers: dict[str, Numbers] = {}
        self._last: dict[tuple[str, str], int] = {}

    @property
    def gaps(self) -> int:
        """Events that were skipped and have not come since."""
        return sum(numbers.gaps for numbers in self._numbers.values())

    def deliver(self, event: dict[str, Any], latency: float) -> None:
        """Take in one event of a request whose signature was valid."""
        self.deliveries += 1
        if not self._events.add(event["id"]):
            self.duplicated += 1
            return
        self.latencies.append(latency)
        instance_id, number, chat = event["instance_id"], int(event["seq"]), event.get("chat_id")
        self._numbers.setdefault(instance_id, Numbers()).add(number)
        if chat:
            last = self._last.get((instance_id, chat), 0)
            self.reordered += number < last
            self._last[instance_id, chat] = max(last, number)
        if event["type"] == "message.received":
            self.inbound.arrive(f"{instance_id}/{event['data']['id']}")

    def percentile(self, share: float) -> float | None:
        """The latency, in seconds, that this share of the latest deliveries did not exceed."""
        if not self.latencies:
            return None
        ordered = sorted(self.latencies)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
