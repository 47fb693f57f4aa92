"""What a broken endpoint costs: itself little, its events nothing, and others neither time nor slots."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from actors import metrics
from actors.courier.addresses import Guard
from actors.courier.egress import Egress
from actors.courier.ledger import Ledger
from actors.courier.news import failing, recovered
from actors.courier.records import DeliveryOptions, EndpointChange
from actors.events import Event, EventType
from actors.registry import Registry
from actors.settings import Settings
from actors.store import Store
from tests.courier.conftest import Account, MakeAccount, MakeSettings, Running, StartCourier, eventually
from tests.courier.receiver import Answer, Got, Receiver


def answering(status: int, **headers: str) -> Answer:
    async def answer(got: Got, request: web.Request) -> web.Response:
        return web.Response(status=status, headers={name.replace("_", "-"): v for name, v in headers.items()})

    return answer


async def hang(got: Got, request: web.Request) -> None:
    await asyncio.Event().wait()


async def is_open(account: Account, endpoint_id: str) -> bool:
    """Whether an endpoint is left alone just now."""
    return (await account.endpoints.status(endpoint_id)).circuit == "open"


async def news(account: Account) -> list[tuple[str, dict[str, Any]]]:
    """What was said about endpoints, in order."""
    events: list[Event] = await account.mailbox.read(limit=10_000)
    return [
        (str(e.type).removeprefix("webhook."), e.data) for e in events if str(e.type).startswith("webhook.")
    ]


@pytest.mark.parametrize("status", [500, 503])
async def test_an_endpoint_that_is_down_burns_no_attempts_and_loses_nothing(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    status: int,
) -> None:
    """It is down for many times the schedule of an event, and then gets all of them in order."""
    settings = make_settings(schedule=(0.01,) * 4, breaker_first=0.02, breaker_longest=0.02)
    endpoint = await account.endpoints.create(receiver.url(), events=["message.*"])
    witness = await account.endpoints.create(receiver.url("/witness"), events=["webhook.*"])
    receiver.answer(answering(status))
    for number in range(60):
        await account.append(f"chat{number % 6}")
    await start_courier(by=settings)
    await receiver.wait_got(100)

    now = await account.endpoints.status(endpoint.id)
    assert (now.dead_letters, now.circuit) == (0, "open")
    assert now.probe_at is not None
    attempts = await account.endpoints.attempts(endpoint.id, limit=1000)
    assert len({attempt.event_id for attempt in attempts}) > 4, "the probes go from chat to chat"

    receiver.obey()
    await account.settled(endpoint.id, 60)
    for chat in range(6):
        seqs = [got.seq for got in receiver.taken if got.event["chat_id"] == f"chat{chat}"]
        assert seqs == sorted(seqs)
    assert set(receiver.seqs()) == set(range(1, 61))
    assert (await account.endpoints.status(endpoint.id)).circuit == "closed"

    await receiver.wait(lambda: len(receiver.seqs("/witness")) == 2)
    said = await news(account)
    assert [what for what, _ in said] == ["failing", "recovered"]
    assert {data["endpoint_id"] for _, data in said} == {endpoint.id}
    assert str(status) in said[0][1]["error"]
    told = [got.event["type"] for got in receiver.taken if got.path == "/witness"]
    assert told == ["webhook.failing", "webhook.recovered"]
    assert witness.id != endpoint.id


async def test_an_endpoint_is_not_told_about_itself(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(answering(503))
    await account.append()
    await start_courier()
    await receiver.wait_got(8)
    receiver.obey()

    async def recovered() -> bool:
        return [what for what, _ in await news(account)] == ["failing", "recovered"]

    await eventually(recovered)
    await account.append()
    await account.settled(endpoint.id, 4)
    assert [got.event["type"] for got in receiver.taken] == ["message.received"] * 2


async def test_an_endpoint_that_is_switched_off_is_in_the_news(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    other = await account.endpoints.create(receiver.url("/other"))
    receiver.answer(answering(410))
    await start_courier()
    await account.append()
    await account.settled(other.id, 2)
    [got] = [got for got in receiver.taken if got.event["type"] == "webhook.disabled"]
    assert (got.path, got.event["data"]["endpoint_id"]) == ("/other", endpoint.id)
    assert "410" in got.event["data"]["reason"]

    receiver.obey()
    await account.endpoints.enable(endpoint.id)
    await account.settled(other.id, 3)
    assert [what for what, _ in await news(account)] == ["disabled", "recovered"]


async def test_a_new_courier_keeps_an_open_circuit(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    running: Running,
) -> None:
    settings = make_settings(schedule=(0.01,) * 50, breaker_first=1000.0, breaker_longest=1000.0)
    time_ = [1_700_000_000.0]

    def clock() -> float:
        time_[0] += 0.001
        return time_[0]

    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(answering(503))
    for number in range(20):
        await account.append(f"chat{number}")
    courier = await start_courier(by=settings, clock=clock)

    await eventually(lambda: is_open(account, endpoint.id))
    await running.drain(courier)
    before = len(receiver.got)
    assert before <= 5 + 4, "what opened it, and what was under way"

    other = await account.endpoints.create(receiver.url("/other"))
    courier = await start_courier(by=settings, clock=clock)
    await account.append("x")
    await account.settled(other.id, 22)
    assert len([got for got in receiver.got if got.path == "/"]) == before

    time_[0] += 1000
    receiver.obey()
    await account.append("x")
    await account.settled(endpoint.id, 22)
    assert set(receiver.seqs()) >= set(range(1, 21))


async def test_a_probe_that_fails_in_itself_is_not_the_last_one(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(answering(503))
    await account.append()
    await start_courier(by=make_settings(schedule=(0.01,) * 50))
    await receiver.wait_got(7)

    broken = asyncio.Event()

    async def fail(*_: object, **__: object) -> None:
        broken.set()
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr("actors.courier.line.attempt", fail)
        await broken.wait()
    receiver.obey()
    await account.settled(endpoint.id, 1)


async def test_a_change_has_a_dead_endpoint_tried_at_once(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    settings = make_settings(breaker_first=10_000.0, breaker_longest=10_000.0)
    endpoint = await account.endpoints.create(receiver.url("/wrong"))
    receiver.answer(answering(404), "/wrong")
    for number in range(20):
        await account.append(f"chat{number}")
    await start_courier(by=settings)

    await eventually(lambda: is_open(account, endpoint.id))
    await account.endpoints.change(endpoint.id, EndpointChange(url=receiver.url("/right")))
    await receiver.wait(lambda: len(set(receiver.seqs("/right"))) == 20)


async def test_a_test_does_not_wait_for_the_next_probe(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    settings = make_settings(breaker_first=10_000.0, breaker_longest=10_000.0)
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(answering(503))
    for number in range(20):
        await account.append(f"chat{number}")
    await start_courier(by=settings)

    async def result(event_id: str) -> bool:
        attempts = await account.endpoints.attempts(endpoint.id)
        return any(a.event_id == event_id and a.result == outcome for a in attempts)

    await eventually(lambda: is_open(account, endpoint.id))
    for outcome in ("dropped", "delivered"):
        if outcome == "delivered":
            receiver.obey()
        event_id = await account.endpoints.send_test(endpoint.id)
        await eventually(lambda event_id=event_id: result(event_id))  # type: ignore[misc]
    await receiver.wait(lambda: len(set(receiver.seqs())) >= 20)


async def test_a_busy_endpoint_that_says_how_long_gets_nothing_at_all_for_so_long(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    time_ = [1_700_000_000.0]
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(answering(429, retry_after="600"))
    await account.append("a")
    courier = await start_courier(by=make_settings(schedule=()), clock=lambda: time_[0])
    await receiver.wait_got(1)

    await eventually(lambda: is_open(account, endpoint.id))
    receiver.obey()
    other = await account.endpoints.create(receiver.url("/other"))
    await account.append("b")
    await account.settled(other.id, 2)
    assert receiver.seqs() == []
    time_[0] += 601
    await account.append("c")
    await account.settled(endpoint.id, 3)
    assert set(receiver.seqs()) == {1, 2, 3}, "although its schedule has no second attempt"
    assert courier.describe()["endpoints"] == 2


async def test_a_rate_is_kept(account: Account, receiver: Receiver, start_courier: StartCourier) -> None:
    time_ = [1_700_000_000.0]
    endpoint = await account.endpoints.create(receiver.url(), delivery=DeliveryOptions(rate=3))
    other = await account.endpoints.create(receiver.url("/other"))
    for number in range(10):
        await account.append(f"chat{number}")
    await start_courier(clock=lambda: time_[0])
    await account.settled(other.id, 10)
    await account.settled(endpoint.id, 3)
    assert receiver.seqs() == [1, 2, 3]
    time_[0] += 1
    await account.append("x")
    await account.settled(other.id, 11)
    await account.settled(endpoint.id, 6)
    assert receiver.seqs() == [1, 2, 3, 4, 5, 6]


async def test_retries_leave_room_for_first_tries(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    """Twenty events hang in their second attempt: others pass them by."""
    retrying: set[int] = set()
    release = asyncio.Event()

    async def second_hangs(got: Got, request: web.Request) -> web.Response | None:
        if got.event["data"]["n"] > 20:
            return None
        if got.attempt == 1:
            return web.Response(status=400)
        retrying.add(got.seq)
        await release.wait()
        return None

    receiver.answer(second_hangs)
    endpoint = await account.endpoints.create(receiver.url())
    for number in range(20):
        await account.append(f"bad{number}")
    await start_courier(by=make_settings(concurrency=4, concurrency_max=4, schedule=(0.01,) * 4))
    await receiver.wait(lambda: len(retrying) == 4)
    release.set()
    await account.settled(endpoint.id, 20)

    release.clear()
    retrying.clear()
    for number in range(20):
        await account.append(f"good{number}")
    await account.settled(endpoint.id, 40)


async def test_slots_are_shared_by_time_and_the_last_ones_are_kept_for_others(
    make_account: MakeAccount, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    """A tenant's endpoints that hang take all the slots they can get, and another's events go through."""
    settings = make_settings(
        concurrency=8, concurrency_max=8, concurrency_total=8, concurrency_reserved=2, timeout=30.0
    )
    slow, quick = await make_account(by=settings), await make_account(by=settings)
    receiver.answer(hang, "/hung")
    await slow.endpoints.create(receiver.url("/hung"))
    for number in range(30):
        await slow.append(f"chat{number}")
    courier = await start_courier(by=settings)
    await receiver.wait(lambda: receiver.open == 6)
    endpoint = await quick.endpoints.create(receiver.url("/quick"))
    for number in range(30):
        await quick.append(f"chat{number}")
    await quick.settled(endpoint.id, 30)
    assert receiver.open == 6
    assert sorted(receiver.seqs("/quick")) == list(range(1, 31))
    courier.drain()


async def test_the_endpoints_of_a_tenant_share_what_is_its(
    make_account: MakeAccount,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    store: Store,
) -> None:
    """Three busy accounts of one tenant get as much as the one account of another."""
    settings = make_settings(
        concurrency=4, concurrency_max=4, concurrency_total=1, concurrency_reserved=0, timeout=30.0
    )
    registry = Registry(store)
    accounts = [await make_account(by=settings) for _ in range(4)]
    for number, account in enumerate(accounts):
        tenant = "many" if number < 3 else "one"
        record = await registry.get(account.id)
        await registry.change(record.model_copy(update={"tenant": tenant}))
        await account.endpoints.create(receiver.url(f"/{tenant}"))
        for chat in range(20):
            await account.append(f"chat{chat}")

    async def take_a_while(got: Got, request: web.Request) -> None:
        await asyncio.sleep(0.01)

    for path in ("/many", "/one"):
        receiver.answer(take_a_while, path)
    await start_courier(by=settings)
    await receiver.wait(lambda: len(receiver.seqs("/one")) == 20)
    # One after the other, but for the first few and for how long each took.
    assert len(receiver.seqs("/many")) <= 30
    await receiver.wait(lambda: len(receiver.seqs("/many")) == 60)


async def test_a_drain_does_not_wait_for_attempts_that_have_no_slot(
    account: Account,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    running: Running,
) -> None:
    settings = make_settings(concurrency=8, concurrency_max=8, concurrency_total=2, concurrency_reserved=0)
    release = asyncio.Event()

    async def until_released(got: Got, request: web.Request) -> None:
        await release.wait()

    receiver.answer(until_released)
    endpoint = await account.endpoints.create(receiver.url())
    for number in range(20):
        await account.append(f"chat{number}")
    courier = await start_courier(by=settings)
    await receiver.wait(lambda: receiver.open == 2)
    draining = asyncio.create_task(running.drain(courier))
    await asyncio.sleep(0)
    release.set()
    await draining
    assert len(receiver.got) == 2
    await start_courier(by=settings)
    await account.settled(endpoint.id, 20)
    assert sorted(receiver.seqs()) == list(range(1, 21))


async def test_an_endpoint_that_stays_away_does_not_hold_the_mailbox_up(
    make_account: MakeAccount, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    settings = make_settings(backlog=50)
    account = await make_account(by=settings)
    off = await account.endpoints.create(receiver.url("/off"), events=["message.*"], enabled=False)
    down = await account.endpoints.create(receiver.url("/down"))
    receiver.answer(answering(503), "/down")
    await start_courier(by=settings)
    for number in range(200):
        other = number % 2 and EventType.CONTACT_CHANGED
        await account.append(f"chat{number % 7}", other or EventType.MESSAGE_RECEIVED)

    async def short() -> bool:
        return await account.mailbox.depth() <= 50

    await eventually(short)
    letters = await account.endpoints.dead_letters(off.id, limit=1000)
    assert all(letter.type == "message.received" for letter in letters)
    assert "more than 50 events" in (letters[0].error or "")
    for endpoint in (off, down):
        status = await account.endpoints.status(endpoint.id)
        assert status.waiting <= 50
        assert status.dead_letters > 0

    # What was given up can be had again, and what waited comes after it.
    receiver.obey("/down")
    await account.endpoints.enable(off.id)
    for endpoint in (off, down):
        await account.endpoints.replay_since(endpoint.id)
    wanted = {"/off": 100, "/down": 200}
    await receiver.wait(
        lambda: all(
            len({got.seq for got in receiver.taken if got.path == path and got.event["type"][:3] != "web"})
            == count
            for path, count in wanted.items()
        )
    )


async def test_an_endpoint_has_options_of_its_own(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    impatient = await account.endpoints.create(
        receiver.url("/impatient"), delivery=DeliveryOptions(timeout=0.2, schedule=())
    )
    single = await account.endpoints.create(receiver.url("/single"), delivery=DeliveryOptions(concurrency=1))
    receiver.answer(hang, "/impatient")
    open_: list[int] = []

    async def one_at_a_time(got: Got, request: web.Request) -> None:
        open_.append(1)
        assert len(open_) == 1
        await asyncio.sleep(0.01)
        open_.pop()

    receiver.answer(one_at_a_time, "/single")
    await start_courier()
    for number in range(4):
        await account.append(f"chat{number}")
    await account.settled(single.id, 4)
    await account.settled(impatient.id, 4)
    letters = await account.endpoints.dead_letters(impatient.id)
    assert len(letters) == 4
    assert all("0.2 s" in (letter.error or "") for letter in letters)


async def test_news_are_announced_once_although_a_reply_is_lost(account: Account) -> None:
    endpoint = await account.endpoints.create("http://127.0.0.1:9/")
    ledger = Ledger(account.store, Settings(), account.id, endpoint.id, asyncio.Semaphore(4))
    claim = await ledger.claim("c")
    for item in (failing(endpoint, 1.0, "e"), recovered(endpoint, "2"), failing(endpoint, 3.0, "e")):
        await ledger.announce(claim, item)
        await ledger.announce(claim, item)
    assert [what for what, _ in await news(account)] == ["failing", "recovered", "failing"]
    epochs = {event.epoch for event in await account.mailbox.read()}
    assert epochs == {account.epoch}
    assert EventType.WEBHOOK_FAILING in {event.type for event in await account.mailbox.read()}


async def test_an_event_that_is_always_too_much_becomes_a_dead_letter(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    """The endpoint asks for a pause whenever it gets this one, and takes all others."""

    async def asks_for_a_pause(got: Got, request: web.Request) -> web.Response | None:
        bad = got.event["data"]["n"] == 1
        return web.Response(status=429, headers={"retry-after": "1"}) if bad else None

    receiver.answer(asks_for_a_pause)
    time_ = [1_700_000_000.0]

    def clock() -> float:
        time_[0] += 0.05
        return time_[0]

    endpoint = await account.endpoints.create(receiver.url())
    await start_courier(by=make_settings(schedule=(0.05,) * 4), clock=clock)
    await account.append("a")
    following = await account.append("a")
    freed = asyncio.Event()

    async def others() -> None:
        while not freed.is_set():
            await account.append("b")
            await asyncio.sleep(0.01)

    busy = asyncio.create_task(others())
    try:
        await receiver.wait(lambda: following in receiver.seqs(), seconds=20)
    finally:
        freed.set()
        await busy
    letters = await account.endpoints.dead_letters(endpoint.id)
    assert [(letter.seq, letter.status) for letter in letters] == [(1, 429)]


async def test_an_endpoint_that_refuses_everything_does_not_hold_the_mailbox_up(
    make_account: MakeAccount, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    """Its circuit stays closed, for each refusal may be the event's fault, and its retries are far away."""
    settings = make_settings(backlog=50, window=20, schedule=(0.01, 0.01, 0.01, 1000.0))
    account = await make_account(by=settings)
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(answering(400))
    await start_courier(by=settings)
    for number in range(200):
        await account.append(f"chat{number}")

    async def short() -> bool:
        return await account.mailbox.depth() <= 50

    await eventually(short, seconds=20)
    status = await account.endpoints.status(endpoint.id)
    assert status.circuit == "closed"
    # News of it are not for itself.
    assert 0 <= status.waiting + status.dead_letters - 200 <= len(await news(account))


