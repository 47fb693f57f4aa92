"""Events: read from any point that is kept, or followed live."""

from __future__ import annotations

import re
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, BeforeValidator, Field

from actors.events import Event, EventType
from actors.instance.mailbox import Mailbox
from api import problems as p
from api.fields import Query
from api.instances import page_limit
from api.live import follow
from api.problems import Problem
from api.routing import Answer, Call, Routes
from api.streams import CONTENT_TYPE, EventStream, StreamEnded, event_stream

routes = Routes("Events", "Everything that happened to an instance, in order and without gaps.")

READ = 50
"""Events fetched from the mailbox at a time: what a reader costs in memory."""

SCAN_READS = 100
"""Reads for one page of a filtered listing; then `next` leads on, maybe with no item."""

PAGE_BYTES = 4 * 1024 * 1024
"""A page ends with the event that reaches this size, also below its limit."""

LAST_EVENT_ID = re.compile(r"[0-9]{1,15}", re.ASCII)


def _split(value: object) -> object:
    parts = [value] if isinstance(value, str) else value
    if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
        return [name.strip() for part in parts for name in part.split(",") if name.strip()]
    return value


Types = Annotated[
    list[EventType],
    BeforeValidator(_split),
    Field(max_length=len(EventType), description="Only these types, separated by commas or given repeatedly"),
]
After = Annotated[
    int | None,
    Field(ge=0, lt=2**53, description="Events with a greater `seq`; unset: from the oldest that is kept"),
]


class EventListing(Query):
    """Which events."""

    after: After = None
    limit: int | None = Field(None, ge=1, description="Events of a page")
    type: Types = Field(default_factory=list)


class Following(Query):
    """From where to follow."""

    after: After = Field(None, description="Events with a greater `seq`; unset: what happens from now on")
    type: Types = Field(default_factory=list)


class EventPage(BaseModel):
    """Events in order."""

    items: list[Event]
    next: int = Field(description="Value of `after` for the next page, also when nothing is there yet")
    first_seq: int = Field(description="Of the oldest event that is kept")
    last_seq: int = Field(description="Of the newest event there is")


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/events",
    "List events",
    (200, Answer("A page of events", EventPage)),
    query=EventListing,
    problems=(p.EVENTS_EXPIRED,),
)
async def list_events(call: Call[None, EventListing]) -> EventPage:
    """Each has a gapless `seq`. Remember the last one you processed and ask for what comes `after` it.

    Go on with `next` until it is `last_seq`: a page can be shorter than `limit`, even empty, when events are
    large or few match. Events that every webhook took are kept for a while. Asking for older ones is answered
    with 410, which says where to go on, so that a gap never goes unnoticed.
    """
    limit = page_limit(call.services, call.query.limit)
    wanted = frozenset(call.query.type)
    mailbox = call.services.mailbox(call.instance_id)
    first, last = await mailbox.extent()
    after = first - 1 if call.query.after is None else call.query.after
    _check_kept(after, first, last)
    items: list[Event] = []
    size, begin = 0, after
    for _ in range(SCAN_READS):
        page = await mailbox.read(after=after, limit=READ)
        if page and page[0].seq > after + 1:
            if after != begin:
                break  # what comes next went meanwhile: who goes on from here is told
            if call.query.after is not None:
                _check_kept(after, page[0].seq, last)
        for event in page:
            after = event.seq
            if not wanted or event.type in wanted:
                items.append(event)
                size += len(event.model_dump_json())
                if len(items) == limit or size >= PAGE_BYTES:
                    break
        if len(items) == limit or size >= PAGE_BYTES or len(page) < READ:
            break
    newest = max(last, items[-1].seq) if items else last
    return EventPage(items=items, next=after, first_seq=first, last_seq=newest)


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/events/stream",
    "Follow events live",
    (
        200,
        Answer(
            "Server-Sent Events: `id` is the event's `seq`, `event` its type, `data` the event. Comments are "
            "signs of life. `events.expired` ends a stream whose reader fell behind what is kept.",
            media={CONTENT_TYPE: 'id: 42\nevent: message.received\ndata: {"id":"evt_…","seq":42,…}\n\n'},
        ),
    ),
    query=Following,
    headers={"Last-Event-ID": "`seq` of the last event seen, as browsers send it. Wins over `after`"},
    problems=(p.EVENTS_EXPIRED, p.TOO_MANY_STREAMS),
)
async def stream_events(call: Call[None, Following]) -> web.StreamResponse:
    """Nothing is lost by reconnecting: say where you were and it goes on there, also at another gateway.

    The stream reads at the pace of its reader. It ends when the gateway closes, when the key is no longer
    valid, or when the reader takes nothing for a while.
    """
    services = call.services
    gateway = services.settings.gateway
    mailbox = services.mailbox(call.instance_id)
    with services.streams.slot(call.instance_id), services.rings.watch(call.instance_id) as watch:
        first, last = await mailbox.extent()
        after = _start(call, last)
        _check_kept(after, first, last)
        async with event_stream(
            call.request, route="events", write_timeout=gateway.stream_write_timeout
        ) as stream:
            await stream.heartbeat()
            follower = _Follower(call, mailbox, stream, after)
            await follow(call, stream, watch, follower.forward, poll=gateway.stream_poll)
    return stream.response


class _Follower:
    """Sends what comes after a point to one stream."""

    def __init__(
        self, call: Call[None, Following], mailbox: Mailbox, stream: EventStream, after: int
    ) -> None:
        self._mailbox = mailbox
        self._stream = stream
        self._after = after
        self._wanted = frozenset(call.query.type)

    async def forward(self) -> bool:
        """Send the next page. False if there was none.

        Raises:
            StreamEnded: the reader is gone, or so are the events that it would need next.
        """
        page = await self._mailbox.read(after=self._after, limit=READ)
        if page and page[0].seq > self._after + 1:
            first, last = await self._mailbox.extent()
            text = f'{{"first_seq":{first},"last_seq":{last}}}'
            await self._stream.event(text, name="events.expired")
            raise StreamEnded
        for event in page:
            if not self._wanted or event.type in self._wanted:
                await self._stream.event(event.model_dump_json(), name=event.type, event_id=event.seq)
            self._after = event.seq
        return bool(page)


def _start(call: Call[None, Following], last: int) -> int:
    resumed = call.request.headers.get("Last-Event-ID")
    if resumed is not None:
        if not LAST_EVENT_ID.fullmatch(resumed):
            raise p.invalid("the seq of an event, as in its id", parameter="Last-Event-ID")
        return int(resumed)
    return last if call.query.after is None else call.query.after


def _check_kept(after: int, first: int, last: int) -> None:
    if after + 1 < first:
        raise Problem(
            p.EVENTS_EXPIRED,
            f"Events {after + 1} to {first - 1} are no longer kept. Go on with after={first - 1}.",
            first_seq=first,
            last_seq=last,
        )
    if after > last:
        # Waiting for the log to grow past it would skip what comes until then.
        raise p.invalid(
            f"the newest event is {last}: this position is of another instance, or from before a restored "
            f"backup; go on with after={last}",
            parameter="after",
        )
