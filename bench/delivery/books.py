"""What was appended, what came, how often and in which order. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from pydantic import BaseModel

Place = tuple[str, int]
"""An instance and a sequence number. Every instance here has one endpoint."""


class Appended(NamedTuple):
    """An event as its instance knows it. Times are seconds of the monotonic clock, which all processes share.

    Args:
        due: when it happened; it cannot be appended before.
        began, ended: of the append.
    """

    instance_id: str
    seq: int
    due: float
    began: float
    ended: float


class Arrival(NamedTuple):
    """A request as the receiver got it, body included.

    Args:
        at: seconds of the monotonic clock, when it was complete and answered, if it was.
        status: of the answer, None if there was no complete one: the courier cannot know that it came.
    """

    instance_id: str
    seq: int
    event_id: str
    chat: str | None
    attempt: int
    at: float
    status: int | None

    @property
    def taken(self) -> bool:
        """True if it was answered with a 2xx."""
        return self.status is not None and 200 <= self.status < 300


class Count(BaseModel):
    """What became of the events.

    Attributes:
        events: that were appended.
        lost: never taken, and not given up either.
        dead: given up: they are in the dead letters.
        reordered: that came, or were taken, for the first time after a later one of their chat.
        duplicated: requests with an event that had been taken before.
        duplicated_unanswered: requests with an event that had come before, but never with an answer.
        unknown: requests with an event that nobody appended, or that has another id than before.
        refused: requests that were answered, but not with a 2xx.
        unanswered: requests without a complete answer.
    """

    events: int = 0
    lost: int = 0
    dead: int = 0
    reordered: int = 0
    duplicated: int = 0
    duplicated_unanswered: int = 0
    unknown: int = 0
    refused: int = 0
    unanswered: int = 0

    def __add__(self, other: Count) -> Count:
        mine, its = self.model_dump(), other.model_dump()
        return Count(**{name: mine[name] + its[name] for name in mine})

    @property
    def clean(self) -> bool:
        """True if nothing is as it must not be."""
        return not (self.lost or self.reordered or self.duplicated or self.unknown)


def count(appended: Collection[Place], arrivals: Iterable[Arrival], dead: Collection[Place] = ()) -> Count:
    """Compare what was appended with what came.

    Args:
        arrivals: in the order they came.
        dead: what is in the dead letters.
    """
    expected, given_up = set(appended), set(dead)
    numbers = Count(events=len(expected), dead=len(given_up))
    ids: dict[Place, str] = {}
    seen: set[Place] = set()
    came: dict[Place, bool] = {}
    firsts: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    takes: dict[tuple[str, str | None], list[int]] = defaultdict(list)
    for arrival in arrivals:
        place = (arrival.instance_id, arrival.seq)
        if place not in expected or ids.setdefault(place, arrival.event_id) != arrival.event_id:
            numbers.unknown += 1
            continue
        chat = (arrival.instance_id, arrival.chat)
        if place not in seen:
            seen.add(place)
            firsts[chat].append(arrival.seq)
        if arrival.status is not None and not arrival.taken:
            numbers.refused += 1
            continue
        if place in came:
            if came[place]:
                numbers.duplicated += 1
            else:
                numbers.duplicated_unanswered += 1
        numbers.unanswered += not arrival.taken
        if arrival.taken and not came.get(place, False):
            takes[chat].append(arrival.seq)
        came[place] = came.get(place, False) or arrival.taken
    taken = {place for place, answered in came.items() if answered}
    numbers.lost = len(expected - taken - given_up)
    numbers.reordered = len(_late(firsts) | _late(takes))
    return numbers


def _late(chats: Mapping[tuple[str, str | None], Iterable[int]]) -> set[Place]:
    late: set[Place] = set()
    for (instance_id, _), seqs in chats.items():
        latest = 0
        for seq in seqs:
            if seq < latest:
                late.add((instance_id, seq))
            latest = max(latest, seq)
    return late


def latencies(appended: Iterable[Appended], arrivals: Iterable[Arrival]) -> dict[str, list[float]]:
    """Seconds from when an event happened until it was taken for the first time, by instance."""
    taken: dict[Place, float] = {}
    for arrival in arrivals:
        if arrival.taken:
            taken.setdefault((arrival.instance_id, arrival.seq), arrival.at)
    found: dict[str, list[float]] = defaultdict(list)
    for event in appended:
        at = taken.get((event.instance_id, event.seq))
        if at is not None:
            found[event.instance_id].append(at - event.due)
    return dict(found)