async def test_only_what_was_not_delivered_is_given_up_and_said_to_be(
    make_account: MakeAccount, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    settings = make_settings(backlog=50, schedule=(0.01, 1000.0))
    account = await make_account(by=settings)
    endpoint = await account.endpoints.create(receiver.url())

    async def refuse_first(got: Got, request: web.Request) -> web.Response | None:
        return web.Response(status=400) if got.seq == 1 else None

    receiver.answer(refuse_first)
    courier = await start_courier(by=settings)
    await account.append("a")
    for number in range(40):
        await account.append(f"chat{number}")
    await receiver.wait(lambda: len(receiver.got) == 42)
    await eventually(lambda: has(account, endpoint.id, delivered=40, retrying=1))
    await account.endpoints.change(endpoint.id, EndpointChange(enabled=False))

    async def heard() -> bool:
        return not courier.lines[0].record.enabled

    await eventually(heard)
    before = unsent()
    for _ in range(20):
        await account.append("b")

    await eventually(lambda: has(account, endpoint.id, waiting=20, retrying=0))
    letters = await account.endpoints.dead_letters(endpoint.id)
    assert [(letter.seq, letter.attempts) for letter in letters] == [(1, 2)]
    assert unsent() - before == 1


async def has(account: Account, endpoint_id: str, **wanted: int) -> bool:
    """Whether the endpoint's status has these numbers."""
    status = await account.endpoints.status(endpoint_id)
    return {name: getattr(status, name) for name in wanted} == wanted


def unsent() -> float:
    """Events that were given up without an attempt, as the metrics count them."""
    samples = [sample for metric in metrics.DEAD.collect() for sample in metric.samples]
    return sum(s.value for s in samples if s.labels.get("reason") == "unsent" and s.name.endswith("_total"))


async def test_an_endpoint_that_is_switched_off_gets_nothing_that_waited_for_a_slot(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    settings = make_settings(concurrency=8, concurrency_max=8, concurrency_total=2, concurrency_reserved=0)
    release = asyncio.Event()

    async def until_released(got: Got, request: web.Request) -> None:
        await release.wait()

    receiver.answer(until_released)
    endpoint = await account.endpoints.create(receiver.url())
    for number in range(8):
        await account.append(f"chat{number}")
    courier = await start_courier(by=settings)
    await receiver.wait(lambda: receiver.open == 2)
    await account.endpoints.change(endpoint.id, EndpointChange(enabled=False))

    async def heard() -> bool:
        return not courier.lines[0].record.enabled

    await eventually(heard)
    release.set()
    await account.settled(endpoint.id, 2)
    other = await account.endpoints.create(receiver.url("/other"))
    await account.append("x")
    await account.settled(other.id, 9)
    assert len([got for got in receiver.got if got.path == "/"]) == 2
    await account.endpoints.change(endpoint.id, EndpointChange(enabled=True))
    await account.settled(endpoint.id, 9)
    assert sorted(receiver.seqs()) == list(range(1, 10))


async def test_a_proxy_that_is_away_switches_no_endpoint_off(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    patient = DeliveryOptions(disable_after=0.2)
    endpoint = await account.endpoints.create(receiver.url(), events=["message.*"], delivery=patient)
    egress = Egress(Guard(allow_private=True), proxy="http://127.0.0.1:1")
    await start_courier(by=make_settings(schedule=(0.05,) * 4), egress=egress)
    await account.append()

    async def tried() -> bool:
        return (await account.endpoints.status(endpoint.id)).failed_attempts >= 12

    await eventually(tried)
    assert (await account.endpoints.get(endpoint.id)).enabled
    status = await account.endpoints.status(endpoint.id)
    assert (status.failing_since, status.waiting) == (None, 1)
    assert await news(account) == []
