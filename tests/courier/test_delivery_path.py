"""The way of an event to its endpoint, when all goes well and when the endpoint does not."""

from __future__ import annotations

import asyncio
import json
import time

from aiohttp import web

from actors.courier.records import EndpointChange, Ordering
from actors.courier.signature import new_secret
from actors.events import Event, EventType
from actors.store import Store, connect
from tests.courier.conftest import Account, MakeAccount, MakeSettings, Running, StartCourier, eventually
from tests.courier.receiver import Answer, Got, Receiver


def refusing(status: int, times: int, **headers: str) -> Answer:
    """Answers so for the first ``times`` attempts at each event."""

    async def answer(got: Got, request: web.Request) -> web.Response | None:
        return web.Response(status=status, headers=headers) if got.attempt <= times else None

    return answer


async def test_an_event_arrives_signed_and_whole(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url("/hook?a=b"), headers={"x-tenant": "t1"})
    await start_courier()
    seq = await account.append(text="olá ☕")
    await receiver.wait(lambda: len(receiver.taken) == 1)

    got = receiver.taken[0]
    got.verify(endpoint.secrets[0].value)
    stored = (await account.mailbox.read())[0]
    assert Event.model_validate_json(got.body) == stored
    assert got.headers["webhook-id"] == stored.id
    assert got.headers["malote-instance"] == account.id
    assert got.headers["malote-seq"] == str(seq) == "1"
    assert got.headers["malote-attempt"] == "1"
    assert got.headers["content-type"] == "application/json"
    assert got.headers["user-agent"].startswith("Malote/")
    assert got.headers["x-tenant"] == "t1"
    assert got.event["data"]["text"] == "olá ☕"
    await account.settled(endpoint.id, 1)
    status = await account.endpoints.status(endpoint.id)
    assert (status.delivered, status.waiting, status.failing_since) == (1, 0, None)


