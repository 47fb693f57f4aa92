"""The mailbox: fenced, gapless, idempotent, bounded, durable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from redis.exceptions import ResponseError

from actors.events import EventDraft, EventType
from actors.instance.mailbox import APPEND, LUA, Mailbox, MailboxFull
from actors.instance.outbox import Outbox
from actors.registry import Registry
from actors.settings import MailboxSettings
from actors.store import StaleEpoch, Store, StoreUnavailable
from tests.proxy import Proxy
from tests.store.samples import INSTANCE, REQUEST, draft, grant, presence, raise_floor, snapshot
from tests.valkey import Valkey


def bounded(mailbox: Mailbox, **bounds: int) -> Mailbox:
    return Mailbox(mailbox.store, INSTANCE, MailboxSettings.model_validate(bounds))


async def fill(mailbox: Mailbox, epoch: int, count: int) -> None:
    for _ in range(count):
        await mailbox.append(epoch, draft())


async def test_an_event_is_read_as_it_was_written(mailbox: Mailbox, epoch: int) -> None:
    data: dict[str, Any] = {
        "text": "ação 👋\u0000\u2028",
        "list": [],
        "object": {},
        "none": None,
        "big": 2**53 + 1,
        "pi": 3.5,
    }
    written = draft(data=data, chat_id="chat-9")
    assert await mailbox.append(epoch, written) == 1
    [event] = await mailbox.read()
    assert event.data == data
    assert (event.seq, event.epoch, event.instance_id, event.chat_id) == (1, epoch, INSTANCE, "chat-9")
    assert (event.type, event.occurred_at, event.received_at) == (
        EventType.MESSAGE_RECEIVED,
        written.occurred_at,
        written.received_at,
    )
    assert event.id.startswith("evt_")


async def test_an_event_of_no_chat(mailbox: Mailbox, epoch: int) -> None:
    await mailbox.append(epoch, draft(chat_id=None))
    [event] = await mailbox.read()
    assert event.chat_id is None


async def test_numbers_are_gapless_also_for_writers_at_once(mailbox: Mailbox, epoch: int) -> None:
    numbers = await asyncio.gather(*(mailbox.append(epoch, draft(f"k{n}")) for n in range(50)))
    assert sorted(n for n in numbers if n is not None) == list(range(1, 51))
    events = await mailbox.read(limit=1000)
    assert [event.seq for event in events] == list(range(1, 51))
    assert len({event.id for event in events}) == 50
    assert await mailbox.extent() == (1, 50)


async def test_reading_goes_on_after_a_number(mailbox: Mailbox, epoch: int) -> None:
    assert await mailbox.extent() == (1, 0)
    await fill(mailbox, epoch, 5)
    assert [event.seq for event in await mailbox.read(after=2, limit=2)] == [3, 4]
    assert await mailbox.read(after=5) == []


async def test_an_append_rings_with_the_instance(mailbox: Mailbox, epoch: int, store: Store) -> None:
    async with store.redis.pubsub() as heard:
        await heard.subscribe(store.keys.ring)
        await heard.get_message(timeout=5)
        await mailbox.append(epoch, draft())
        message = await heard.get_message(timeout=5)
    assert message is not None
    assert message["data"] == INSTANCE


async def test_a_stale_writer_writes_nothing(
    registry: Registry, mailbox: Mailbox, outbox: Outbox, store: Store, epoch: int
) -> None:
    message_id, _ = await outbox.enqueue(REQUEST)
    current = await grant(registry, epoch)
    before = await snapshot(store)
    for stale in (epoch, current + 1, 0):
        with pytest.raises(StaleEpoch) as refused:
            await mailbox.append(
                stale,
                draft(status_of={message_id: "read"}),
                aliases={"+5511999999999": "chat-1"},
                force=True,
            )
        assert (refused.value.mine, refused.value.current) == (stale, current)
    assert await snapshot(store) == before
    assert await mailbox.append(current, draft()) == 1


@pytest.mark.parametrize("nobody", [0, 1])
async def test_without_an_owner_nobody_writes(mailbox: Mailbox, store: Store, nobody: int) -> None:
    with pytest.raises(StaleEpoch) as refused:
        await mailbox.append(nobody, draft(), force=True)
    assert refused.value.current is None
    assert await snapshot(store) == {}


async def test_a_redelivery_is_not_a_second_event(
    mailbox: Mailbox, registry: Registry, epoch: int, store: Store
) -> None:
    assert await mailbox.append(epoch, draft("a")) == 1
    assert await mailbox.append(epoch, draft("b")) == 2
    before = await snapshot(store)
    assert await mailbox.append(epoch, draft("a")) == 1
    assert await snapshot(store) == before
    # It is the happening that counts, not who reports it.
    successor = await grant(registry, epoch)
    assert await mailbox.append(successor, draft("b")) == 2
    assert [event.epoch for event in await mailbox.read()] == [epoch, epoch]


async def test_the_same_event_at_once_is_stored_once(mailbox: Mailbox, epoch: int) -> None:
    numbers = await asyncio.gather(*(mailbox.append(epoch, draft("same")) for _ in range(20)))
    assert set(numbers) == {1}
    assert len(await mailbox.read()) == 1


async def test_a_lost_reply_is_not_a_second_event(
    mailbox: Mailbox, proxied_mailbox: Mailbox, proxy: Proxy, epoch: int
) -> None:
    await proxied_mailbox.append(epoch, draft())
    proxy.lose_reply(times=3)
    assert await proxied_mailbox.append(epoch, draft()) == 2
    proxy.lose_request()
    assert await proxied_mailbox.append(epoch, draft()) == 3
    assert proxy.lost == 4
    assert [event.seq for event in await mailbox.read()] == [1, 2, 3]


async def test_a_redelivery_is_recognised_within_the_window(
    mailbox: Mailbox, epoch: int, store: Store
) -> None:
    small = bounded(mailbox, dedupe_window=10, keep=1000)
    for n in range(300):
        assert await small.append(epoch, draft(f"k{n}")) == n + 1
        assert await small.append(epoch, draft(f"k{max(0, n - 9)}")) == max(1, n - 8)
    assert await store.redis.zcard(small.key("seen")) <= 10 + 64


# ---- bounds ----


async def test_above_the_soft_bound_passing_events_are_counted_not_kept(
    mailbox: Mailbox, epoch: int, store: Store
) -> None:
    small = bounded(mailbox, soft_bound=3, hard_bound=6)
    await raise_floor(small, 0)
    for _ in range(3):
        assert await small.append(epoch, presence()) is not None
    assert await small.append(epoch, presence("gone")) is None
    assert await small.append(epoch, presence("gone")) is None
    assert await store.redis.hget(small.key("meta"), "dropped") == "2"
    assert await small.append(epoch, draft()) == 4
    assert [event.seq for event in await small.read()] == [1, 2, 3, 4]
    await raise_floor(small, 3)
    assert await small.append(epoch, presence("gone")) == 5


async def test_what_a_dropped_event_taught_about_a_chat_is_kept(mailbox: Mailbox, epoch: int) -> None:
    """The caller counts an alias as stored when the append returned, whatever became of the event."""
    small = bounded(mailbox, soft_bound=1, hard_bound=6)
    await raise_floor(small, 0)
    await fill(small, epoch, 1)
    assert await small.append(epoch, presence(), aliases={"123@lid": "chat-1"}) is None
    assert await small.chats() == {"123@lid": "chat-1"}


async def test_what_was_learned_of_chats_is_kept_with_an_event_that_was_there_before(
    mailbox: Mailbox, epoch: int
) -> None:
    """Its writer gives all that it learned since the last time, of other chats too."""
    event = draft()
    await mailbox.append(epoch, event)
    await mailbox.append(epoch, event, aliases={"123@lid": "chat-1"})
    assert await mailbox.chats() == {"123@lid": "chat-1"}


async def test_at_the_hard_bound_nothing_is_written(
    mailbox: Mailbox, outbox: Outbox, epoch: int, store: Store
) -> None:
    message_id, _ = await outbox.enqueue(REQUEST)
    small = bounded(mailbox, soft_bound=100, hard_bound=4)
    await raise_floor(small, 0)
    await raise_floor(small, 2, "ep_2")
    await fill(small, epoch, 4)
    before = await snapshot(store)
    refused = draft(status_of={message_id: "read"})
    with pytest.raises(MailboxFull) as full:
        await small.append(epoch, refused, aliases={"1@lid": "chat-1"})
    assert full.value.depth == 4
    with pytest.raises(MailboxFull):
        await small.append(epoch, presence())
    assert await snapshot(store) == before
    assert await small.append(epoch, draft(), force=True) == 5
    # The slowest endpoint decides.
    await raise_floor(small, 5, "ep_2")
    with pytest.raises(MailboxFull):
        await small.append(epoch, refused)
    await raise_floor(small, 2)
    assert await small.append(epoch, refused) == 6


async def test_a_redelivery_is_recognised_also_when_full(mailbox: Mailbox, epoch: int) -> None:
    small = bounded(mailbox, hard_bound=1)
    await raise_floor(small, 0)
    assert await small.append(epoch, draft("a")) == 1
    assert await small.append(epoch, draft("a")) == 1


async def test_depth_is_what_the_slowest_endpoint_has_left(mailbox: Mailbox, epoch: int) -> None:
    assert await mailbox.depth() == 0
    await fill(mailbox, epoch, 5)
    assert await mailbox.depth() == 0
    await raise_floor(mailbox, 1)
    await raise_floor(mailbox, 4, "ep_2")
    assert await mailbox.depth() == 4


async def test_without_endpoints_the_log_stays_short(mailbox: Mailbox, epoch: int, store: Store) -> None:
    small = bounded(mailbox, keep=10, soft_bound=1, hard_bound=2)
    await fill(small, epoch, 200)
    first, last = await small.extent()
    assert last == 200
    assert 10 <= last - first + 1 <= 10 + 64
    assert [event.seq for event in await small.read(limit=1000)] == list(range(first, 201))


async def test_trimming_never_takes_an_undelivered_event(mailbox: Mailbox, epoch: int) -> None:
    small = bounded(mailbox, keep=5)
    await raise_floor(small, 0)
    await raise_floor(small, 70, "ep_2")
    await fill(small, epoch, 200)
    assert await small.extent() == (1, 200)
    await raise_floor(small, 100)
    await fill(small, epoch, 64)
    first, last = await small.extent()
    assert first <= 71
    assert [event.seq for event in await small.read(limit=1000)] == list(range(first, last + 1))
    await raise_floor(small, 264)
    await raise_floor(small, 264, "ep_2")
    await fill(small, epoch, 64)
    first, last = await small.extent()
    assert 5 <= last - first + 1 <= 5 + 64
    # Numbers go on although what carried them is gone.
    assert await small.append(epoch, draft()) == last + 1


# ---- what an event brings with it ----


async def test_the_first_chat_id_of_an_identity_stays(mailbox: Mailbox, epoch: int) -> None:
    await mailbox.append(epoch, draft(), aliases={"+5511999999999": "chat-1", "1@lid": "chat-1"})
    await mailbox.append(epoch, draft(), aliases={"1@lid": "chat-2", "2@lid": "chat-2"})
    await mailbox.append(epoch, draft(), aliases={})
    assert await mailbox.chats() == {"+5511999999999": "chat-1", "1@lid": "chat-1", "2@lid": "chat-2"}


async def test_a_status_only_rises(mailbox: Mailbox, outbox: Outbox, epoch: int) -> None:
    message_id, _ = await outbox.enqueue(REQUEST)

    async def after(status: str) -> str:
        await mailbox.append(epoch, draft(status_of={message_id: status}))
        message = await outbox.get(message_id)
        assert message is not None
        return message.status

    reported = ["sent", "read", "delivered", "sent", "played", "read", "nonsense", "failed", "queued"]
    assert [await after(status) for status in reported] == ["sent", "read", "read", "read", *["played"] * 5]


async def test_a_status_of_a_message_that_nobody_sent_makes_none(
    mailbox: Mailbox, epoch: int, store: Store
) -> None:
    await mailbox.append(epoch, draft(status_of={"3EB0AA": "read"}))
    assert not await store.redis.exists(mailbox.key("message", "3EB0AA"))
    assert len(await mailbox.read()) == 1


async def test_several_statuses_in_one_event(mailbox: Mailbox, outbox: Outbox, epoch: int) -> None:
    ids = [(await outbox.enqueue(REQUEST))[0] for _ in range(3)]
    await mailbox.append(epoch, draft(status_of={ids[0]: "read", "unknown": "read", ids[2]: "delivered"}))
    messages = [await outbox.get(message_id) for message_id in ids]
    assert [message.status for message in messages if message] == ["read", "queued", "delivered"]


async def test_an_argument_that_cannot_be_read_writes_nothing(
    mailbox: Mailbox, epoch: int, store: Store
) -> None:
    """A script is not rolled back: what can go wrong in it has to go wrong before its first write."""
    before = await snapshot(store)
    with pytest.raises(ResponseError):
        await mailbox.store.script(
            APPEND,
            LUA / "mailbox_append.lua",
            keys=mailbox.append_keys(),
            args=[*mailbox.append_args(epoch, draft(), force=False), "{broken", "[]"],
        )
    assert await snapshot(store) == before


# ---- faults ----


async def test_while_redis_is_away_an_append_fails_and_later_succeeds_once(
    store: Store, proxied_store: Store, proxy: Proxy, epoch: int
) -> None:
    impatient = Mailbox(proxied_store, INSTANCE, MailboxSettings(append_timeout=0.5))
    reliable = Mailbox(store, INSTANCE, MailboxSettings())
    event = draft("late")
    await impatient.append(epoch, draft())
    await proxy.refuse()
    with pytest.raises(StoreUnavailable):
        await impatient.append(epoch, event)
    await proxy.start()
    proxy.stall()
    with pytest.raises(StoreUnavailable):
        await impatient.append(epoch, event)
    assert len(await reliable.read()) == 1
    proxy.resume()
    assert await impatient.append(epoch, event) == 2
    assert [e.seq for e in await reliable.read()] == [1, 2]


async def test_an_append_waits_for_a_redis_that_returns(
    own_valkey: Valkey, make_store: Callable[[str], Store]
) -> None:
    store = make_store(own_valkey.url)
    epoch = await grant(Registry(store))
    mailbox = Mailbox(store, INSTANCE, MailboxSettings(append_timeout=60))
    assert await mailbox.append(epoch, draft("a")) == 1
    own_valkey.stop()
    waiting = [asyncio.create_task(mailbox.append(epoch, draft(f"w{n}"))) for n in range(5)]
    await asyncio.sleep(0)
    await asyncio.to_thread(own_valkey.start)
    assert set(await asyncio.gather(*waiting)) == {2, 3, 4, 5, 6}
    assert len(await mailbox.read()) == 6


async def test_no_acknowledged_append_is_lost_when_redis_is_killed(
    own_valkey: Valkey, make_store: Callable[[str], Store]
) -> None:
    store = make_store(own_valkey.url)
    epoch = await grant(Registry(store))
    mailbox = Mailbox(store, INSTANCE, MailboxSettings(append_timeout=60))
    acknowledged: dict[str, int | None] = {}
    reached = {share: asyncio.Event() for share in (40, 90, 140)}

    async def write(writer: int) -> None:
        for n in range(60):
            event: EventDraft = draft(f"{writer}-{n}", data={"key": f"{writer}-{n}"})
            acknowledged[event.dedupe_key] = await mailbox.append(epoch, event)
            if len(acknowledged) in reached:
                reached[len(acknowledged)].set()

    writers = [asyncio.create_task(write(writer)) for writer in range(4)]
    for moment in reached.values():
        await moment.wait()
        own_valkey.kill()
        await asyncio.to_thread(own_valkey.start)
    await asyncio.gather(*writers)
    events = await mailbox.read(limit=1000)
    assert [event.seq for event in events] == list(range(1, 241))
    assert {event.data["key"]: event.seq for event in events} == acknowledged


async def test_the_store_says_how_an_event_looks(mailbox: Mailbox, epoch: int, store: Store) -> None:
    """Couriers of another version read what this one wrote: the stored form is a contract."""
    await mailbox.append(epoch, draft(chat_id="chat-1", data={"a": 1}))
    [(entry, fields)] = await store.redis.xrange(mailbox.key("mailbox"))
    assert entry == "1-0"
    assert set(fields) == {"i", "t", "c", "e"}
    assert (fields["t"], fields["c"]) == ("message.received", "chat-1")
    assert json.loads(fields["e"])["id"] == fields["i"]
