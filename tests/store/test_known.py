"""Messages that are remembered: written with their events, bounded, and nobody's to take over."""

from __future__ import annotations

import pytest

from actors.events import EventType, Memory
from actors.instance.known import KnownMessages
from actors.instance.mailbox import Mailbox
from actors.instance.outbox import Outbox
from actors.messages.known import KnownMessage
from actors.store import StaleEpoch, Store, StoreUnavailable
from tests.proxy import Proxy
from tests.store.samples import INSTANCE, REQUEST, draft, snapshot


@pytest.fixture
def known(mailbox: Mailbox) -> KnownMessages:
    return KnownMessages(mailbox)


def message(message_id: str = "M1", raw: bytes = b"\n\x02hi", **more: object) -> KnownMessage:
    facts = {"chat_id": "1@lid", "chat": "1@lid", "sender": "1@lid", "from_me": False, "at_ms": 5, **more}
    return KnownMessage(id=message_id, raw=raw, **facts)  # type: ignore[arg-type]


async def append(mailbox: Mailbox, epoch: int, memory: Memory, key: str | None = None) -> None:
    await mailbox.append(epoch, draft(key).model_copy(update={"memory": memory}))


async def test_a_message_is_remembered_with_its_event(
    mailbox: Mailbox, known: KnownMessages, epoch: int
) -> None:
    await append(mailbox, epoch, message().learnt())
    assert await known.get("M1") == message()
    assert await known.get("M2") is None
    # What is remembered is no part of the event.
    [event] = await mailbox.read()
    assert "memory" not in event.model_dump_json()


async def test_nobody_takes_the_place_of_another_s_message(
    mailbox: Mailbox, known: KnownMessages, epoch: int
) -> None:
    await append(mailbox, epoch, message().learnt())
    await append(mailbox, epoch, message(sender="9@lid", raw=b"\n\x04evil").learnt())
    assert await known.get("M1") == message()


async def test_an_edit_changes_and_a_deletion_forgets(
    mailbox: Mailbox, known: KnownMessages, epoch: int
) -> None:
    await append(mailbox, epoch, message().learnt())
    changed = message(raw=b"\n\x03new")
    await append(mailbox, epoch, Memory(step="change", id="M1", record=changed.model_dump_json()))
    assert await known.get("M1") == changed
    await append(mailbox, epoch, changed.forgotten())
    assert await known.get("M1") is None
    # An edit that comes after the deletion does not bring the message back.
    await append(mailbox, epoch, Memory(step="change", id="M1", record=changed.model_dump_json()))
    assert await known.get("M1") is None


async def test_a_redelivered_event_teaches_nothing(
    mailbox: Mailbox, known: KnownMessages, epoch: int, store: Store
) -> None:
    await append(mailbox, epoch, message().learnt(), "same")
    await append(mailbox, epoch, message().forgotten())
    before = await snapshot(store)
    await append(mailbox, epoch, message().learnt(), "same")
    assert await snapshot(store) == before


async def test_a_stale_owner_teaches_nothing(mailbox: Mailbox, known: KnownMessages, epoch: int) -> None:
    with pytest.raises(StaleEpoch):
        await append(mailbox, epoch - 1, message().learnt())
    assert await known.get("M1") is None


async def test_the_oldest_are_forgotten_above_the_bound(store: Store, mailbox: Mailbox, epoch: int) -> None:
    small = Mailbox(store, INSTANCE, mailbox.settings.model_copy(update={"known": 3}))
    for number in range(10):
        await append(small, epoch, message(f"M{number}").learnt())
    assert sorted(await store.redis.hkeys(small.key("known"))) == ["M7", "M8", "M9"]
    assert sorted(await store.redis.zrange(small.key("known_ages"), 0, -1)) == ["M7", "M8", "M9"]


async def test_what_is_too_old_is_forgotten(store: Store, mailbox: Mailbox, epoch: int) -> None:
    await append(mailbox, epoch, message("old").learnt())
    await store.redis.zadd(mailbox.key("known_ages"), {"old": 1})
    await append(mailbox, epoch, message("new").learnt())
    assert await store.redis.hkeys(mailbox.key("known")) == ["new"]
    for key in ("known", "known_ages"):
        assert 0 < await store.redis.ttl(mailbox.key(key)) <= mailbox.settings.known_ttl


async def test_a_sent_message_is_remembered_with_its_result(
    outbox: Outbox, known: KnownMessages, epoch: int
) -> None:
    message_id, _ = await outbox.enqueue(REQUEST)
    queued = await outbox.head()
    assert queued is not None
    sent = message(message_id, from_me=True)
    event = draft(f"result:{message_id}", type=EventType.MESSAGE_SENT, data={"id": message_id})
    await outbox.finish(epoch, queued, "sent", {}, event.model_copy(update={"memory": sent.learnt()}))
    assert await known.get(message_id) == sent


async def test_a_lost_reply_remembers_once(
    proxied_mailbox: Mailbox, known: KnownMessages, proxy: Proxy, epoch: int, store: Store
) -> None:
    proxy.lose_reply(times=2)
    await append(proxied_mailbox, epoch, message().learnt())
    assert await known.get("M1") == message()
    assert await store.redis.zcard(proxied_mailbox.key("known_ages")) == 1


async def test_what_another_version_remembers_is_not_known(
    mailbox: Mailbox, known: KnownMessages, store: Store
) -> None:
    await store.redis.hset(mailbox.key("known"), "M1", '{"of": "tomorrow"}')
    assert await known.get("M1") is None


async def test_while_redis_is_away_nothing_is_said_to_be_unknown(
    proxied_mailbox: Mailbox, proxy: Proxy
) -> None:
    await proxy.refuse()
    with pytest.raises(StoreUnavailable):
        await KnownMessages(proxied_mailbox).get("M1")
