"""Contacts of an instance against the lab: told with events, asked beside them, and nothing waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actors.events import Event, EventType
from actors.instance.contacts.breaker import State
from actors.instance.errors import CallFailed
from actors.settings import ContactSettings, Settings
from lab.contacts import Contact
from lab.faults import FailQuery, IgnoreQuery
from lab.network import Lab
from tests.instance.conftest import FRIEND, PHONE, Running
from tests.wait import until

pytestmark = pytest.mark.engine
Own = Callable[..., Awaitable[Running]]

STRANGERS = [f"55119777700{number:02}" for number in range(30)]
METADATA = ("usync", "w:profile:picture", "w:g2", "status")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    contact = ContactSettings(
        timeout=0.5, rate=100.0, breaker_failures=3, breaker_first=0.2, breaker_longest=0.5, prefetch_idle=0.0
    )
    return settings.model_copy(update={"contact": contact})


def person(phone: str) -> str:
    return f"{phone}@s.whatsapp.net"


def contacts_of(one: Running) -> dict[str, Any]:
    return dict(one.instance.describe()["contacts"])


def answered(one: Running) -> int:
    return int(contacts_of(one)["outcomes"].get("answered", 0))


async def look_up(one: Running, phone: str, *refresh: bool) -> dict[str, Any]:
    return dict(await one.instance.ask("people", "get", person(phone), *refresh))


async def changed(one: Running, change: str) -> Event:
    async def look() -> Event | None:
        events = await one.events(EventType.CONTACT_CHANGED)
        return next((event for event in events if change in event.data["changes"]), None)

    return await until(look, what=f"a change of {change}")


async def fails(one: Running, phone: str) -> str:
    with pytest.raises(CallFailed) as failure:
        await look_up(one, phone)
    return failure.value.code


async def test_when_every_metadata_query_hangs_messages_flow_and_the_breaker_opens(
    own: Own, friend: Contact, lab: Lab
) -> None:
    one = await own()
    await one.pair()
    for phone in STRANGERS:
        lab.account(phone)
    await friend.write(PHONE, "before", count=1)
    await until(one.received, what="a message")
    first = await one.send("before")
    await until(lambda: [a.id for a in friend.arrivals()] == [first], what="the first answer")
    for query in METADATA:
        lab.faults.add(IgnoreQuery(query=query))

    asking = asyncio.gather(*(fails(one, phone) for phone in STRANGERS))
    picture = asyncio.create_task(one.instance.picture(person(STRANGERS[0]), False))
    written = await friend.write(PHONE, "during-{n}", count=40)
    assert written.error is None
    texts = ["before", *(f"during-{number}" for number in range(1, 41))]

    async def all_there() -> bool:
        return await one.received() == texts

    await until(all_there, what="every message, in order")
    sent = [first, *[await one.send(f"answer-{number}") for number in range(5)]]
    await until(lambda: [a.id for a in friend.arrivals()] == sent, what="every answer")
    with pytest.raises(CallFailed):
        await picture
    assert set(await asking) == {"timeout", "busy"}, "the first were asked in vain, the rest not at all"
    await until(lambda: contacts_of(one)["breaker"] is not State.CLOSED, what="the breaker open")
    assert contacts_of(one)["outcomes"]["timeout"] < len(STRANGERS)
    assert await fails(one, STRANGERS[-1]) in ("busy", "timeout")

    lab.faults.clear()

    async def works() -> bool:
        try:
            return (await look_up(one, STRANGERS[0]))["phone"] == f"+{STRANGERS[0]}"
        except CallFailed:
            return False

    await until(works, what="an answer once there are some again")
    assert contacts_of(one)["breaker"] is State.CLOSED


async def test_all_who_ask_at_the_same_time_share_one_query_and_the_next_needs_none(
    own: Own, lab: Lab
) -> None:
    one = await own()
    await one.pair()
    lab.account(FRIEND)
    found = await asyncio.gather(*(look_up(one, FRIEND) for _ in range(20)))
    assert all(each == found[0] for each in found)
    assert answered(one) == 1
    assert await look_up(one, FRIEND) == found[0]
    assert answered(one) == 1
    assert await fails(one, STRANGERS[0]) == await fails(one, STRANGERS[0]) == "not_on_whatsapp"
    assert answered(one) == 2, "that there is nobody is remembered too"


@pytest.mark.kinds(receive="contacts")
async def test_whatsapps_own_news_reach_events_and_what_is_kept(own: Own, friend: Contact, lab: Lab) -> None:
    one = await own()
    await one.pair()
    await friend.write(PHONE, "hello", count=1)
    (message,) = await until(lambda: one.events(EventType.MESSAGE_RECEIVED), what="a message")
    assert message.data["chat"]["name"] == "Ana"
    assert (await changed(one, "name")).data["changes"] == {"name": "Ana"}
    assert (await look_up(one, FRIEND))["picture_id"] is None
    asked = answered(one)
    lab.set_picture(FRIEND, b"\xff\xd8\xff\xe0 a picture")
    event = await changed(one, "picture_id")
    assert event.data["changes"]["picture_id"]
    assert event.chat_id == message.chat_id

    async def kept() -> bool:
        return (await look_up(one, FRIEND))["picture_id"] == event.data["changes"]["picture_id"]

    await until(kept, what="the new picture")
    assert answered(one) == asked, "nobody had to be asked"
    assert (await look_up(one, FRIEND))["name"] == "Ana"


async def test_a_change_that_nobody_told_of_is_found_and_told_once(own: Own, lab: Lab) -> None:
    one = await own()
    await one.pair()
    account = lab.account(FRIEND)
    account.record.about = "na praia"
    assert (await look_up(one, FRIEND))["about"] == "na praia"
    account.record.about = "em casa"
    assert (await look_up(one, FRIEND))["about"] == "na praia"
    for _ in range(2):
        assert (await look_up(one, FRIEND, True))["about"] == "em casa"
    event = await changed(one, "about")
    assert (event.data["kind"], event.data["changes"]) == ("looked_up", {"about": "em casa"})
    assert event.data["chat"]["phone"] == f"+{FRIEND}"
    assert [e.id for e in await one.events(EventType.CONTACT_CHANGED)] == [event.id]


async def test_active_chats_are_asked_about_before_anybody_wants_to_know(own: Own, friend: Contact) -> None:
    one = await own()
    await one.pair()
    await friend.write(PHONE, "hello", count=5)
    await until(lambda: answered(one) == 1, what="the prefetch")
    await friend.write(PHONE, "again", count=5)
    assert (await look_up(one, FRIEND))["phone"] == f"+{FRIEND}"
    assert answered(one) == 1


async def test_receipts_are_told_with_the_name_that_is_known_and_a_successor_knows_it(
    own: Own, friend: Contact
) -> None:
    one = await own()
    await one.pair()
    await friend.write(PHONE, "hello", count=1)
    await until(one.received, what="a message")

    async def named(running: Running, after: int) -> bool:
        events = [e for e in await running.events(EventType.MESSAGE_STATUS) if e.seq > after]
        return any(event.data["sender"]["name"] == "Ana" for event in events)

    await one.send("answer")
    await until(lambda: named(one, 0), what="a receipt with a name")
    last = (await one.events())[-1].seq
    await until(lambda: _kept(one), what="the name kept")
    await one.instance.drain()
    two = await own()
    await until(lambda: contacts_of(two)["names"] == 1, what="the names loaded")
    await two.send("from the successor")
    await until(lambda: named(two, last), what="a receipt with a name")


async def _kept(one: Running) -> bool:
    return bool(await one.store.redis.hlen(one.store.keys.instance(one.id, "contacts")))


async def test_a_refusal_is_told_and_not_remembered(own: Own, lab: Lab) -> None:
    one = await own()
    await one.pair()
    lab.account(FRIEND)
    lab.faults.add(FailQuery(query="usync", code=500, times=1))
    assert await fails(one, FRIEND) == "rejected"
    assert (await look_up(one, FRIEND))["phone"] == f"+{FRIEND}"
    lab.faults.add(FailQuery(query="usync", code=429, times=1))
    assert await fails(one, STRANGERS[0]) == "rate_limited"
    assert await fails(one, STRANGERS[1]) == "busy", "WhatsApp said that it is asked too often"
    assert (await look_up(one, FRIEND))["phone"] == f"+{FRIEND}", "what is known is told all the same"