async def test_both_secrets_sign_during_a_rotation(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    old = new_secret()
    endpoint = await account.endpoints.create(receiver.url(), secret=old)
    await start_courier()
    rotated = await account.endpoints.rotate_secret(endpoint.id)
    new = rotated.secrets[0].value
    assert new != old

    async def signed_by(count: int) -> bool:
        await account.append()
        await receiver.wait(lambda: receiver.taken != [])
        got = receiver.taken.pop()
        got.verify(old if count == 2 else rotated.secrets[0].value)
        return got.headers["webhook-signature"].count("v1,") == count

    await eventually(lambda: signed_by(2))
    await account.append()
    await receiver.wait(lambda: receiver.taken != [])
    receiver.taken[-1].verify(new)
    receiver.taken[-1].verify(old)

    await account.endpoints.rotate_secret(endpoint.id, secret=new, overlap=0)
    await eventually(lambda: signed_by(1))


async def test_events_of_a_chat_stay_in_order_through_retries(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    await start_courier()

    async def moody(got: Got, request: web.Request) -> web.Response | None:
        return web.Response(status=503) if (got.event["data"]["n"] * 7 + got.attempt) % 3 == 0 else None

    receiver.answer(moody)
    chats = [f"chat{number % 7}" for number in range(140)]
    for chat in chats:
        await account.append(chat)
    # It may be said to fail and to recover, which takes sequence numbers too.
    await receiver.wait_taken(140)
    await account.settled(endpoint.id, (await account.mailbox.extent())[1])
    assert sorted(got.event["data"]["n"] for got in receiver.taken) == list(range(1, 141))
    for chat in set(chats):
        seqs = [got.seq for got in receiver.taken if got.event["chat_id"] == chat]
        assert seqs == sorted(seqs)
    assert len(receiver.got) > 140


async def test_a_refused_event_holds_up_its_chat_and_no_other(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    await account.endpoints.create(receiver.url())
    stuck = asyncio.Event()

    async def refuse_first(got: Got, request: web.Request) -> web.Response | None:
        return web.Response(status=503) if got.seq == 1 and not stuck.is_set() else None

    receiver.answer(refuse_first)
    for chat in ("a", "a", "b", "b"):
        await account.append(chat)
    await start_courier()
    await receiver.wait(lambda: 4 in receiver.seqs())
    assert 2 not in receiver.seqs()
    stuck.set()
    await receiver.wait(lambda: len(receiver.seqs()) == 4)
    assert receiver.seqs() == [3, 4, 1, 2]


async def test_an_unordered_endpoint_waits_for_nothing(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    await account.endpoints.create(receiver.url(), ordering=Ordering.NONE)
    receiver.answer(refusing(503, 1, **{"retry-after": "1"}))
    for _ in range(2):
        await account.append("a")
    await start_courier()
    await receiver.wait(lambda: len(receiver.got) == 2)
    assert {got.seq for got in receiver.got} == {1, 2}


async def test_only_subscribed_types_arrive_and_the_rest_is_finished(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url(), events=["message.*", "call.received"])
    await start_courier()
    kinds = [
        EventType.MESSAGE_RECEIVED,
        EventType.CONNECTION_CHANGED,
        EventType.CALL_RECEIVED,
        EventType.UNKNOWN,
    ]
    for number in range(200):
        await account.append(type_=kinds[number % 4])
    await account.settled(endpoint.id, 200)
    assert [got.event["type"] for got in receiver.taken] == ["message.received", "call.received"] * 50


async def test_an_endpoint_gets_what_happens_after_its_creation(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    await start_courier()
    await account.append()
    await account.endpoints.create(receiver.url())
    await account.append()
    await receiver.wait(lambda: len(receiver.taken) == 1)
    assert receiver.seqs() == [2]


async def test_a_hung_endpoint_delays_no_other(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    released = asyncio.Event()

    async def hang(got: Got, request: web.Request) -> None:
        await released.wait()

    receiver.answer(hang, "/hung")
    await account.endpoints.create(receiver.url("/hung"))
    healthy = await account.endpoints.create(receiver.url("/healthy"))
    await start_courier()
    for number in range(100):
        await account.append(f"chat{number}")
    await account.settled(healthy.id, 100)
    # Nothing of the hung one has ended: whatever it held up would still be waiting.
    assert len(receiver.seqs("/healthy")) == 100
    assert receiver.seqs("/hung") == []
    assert receiver.open == 4
    released.set()


async def test_410_disables_and_nothing_is_lost(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(refusing(410, 99))
    await start_courier()
    await account.append()

    async def disabled() -> bool:
        return not (await account.endpoints.get(endpoint.id)).enabled

    await eventually(disabled)
    record = await account.endpoints.get(endpoint.id)
    assert "410" in (record.disabled_reason or "")
    attempts = len(receiver.got)
    for _ in range(3):
        await account.append()
    # With the news of it.
    assert (await account.endpoints.status(endpoint.id)).waiting == 5
    assert [a.result for a in await account.endpoints.attempts(endpoint.id)] == ["disabled"]

    receiver.obey()
    await account.endpoints.enable(endpoint.id)
    await account.settled(endpoint.id, 5)
    assert receiver.seqs() == [1, 3, 4, 5]
    assert attempts == 1


async def test_a_change_of_the_url_holds_from_the_next_attempt(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url("/old"))
    receiver.answer(refusing(500, 1), "/old")
    await start_courier()
    await account.append()
    await receiver.wait(lambda: len(receiver.got) == 1)
    await account.endpoints.change(endpoint.id, EndpointChange(url=receiver.url("/new")))
    await account.append()
    await account.settled(endpoint.id, 2)
    assert 2 in receiver.seqs("/new")


async def test_a_deleted_endpoint_gets_nothing_and_holds_nothing_back(
    account: Account, receiver: Receiver, start_courier: StartCourier, store: Store
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    courier = await start_courier()
    await account.append()
    await account.settled(endpoint.id, 1)
    assert await account.endpoints.delete(endpoint.id)
    assert not await account.endpoints.delete(endpoint.id)

    async def let_go() -> bool:
        return bool(courier.describe()["endpoints"] == 0)

    await eventually(let_go)
    await account.append()
    other = await account.endpoints.create(receiver.url("/other"))
    await account.append()
    await account.settled(other.id, 3)
    assert receiver.seqs() == [1]
    assert receiver.seqs("/other") == [3]
    assert [key async for key in store.redis.scan_iter(match=f"*{endpoint.id}*")] == []


async def test_the_mailbox_is_trimmed_behind_the_slowest_endpoint(
    make_account: MakeAccount, make_settings: MakeSettings, receiver: Receiver, start_courier: StartCourier
) -> None:
    base = make_settings()
    settings = base.model_copy(update={"mailbox": base.mailbox.model_copy(update={"keep": 10})})
    account = await make_account(by=settings)
    slow = asyncio.Event()

    async def wait(got: Got, request: web.Request) -> None:
        if got.seq == 5:
            await slow.wait()

    receiver.answer(wait, "/slow")
    quick = await account.endpoints.create(receiver.url("/quick"))
    late = await account.endpoints.create(receiver.url("/slow"))
    await start_courier(by=settings)
    for _ in range(40):
        await account.append()
    await account.settled(quick.id, 40)
    await account.settled(late.id, 4)
    assert (await account.mailbox.extent())[0] <= 5
    slow.set()
    await account.settled(late.id, 40)
    assert await account.mailbox.extent() == (31, 40)


async def test_replay_lane_of_tests(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url(), events=["message.received"])
    await start_courier()
    event_id = await account.endpoints.send_test(endpoint.id)
    await receiver.wait(lambda: len(receiver.taken) == 1)
    got = receiver.taken[0]
    got.verify(endpoint.secrets[0].value)
    assert (got.event["type"], got.event["id"], got.seq) == ("webhook.test", event_id, 0)

    receiver.answer(refusing(500, 99))
    await account.endpoints.send_test(endpoint.id)

    async def both_tried() -> bool:
        return len(await account.endpoints.attempts(endpoint.id)) == 2

    await eventually(both_tried)
    attempts = await account.endpoints.attempts(endpoint.id)
    assert [(a.kind, a.result, a.status) for a in attempts] == [
        ("test", "dropped", 500),
        ("test", "delivered", 200),
    ]
    assert (await account.endpoints.status(endpoint.id)).replaying == 0
    assert time.time() - attempts[0].at.timestamp() < 60


async def test_an_idle_courier_drains_at_once(
    account: Account, receiver: Receiver, start_courier: StartCourier, running: Running
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    courier = await start_courier()
    await account.append()
    await account.settled(endpoint.id, 1)
    await running.drain(courier)
    await account.append()
    await start_courier()
    await account.settled(endpoint.id, 2)
    assert receiver.seqs() == [1, 2]


async def test_a_draining_courier_lets_open_attempts_end_and_starts_no_more(
    account: Account, receiver: Receiver, start_courier: StartCourier, running: Running
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    hold = asyncio.Event()

    async def wait(got: Got, request: web.Request) -> None:
        await hold.wait()

    receiver.answer(wait)
    courier = await start_courier()
    for number in range(20):
        await account.append(f"chat{number}")
    await receiver.wait(lambda: receiver.open == 4)
    draining = asyncio.create_task(running.drain(courier))
    await asyncio.sleep(0.3)
    assert not draining.done()
    assert courier.describe()["draining"]
    hold.set()
    await draining
    assert (await account.endpoints.status(endpoint.id)).delivered == 4
    await start_courier()
    await account.settled(endpoint.id, 20)
    assert sorted(receiver.seqs()) == list(range(1, 21))


async def test_a_drain_does_not_wait_for_ever(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    running: Running,
) -> None:
    endpoint = await account.endpoints.create(receiver.url())

    async def hang(got: Got, request: web.Request) -> None:
        await asyncio.Event().wait()

    receiver.answer(hang)
    courier = await start_courier(by=make_settings(drain_timeout=0.3, timeout=60))
    await account.append()
    await receiver.wait(lambda: receiver.open == 1)
    await running.drain(courier)
    receiver.obey()
    await start_courier()
    await account.settled(endpoint.id, 1)
    assert receiver.seqs() == [1]


async def test_a_hung_endpoint_gets_fewer_attempts_and_all_of_them_when_it_is_well(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    well = asyncio.Event()
    open_when_hung: list[int] = []

    async def hang(got: Got, request: web.Request) -> None:
        if not well.is_set():
            open_when_hung.append(receiver.open)
            await well.wait()

    receiver.answer(hang)
    await start_courier(by=make_settings(timeout=0.3, schedule=(0.05,) * 1000))
    for number in range(60):
        await account.append(f"chat{number}")
    await receiver.wait(lambda: len(receiver.got) >= 12)
    assert max(open_when_hung) == 4
    assert min(open_when_hung[4:]) <= 2
    well.set()
    await account.settled(endpoint.id, 60)
    assert set(receiver.seqs()) == set(range(1, 61))


async def test_a_record_that_cannot_be_read_stops_nobody_else(
    account: Account, receiver: Receiver, start_courier: StartCourier, store: Store
) -> None:
    await store.redis.hset(store.keys.instance(account.id, "endpoints"), "ep_bad", '{"id": "ep_bad"}')
    endpoint = await account.endpoints.create(receiver.url())
    await start_courier()
    await account.append()
    await account.settled(endpoint.id, 1)
    assert receiver.seqs() == [1]


async def test_a_record_of_a_newer_version_is_served(
    account: Account, receiver: Receiver, start_courier: StartCourier, store: Store
) -> None:
    """As after a rollback, or during a roll-out: a gateway may be ahead of the couriers."""
    endpoint = await account.endpoints.create(receiver.url())
    key = store.keys.instance(account.id, "endpoints")
    record = json.loads(await store.redis.hget(key, endpoint.id))
    record["delivery"]["invented_later"] = True
    record["events"] = ["message.*", "moon.landed"]
    record["headers"] = {"traceparent": "of an older version"}
    await store.redis.hset(key, endpoint.id, json.dumps(record))
    await start_courier()
    await account.append()
    await account.settled(endpoint.id, 1)
    assert receiver.seqs() == [1]
    assert "older" not in receiver.got[0].headers["traceparent"]
    [shown] = await account.endpoints.list()
    assert shown.events == ("message.*", "moon.landed")
    assert (await account.endpoints.change(endpoint.id, EndpointChange(description="d"))).description == "d"


async def test_rings_and_announcements_need_no_sweep(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    await start_courier(by=make_settings(sweep=10_000))
    endpoint = await account.endpoints.create(receiver.url())
    for number in range(5):
        await account.append()
        await account.settled(endpoint.id, number + 1)
    assert receiver.seqs() == [1, 2, 3, 4, 5]


async def test_a_sweep_needs_no_rings(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    running: Running,
    redis_url: str,
    prefix: str,
) -> None:
    # Rings come by a connection of their own, which here leads nowhere.
    deaf = Store("redis://127.0.0.1:1/0", prefix, redis=connect(redis_url))
    try:
        courier = await start_courier(on=deaf)
        endpoint = await account.endpoints.create(receiver.url())
        for number in range(3):
            await account.append()
            await account.settled(endpoint.id, number + 1)
        await running.kill(courier)
    finally:
        await deaf.close()
    assert receiver.seqs() == [1, 2, 3]


async def test_what_waits_waits_in_redis(
    make_account: MakeAccount, make_settings: MakeSettings, receiver: Receiver, start_courier: StartCourier
) -> None:
    settings = make_settings(window=50, reach=200, body_cache_bytes=20_000, timeout=60)
    account = await make_account(by=settings)
    hold = asyncio.Event()

    async def wait(got: Got, request: web.Request) -> None:
        await hold.wait()

    receiver.answer(wait)
    # All of one chat, so that the courier looks as far as it may for something else to deliver.
    endpoint = await account.endpoints.create(receiver.url(), events=["message.*"])
    for number in range(600):
        kind = EventType.MESSAGE_RECEIVED if number % 3 == 0 else EventType.CALL_RECEIVED
        await account.append("a", kind, text="x" * 1000)
    courier = await start_courier(by=settings)
    await receiver.wait(lambda: receiver.open == 1)
    for _ in range(20):
        numbers = courier.describe()
        assert numbers["known_events"] <= 50
        assert numbers["body_bytes"] <= 20_000
        await asyncio.sleep(0.02)
    done = await account.store.redis.zcard(account.mailbox.key("ep", endpoint.id, "done"))
    assert done <= 200
    hold.set()
    await account.settled(endpoint.id, 600)
    assert receiver.seqs() == list(range(1, 601, 3))


async def test_what_a_new_filter_leaves_out_is_no_longer_retried(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    running: Running,
) -> None:
    settings = make_settings(schedule=(1000.0,))
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(refusing(400, 1))
    courier = await start_courier(by=settings)
    await account.append("a")
    await account.append("b", EventType.CALL_RECEIVED)

    async def postponed() -> bool:
        return (await account.endpoints.status(endpoint.id)).retrying == 2

    await eventually(postponed)
    await running.kill(courier)
    await account.endpoints.change(endpoint.id, EndpointChange(events=("call.*",)))
    await start_courier(by=settings)
    await account.settled(endpoint.id, 1)
    assert (await account.endpoints.status(endpoint.id)).retrying == 1
