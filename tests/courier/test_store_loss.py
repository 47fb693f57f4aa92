"""Redis comes back without its last writes, as a replica does that is promoted: what was read is doubted."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable

from aiohttp import web

from actors.courier.records import EndpointChange
from actors.store import Store
from tests.courier.conftest import Account, MakeAccount, MakeSettings, StartCourier, eventually
from tests.courier.receiver import Got, Receiver
from tests.valkey import Valkey


def keep(valkey: Valkey) -> None:
    """Keep what Redis holds now."""
    valkey.stop()
    shutil.copytree(valkey.directory, valkey.directory.with_name("kept"))
    valkey.start()


def fall_back(valkey: Valkey) -> None:
    """Lose everything since `keep`."""
    valkey.kill()
    shutil.rmtree(valkey.directory)
    shutil.copytree(valkey.directory.with_name("kept"), valkey.directory)
    valkey.start()


async def test_a_change_counts_although_redis_lost_the_one_before(
    own_valkey: Valkey,
    make_store: Callable[[str], Store],
    make_account: MakeAccount,
    receiver: Receiver,
    start_courier: StartCourier,
) -> None:
    mine, theirs = make_store(own_valkey.url), make_store(own_valkey.url)
    account = await make_account(on=mine)
    endpoint = await account.endpoints.create(receiver.url("/first"))
    keep(own_valkey)
    courier = await start_courier(on=theirs)
    for path in ("/second", "/third"):
        await account.endpoints.change(endpoint.id, EndpointChange(url=receiver.url(path)))
    await eventually(lambda: _url(courier.lines[0].record.url, receiver.url("/third")))
    fall_back(own_valkey)
    # The numbers of the revisions come again.
    await account.endpoints.change(endpoint.id, EndpointChange(url=receiver.url("/again")))
    await eventually(lambda: _url(courier.lines[0].record.url, receiver.url("/again")), seconds=10)
    await account.append()
    await account.settled(endpoint.id, 1)
    assert receiver.seqs("/again") == [1]


async def test_an_endpoint_that_is_gone_is_switched_off_although_redis_lost_its_changes(
    own_valkey: Valkey,
    make_store: Callable[[str], Store],
    make_account: MakeAccount,
    receiver: Receiver,
    start_courier: StartCourier,
) -> None:
    mine, theirs = make_store(own_valkey.url), make_store(own_valkey.url)
    account = await make_account(on=mine)
    endpoint = await account.endpoints.create(receiver.url())
    keep(own_valkey)
    courier = await start_courier(on=theirs)
    for text in ("b", "c", "d"):
        await account.endpoints.change(endpoint.id, EndpointChange(description=text))

    async def heard() -> bool:
        return courier.lines[0].record.description == "d"

    await eventually(heard)
    fall_back(own_valkey)

    async def gone(got: Got, request: web.Request) -> web.Response:
        return web.Response(status=410)

    receiver.answer(gone)
    await account.append()

    async def off() -> bool:
        return not courier.lines[0].record.enabled

    await eventually(off, seconds=10)
    assert not (await account.endpoints.get(endpoint.id)).enabled


async def test_events_that_take_the_place_of_lost_ones_are_not_read_past(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    """More of them come than were lost, before the next sweep notices that Redis is another one."""
    store = account.store
    endpoint = await account.endpoints.create(receiver.url())
    await start_courier(by=make_settings(sweep=10_000))
    for _ in range(3):
        await account.append("a")
    await account.settled(endpoint.id, 3)
    mailbox, meta, floors = (account.mailbox.key(name) for name in ("mailbox", "meta", "floors"))
    (_, first), *_ = await store.redis.xrange(mailbox)
    await store.redis.delete(mailbox)
    await store.redis.xadd(mailbox, first, id="1-0")
    await store.redis.hset(meta, "seq", 1)
    await store.redis.hset(floors, endpoint.id, 1)
    for _ in range(5):
        await account.append("a", mark="new")
    await account.settled(endpoint.id, 6, seconds=20)
    assert [got.seq for got in receiver.taken if "mark" in got.event["data"]] == [2, 3, 4, 5, 6]


async def test_replays_that_were_taken_are_written_down_although_the_mailbox_changed(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    """Both answers come together, and Redis does not know the event of the mailbox any more."""
    endpoint = await account.endpoints.create(receiver.url())

    async def refuse(got: Got, request: web.Request) -> web.Response:
        return web.Response(status=400)

    receiver.answer(refuse)
    await start_courier(by=make_settings(schedule=()))
    await account.append("a")
    await account.settled(endpoint.id, 1)
    answers = asyncio.Event()

    async def wait(got: Got, request: web.Request) -> None:
        await answers.wait()

    receiver.answer(wait)
    await account.append("b")
    await receiver.wait_got(2)
    await account.endpoints.replay_since(endpoint.id)
    await receiver.wait_got(3)
    mailbox = account.mailbox.key("mailbox")
    (_, entry) = (await account.store.redis.xrange(mailbox, min="2-0"))[0]
    await account.store.redis.delete(mailbox)
    await account.store.redis.xadd(mailbox, {**entry, "i": "evt_other"}, id="2-0")
    answers.set()
    await account.settled(endpoint.id, 2)

    async def replayed() -> bool:
        return (await account.endpoints.status(endpoint.id)).replaying == 0

    await eventually(replayed)
    assert receiver.seqs().count(1) == 1


async def _url(is_: str, wanted: str) -> bool:
    return is_ == wanted
