"""Endpoints as the API uses them: configuration, the delivery log, dead letters and their replay."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from actors import metrics
from actors.courier.endpoints import (
    DeadLetterUnknown,
    EndpointDisabled,
    Endpoints,
    EndpointUnknown,
    TooManyEndpoints,
)
from actors.courier.ledger import Changed, Lane, Ledger, LogEntry, Lost, Settlement
from actors.courier.queue import Retry
from actors.courier.records import EndpointChange, Ordering
from actors.courier.signature import new_secret
from actors.events import EventType
from actors.registry import Registry, RevisionConflict, now
from actors.settings import CourierSettings, Settings
from actors.store import Store
from tests.courier.conftest import Account, MakeAccount, MakeSettings, Running, StartCourier, eventually
from tests.courier.receiver import Answer, Got, Receiver
from tests.proxy import Proxy

URL = "https://hooks.example.com/"


async def kill_the_first(got: Got, request: web.Request) -> web.Response | None:
    """The first event ends what is to handle it."""
    if got.seq > 1:
        return None
    assert request.transport is not None
    request.transport.abort()
    return web.Response(status=500)


def refuse(status: int = 400) -> Answer:
    async def answer(got: Got, request: web.Request) -> web.Response:
        return web.Response(status=status, text="not like this")

    return answer


def dead(account: Account, endpoint_id: str, count: int) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return (await account.endpoints.status(endpoint_id)).dead_letters == count

    return look


async def test_a_life(account: Account) -> None:
    endpoints = account.endpoints
    first = await endpoints.create(URL, events=["message.*"], description="d", headers={"x-a": "b"})
    second = await endpoints.create(URL + "2", ordering=Ordering.NONE)
    assert [record.id for record in await endpoints.list()] == [first.id, second.id]
    assert await endpoints.get(first.id) == first
    changed = await endpoints.change(
        first.id, EndpointChange(url=URL + "new", events=("*",)), revision=first.revision
    )
    assert (changed.url, changed.events, changed.description) == (URL + "new", ("*",), "d")
    assert changed.revision == first.revision + 1
    with pytest.raises(RevisionConflict):
        await endpoints.change(first.id, EndpointChange(description="x"), revision=first.revision)
    assert await endpoints.delete(first.id)
    assert await endpoints.list() == [second]


async def test_switching_off_and_on(account: Account) -> None:
    endpoint = await account.endpoints.create(URL)
    off = await account.endpoints.change(endpoint.id, EndpointChange(enabled=False))
    assert (off.enabled, off.disabled_reason) == (False, "switched off")
    with pytest.raises(EndpointDisabled):
        await account.endpoints.send_test(endpoint.id)
    on = await account.endpoints.enable(endpoint.id)
    assert (on.enabled, on.disabled_reason) == (True, None)


async def test_what_does_not_exist(account: Account) -> None:
    endpoints = account.endpoints
    for call in (
        endpoints.get("ep_no"),
        endpoints.change("ep_no", EndpointChange()),
        endpoints.enable("ep_no"),
        endpoints.rotate_secret("ep_no"),
        endpoints.status("ep_no"),
        endpoints.attempts("ep_no"),
        endpoints.dead_letters("ep_no"),
        endpoints.dead_letter("ep_no", "evt_no"),
        endpoints.replay("ep_no", "evt_no"),
        endpoints.replay_since("ep_no"),
        endpoints.send_test("ep_no"),
    ):
        with pytest.raises(EndpointUnknown):
            await call
    assert not await endpoints.delete("ep_no")
    endpoint = await endpoints.create(URL)
    for call in (endpoints.dead_letter(endpoint.id, "evt_no"), endpoints.replay(endpoint.id, "evt_no")):
        with pytest.raises(DeadLetterUnknown):
            await call
    with pytest.raises(ValueError, match="no id of an attempt"):
        await endpoints.attempts(endpoint.id, before="(1")


async def test_what_is_not_valid(account: Account) -> None:
    with pytest.raises(ValidationError):
        await account.endpoints.create("nope")
    with pytest.raises(ValidationError):
        await account.endpoints.create(URL, events=["nope"])
    with pytest.raises(ValidationError):
        await account.endpoints.create(URL, secret="whsec_short")
    with pytest.raises(ValueError, match="whsec_"):
        await account.endpoints.rotate_secret((await account.endpoints.create(URL)).id, secret="short")


async def test_a_private_literal_is_refused_at_once(store: Store, account: Account) -> None:
    strict = Endpoints(store, account.id, Settings(courier=CourierSettings(allow_private=False)))
    for url in (
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://127.1/",
    ):
        with pytest.raises(ValueError, match="not allowed"):
            await strict.create(url)
    endpoint = await strict.create(URL)
    with pytest.raises(ValueError, match="not allowed"):
        await strict.change(endpoint.id, EndpointChange(url="http://10.0.0.1/"))
    relaxed = Endpoints(
        store, account.id, Settings(courier=CourierSettings(allow_private=False), allow_hosts=("10.0.0.0/8",))
    )
    await relaxed.change(endpoint.id, EndpointChange(url="http://10.0.0.1/"))


async def test_an_instance_has_so_many_endpoints(
    make_account: MakeAccount, make_settings: MakeSettings
) -> None:
    account = await make_account(by=make_settings(endpoints_max=2))
    for _ in range(2):
        await account.endpoints.create(URL)
    with pytest.raises(TooManyEndpoints):
        await account.endpoints.create(URL)


async def test_a_lost_reply_creates_and_changes_once(
    account: Account, proxied_store: Store, proxy: Proxy, settings: Settings
) -> None:
    endpoints = Endpoints(proxied_store, account.id, settings)
    warm = await endpoints.create(URL)
    proxy.lose_reply()
    await endpoints.create(URL)
    assert len(await account.endpoints.list()) == 2
    proxy.lose_reply()
    changed = await endpoints.change(warm.id, EndpointChange(description="x"))
    assert (await account.endpoints.get(warm.id)).revision == changed.revision == 1
    assert proxy.lost == 2


async def test_rotations_keep_a_bounded_number_of_secrets(account: Account) -> None:
    endpoint = await account.endpoints.create(URL)
    made = [endpoint.secrets[0].value]
    for _ in range(7):
        rotated = await account.endpoints.rotate_secret(endpoint.id)
        made.insert(0, rotated.secrets[0].value)
    assert [s.value for s in rotated.secrets] == made[:5]
    assert rotated.secrets[0].expires_at is None
    assert all(s.expires_at is not None for s in rotated.secrets[1:])
    mine = new_secret()
    final = await account.endpoints.rotate_secret(endpoint.id, secret=mine, overlap=0)
    assert [s.value for s in final.secrets] == [mine]


async def test_dead_letters_hold_the_event_and_can_be_replayed(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(refuse())
    await start_courier()
    for number in range(3):
        await account.append("a", text=f'ünï "{number}"\n')
    await eventually(dead(account, endpoint.id, 3))
    await account.settled(endpoint.id, 3)

    stored = [event for event in await account.mailbox.read() if event.type is EventType.MESSAGE_RECEIVED]
    letters = await account.endpoints.dead_letters(endpoint.id)
    assert [letter.event for letter in letters] == stored
    assert [(d.seq, d.attempts, d.status, d.error) for d in letters] == [
        (seq, 5, 400, "HTTP 400") for seq in (1, 2, 3)
    ]
    assert letters[0].first_attempt_at <= letters[0].died_at
    assert await account.endpoints.dead_letter(endpoint.id, letters[1].id) == letters[1]
    assert await account.endpoints.dead_letters(endpoint.id, limit=1, offset=2) == letters[2:]
    assert await account.endpoints.dead_letters(endpoint.id, since=now() + timedelta(minutes=1)) == []
    # Whatever the mailbox forgets, a dead letter keeps.
    await account.store.redis.xtrim(account.mailbox.key("mailbox"), maxlen=0)

    receiver.obey()
    receiver.got.clear()
    await account.endpoints.replay(endpoint.id, letters[1].id)
    await receiver.wait(lambda: len(receiver.taken) == 1)
    got = receiver.taken[0]
    got.verify(endpoint.secrets[0].value)
    assert (got.seq, got.headers["webhook-id"], got.event["data"]) == (
        2,
        letters[1].id,
        letters[1].event.data,
    )
    with pytest.raises(DeadLetterUnknown):
        await account.endpoints.replay(endpoint.id, letters[1].id)

    assert await account.endpoints.replay_since(endpoint.id) == 2
    await receiver.wait(lambda: len(receiver.taken) == 3)
    assert receiver.seqs() == [2, 1, 3]

    async def over() -> bool:
        status = await account.endpoints.status(endpoint.id)
        return (status.dead_letters, status.replaying) == (0, 0)

    await eventually(over)


async def test_a_replay_is_retried_in_order_and_can_die_again(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(refuse())
    await start_courier()
    for _ in range(4):
        await account.append("a")
    await eventually(dead(account, endpoint.id, 4))
    receiver.got.clear()

    async def second_time(got: Got, request: web.Request) -> web.Response | None:
        if got.event["data"]["n"] == 2:
            return web.Response(status=400)
        return web.Response(status=503) if got.attempt == 1 else None

    receiver.answer(second_time)
    assert await account.endpoints.replay_since(endpoint.id) == 4
    await receiver.wait(lambda: len(receiver.taken) == 3)
    assert [got.event["data"]["n"] for got in receiver.taken] == [1, 3, 4]
    await eventually(dead(account, endpoint.id, 1))
    assert [d.event.data["n"] for d in await account.endpoints.dead_letters(endpoint.id)] == [2]
    kinds = {a.kind for a in await account.endpoints.attempts(endpoint.id, limit=9)}
    assert kinds == {"replay"}


async def test_a_large_replay_goes_page_by_page(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(refuse())
    await start_courier(by=make_settings(schedule=()))
    total = 450
    for number in range(total):
        await account.append(f"chat{number % 5}")
    await eventually(dead(account, endpoint.id, total))
    receiver.obey()
    assert await account.endpoints.replay_since(endpoint.id) == total
    await receiver.wait_taken(total)
    for chat in range(5):
        seqs = [got.seq for got in receiver.taken if got.event["chat_id"] == f"chat{chat}"]
        assert seqs == sorted(seqs)
    assert sorted(receiver.seqs()) == list(range(1, total + 1))


async def test_dead_letters_are_bounded_and_the_loss_is_counted(
    make_account: MakeAccount, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    settings = make_settings(schedule=(), dead_kept=3)
    lost = metrics.REGISTRY.get_sample_value("malote_dead_letters_dropped_total") or 0.0
    account = await make_account(by=settings)
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(refuse())
    await start_courier(by=settings, clock=lambda: 1_700_000_000.0)  # all die at the same moment
    for _ in range(5):
        await account.append("a")
    await account.settled(endpoint.id, 5)
    status = await account.endpoints.status(endpoint.id)
    assert (status.dead_letters, status.dead_letters_dropped) == (3, 2)
    assert metrics.REGISTRY.get_sample_value("malote_dead_letters_dropped_total") == lost + 2
    assert [d.seq for d in await account.endpoints.dead_letters(endpoint.id)] == [3, 4, 5]


async def test_a_poison_event_frees_its_chat_while_others_succeed(
    make_account: MakeAccount, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    settings = make_settings(schedule=(0.02,) * 500, poison_attempts=3)
    account = await make_account(by=settings)
    endpoint = await account.endpoints.create(receiver.url())

    async def poisoned(got: Got, request: web.Request) -> web.Response | None:
        return web.Response(status=500) if got.seq == 1 else None

    receiver.answer(poisoned)
    await account.append("a")
    await start_courier(by=settings)
    await receiver.wait(lambda: len(receiver.got) >= 6)
    assert (await account.endpoints.status(endpoint.id)).dead_letters == 0
    await account.append("b")
    await account.append("a")
    await eventually(dead(account, endpoint.id, 1))
    await receiver.wait_taken(2)
    assert [got.event["chat_id"] for got in receiver.taken] == ["b", "a"]
    assert [d.seq for d in await account.endpoints.dead_letters(endpoint.id)] == [1]


async def test_an_event_that_kills_its_handler_is_poison_too(
    make_account: MakeAccount, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    settings = make_settings(schedule=(0.2,) * 500, poison_attempts=3, breaker_first=0.1, breaker_longest=0.1)
    account = await make_account(by=settings)
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(kill_the_first)
    await account.append("a")
    await account.append("a")
    await start_courier(by=settings)
    await receiver.wait(lambda: len(receiver.got) > 0)
    await account.append("b")
    await eventually(dead(account, endpoint.id, 1))
    await receiver.wait_taken(2)
    assert [got.event["chat_id"] for got in receiver.taken] == ["b", "a"]
    (letter,) = await account.endpoints.dead_letters(endpoint.id)
    assert (letter.seq, letter.status) == (1, None)
    assert "the connection broke" in (letter.error or "")


@pytest.mark.parametrize("status", [502, 504])
async def test_an_event_that_kills_its_handler_behind_a_proxy_is_poison_too(
    make_account: MakeAccount,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    status: int,
) -> None:
    settings = make_settings(reach=20, poison_attempts=3, schedule=(0.1,) * 40)
    account = await make_account(by=settings)
    endpoint = await account.endpoints.create(receiver.url())

    async def killed(got: Got, request: web.Request) -> web.Response | None:
        return web.Response(status=status) if got.seq == 1 else None

    receiver.answer(killed)
    await start_courier(by=settings)
    for number in range(60):
        await account.append(f"chat {number}")
    await receiver.wait_taken(59)
    await eventually(dead(account, endpoint.id, 1))


async def test_an_event_that_keeps_all_others_from_being_tried_does_not_stop_them(
    make_account: MakeAccount,
    receiver: Receiver,
    start_courier: StartCourier,
    make_settings: MakeSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its chat fills the window, and its failures alone open the circuit."""
    monkeypatch.setattr("actors.courier.retry.SPARED_MOST", 3)
    settings = make_settings(
        window=5, breaker_failures=3, breaker_first=0.05, breaker_longest=0.05, schedule=(0.05,) * 500
    )
    account = await make_account(by=settings)
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(kill_the_first)
    await account.append("a")
    await start_courier(by=settings)
    await receiver.wait(lambda: len(receiver.got) > 0)
    await account.append("b")
    await receiver.wait_taken(1)
    for _ in range(10):
        await account.append("a")
    await account.append("c")
    await eventually(dead(account, endpoint.id, 1))
    await receiver.wait_taken(12)


