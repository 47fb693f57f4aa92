"""The outbox: durable, ordered, idempotent; and what is left of it after a crash at any step."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

import pytest

from actors.events import EventDraft, EventType
from actors.instance.mailbox import Mailbox
from actors.instance.outbox import (
    IdempotencyMismatch,
    Outbox,
    OutboxFull,
    QueuedMessage,
    SendRequest,
)
from actors.messages.content import Text
from actors.registry import InstanceUnknown, Registry, new_token
from actors.settings import OutboxSettings
from actors.store import StaleEpoch, Store, StoreUnavailable
from api.contents import EXAMPLES, SendMessage
from tests.proxy import Proxy
from tests.store.samples import INSTANCE, REQUEST, draft, grant, raise_floor, record, snapshot

OTHER = SendRequest(to=REQUEST.to, content=Text(text="another text"))
POLL = {"type": "poll", "question": "When?", "options": ["now", "later"]}


def result_of(message: QueuedMessage, kind: EventType = EventType.MESSAGE_SENT) -> EventDraft:
    return draft(f"result:{message.id}", type=kind, data={"id": message.id})


async def head(outbox: Outbox) -> QueuedMessage:
    message = await outbox.head()
    assert message is not None
    return message


async def get(outbox: Outbox, message_id: str) -> QueuedMessage:
    message = await outbox.get(message_id)
    assert message is not None
    return message


async def finish(
    outbox: Outbox, epoch: int, message: QueuedMessage, status: Literal["sent", "failed"] = "sent"
) -> None:
    kind = EventType.MESSAGE_SENT if status == "sent" else EventType.MESSAGE_FAILED
    await outbox.finish(epoch, message, status, {"note": status}, result_of(message, kind))


def with_settings(outbox: Outbox, **changes: int) -> Outbox:
    return Outbox(outbox.store, outbox.mailbox, OutboxSettings.model_validate(changes))


# ---- queueing ----


async def test_a_queued_message_can_be_looked_up(outbox: Outbox) -> None:
    message_id, fresh = await outbox.enqueue(REQUEST)
    assert fresh
    message = await get(outbox, message_id)
    assert (message.id, message.request, message.status, message.attempts) == (
        message_id,
        REQUEST,
        "queued",
        0,
    )
    assert message.result is None
    assert await outbox.head() == message
    assert await outbox.depth() == 1
    assert await outbox.get("3EB0NONE") is None


async def test_queueing_needs_no_owner(outbox: Outbox, registry: Registry) -> None:
    assert await registry.owner(INSTANCE) is None
    assert await outbox.head() is None
    message_id, _ = await outbox.enqueue(REQUEST)
    assert (await head(outbox)).id == message_id


async def test_nothing_is_queued_for_a_deleted_instance(
    outbox: Outbox, registry: Registry, store: Store
) -> None:
    await registry.create(record(), new_token())
    await grant(registry)
    await registry.delete(INSTANCE)
    before = await snapshot(store)
    with pytest.raises(InstanceUnknown):
        await outbox.enqueue(REQUEST, "key")
    assert await snapshot(store) == before


async def test_messages_are_sent_in_the_order_they_were_queued(outbox: Outbox, epoch: int) -> None:
    queued = [(await outbox.enqueue(REQUEST))[0] for _ in range(15)]
    sent = []
    while (message := await outbox.head()) is not None:
        await outbox.begin(epoch, message)
        await finish(outbox, epoch, message)
        sent.append(message.id)
    assert sent == queued
    # The order goes on after the queue was empty.
    queued = [(await outbox.enqueue(REQUEST))[0] for _ in range(2)]
    assert (await head(outbox)).id == queued[0]


async def test_too_many_messages(outbox: Outbox, epoch: int, store: Store) -> None:
    small = with_settings(outbox, bound=3)
    known, _ = await small.enqueue(REQUEST, "known")
    await small.enqueue(REQUEST)
    await small.enqueue(REQUEST)
    before = await snapshot(store)
    with pytest.raises(OutboxFull) as full:
        await small.enqueue(REQUEST, "new")
    assert full.value.depth == 3
    assert await snapshot(store) == before
    # What is queued already is not refused for want of room.
    assert await small.enqueue(REQUEST, "known") == (known, False)
    await finish(small, epoch, await head(small))
    assert (await small.enqueue(REQUEST, "new"))[1]


async def test_the_same_key_with_the_same_body_is_the_same_message(outbox: Outbox, epoch: int) -> None:
    first, fresh = await outbox.enqueue(REQUEST, "key")
    assert fresh
    assert await outbox.enqueue(REQUEST, "key") == (first, False)
    await finish(outbox, epoch, await head(outbox))
    assert await outbox.enqueue(REQUEST, "key") == (first, False)
    assert await outbox.depth() == 0


async def test_the_same_key_at_once_is_one_message(outbox: Outbox) -> None:
    answers = await asyncio.gather(*(outbox.enqueue(REQUEST, "key") for _ in range(20)))
    assert len({message_id for message_id, _ in answers}) == 1
    assert sum(fresh for _, fresh in answers) == 1
    assert await outbox.depth() == 1


async def test_the_same_key_with_another_body_is_refused(outbox: Outbox, store: Store) -> None:
    first, _ = await outbox.enqueue(REQUEST, "key")
    before = await snapshot(store)
    with pytest.raises(IdempotencyMismatch) as refused:
        await outbox.enqueue(OTHER, "key")
    assert refused.value.message_id == first
    assert await snapshot(store) == before


async def test_without_a_key_the_same_body_is_another_message(outbox: Outbox) -> None:
    first, _ = await outbox.enqueue(REQUEST)
    second, fresh = await outbox.enqueue(REQUEST)
    empty, _ = await outbox.enqueue(REQUEST, "")
    assert fresh
    assert len({first, second, empty}) == 3
    assert await outbox.enqueue(REQUEST, "") == (empty, False)


async def test_a_key_is_remembered_while_its_message_waits(outbox: Outbox, store: Store, epoch: int) -> None:
    short = with_settings(outbox, idempotency_ttl=1)
    first, _ = await short.enqueue(REQUEST, "key")
    waiting = store.redis.hget(outbox.key("message", first), "idempotency")
    assert await store.redis.ttl(await waiting) > 86_400, "an instance may be disconnected for days"
    await finish(short, epoch, await head(short))
    assert await short.enqueue(REQUEST, "key") == (first, False), "who asks just now is answered as before"


async def test_a_key_is_forgotten_after_its_time(outbox: Outbox, store: Store, epoch: int) -> None:
    first, _ = await outbox.enqueue(REQUEST, "key")
    await finish(outbox, epoch, await head(outbox))
    [key] = [k async for k in store.redis.scan_iter(match=f"{store.keys.prefix}*idempotency*", count=1000)]
    assert 0 < await store.redis.ttl(key) <= outbox.settings.idempotency_ttl
    await store.redis.expireat(key, 1)
    second, fresh = await outbox.enqueue(OTHER, "key")
    assert fresh
    assert second != first


async def test_an_idempotency_key_is_not_stored_in_plain(outbox: Outbox, store: Store) -> None:
    await outbox.enqueue(REQUEST, "order-of-maria-silva")
    assert "maria" not in repr(await snapshot(store))


# ---- what is queued ----


async def test_entries_of_the_version_before_are_read(outbox: Outbox, store: Store, epoch: int) -> None:
    """Written by a gateway of before typed contents, as it wrote them."""
    await store.redis.xadd(outbox.key("outbox"), {"id": "3EB0OLD"}, id="1-0")
    old = {
        "id": "3EB0OLD",
        "request": '{"to":"5511999999999@s.whatsapp.net","type":"text","text":"olá, 世界 👋"}',
        "created_at": "2026-01-31T12:00:00+00:00",
        "status": "queued",
        "entry": "1-0",
        "attempts": "0",
    }
    await store.redis.hset(outbox.key("message", "3EB0OLD"), mapping=old)
    message = await head(outbox)
    assert message.request == REQUEST
    assert message.request.content == Text(text="olá, 世界 👋")
    await finish(outbox, epoch, message)
    assert (await get(outbox, "3EB0OLD")).status == "sent"


async def test_a_plain_text_is_written_as_before(outbox: Outbox, store: Store) -> None:
    # So that a version before this one can send it, and knows it for the same under its key.
    message_id, _ = await outbox.enqueue(REQUEST)
    raw = await store.redis.hget(outbox.key("message", message_id), "request")
    assert raw == '{"to":"5511999999999@s.whatsapp.net","type":"text","text":"olá, 世界 👋"}'


@pytest.mark.parametrize(
    "other",
    [
        {"text": "olá, 世界 👋", "delay": 1},
        {"text": "olá, 世界 👋", "typing": 1},
        {"text": "olá, 世界 👋", "expires_in": 86_400},
        {"text": "olá, 世界 👋", "quote": "3EB0A"},
        {"text": "olá, 世界 👋", "mentions": ["+5511912345678"]},
        {"type": "edit", "message_id": "3EB0A", "text": "olá, 世界 👋"},
    ],
)
async def test_a_key_belongs_to_the_whole_content(outbox: Outbox, other: dict[str, object]) -> None:
    changed = SendRequest.model_validate({"to": REQUEST.to, **other})
    await outbox.enqueue(REQUEST, "key")
    with pytest.raises(IdempotencyMismatch):
        await outbox.enqueue(changed, "key")
    first, _ = await outbox.enqueue(changed, "other key")
    again = SendRequest.model_validate({"to": REQUEST.to, **other})
    assert await outbox.enqueue(again, "other key") == (first, False)


async def test_every_content_survives_the_queue(outbox: Outbox, epoch: int) -> None:
    for name, example in EXAMPLES.items():
        request = SendMessage.model_validate(example).request()
        message_id, _ = await outbox.enqueue(request)
        assert (await get(outbox, message_id)).request == request, name


async def test_a_poll_has_a_secret_that_stays(outbox: Outbox) -> None:
    poll = SendRequest.model_validate({"to": REQUEST.to, **POLL})
    message_id, _ = await outbox.enqueue(poll)
    other_id, _ = await outbox.enqueue(poll)
    text_id, _ = await outbox.enqueue(REQUEST)
    message = await get(outbox, message_id)
    assert len(bytes.fromhex(message.secret)) == 32
    assert (await get(outbox, message_id)).secret == message.secret
    assert (await get(outbox, other_id)).secret != message.secret
    assert (await get(outbox, text_id)).secret == ""


# ---- results ----


async def test_an_attempt_is_counted_before_it_is_made(outbox: Outbox, epoch: int) -> None:
    await outbox.enqueue(REQUEST)
    message = await head(outbox)
    assert [await outbox.begin(epoch, message) for _ in range(3)] == [1, 2, 3]
    again = await head(outbox)
    assert (again.id, again.status, again.attempts) == (message.id, "sending", 3)


@pytest.mark.parametrize("status", ["sent", "failed"])
async def test_a_result_and_its_event_are_one_step(
    outbox: Outbox, mailbox: Mailbox, store: Store, epoch: int, status: Literal["sent", "failed"]
) -> None:
    message_id, _ = await outbox.enqueue(REQUEST)
    await outbox.begin(epoch, await head(outbox))
    await finish(outbox, epoch, await head(outbox), status)
    assert await outbox.head() is None
    assert await outbox.depth() == 0
    message = await get(outbox, message_id)
    assert (message.status, message.result) == (status, {"note": status})
    [event] = await mailbox.read()
    assert (event.type, event.data) == (f"message.{status}", {"id": message_id})
    ttl = await store.redis.ttl(outbox.key("message", message_id))
    assert 0 < ttl <= outbox.settings.result_ttl


async def test_a_result_teaches_chats(outbox: Outbox, mailbox: Mailbox, epoch: int) -> None:
    await outbox.enqueue(REQUEST)
    message = await head(outbox)
    await outbox.finish(epoch, message, "sent", {}, result_of(message), aliases={"1@lid": "chat-1"})
    assert await mailbox.chats() == {"1@lid": "chat-1"}


async def test_a_result_is_kept_also_in_a_full_mailbox(store: Store, mailbox: Mailbox, epoch: int) -> None:
    small = Mailbox(store, INSTANCE, mailbox.settings.model_copy(update={"soft_bound": 1, "hard_bound": 2}))
    outbox = Outbox(store, small, OutboxSettings())
    await raise_floor(small, 0)
    await small.append(epoch, draft())
    await small.append(epoch, draft())
    await outbox.enqueue(REQUEST)
    await finish(outbox, epoch, await head(outbox))
    assert [event.type for event in await small.read()][2] == EventType.MESSAGE_SENT


@pytest.mark.parametrize("later", ["sent", "failed"])
async def test_the_first_result_counts(
    outbox: Outbox, store: Store, epoch: int, later: Literal["sent", "failed"]
) -> None:
    await outbox.enqueue(REQUEST)
    message = await head(outbox)
    await finish(outbox, epoch, message, "sent")
    before = await snapshot(store)
    await finish(outbox, epoch, message, later)
    # Not even under another name: the message has left the queue.
    await outbox.finish(epoch, message, later, {"other": True}, draft("another key"))
    assert await snapshot(store) == before
    # What was learned of chats since is no result, and the writer counts on it.
    await outbox.finish(epoch, message, later, {}, draft("another key"), aliases={"1@lid": "chat-1"})
    assert await outbox.mailbox.chats() == {"1@lid": "chat-1"}


async def test_a_stale_sender_changes_nothing(
    outbox: Outbox, registry: Registry, store: Store, epoch: int
) -> None:
    await outbox.enqueue(REQUEST)
    message = await head(outbox)
    current = await grant(registry, epoch)
    before = await snapshot(store)
    for stale in (epoch, current + 1, 0):
        with pytest.raises(StaleEpoch) as refused:
            await outbox.begin(stale, message)
        assert refused.value.current == current
        with pytest.raises(StaleEpoch):
            await finish(outbox, stale, message)
    assert await snapshot(store) == before
    await finish(outbox, current, message)
    with pytest.raises(StaleEpoch):
        await finish(outbox, epoch, message)


async def test_without_an_owner_nothing_is_sent(outbox: Outbox, store: Store) -> None:
    await outbox.enqueue(REQUEST)
    message = await head(outbox)
    before = await snapshot(store)
    for nobody in (0, 1):
        with pytest.raises(StaleEpoch):
            await outbox.begin(nobody, message)
        with pytest.raises(StaleEpoch):
            await finish(outbox, nobody, message)
    assert await snapshot(store) == before


async def test_beginning_what_is_gone_leaves_nothing_behind(outbox: Outbox, epoch: int, store: Store) -> None:
    await outbox.enqueue(REQUEST)
    message = await head(outbox)
    await finish(outbox, epoch, message)
    await store.redis.delete(outbox.key("message", message.id))
    before = await snapshot(store)
    assert await outbox.begin(epoch, message) == 0
    assert await snapshot(store) == before
    assert await outbox.get(message.id) is None


async def test_receipts_raise_the_status(outbox: Outbox, mailbox: Mailbox, epoch: int, store: Store) -> None:
    message_id, _ = await outbox.enqueue(REQUEST)
    message = await head(outbox)
    await outbox.begin(epoch, message)
    # A receipt may be faster than the answer to the send.
    await mailbox.append(epoch, draft(status_of={message_id: "delivered"}))
    await finish(outbox, epoch, message)
    assert (await get(outbox, message_id)).status == "delivered"
    await mailbox.append(epoch, draft(status_of={message_id: "read"}))
    assert (await get(outbox, message_id)).status == "read"
    assert await store.redis.ttl(outbox.key("message", message_id)) > 0


# ---- faults ----


async def test_every_step_survives_a_lost_reply(
    outbox: Outbox, proxied_outbox: Outbox, mailbox: Mailbox, proxy: Proxy, epoch: int
) -> None:
    for key in (None, "key"):
        proxy.lose_reply(times=2)
        message_id, fresh = await proxied_outbox.enqueue(REQUEST, key)
        assert fresh
        assert await outbox.depth() == 1
        message = await head(outbox)
        assert message.id == message_id
        proxy.lose_reply()
        await proxied_outbox.begin(epoch, message)
        assert (await get(outbox, message_id)).status == "sending"
        proxy.lose_reply(times=2)
        await finish(proxied_outbox, epoch, message)
        assert (await get(outbox, message_id)).status == "sent"
        assert await outbox.depth() == 0
    assert proxy.lost == 10
    assert len(await mailbox.read()) == 2


async def test_while_redis_is_away_nothing_is_queued_twice(
    outbox: Outbox, proxied_store: Store, proxied_mailbox: Mailbox, proxy: Proxy
) -> None:
    away = Outbox(proxied_store, proxied_mailbox, OutboxSettings())
    proxy.lose_reply(times=1000)
    queueing = asyncio.create_task(away.enqueue(REQUEST, "key"))
    with pytest.raises(StoreUnavailable):
        await queueing
    # It was done, only nobody said so: the customer's repetition finds it.
    again, fresh = await outbox.enqueue(REQUEST, "key")
    assert not fresh
    assert [(await head(outbox)).id, await outbox.depth()] == [again, 1]


class Crash(Exception):
    """The process ends here."""


@dataclass
class Sender:
    """An owner that sends what is queued, and is killed just before or after one of its steps.

    The steps are begin, send and finish, in both of their moments: 6 places to die.
    """

    outbox: Outbox
    epoch: int
    arrived: list[str]
    dies_at: tuple[int, str, Literal["before", "after"]] | None = None
    round: int = 0

    async def step(self, name: str, work: Callable[[], Awaitable[object]]) -> None:
        for moment in ("before", "after"):
            if moment == "after":
                await work()
            if self.dies_at == (self.round, name, moment):
                raise Crash

    async def run(self) -> None:
        while (message := await self.outbox.head()) is not None:
            await self.send(message)
            self.round += 1

    async def send(self, message: QueuedMessage) -> None:
        async def network() -> None:
            self.arrived.append(message.id)

        await self.step("begin", lambda: self.outbox.begin(self.epoch, message))
        await self.step("send", network)
        await self.step("finish", lambda: finish(self.outbox, self.epoch, message))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", ["begin", "send", "finish"])
@pytest.mark.parametrize("at", [0, 1, 2])
async def test_a_crash_at_any_step_loses_nothing(
    outbox: Outbox,
    mailbox: Mailbox,
    registry: Registry,
    epoch: int,
    at: int,
    step: str,
    moment: Literal["before", "after"],
) -> None:
    queued = [(await outbox.enqueue(REQUEST))[0] for _ in range(3)]
    arrived: list[str] = []
    with pytest.raises(Crash):
        await Sender(outbox, epoch, arrived, (at, step, moment)).run()
    successor = await grant(registry, epoch)
    await Sender(outbox, successor, arrived).run()
    # Only a crash between the send and its record sends again, under the same id.
    twice = (step, moment) in {("send", "after"), ("finish", "before")}
    assert arrived == [*queued[: at + 1], *queued[at:]] if twice else arrived == queued
    assert [event.data["id"] for event in await mailbox.read()] == queued
    assert [(await get(outbox, message_id)).status for message_id in queued] == ["sent"] * 3
    assert await outbox.depth() == 0


async def test_a_frozen_sender_that_wakes_up_does_no_harm(
    outbox: Outbox, mailbox: Mailbox, registry: Registry, epoch: int
) -> None:
    """The predecessor had sent, was replaced before it recorded that, and goes on afterwards."""
    message_id, _ = await outbox.enqueue(REQUEST)
    message = await head(outbox)
    await outbox.begin(epoch, message)
    arrived = [message.id]
    successor = await grant(registry, epoch)
    await Sender(outbox, successor, arrived).run()
    with pytest.raises(StaleEpoch):
        await finish(outbox, epoch, message, "failed")
    assert arrived == [message_id, message_id]
    assert (await get(outbox, message_id)).status == "sent"
    assert len(await mailbox.read()) == 1
