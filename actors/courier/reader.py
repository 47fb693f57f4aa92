"""What an endpoint is to get, read from Redis: first only where it stands, the bodies when they are sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from actors.courier.bodies import Bodies, Parcel
from actors.courier.files import awaited, completed
from actors.courier.ledger import Changed, Claim, Entry, Lane, Ledger
from actors.courier.queue import Item, Queue, Retry
from actors.courier.records import EndpointRecord, Ordering
from actors.courier.retry import SPARED_DELAY
from actors.courier.settlements import merged

PULL = 128
"""Events read at a time."""


@dataclass(slots=True)
class Source:
    """Where events come from, and which of them are known."""

    name: Lane
    queue: Queue = field(default_factory=Queue)
    more: bool = True
    last: str = ""
    """Id of the event at the queue's cursor, if it was read."""


class Reader:
    """Reads the events of one endpoint into queues.

    Attributes:
        mailbox, replays: where they come from, with what was read and is not finished.

    Args:
        record: the endpoint's configuration as it is now.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        ledger: Ledger,
        bodies: Bodies,
        *,
        record: Callable[[], EndpointRecord],
        clock: Callable[[], float],
    ) -> None:
        self.mailbox = Source(Lane.MAILBOX)
        self.replays = Source(Lane.REPLAY)
        self._ledger = ledger
        self._settings = ledger.settings.courier
        self._bodies = bodies
        self._record = record
        self._clock = clock
        self._claim: Claim | None = None
        self._files: dict[int, str] = {}
        """Files that held events of the mailbox wait for, by position: no more than the window."""
        self._look_for_files = False

    @property
    def sources(self) -> tuple[Source, Source]:
        """Both of them."""
        return self.mailbox, self.replays

    def begin(self, claim: Claim) -> None:
        """Forget what was read: go by what Redis has for finished."""
        ordered = self._record().ordering is Ordering.CHAT
        retries, replay_retries = (
            {position: self._not_too_late(retry) for position, retry in known.items()}
            for known in (claim.retries, claim.replay_retries)
        )
        self.mailbox = Source(
            Lane.MAILBOX, Queue(claim.floor, finished=claim.finished, retries=retries, ordered=ordered)
        )
        self.replays = Source(Lane.REPLAY, Queue(retries=replay_retries, ordered=ordered))
        self._files = {}
        self._claim = claim

    def _not_too_late(self, retry: Retry) -> Retry:
        # Written while a clock was ahead, it would wait for as long as that was.
        settings, options = self._settings, self._record().delivery
        schedule = settings.schedule if options.schedule is None else options.schedule
        longest = max((*schedule, 0.0)) * (1 + settings.jitter)
        return retry._replace(
            due=min(retry.due, self._clock() + max(longest, settings.retry_after_max, SPARED_DELAY))
        )

    def expect(self) -> None:
        """There may be something new."""
        self.mailbox.more = self.replays.more = self._look_for_files = True

    def wanted(self, entry: Entry) -> bool:
        """True if the endpoint is to get an event of the mailbox."""
        # News of an endpoint are for the others: it would learn of its failing once it is well.
        record = self._record()
        return record.wants(entry.parcel.type) and entry.about != record.id

    async def pull(self, source: Source) -> bool:
        """Read further events. True if somebody waits for what comes of one of them.

        Raises:
            Changed: Redis lost what was read from it.
            StoreUnavailable, Lost
        """
        queue = source.queue
        count = min(PULL, self._settings.window - len(queue))
        source.more = False
        entries = await self._past(source, count)
        skipped: list[tuple[int, int]] = []
        urgent = False
        for entry in entries:
            if entry.position > queue.cursor + 1:
                skipped += queue.skip(entry.position - 1)
            if source.name is Lane.MAILBOX and not self.wanted(entry):
                skipped += queue.skip(entry.position)
                continue
            urgent |= entry.test
            self._bodies.put(self._body_key(source.name, entry.position), entry.parcel)
            hold = self._hold(entry) if source.name is Lane.MAILBOX else None
            queue.add(entry.position, entry.parcel.event_id, entry.chat, test=entry.test, hold=hold)
        self._look_for_files |= bool(entries)
        if len(entries) == count:
            source.more = True
        if skipped and source.name is Lane.MAILBOX:
            assert self._claim is not None
            await self._ledger.skip(self._claim, merged(skipped), entries[-1])
        return urgent

    async def _past(self, source: Source, count: int) -> list[Entry]:
        # With the last one that was read: if another event stands there by now, then Redis lost what it had,
        # and there are events to be delivered before those that follow.
        cursor = source.queue.cursor
        known = 1 if source.last else 0
        entries = await self._ledger.read(source.name, after=cursor - known, count=count + known)
        if known and entries and entries[0].position == cursor:
            witness = entries.pop(0)
            if witness.parcel.event_id != source.last:
                raise Changed
        entries = entries[:count]
        if entries:
            source.last = entries[-1].parcel.event_id
        return entries

    # ---- bodies ----

    def remembered(self, lane: Lane, item: Item) -> Parcel | None:
        """An event that was read not long ago, for this endpoint or another one of the instance."""
        parcel = self._bodies.get(self._body_key(lane, item.position))
        return parcel if parcel is not None and parcel.event_id == item.event_id else None

    async def again(self, lane: Lane, item: Item) -> Parcel:
        """An event that is not remembered.

        Raises:
            Changed: Redis has it no more, or another one in its place.
            StoreUnavailable
        """
        found: list[Entry] = await self._ledger.read(lane, after=item.position - 1, count=1)
        if not found or found[0].position != item.position or found[0].parcel.event_id != item.event_id:
            raise Changed
        return found[0].parcel

    def _body_key(self, lane: Lane, position: int) -> tuple[str, str, int]:
        # All endpoints of an instance get the same bodies from its mailbox.
        return (self._ledger.instance_id, "" if lane is Lane.MAILBOX else self._record().id, position)

    # ---- files of messages ----

    def _hold(self, entry: Entry) -> float | None:
        options = self._record().delivery
        if options.media != "wait" or (waits := awaited(entry.parcel)) is None:
            return None
        self._files[entry.position] = waits.media_id
        # An instance on another machine may have a clock that is ahead.
        return min(waits.since, self._clock()) + (options.media_wait or self._settings.media_wait)

    async def release(self) -> None:
        """Let messages go whose files have come, or do not come.

        Raises:
            StoreUnavailable
        """
        # What became of a file may stand beyond what was read: the mailbox's index of keys is asked.
        queue = self.mailbox.queue
        self._files = {place: file for place, file in self._files.items() if queue.holds(place)}
        if not self._files or not self._look_for_files:
            return
        self._look_for_files = False
        told = await self._ledger.told(list(self._files.values()))
        for place, file in self._files.items():
            if file in told:
                queue.release(place)

    async def whole(self, parcel: Parcel) -> Parcel:
        """A message with what became of its file, if the endpoint wants it so and that is known.

        Raises:
            StoreUnavailable
        """
        # Found anew for each attempt: nothing is kept, and other endpoints get the message as it stands.
        if self._record().delivery.media != "wait" or (waits := awaited(parcel)) is None:
            return parcel
        position = (await self._ledger.told([waits.media_id])).get(waits.media_id)
        if position is None:
            return parcel
        found = await self._ledger.read(Lane.MAILBOX, after=position - 1, count=1)
        return completed(parcel, found[0].parcel) if found else parcel
