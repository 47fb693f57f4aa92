"""Events: pages, positions, live streams and their bounds."""

from __future__ import annotations

import asyncio
import json
import socket
from urllib.parse import urlsplit

import pytest

from actors.events import Event, EventType
from actors.instance.mailbox import Mailbox
from actors.store import Store
from api import events
from tests.api.world import ADMIN, Owner, World, running_world, soon


async def trim(store: Store, owner: Owner, first: int) -> None:
    """Forget events before ``first``, as the mailbox does with delivered ones."""
    await store.redis.xtrim(owner.mailbox.key("mailbox"), minid=f"{first}-0", approximate=False)


def stored(iid: str) -> str:
    """An event as the mailbox stores it."""
    moment = "2026-01-31T12:00:00Z"
    times = {"occurred_at": moment, "received_at": moment}
    return json.dumps({"id": "e", "instance_id": iid, "epoch": 1, "type": "unknown", **times, "data": {}})


async def test_pages_follow_each_other(world: World, iid: str, owner: Owner) -> None:
    for _ in range(5):
        await owner.append()
    path, found, after = f"/v1/instances/{iid}/events", [], 0
    for _ in range(4):
        page = (await world.ask("GET", f"{path}?after={after}&limit=2", key=world.tokens[iid])).json
        found += [event["seq"] for event in page["items"]]
        after = page["next"]
        assert (page["first_seq"], page["last_seq"]) == (1, 5)
    assert found == [1, 2, 3, 4, 5]
    assert after == 5


async def test_an_event_is_shown_whole(world: World, iid: str, owner: Owner) -> None:
    await owner.append(data={"text": "olá"})
    event = (await world.ask("GET", f"/v1/instances/{iid}/events")).json["items"][0]
    assert event["id"].startswith("evt_")
    assert (event["instance_id"], event["seq"], event["epoch"]) == (iid, 1, owner.epoch)
    assert (event["type"], event["data"]) == ("message.received", {"text": "olá"})
    assert event["chat_id"] == "5511912345678@s.whatsapp.net"


async def test_nothing_yet(world: World, iid: str) -> None:
    page = (await world.ask("GET", f"/v1/instances/{iid}/events?after=0")).json
    assert page == {"items": [], "next": 0, "first_seq": 1, "last_seq": 0}


async def test_types_are_filtered_and_next_goes_on(world: World, iid: str, owner: Owner) -> None:
    for _ in range(3):
        await owner.append(EventType.MESSAGE_RECEIVED)
        await owner.append(EventType.MESSAGE_STATUS)
        await owner.append(EventType.CONNECTION_CHANGED)
    path = f"/v1/instances/{iid}/events"
    first = (await world.ask("GET", f"{path}?type=message.status&limit=2")).json
    assert [event["seq"] for event in first["items"]] == [2, 5]
    second = (await world.ask("GET", f"{path}?type=message.status&limit=2&after={first['next']}")).json
    assert [event["seq"] for event in second["items"]] == [8]
    assert second["next"] == 9
    both = (await world.ask("GET", f"{path}?type=message.status,connection.changed")).json
    assert [event["seq"] for event in both["items"]] == [2, 3, 5, 6, 8, 9]
    twice = (await world.ask("GET", f"{path}?type=message.status&type=connection.changed")).json
    assert twice == both


async def test_a_filter_that_finds_nothing_gets_on(
    world: World, iid: str, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "READ", 5)
    monkeypatch.setattr(events, "SCAN_READS", 2)
    for _ in range(25):
        await owner.append()
    await owner.append(EventType.CALL_RECEIVED)
    path, after, places = f"/v1/instances/{iid}/events?type=call.received&limit=1", 0, []
    for _ in range(3):
        page = (await world.ask("GET", f"{path}&after={after}")).json
        after = page["next"]
        places.append((after, [event["seq"] for event in page["items"]]))
    assert places == [(10, []), (20, []), (26, [26])]


async def test_a_page_of_large_events_is_short(world: World, iid: str, owner: Owner) -> None:
    for _ in range(12):
        await owner.append(data={"text": "x" * 1_000_000})
    after, pages = 0, []
    while after < 12:
        page = (await world.ask("GET", f"/v1/instances/{iid}/events?after={after}&limit=1000")).json
        pages.append([event["seq"] for event in page["items"]])
        after = page["next"]
    assert pages == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12]]


async def test_events_that_are_no_longer_kept(world: World, iid: str, owner: Owner) -> None:
    for _ in range(10):
        await owner.append()
    await trim(world.store, owner, 6)
    path = f"/v1/instances/{iid}/events"
    for asked in (f"{path}?after=2", f"{path}/stream?after=2"):
        answer = await world.ask("GET", asked)
        document = answer.problem("events-expired")
        assert answer.status == 410
        assert (document["first_seq"], document["last_seq"]) == (6, 10)
    assert [e["seq"] for e in (await world.ask("GET", f"{path}?after=5")).json["items"]] == [6, 7, 8, 9, 10]
    assert (await world.ask("GET", path)).json["items"][0]["seq"] == 6


