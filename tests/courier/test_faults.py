"""Couriers killed, two at once, Redis away, replies lost: no event is lost and no chat reordered."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from aiohttp import web

from actors.courier.courier import Courier, Deposed
from actors.courier.ledger import Changed, Lane, Ledger, LogEntry, Lost, Settlement
from actors.courier.news import disabled, recovered
from actors.courier.queue import Retry
from actors.registry import now
from actors.settings import Settings
from actors.store import Store, StoreUnavailable
from tests.courier.conftest import Account, MakeAccount, MakeSettings, Running, StartCourier, eventually
from tests.courier.receiver import Got, Receiver
from tests.proxy import Proxy
from tests.valkey import Valkey


def in_order(receiver: Receiver) -> None:
    """Asserts that the first arrivals of each chat's events are in order."""
    last: dict[str, int] = {}
    seen: set[int] = set()
    for got in receiver.taken:
        if got.seq in seen:
            continue
        seen.add(got.seq)
        chat = got.event["chat_id"]
        assert got.seq > last.get(chat, 0)
        last[chat] = got.seq


def log_entry(event_id: str, attempt: int = 1) -> LogEntry:
    return LogEntry(
        event_id=event_id, seq=1, type="message.received", attempt=attempt, kind="delivery",
        at=now().timestamp(), duration_ms=1, result="delivered",
    )  # fmt: skip


async def test_the_schedule_of_retries_survives_a_new_courier(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    running: Running,
) -> None:
    settings = make_settings(schedule=(1000.0, 50.0))
    time_ = [1_700_000_000.0]

    async def refuse(got: Got, request: web.Request) -> web.Response:
        return web.Response(status=500)

    receiver.answer(refuse)
    endpoint = await account.endpoints.create(receiver.url())
    first = await start_courier(by=settings, clock=lambda: time_[0])
    await account.append()

    async def postponed() -> bool:
        return (await account.endpoints.status(endpoint.id)).retrying == 1

    await eventually(postponed)
    await running.kill(first)

    time_[0] += 999
    second = await start_courier(by=settings, clock=lambda: time_[0])
    other = await account.endpoints.create(receiver.url("/other"))
    await account.append("b")
    await account.settled(other.id, 2)
    await receiver.wait(lambda: len(receiver.got) == 3)
    assert [(got.seq, got.attempt) for got in receiver.got if got.path == "/"] == [(1, 1), (2, 1)]
    await running.kill(second)

    time_[0] += 2
    receiver.obey()
    await start_courier(by=settings, clock=lambda: time_[0])
    await receiver.wait(lambda: 1 in receiver.seqs())
    assert [(got.seq, got.attempt) for got in receiver.taken if got.path == "/"] == [(1, 2)]
    attempts = await account.endpoints.attempts(endpoint.id)
    assert [(a.seq, a.attempt, a.result) for a in attempts if a.seq == 1 and a.result == "retry"] == [
        (1, 1, "retry")
    ]
    assert attempts[-1].next_attempt_at == datetime.fromtimestamp(1_700_001_000, UTC)


async def replaced_under_load(
    account: Account,
    receiver: Receiver,
    start: Callable[[], Awaitable[Courier]],
    end: Callable[[Courier], Awaitable[None]],
) -> int:
    """End couriers one after the other while they deliver; how many events there were."""
    endpoint = await account.endpoints.create(receiver.url())

    async def slowly(got: Got, request: web.Request) -> None:
        await asyncio.sleep(0.005)

    receiver.answer(slowly)
    total = 300
    courier = await start()

    async def append() -> None:
        for number in range(total):
            await account.append(f"chat{number % 11}")

    appending = asyncio.create_task(append())
    for round_ in range(1, 6):
        await receiver.wait_taken(round_ * 40)
        await end(courier)
        courier = await start()
    await appending
    await account.settled(endpoint.id, total)
    in_order(receiver)
    return total


async def test_killed_couriers_lose_and_reorder_nothing(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    running: Running,
) -> None:
    settings = make_settings(concurrency=4, concurrency_max=4)
    total = await replaced_under_load(account, receiver, lambda: start_courier(by=settings), running.kill)
    assert set(receiver.seqs()) == set(range(1, total + 1))
    # Twice only what was not written down at a kill.
    assert len(receiver.got) - total <= 5 * (4 + 2 * 4)


async def test_drained_couriers_lose_reorder_and_repeat_nothing(
    account: Account, receiver: Receiver, start_courier: StartCourier, running: Running
) -> None:
    total = await replaced_under_load(account, receiver, start_courier, running.drain)
    assert sorted(receiver.seqs()) == list(range(1, total + 1))
    assert len(receiver.got) == total


