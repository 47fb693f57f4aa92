"""One instance against the lab: it pairs, receives, sends, and loses nothing when something breaks."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from actors.events import EventType
from actors.instance.errors import CallFailed
from actors.instance.instance import End
from actors.registry import ConnectionState, Registry
from actors.store import Store
from lab.contacts import Contact
from lab.network import Lab
from tests.instance.conftest import FRIEND, PHONE, Running
from tests.proxy import Proxy
from tests.wait import until

pytestmark = pytest.mark.engine
Own = Callable[..., Awaitable[Running]]


async def write(friend: Contact, count: int, prefix: str) -> list[str]:
    """Let the contact write; the texts in the order of writing."""
    written = await friend.write(PHONE, prefix + "-{n}", count=count)
    assert written.error is None
    return [f"{prefix}-{number}" for number in range(1, count + 1)]


async def test_pairs_receives_in_order_and_sends(own: Own, friend: Contact) -> None:
    one = await own()
    await one.pair()
    texts = await write(friend, 30, "hello")
    await until(lambda: _has(one, texts), what="every message in the mailbox")
    assert await one.received() == texts
    (first, *_) = await one.events(EventType.MESSAGE_RECEIVED)
    assert first.data["sender"]["phone"] == f"+{FRIEND}"
    assert first.data["sender"]["lid"]
    assert first.chat_id == first.data["chat"]["id"]

    sent = [await one.send(f"answer-{number}") for number in range(10)]
    await until(lambda: len(friend.arrivals()) == 10, what="every answer at the contact")
    assert [arrival.id for arrival in friend.arrivals()] == sent
    message = await until(lambda: _final(one, sent[-1]))
    assert message in ("sent", "delivered", "read")
    results = await until(lambda: _results(one, 10))
    assert [event.data["id"] for event in results] == sent
    assert results[0].chat_id == first.chat_id, "one stable chat id, received and sent"


async def _has(one: Running, texts: list[str]) -> bool:
    return len(await one.received()) >= len(texts)


async def _final(one: Running, message_id: str) -> str | None:
    message = await one.outbox.get(message_id)
    return message.status if message and message.status not in ("queued", "sending") else None


async def _results(one: Running, count: int) -> list[object] | None:
    events = await one.events(EventType.MESSAGE_SENT)
    return events if len(events) == count else None


async def test_a_successor_resumes_the_session(own: Own, friend: Contact) -> None:
    one = await own()
    await one.pair()
    assert await one.instance.drain() is End.DRAINED
    texts = await write(friend, 5, "while away")
    two = await own()
    await two.reach(ConnectionState.CONNECTED)
    await until(lambda: _has(two, texts))
    assert await two.received() == texts


async def test_engine_killed_again_and_again_loses_nothing(own: Own, friend: Contact) -> None:
    one = await own()
    await one.pair()
    expected: list[str] = []
    for number in range(5):
        writing = asyncio.create_task(write(friend, 40, f"round-{number}"))
        await until(lambda n=number: _more_than(one, 40 * n))
        os.kill(one.engine_pid, signal.SIGKILL)
        expected += await writing
        await one.reach(ConnectionState.CONNECTED)
    await until(lambda: _has(one, expected), what="every message in the mailbox")
    assert await one.received() == expected


async def _more_than(one: Running, count: int) -> bool:
    return len(await one.received()) > count


async def test_redis_away_parks_and_resumes(
    own: Own, friend: Contact, proxy: Proxy, make_store: Callable[[str], Store]
) -> None:
    one = await own(make_store(proxy.url))
    await one.pair()
    expected = await write(friend, 10, "before")
    await until(lambda: _has(one, expected))
    await proxy.refuse()
    writing = asyncio.create_task(write(friend, 20, "during"))
    await until(lambda: one.instance.describe()["state"]["connection"] == "parked", what="parked")
    expected += await writing
    await proxy.start()
    await until(lambda: _has(one, expected), what="every message in the mailbox")
    assert await one.received() == expected
    await one.reach(ConnectionState.CONNECTED)


async def test_a_full_mailbox_parks_until_there_is_room(own: Own, friend: Contact, store: Store) -> None:
    one = await own()
    await one.pair()
    bounds = one.instance._mailbox.settings
    one.instance._mailbox.settings = bounds.model_copy(update={"hard_bound": 20})
    one.instance._settings = one.settings.model_copy(update={"mailbox": one.instance._mailbox.settings})
    floors = store.keys.instance(one.id, "floors")
    await store.redis.hset(floors, "ep_1", 0)  # an endpoint that finishes nothing
    texts = await write(friend, 40, "flood")
    await one.reach(ConnectionState.PARKED)
    assert len(await one.received()) < 40
    await store.redis.hdel(floors, "ep_1")
    await until(lambda: _has(one, texts), what="every message in the mailbox")
    assert await one.received() == texts


async def test_a_park_is_told_of_once_however_long_it_lasts(own: Own, friend: Contact, store: Store) -> None:
    one = await own()
    await one.pair()
    bounds = one.instance._mailbox.settings
    one.instance._mailbox.settings = bounds.model_copy(update={"hard_bound": 10})
    one.instance._settings = one.settings.model_copy(update={"mailbox": one.instance._mailbox.settings})
    looks: list[str | None] = []
    blocked = one.instance._connector._blocked

    async def looked() -> str | None:
        looks.append(await blocked())
        return looks[-1]

    one.instance._connector._blocked = looked
    await store.redis.hset(store.keys.instance(one.id, "floors"), "ep_1", 0)
    await write(friend, 20, "flood")
    await until(lambda: len(looks) >= 5 and all(looks), what="several looks at the mailbox")
    told = await one.events(EventType.CONNECTION_CHANGED)
    parks = [event.data["reason"] for event in told if event.data["state"] == "parked"]
    assert len(parks) == len(set(parks)) <= 2, "what stopped it, and what it waits for"


async def test_a_stale_owner_is_refused_and_ends(own: Own, friend: Contact) -> None:
    one = await own()
    await one.pair()
    registry = Registry(one.store)
    await registry.fence(one.id, after=1, leader=1, actor="b:2", node="n", known_dead=True)
    before = len(await one.events())
    await write(friend, 3, "too late")
    assert await one.task is End.FENCED
    assert len(await one.events()) == before, "a refused write leaves nothing"


async def test_replaced_waits_and_does_not_fight(own: Own, lab: Lab) -> None:
    one = await own()
    await one.pair()
    assert lab.conflict(PHONE, 1)
    await one.reach(ConnectionState.CONFLICT)
    await one.reach(ConnectionState.CONNECTED)


async def test_unlinked_by_the_phone(own: Own, lab: Lab) -> None:
    one = await own()
    await one.pair()
    lab.log_out(PHONE, 1)
    state = await one.reach(ConnectionState.LOGGED_OUT)
    assert state.device is None
    one.instance.configure(one.instance.record.model_copy(update={"revision": 1}))
    await one.pair()


async def test_a_number_without_whatsapp_fails_for_good(own: Own, friend: Contact) -> None:
    one = await own()
    await one.pair()
    lost = await one.send("nobody there", "5511999999999@s.whatsapp.net")
    fine = await one.send("somebody there")
    await until(lambda: _is(one, lost, "failed"))
    await until(lambda: _is(one, fine, "sent", "delivered", "read"))
    (failed,) = await one.events(EventType.MESSAGE_FAILED)
    assert failed.data["error"]["code"] == "not_on_whatsapp"


async def _is(one: Running, message_id: str, *statuses: str) -> bool:
    message = await one.outbox.get(message_id)
    return message is not None and message.status in statuses


@pytest.mark.kinds(send="contacts")
async def test_queries(own: Own, friend: Contact, lab: Lab) -> None:
    one = await own()
    with pytest.raises(CallFailed) as unpaired:
        await one.instance.check_numbers(["+5511900000002"])
    assert unpaired.value.code == "not_connected"
    await one.pair()
    known, unknown = await one.instance.check_numbers([f"+{FRIEND}", "+5511999999999"])
    assert (known["registered"], unknown["registered"]) == (True, False)
    assert known["lid"]
    lab.set_picture(FRIEND, b"\xff\xd8\xff\xe0 a picture")
    assert (await one.instance.picture(f"{FRIEND}@s.whatsapp.net", False))["url"]
    texts = await write(friend, 1, "read me")
    await until(lambda: _has(one, texts))
    (event,) = await one.events(EventType.MESSAGE_RECEIVED)
    await one.instance.mark_read(event.data["chat"]["id"], [event.data["id"]], None, False)
    await until(lambda: friend.receipts().get(event.data["id"], {}).get("read"), what="a read receipt")
    await one.instance.chat_presence(event.data["chat"]["id"], "composing")


async def test_statuses_of_sent_messages_rise(own: Own, friend: Contact) -> None:
    one = await own()
    await one.pair()
    sent = await one.send("how are you")
    await until(lambda: _is(one, sent, "delivered", "read"), what="delivered")
    arrival = await until(lambda: friend.arrivals())
    await friend.mark_read(arrival[0].chat, [sent])
    await until(lambda: _is(one, sent, "read"), what="read")
    kinds = [event.data["status"] for event in await one.events(EventType.MESSAGE_STATUS)]
    assert "read" in kinds


async def test_pairing_by_phone_code(own: Own, lab: Lab) -> None:
    one = await own()
    lab.account(PHONE)
    await one.reach(ConnectionState.PAIRING)
    code = await one.instance.pair_phone(PHONE)
    await lab.confirm(PHONE, code)
    await one.reach(ConnectionState.CONNECTED)


async def test_suspended_and_resumed_loses_nothing(own: Own, friend: Contact) -> None:
    one = await own()
    await one.pair()
    expected = await write(friend, 5, "before")
    await until(lambda: _has(one, expected))
    await one.instance.quiesce()
    last = await one.instance.disconnect()
    assert last == len(await one.events())
    waiting = await one.send("while suspended")
    expected += await write(friend, 5, "while suspended")
    assert last == len(await one.events()), "nothing comes after disconnect returned"
    assert one.instance.describe()["engine_pid"] is None
    one.instance.resume()
    await until(lambda: _has(one, expected))
    assert await one.received() == expected
    await until(lambda: _is(one, waiting, "sent", "delivered", "read"))


async def test_a_warm_successor_takes_over_without_a_word_to_customers(own: Own, friend: Contact) -> None:
    one = await own()
    await one.pair()
    expected = await write(friend, 5, "before")
    await until(lambda: _has(one, expected))
    changes = len(await one.events(EventType.CONNECTION_CHANGED))
    await one.instance.quiesce()
    await one.instance.disconnect()
    two = await own()
    await two.instance.settled()
    assert await one.task is End.FENCED
    expected += await write(friend, 5, "after")
    await until(lambda: _has(two, expected))
    assert await two.received() == expected
    assert len(await two.events(EventType.CONNECTION_CHANGED)) == changes