async def test_events_that_go_while_they_are_listed_leave_no_gap_unnoticed(
    world: World, iid: str, owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(10):
        await owner.append()
    reads = 0
    read = Mailbox.read

    async def trimmed(self: Mailbox, *, after: int = 0, limit: int = 100) -> list[Event]:
        nonlocal reads
        reads += 1
        if reads == 2:
            await trim(world.store, owner, 8)
        return await read(self, after=after, limit=limit)

    monkeypatch.setattr(events, "READ", 3)
    monkeypatch.setattr(Mailbox, "read", trimmed)
    path = f"/v1/instances/{iid}/events"
    page = (await world.ask("GET", f"{path}?after=0")).json
    assert ([event["seq"] for event in page["items"]], page["next"]) == ([1, 2, 3], 3)
    document = (await world.ask("GET", f"{path}?after=3")).problem("events-expired")
    assert document["first_seq"] == 8

    # Those that it should begin with go first.
    reads = 1
    monkeypatch.setattr(Mailbox, "extent", extent_before_the_trim)
    document = (await world.ask("GET", f"{path}?after=3")).problem("events-expired")
    assert "Go on with after=7" in document["detail"]
    found = (await world.ask("GET", path)).json["items"]
    assert [event["seq"] for event in found] == [8, 9, 10]


async def extent_before_the_trim(self: Mailbox) -> tuple[int, int]:
    return 1, 10


@pytest.mark.parametrize(
    "query", ["after=-1", "after=x", "after=9", "limit=0", "limit=1001", "type=nothing", "before=1"]
)
async def test_a_bad_query_is_explained(world: World, iid: str, owner: Owner, query: str) -> None:
    document = (await world.ask("GET", f"/v1/instances/{iid}/events?{query}")).problem("invalid")
    assert document["errors"][0]["parameter"] == query.partition("=")[0]


async def test_stream_shows_what_happens_from_now_on(world: World, iid: str, owner: Owner) -> None:
    await owner.append()
    async with world.stream(f"/v1/instances/{iid}/events/stream", key=world.tokens[iid]) as stream:
        assert await stream.next() == {"comment": "alive"}
        for _ in range(3):
            await owner.append(data={"text": "line\nbreak"})
        found = await stream.events(3)
    assert [event["id"] for event in found] == ["2", "3", "4"]
    assert {event["event"] for event in found} == {"message.received"}
    assert [json.loads(event["data"])["seq"] for event in found] == [2, 3, 4]


async def test_stream_resumes_without_gap_or_repetition(world: World, iid: str, owner: Owner) -> None:
    for _ in range(250):
        await owner.append()
    path = f"/v1/instances/{iid}/events/stream?after=0"
    seen: list[int] = []
    headers: dict[str, str] = {}
    while len(seen) < 250:
        async with world.stream(path, headers=headers) as stream:
            for event in await stream.events(min(83, 250 - len(seen))):
                seen.append(int(event["id"]))
        headers = {"Last-Event-ID": str(seen[-1])}
    assert seen == list(range(1, 251))


async def test_stream_at_another_gateway_goes_on(
    world: World, iid: str, owner: Owner, redis_url: str, prefix: str
) -> None:
    for _ in range(4):
        await owner.append()
    path = f"/v1/instances/{iid}/events/stream?after=0"
    async with world.stream(path) as stream:
        last = (await stream.events(2))[-1]["id"]
    async with (
        running_world(redis_url, prefix) as other,
        other.stream(path, headers={"Last-Event-ID": last}) as stream,
    ):
        assert [event["id"] for event in await stream.events(2)] == ["3", "4"]


async def test_stream_filters(world: World, iid: str, owner: Owner) -> None:
    async with world.stream(f"/v1/instances/{iid}/events/stream?after=0&type=message.status") as stream:
        await owner.append()
        await owner.append(EventType.MESSAGE_STATUS)
        await owner.append()
        await owner.append(EventType.MESSAGE_STATUS)
        assert [event["id"] for event in await stream.events(2)] == ["2", "4"]


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "9" * 16, "٣"])
async def test_a_bad_last_event_id_is_explained(world: World, iid: str, value: str) -> None:
    answer = await world.ask("GET", f"/v1/instances/{iid}/events/stream", headers={"Last-Event-ID": value})
    assert answer.problem("invalid")["errors"][0]["parameter"] == "Last-Event-ID"


