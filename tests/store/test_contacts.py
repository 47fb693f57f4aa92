"""What is kept of contacts, in a real Valkey: fenced, bounded, and written behind the events' backs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.connection.chats import ChatIds
from actors.instance.contacts.cache import ContactCache
from actors.instance.contacts.contacts import Contacts
from actors.instance.contacts.facts import Fact, Kind
from actors.instance.contacts.lessons import Lesson
from actors.instance.contacts.notes import Notes
from actors.instance.errors import CallFailed
from actors.instance.mailbox import Mailbox
from actors.registry import Registry
from actors.settings import ContactSettings, MailboxSettings
from actors.store import StaleEpoch, Store, StoreUnavailable
from tests.proxy import Proxy
from tests.store.samples import INSTANCE, draft, grant
from tests.wait import until

PERSON, PICTURE, NAME = (Kind.PERSON, "1@lid"), (Kind.PICTURE, "1@lid"), (Kind.NAME, "1@lid")


def cache_of(store: Store, **settings: int) -> ContactCache:
    return ContactCache(store, INSTANCE, ContactSettings(**settings))


def fact(at: float = 1.0, **data: str) -> Fact:
    return Fact(data=dict(data), at=at)


async def test_what_is_kept_is_read_and_forgotten(store: Store, epoch: int) -> None:
    cache = cache_of(store)
    absent = Fact(data=None, at=2.0, why="hidden")
    assert await cache.keep(epoch, {PERSON: fact(about="ça va"), PICTURE: absent}) == 2
    assert await cache.read([PICTURE, NAME, PERSON]) == [absent, None, fact(about="ça va")]
    assert await cache.keep(epoch, {PICTURE: None}) == 1
    assert await cache.read([PICTURE]) == [None]
    assert await cache.read([]) == []


async def test_who_is_no_longer_the_owner_keeps_nothing(store: Store, registry: Registry, epoch: int) -> None:
    await grant(registry, after=epoch)
    with pytest.raises(StaleEpoch):
        await cache_of(store).keep(epoch, {PERSON: fact(about="late")})
    assert await cache_of(store).read([PERSON]) == [None]


async def test_the_oldest_go_when_there_are_too_many(store: Store, epoch: int) -> None:
    cache = cache_of(store, bound=10)
    for number in range(25):
        await cache.keep(epoch, {(Kind.NAME, f"{number}@lid"): fact(name=str(number))})
    kept = await cache.read([(Kind.NAME, f"{number}@lid") for number in range(25)])
    assert [one is not None for one in kept] == [False] * 15 + [True] * 10
    assert list((await cache.latest_names(3)).items()) == [(f"{n}@lid", str(n)) for n in (24, 23, 22)]
    keys = [store.keys.instance(INSTANCE, name) for name in ("contacts", "contact_ages")]
    assert [await store.redis.ttl(key) > 0 for key in keys] == [True, True]


async def test_what_another_version_wrote_is_as_good_as_nothing(store: Store, epoch: int) -> None:
    await store.redis.hset(store.keys.instance(INSTANCE, "contacts"), "person:1@lid", '{"v": 9}')
    assert await cache_of(store).read([PERSON]) == [None]


async def test_lessons_amend_what_is_known_and_nothing_else(store: Store, epoch: int) -> None:
    cache = cache_of(store)
    notes = Notes(cache, epoch, time.time)
    await cache.keep(epoch, {PERSON: fact(about="old", picture_id="7"), PICTURE: fact(url="https://x")})
    notes.add(Lesson(Kind.PERSON, "1@lid", {"about": "new"}, amend=True))
    notes.add(Lesson(Kind.PERSON, "1@lid", {"picture_id": "8"}, amend=True))
    notes.add(Lesson(Kind.PERSON, "2@lid", {"about": "of a stranger"}, amend=True))
    notes.add(Lesson(Kind.PICTURE, "1@lid", None))
    notes.add(Lesson(Kind.NAME, "1@lid", {"name": "Ana"}))
    await notes.write()
    person, picture, name, stranger = await cache.read([PERSON, PICTURE, NAME, (Kind.PERSON, "2@lid")])
    assert person == fact(about="new", picture_id="8"), "as old as it was"
    assert (picture, stranger) == (None, None)
    assert name is not None
    assert name.data == {"name": "Ana"}


def contacts_of(store: Store, epoch: int, fenced: Callable[[], None] = lambda: None) -> Contacts:
    """Of an instance that is not connected."""

    def away() -> Connection:
        raise ConnectionError("not_connected", "not connected")

    return Contacts(
        store=store,
        mailbox=Mailbox(store, INSTANCE, MailboxSettings()),
        epoch=epoch,
        settings=ContactSettings(),
        chats=ChatIds(),
        online=asyncio.Event(),
        connection=away,
        patience=5.0,
        fenced=fenced,
    )


async def test_an_event_that_cannot_be_understood_is_told_as_it_came(store: Store, epoch: int) -> None:
    contacts = contacts_of(store, epoch)
    strange = draft(data={"chat": {"no": "id"}, "sender": {"phone": 5}, "push_name": ["?"]})
    assert contacts.told(strange) == strange
    contacts.heed(strange)


async def test_what_is_known_is_told_without_a_connection_and_what_is_not_is_refused(
    store: Store, epoch: int
) -> None:
    contacts = contacts_of(store, epoch)
    fresh, old = (
        Fact(data={"about": "now"}, at=time.time()),
        Fact(data={"about": "then"}, at=time.time() - 2e5),
    )
    await cache_of(store).keep(epoch, {PERSON: fresh, (Kind.PERSON, "2@lid"): old})
    assert await contacts.get(Kind.PERSON, "1@lid") == fresh
    assert await contacts.get(Kind.PERSON, "2@lid") == old
    for jid, refresh in (("3@lid", False), ("1@lid", True)):
        with pytest.raises(CallFailed) as refused:
            await contacts.get(Kind.PERSON, jid, refresh=refresh)
        assert refused.value.code == "not_connected"


async def test_who_is_no_longer_the_owner_ends(store: Store, registry: Registry, epoch: int) -> None:
    contacts = contacts_of(store, epoch)
    running = asyncio.create_task(contacts.run())
    await grant(registry, after=epoch)
    person = {"phone": None, "lid": "1@lid", "name": "Ana"}
    chat = {"id": "1@lid", "kind": "direct"}
    contacts.told(draft(data={"chat": chat, "sender": person, "push_name": "Ana"}))
    with pytest.raises(StaleEpoch):
        await running


async def test_lessons_wait_while_redis_is_away(
    store: Store,
    epoch: int,
    proxy: Proxy,
    make_store: Callable[[str], Store],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("actors.instance.contacts.cache.TIMEOUT", 0.3)
    monkeypatch.setattr("actors.instance.contacts.notes.AGAIN", 0.05)
    notes = Notes(cache_of(make_store(proxy.url)), epoch, time.time)
    await proxy.refuse()
    running = asyncio.create_task(notes.run())
    notes.add(Lesson(Kind.NAME, "1@lid", {"name": "Ana"}))
    with pytest.raises(StoreUnavailable):
        await notes.write()
    await proxy.start()

    async def written() -> Fact | None:
        return (await cache_of(store).read([NAME]))[0]

    assert (await until(written, what="the lesson written")).data == {"name": "Ana"}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