async def test_a_stale_courier_is_refused_every_step(
    account: Account, receiver: Receiver, store: Store, settings: Settings
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    for _ in range(3):
        await account.append()
    ledger = Ledger(store, settings, account.id, endpoint.id, asyncio.Semaphore(4))
    old = await ledger.claim("old")
    new = await ledger.claim("new")
    entries = await ledger.read(Lane.MAILBOX, after=0, count=10)
    event_id = entries[0].parcel.event_id

    def result(verdict: str) -> Settlement:
        return Settlement(
            1, event_id, verdict, 1.0, log_entry(event_id), Retry(1, 2.0, 1.0, 1), {"attempts": 1}
        )

    for verdict in ("done", "retry", "dead"):
        with pytest.raises(Lost):
            await ledger.settle(Lane.MAILBOX, old, [result(verdict)])
    with pytest.raises(Lost):
        await ledger.skip(old, [(1, 3)], entries[-1])
    off = endpoint.model_copy(update={"revision": 1})
    with pytest.raises(Lost):
        await ledger.disable(old, endpoint, off, log_entry(event_id), 1.0, disabled(off))
    with pytest.raises(Lost):
        await ledger.announce(old, recovered(endpoint, "1"))
    assert (await account.mailbox.extent())[1] == 3
    assert await account.floor(endpoint.id) == 0
    assert await account.endpoints.attempts(endpoint.id) == []
    await ledger.settle(Lane.MAILBOX, new, [result("done")])
    assert await account.floor(endpoint.id) == 1


async def test_a_second_courier_of_the_index_deposes_the_first(
    account: Account, receiver: Receiver, start_courier: StartCourier, running: Running
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    first = await start_courier()
    await account.append()
    await account.settled(endpoint.id, 1)
    await start_courier()
    with pytest.raises(Deposed):
        await running.tasks.pop(first)
    for _ in range(20):
        await account.append()
    await account.settled(endpoint.id, 21)
    assert sorted(receiver.seqs()) == list(range(1, 22))


async def test_couriers_share_the_endpoints_and_take_over_what_one_leaves(
    account: Account, receiver: Receiver, start_courier: StartCourier, running: Running
) -> None:
    endpoints = [await account.endpoints.create(receiver.url(f"/{number}")) for number in range(12)]
    members = [0, 1]
    couriers = [await start_courier(index, lambda: list(members)) for index in (0, 1)]
    await account.append()
    for endpoint in endpoints:
        await account.settled(endpoint.id, 1)
    shares = [courier.describe()["endpoints"] for courier in couriers]
    assert sum(shares) == 12
    assert all(shares)
    await running.kill(couriers[1])
    members.remove(1)
    await account.append()
    for endpoint in endpoints:
        await account.settled(endpoint.id, 2)
    for number in range(12):
        assert receiver.seqs(f"/{number}") == [1, 2]


@pytest.mark.parametrize("lose", ["lose_reply", "lose_request"])
async def test_a_lost_reply_of_an_acknowledgement_delivers_nothing_twice(
    lose: str,
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    proxy: Proxy,
    proxied_store: Store,
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    await start_courier(on=proxied_store)
    for number in range(30):
        if number % 3 == 0:
            getattr(proxy, lose)()
        await account.append(f"chat{number % 4}")
        await receiver.wait_taken(number + 1)
    await account.settled(endpoint.id, 30)
    assert sorted(receiver.seqs()) == list(range(1, 31))
    assert len(receiver.got) == 30
    assert proxy.lost > 0
    status = await account.endpoints.status(endpoint.id)
    assert status.delivered == 30
    assert len(await account.endpoints.attempts(endpoint.id)) == 30


async def test_an_answer_is_remembered_while_redis_is_away(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    proxy: Proxy,
    proxied_store: Store,
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    await start_courier(on=proxied_store)
    hold = asyncio.Event()

    async def wait(got: Got, request: web.Request) -> None:
        await hold.wait()

    receiver.answer(wait)
    for chat in "abcdefgh":
        await account.append(chat)
    await receiver.wait(lambda: len(receiver.got) == 4)
    await proxy.refuse()
    hold.set()
    # Longer than a step is retried by itself: the answers have to be kept beyond that.
    await asyncio.sleep(7)
    await proxy.start()
    await account.settled(endpoint.id, 8)
    assert sorted(receiver.seqs()) == list(range(1, 9))
    assert len(receiver.got) == 8


async def test_redis_killed_and_restarted_under_load(
    own_valkey: Valkey,
    make_store: Callable[[str], Store],
    make_account: MakeAccount,
    receiver: Receiver,
    start_courier: StartCourier,
) -> None:
    mine, theirs = make_store(own_valkey.url), make_store(own_valkey.url)
    account = await make_account(on=mine)
    endpoint = await account.endpoints.create(receiver.url())
    await start_courier(on=theirs)
    total = 400

    async def append() -> None:
        for number in range(total):
            await account.append(f"chat{number % 9}")

    appending = asyncio.create_task(append())
    for least in (60, 180):
        await receiver.wait_taken(least)
        own_valkey.kill()
        await asyncio.sleep(0.2)
        own_valkey.start()
    await appending
    await account.settled(endpoint.id, total)
    assert set(receiver.seqs()) == set(range(1, total + 1))
    in_order(receiver)
    assert len(receiver.got) == total


async def test_redis_that_lost_its_end_is_read_again(
    make_store: Callable[[str], Store],
    redis_url: str,
    receiver: Receiver,
    start_courier: StartCourier,
    make_account: MakeAccount,
) -> None:
    store = make_store(redis_url)
    account = await make_account(on=store)
    endpoint = await account.endpoints.create(receiver.url())
    await start_courier(on=store)
    hold = asyncio.Event()

    async def wait(got: Got, request: web.Request) -> None:
        await hold.wait()

    receiver.answer(wait)
    for chat in "abc":
        await account.append(chat)
    await receiver.wait(lambda: len(receiver.got) == 3)
    # What a restart without the last second does: the end of the log is gone and its numbers come again.
    mailbox, meta = (store.keys.instance(account.id, name) for name in ("mailbox", "meta"))
    await store.redis.xdel(mailbox, "2-0", "3-0")
    raw = await store.redis.xrange(mailbox)
    await store.redis.delete(mailbox)
    await store.redis.xadd(mailbox, raw[0][1], id=raw[0][0])
    await store.redis.hset(meta, "seq", 1)
    for _ in range(4):
        await account.append("new", mark="new")
    hold.set()
    await account.settled(endpoint.id, 5)
    fresh = [got.seq for got in receiver.taken if got.event["data"].get("mark") == "new"]
    assert sorted(set(fresh)) == [2, 3, 4, 5]


async def test_every_step_can_be_repeated(
    account: Account, receiver: Receiver, store: Store, settings: Settings
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    for _ in range(4):
        await account.append()
    ledger = Ledger(store, settings, account.id, endpoint.id, asyncio.Semaphore(4))
    claim = await ledger.claim("c")
    entries = await ledger.read(Lane.MAILBOX, after=0, count=10)
    ids = [entry.parcel.event_id for entry in entries]
    letter = {
        "attempts": 1, "first_attempt_at": now().isoformat(), "died_at": now().isoformat(),
        "status": 500, "error": 'say ","event":{"x":1} \\ "quoted"',
    }  # fmt: skip
    for _ in range(2):
        await ledger.settle(Lane.MAILBOX, claim, [Settlement(2, ids[1], "done", 1.0, log_entry(ids[1]))])
        await ledger.settle(
            Lane.MAILBOX,
            claim,
            [Settlement(1, ids[0], "retry", 2.0, log_entry(ids[0]), Retry(1, 9.0, 1.0, 1))],
        )
        assert await account.floor(endpoint.id) == 0
    again = await ledger.claim("c")
    assert (again.floor, again.finished, dict(again.retries)) == (0, (2,), {1: Retry(1, 9.0, 1.0, 1)})
    for _ in range(2):
        await ledger.settle(
            Lane.MAILBOX, again, [Settlement(1, ids[0], "dead", 3.0, log_entry(ids[0], 2), letter=letter)]
        )
        await ledger.skip(again, [(4, 4)], entries[-1])
        assert await account.floor(endpoint.id) == 2
    await ledger.settle(Lane.MAILBOX, again, [Settlement(3, ids[2], "done", 4.0, log_entry(ids[2]))])
    assert await account.floor(endpoint.id) == 4
    assert len(await account.endpoints.attempts(endpoint.id)) == 4
    dead = await account.endpoints.dead_letters(endpoint.id)
    assert [(d.id, d.seq, d.error) for d in dead] == [(ids[0], 1, letter["error"])]

    await account.endpoints.replay(endpoint.id, ids[0])
    replayed = await ledger.read(Lane.REPLAY, after=0, count=10)
    assert [(e.position, e.parcel.seq, e.parcel.event_id) for e in replayed] == [(1, 1, ids[0])]
    assert replayed[0].parcel.body == entries[0].parcel.body
    for _ in range(2):
        await ledger.settle(Lane.REPLAY, again, [Settlement(1, ids[0], "done", 5.0, log_entry(ids[0]))])
    assert await ledger.read(Lane.REPLAY, after=0, count=10) == []
    assert (await account.endpoints.status(endpoint.id)).delivered == 3


async def test_a_frozen_redis_makes_a_courier_wait_not_fail(
    own_valkey: Valkey,
    make_store: Callable[[str], Store],
    make_account: MakeAccount,
    receiver: Receiver,
    start_courier: StartCourier,
) -> None:
    mine, theirs = make_store(own_valkey.url), make_store(own_valkey.url)
    account = await make_account(on=mine)
    endpoint = await account.endpoints.create(receiver.url())
    await start_courier(on=theirs)
    await account.append()
    await account.settled(endpoint.id, 1)
    own_valkey.pause()
    try:
        with pytest.raises(StoreUnavailable):
            await mine.run(lambda: mine.redis.get(secrets.token_hex(4)), timeout=1)
    finally:
        own_valkey.resume()
    for _ in range(10):
        await account.append()
    await account.settled(endpoint.id, 11)
    assert receiver.seqs() == list(range(1, 12))


async def test_a_redis_restored_from_yesterday_is_read_from_where_it_stands(
    own_valkey: Valkey,
    make_store: Callable[[str], Store],
    make_account: MakeAccount,
    receiver: Receiver,
    start_courier: StartCourier,
) -> None:
    mine, theirs = make_store(own_valkey.url), make_store(own_valkey.url)
    account = await make_account(on=mine)
    endpoint = await account.endpoints.create(receiver.url())
    await start_courier(on=theirs)
    for _ in range(5):
        await account.append()
    await account.settled(endpoint.id, 5)
    own_valkey.stop()
    yesterday = own_valkey.directory.with_name("yesterday")
    shutil.copytree(own_valkey.directory, yesterday)
    own_valkey.start()
    for _ in range(5):
        await account.append()
    await account.settled(endpoint.id, 10)
    own_valkey.stop()
    shutil.rmtree(own_valkey.directory)
    shutil.copytree(yesterday, own_valkey.directory)
    own_valkey.start()
    for _ in range(3):
        await account.append(mark="new")
    await account.settled(endpoint.id, 8)
    assert [got.seq for got in receiver.taken if got.event["data"].get("mark") == "new"] == [6, 7, 8]


async def test_what_was_not_for_the_endpoint_is_not_finished_if_redis_lost_it(
    account: Account, receiver: Receiver, store: Store, settings: Settings
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    for _ in range(2):
        await account.append()
    ledger = Ledger(store, settings, account.id, endpoint.id, asyncio.Semaphore(4))
    claim = await ledger.claim("c")
    entries = await ledger.read(Lane.MAILBOX, after=0, count=10)
    mailbox = account.mailbox.key("mailbox")
    raw = await store.redis.xrange(mailbox)
    await store.redis.delete(mailbox)
    with pytest.raises(Changed):
        await ledger.skip(claim, [(1, 2)], entries[-1])
    await store.redis.xadd(mailbox, raw[0][1], id="1-0")
    await store.redis.xadd(mailbox, {**raw[1][1], "i": "evt_other"}, id="2-0")
    with pytest.raises(Changed):
        await ledger.skip(claim, [(1, 2)], entries[-1])
    assert await account.floor(endpoint.id) == 0


async def test_a_courier_drained_while_redis_fails_keeps_the_answers_it_waits_for(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    running: Running,
    proxy: Proxy,
    proxied_store: Store,
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    hold = asyncio.Event()

    async def wait(got: Got, request: web.Request) -> None:
        await hold.wait()

    courier = await start_courier(on=proxied_store, by=make_settings(drain_timeout=90, timeout=90))
    # Once, so that the scripts are loaded: their text would be taken for a read.
    await account.append("a")
    await account.settled(endpoint.id, 1)
    receiver.answer(wait)
    await account.append("a")
    await receiver.wait_got(2)
    # Reading fails for longer than a step is repeated, in the midst of which the drain begins.
    proxy.lose_request("XRANGE", 1_000)
    await account.append("b")
    before = proxy.lost
    await eventually(lambda: _true(proxy.lost > before))
    draining = asyncio.create_task(running.drain(courier))
    await asyncio.sleep(7.5)
    hold.set()
    await draining
    assert (await account.endpoints.status(endpoint.id)).delivered == 2
    assert [got.seq for got in receiver.got] == [1, 2]


async def _true(value: bool) -> bool:
    return value