async def test_a_retry_of_a_clock_that_was_ahead_is_not_waited_for(
    make_account: MakeAccount,
    receiver: Receiver,
    start_courier: StartCourier,
    running: Running,
    make_settings: MakeSettings,
) -> None:
    settings = make_settings(schedule=(0.2,) * 5, retry_after_max=0.2)
    account = await make_account(by=settings)
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(refuse(422))
    courier = await start_courier(by=settings, clock=lambda: time.time() + 30 * 86_400)
    await account.append("a")

    async def retrying() -> bool:
        return (await account.endpoints.status(endpoint.id)).retrying > 0

    await eventually(retrying)
    await running.kill(courier)
    receiver.obey()
    await start_courier(by=settings)
    await receiver.wait_taken(1)


async def test_the_log_is_bounded_and_paged(
    make_account: MakeAccount, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    settings = make_settings(attempts_kept=7, schedule=())
    account = await make_account(by=settings)
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(refuse(422))
    await start_courier(by=settings)
    for _ in range(10):
        await account.append("a")
    await account.settled(endpoint.id, 10)
    everything = await account.endpoints.attempts(endpoint.id)
    assert [a.seq for a in everything] == [10, 9, 8, 7, 6, 5, 4]
    pages, before = [], None
    while page := await account.endpoints.attempts(endpoint.id, limit=3, before=before):
        pages.append([a.seq for a in page])
        before = page[-1].id
    assert pages == [[10, 9, 8], [7, 6, 5], [4]]
    newest = everything[0]
    assert (newest.status, newest.failure, newest.result, newest.answer) == (
        422,
        "status",
        "dead",
        "not like this",
    )


async def test_a_disabled_endpoint_is_not_called_and_loses_nothing(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url(), enabled=False)
    witness = await account.endpoints.create(receiver.url("/witness"))
    await start_courier()
    for _ in range(5):
        await account.append()
    await account.settled(witness.id, 5)
    assert receiver.seqs() == []
    assert (await account.endpoints.status(endpoint.id)).waiting == 5
    await account.endpoints.enable(endpoint.id)
    await account.settled(endpoint.id, 5)
    assert receiver.seqs() == [1, 2, 3, 4, 5]


async def test_a_change_of_the_order_takes_hold(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    stuck = asyncio.Event()

    async def first_refused(got: Got, request: web.Request) -> web.Response | None:
        return web.Response(status=503) if got.seq == 1 and not stuck.is_set() else None

    receiver.answer(first_refused)
    await start_courier()
    await account.append("a")
    await receiver.wait(lambda: len(receiver.got) > 0)
    await account.endpoints.change(endpoint.id, EndpointChange(ordering=Ordering.NONE))
    await account.append("a")
    await receiver.wait(lambda: receiver.seqs() == [2])
    stuck.set()
    await account.settled(endpoint.id, 2)


async def test_the_end_of_an_instance_ends_its_deliveries(
    account: Account, receiver: Receiver, start_courier: StartCourier, store: Store
) -> None:
    await account.endpoints.create(receiver.url())
    courier = await start_courier()
    await account.append()
    await receiver.wait_taken(1)
    await Registry(store).delete(account.id)

    async def gone() -> bool:
        return bool(courier.describe()["endpoints"] == 0)

    await eventually(gone)
    leftovers = store.keys.instance(account.id, "ep") + "*"
    assert [key async for key in store.redis.scan_iter(match=leftovers)] == []


async def test_an_endpoint_that_fails_for_days_is_switched_off_and_loses_nothing(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(refuse(500))
    time_ = [1_700_000_000.0]
    settings = make_settings(schedule=(3_600.0,) * 1000, disable_after=86_400, sweep=0.05)
    courier = await start_courier(by=settings, clock=lambda: time_[0])
    await account.append()
    for hour in range(1, 25):
        await receiver.wait_got(hour)
        assert (await account.endpoints.get(endpoint.id)).enabled
        await written(account, endpoint.id, hour)
        time_[0] += 3_600
        for line in courier._lines.values():
            line.wake()

    async def off() -> bool:
        return not (await account.endpoints.get(endpoint.id)).enabled

    await eventually(off)
    record = await account.endpoints.get(endpoint.id)
    assert record.disabled_reason == "every attempt failed for 1.0 days"
    assert len(receiver.got) == 25
    receiver.obey()
    time_[0] += 3_600
    await account.endpoints.enable(endpoint.id)
    await account.settled(endpoint.id, 1)
    assert receiver.seqs() == [1]


async def test_failures_with_quiet_days_in_between_switch_nothing_off(
    account: Account, receiver: Receiver, start_courier: StartCourier, make_settings: MakeSettings
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    receiver.answer(refuse(422))
    time_ = [1_700_000_000.0]
    settings = make_settings(schedule=(), disable_after=5 * 86_400)
    await start_courier(by=settings, clock=lambda: time_[0])
    await account.append()
    await eventually(dead(account, endpoint.id, 1))
    time_[0] += 6 * 86_400
    await account.append()
    await eventually(dead(account, endpoint.id, 2))
    status = await account.endpoints.status(endpoint.id)
    assert status.failing_since is not None
    assert status.failing_since.timestamp() == pytest.approx(time_[0])
    assert (await account.endpoints.get(endpoint.id)).enabled


async def written(account: Account, endpoint_id: str, count: int) -> None:
    """Wait until so many attempts are in the log."""

    async def look() -> bool:
        return len(await account.endpoints.attempts(endpoint_id)) >= count

    await eventually(look)


async def test_a_courier_at_work_writes_nothing_for_an_instance_that_is_being_deleted(
    account: Account, store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last results come while the keys are removed, one by one."""
    endpoint = await account.endpoints.create("https://example.com/")
    await account.append()
    ledger = Ledger(store, settings, account.id, endpoint.id, asyncio.Semaphore(4))
    claim = await ledger.claim("c")
    [entry] = await ledger.read(Lane.MAILBOX, after=0, count=1)
    log = LogEntry(
        event_id=entry.parcel.event_id, seq=1, type="t", attempt=1, kind="delivery",
        at=1.0, duration_ms=1, result="retry",
    )  # fmt: skip
    retry = Settlement(1, entry.parcel.event_id, "retry", 1.0, log, Retry(1, 2.0, 1.0, 1))
    replayed = Settlement(1, "evt_none", "done", 1.0, log)
    unlink = store.redis.unlink

    async def while_at_work(*keys: str) -> int:
        removed = int(await unlink(*keys))
        for lane, result in ((Lane.MAILBOX, retry), (Lane.REPLAY, replayed)):
            with contextlib.suppress(Lost, Changed):
                await ledger.settle(lane, claim, [result])
        with contextlib.suppress(Lost):
            await ledger.claim("c")
        return removed

    async def in_order(**options: Any) -> AsyncIterator[str]:
        for key in sorted([key async for key in scan(**options)]):
            yield key

    scan = store.redis.scan_iter
    monkeypatch.setattr(store.redis, "unlink", while_at_work)
    monkeypatch.setattr(store.redis, "scan_iter", in_order)
    await Registry(store).delete(account.id)
    left = [key async for key in scan(match=store.keys.instance(account.id) + ":*")]
    assert left == [store.keys.instance(account.id, "owner")]
