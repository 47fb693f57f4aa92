"""A courier that drains, and its successor beside it: nothing waits but what is open, nothing comes twice."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from actors.courier import courier as module
from actors.courier.courier import Courier
from actors.store import Store
from tests.courier.conftest import Account, MakeAccount, MakeSettings, Running, StartCourier, eventually
from tests.courier.receiver import Got, Receiver
from tests.courier.test_faults import in_order, replaced_under_load
from tests.proxy import Proxy


async def test_nothing_is_lost_reordered_or_repeated(
    account: Account, receiver: Receiver, start_courier: StartCourier, running: Running
) -> None:
    async def end(courier: Courier) -> None:
        await courier.make_way(running.tasks[courier])

    total = await replaced_under_load(account, receiver, start_courier, end)
    assert sorted(receiver.seqs()) == list(range(1, total + 1))
    assert len(receiver.got) == total


async def test_an_attempt_that_hangs_holds_up_its_own_endpoint_only(
    make_account: MakeAccount, receiver: Receiver, start_courier: StartCourier, running: Running
) -> None:
    slow, quick = await make_account(), await make_account()
    release = asyncio.Event()

    async def hang(got: Got, request: web.Request) -> None:
        await release.wait()

    receiver.answer(hang, "/slow")
    hung = await slow.endpoints.create(receiver.url("/slow"))
    healthy = await quick.endpoints.create(receiver.url("/quick"))
    predecessor = await start_courier()
    await slow.append("a")
    await quick.append()
    await quick.settled(healthy.id, 1)
    await receiver.wait(lambda: receiver.open == 1)

    await predecessor.make_way(running.tasks[predecessor])
    successor = await start_courier()
    assert not running.tasks[predecessor].done()
    for _ in range(5):
        await slow.append("a")
        await slow.append("b")
        await quick.append()
    await quick.settled(healthy.id, 6)
    # Other chats of it wait, too: whoever writes for an endpoint is alone.
    assert receiver.seqs("/slow") == []
    assert len([got for got in receiver.got if got.path == "/slow"]) == 1

    release.set()
    await slow.settled(hung.id, 11)
    await running.tasks[predecessor]
    assert sorted(got.seq for got in receiver.got if got.path == "/slow") == list(range(1, 12))
    in_order(receiver)
    assert len(successor.lines) == 2


async def test_a_predecessor_that_dies_while_it_drains_holds_its_endpoints_for_no_longer_than_its_time(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    running: Running,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "HELD_MARGIN", 0.5)
    settings = make_settings(drain_timeout=1.0)
    hold = asyncio.Event()

    async def hang(got: Got, request: web.Request) -> None:
        await hold.wait()

    receiver.answer(hang)
    endpoint = await account.endpoints.create(receiver.url())
    predecessor = await start_courier(by=settings)
    await account.append()
    await receiver.wait(lambda: receiver.open == 1)
    await predecessor.make_way(running.tasks[predecessor])
    await running.kill(predecessor)
    receiver.obey()
    successor = await start_courier(by=settings)
    assert not successor.lines
    await account.settled(endpoint.id, 1)
    assert [got.attempt for got in receiver.got] == [1, 1]
    assert await store.redis.exists(store.keys.shared("leaving", "0")) == 0


async def test_without_redis_a_successor_waits_until_its_predecessor_has_ended(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    running: Running,
    proxy: Proxy,
    proxied_store: Store,
) -> None:
    hold = asyncio.Event()

    async def hang(got: Got, request: web.Request) -> None:
        await hold.wait()

    receiver.answer(hang)
    endpoint = await account.endpoints.create(receiver.url())
    predecessor = await start_courier(on=proxied_store)
    await account.append()
    await receiver.wait(lambda: receiver.open == 1)
    # Only once what it reads is answered no more does it have to write down what it has open.
    proxy.lose_request("SADD", 1_000)
    making_way = asyncio.create_task(predecessor.make_way(running.tasks[predecessor]))
    await eventually(lambda: _true(proxy.lost > 0))
    assert not making_way.done()
    hold.set()
    await making_way
    assert running.tasks[predecessor].done()
    assert not predecessor.yielded.is_set()
    await start_courier()
    await account.append()
    await account.settled(endpoint.id, 2)
    assert receiver.seqs() == [1, 2]


async def _true(value: bool) -> bool:
    return value