async def test_streams_live_without_rings(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix) as world:
        iid = await world.instance()
        owner = await world.owner(iid)
        silent = world.store.redis
        async with world.stream(f"/v1/instances/{iid}/events/stream?after=0") as stream:
            await stream.next()
            # Nobody publishes: the event is written as if its ring were lost.
            await silent.xadd(owner.mailbox.key("mailbox"), {"e": stored(iid)}, id="1-0")
            assert (await stream.events(1))[0]["id"] == "1"


async def test_a_quiet_stream_shows_signs_of_life(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix, stream_heartbeat=0.1) as world:
        iid = await world.instance()
        async with world.stream(f"/v1/instances/{iid}/events/stream") as stream:
            assert [await stream.next() for _ in range(4)] == [{"comment": "alive"}] * 4


async def test_streams_are_bounded_and_given_back(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix, stream_limit=2, stream_heartbeat=0.1) as world:
        iid, other = await world.instance(), await world.instance()
        path = f"/v1/instances/{iid}/events/stream"
        async with world.stream(path) as one, world.stream(path) as two:
            await one.next()
            await two.next()
            for refused in (path, f"/v1/instances/{iid}/qr/stream"):
                answer = await world.ask("GET", refused)
                answer.problem("too-many-streams")
                assert "Retry-After" in answer.headers
            async with world.stream(f"/v1/instances/{other}/events/stream") as elsewhere:
                assert await elsewhere.next() == {"comment": "alive"}

        async def opens() -> bool:
            async with world.stream(path) as again:
                return again.response.status == 200

        assert await soon(opens)


async def test_a_key_that_is_replaced_ends_its_stream(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix, stream_heartbeat=0.1) as world:
        iid = await world.instance()
        async with world.stream(f"/v1/instances/{iid}/events/stream", key=world.tokens[iid]) as stream:
            await stream.next()
            await world.ask("POST", f"/v1/instances/{iid}/token")
            assert await stream.event() is None


async def test_a_deleted_instance_ends_its_streams(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix, stream_heartbeat=0.1) as world:
        iid = await world.instance()
        async with world.stream(f"/v1/instances/{iid}/events/stream") as stream:
            await stream.next()
            await world.ask("DELETE", f"/v1/instances/{iid}")
            assert await stream.event() is None


async def test_a_reader_that_fell_behind_is_told(world: World, iid: str, owner: Owner) -> None:
    async with world.stream(f"/v1/instances/{iid}/events/stream?after=0&type=call.received") as stream:
        await stream.next()
        key = owner.mailbox.key("mailbox")
        for _ in range(3):
            await owner.append()
        async with world.store.redis.pipeline(transaction=True) as pipe:
            # Past the stream's position in one step: the log has gone on without it.
            pipe.delete(key)
            pipe.xadd(key, {"e": stored(iid)}, id="900-0")
            pipe.hset(owner.mailbox.key("meta"), "seq", "900")
            await pipe.execute()
        event = await stream.event()
        if event is not None and event["event"] == "events.expired":
            assert json.loads(event["data"]) == {"first_seq": 900, "last_seq": 900}
        else:
            pytest.fail(f"got {event}")


async def test_a_slow_reader_costs_nothing_and_is_closed(redis_url: str, prefix: str) -> None:
    """It takes nothing: the gateway stops reading the mailbox for it, and ends it after the deadline."""
    async with running_world(redis_url, prefix, stream_write_timeout=1.0) as world:
        iid = await world.instance()
        owner = await world.owner(iid)
        for _ in range(400):
            await owner.append(data={"text": "x" * 50_000})
        place = urlsplit(world.url)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            await loop.sock_connect(sock, (place.hostname, place.port))
            request = (
                f"GET /v1/instances/{iid}/events/stream?after=0 HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {ADMIN}\r\n\r\n"
            )
            await loop.sock_sendall(sock, request.encode())

            async def opened() -> bool:
                return world.services.streams._open == {iid: 1}

            buffered = [0]

            async def ended() -> bool:
                server = world.runner.server
                assert server is not None
                sizes = [c.transport.get_write_buffer_size() for c in server.connections if c.transport]  # type: ignore[attr-defined]
                buffered.extend(sizes)
                return not world.services.streams._open

            assert await soon(opened)
            assert await soon(ended)
            assert 0 < max(buffered) < 2_000_000
        finally:
            sock.close()


async def test_closing_the_gateway_ends_streams(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix, stream_poll=60, stream_heartbeat=60) as world:
        iid = await world.instance()
        async with (
            world.stream(f"/v1/instances/{iid}/events/stream") as news,
            world.stream(f"/v1/instances/{iid}/qr/stream") as codes,
        ):
            await news.next()
            closing = asyncio.create_task(world.runner.cleanup())
            assert await news.next() is None
            assert await codes.next() is None
            await closing
