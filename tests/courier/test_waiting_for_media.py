"""Endpoints that want a message with its file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from actors.courier.records import DeliveryOptions
from actors.events import EventDraft, EventType
from actors.registry import now
from tests.courier.conftest import Account, Running, StartCourier
from tests.courier.receiver import Receiver

WAITS = DeliveryOptions(media="wait", media_wait=600)
PENDING = {"media": {"id": "f1", "state": "pending"}}


async def tell(account: Account, type_: EventType, **data: Any) -> None:
    moment = now()
    draft = EventDraft(
        type=type_, dedupe_key="media:f1", occurred_at=moment, received_at=moment, chat_id="a", data=data
    )
    assert await account.mailbox.append(account.epoch, draft) is not None


async def test_a_message_and_its_chat_wait_for_the_file_across_a_restart(
    account: Account, receiver: Receiver, start_courier: StartCourier, running: Running
) -> None:
    endpoint = await account.endpoints.create(receiver.url("/wait"), events=["message.*"], delivery=WAITS)
    await account.endpoints.create(receiver.url("/now"), events=["message.*"])
    for chat, content in (("a", PENDING), ("a", {}), ("b", {})):
        await account.append(chat, content=content)

    def seqs(path: str) -> list[int]:
        return [got.seq for got in receiver.taken if got.path == path]

    first = await start_courier()
    await receiver.wait(lambda: seqs("/wait") == [3] and sorted(seqs("/now")) == [1, 2, 3])
    await running.drain(first)
    link = {"id": "f1", "url": "http://x/f1", "expires_at": "2030-01-01T00:00:00+00:00"}
    await tell(account, EventType.MEDIA_READY, media=link)
    await start_courier()
    await receiver.wait(lambda: seqs("/wait") == [3, 1, 2])
    whole = next(got for got in receiver.taken if (got.path, got.seq) == ("/wait", 1))
    whole.verify(endpoint.secrets[0].value)
    assert whole.event["data"]["content"]["media"] == {**link, "state": "ready"}
    assert (await account.mailbox.read())[0].data["content"] == PENDING


async def test_a_failed_file_is_told_in_the_message(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    await account.endpoints.create(receiver.url(), events=["message.*"], delivery=WAITS)
    await account.append("a", content=PENDING)
    await account.append("b")
    await start_courier()
    await receiver.wait(lambda: receiver.seqs() == [2])
    await tell(account, EventType.MEDIA_FAILED, media={"id": "f1"}, reason="gone")
    await receiver.wait(lambda: receiver.seqs() == [2, 1])
    media = receiver.taken[-1].event["data"]["content"]["media"]
    assert media == {"id": "f1", "state": "failed", "reason": "gone"}


async def test_a_message_goes_as_it_is_when_its_time_is_over(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    options = DeliveryOptions(media="wait", media_wait=0.3)
    await account.endpoints.create(receiver.url(), delivery=options)
    await account.append("a", content=PENDING)
    await start_courier()
    await receiver.wait(lambda: receiver.seqs() == [1])
    assert receiver.taken[0].event["data"]["content"] == PENDING


async def test_a_clock_that_is_ahead_makes_no_message_wait_longer(
    account: Account, receiver: Receiver, start_courier: StartCourier
) -> None:
    await account.endpoints.create(receiver.url(), delivery=DeliveryOptions(media="wait", media_wait=0.3))
    draft = EventDraft(
        type=EventType.MESSAGE_RECEIVED, dedupe_key="m", occurred_at=now(), chat_id="a",
        received_at=now() + timedelta(days=1), data={"content": PENDING},
    )  # fmt: skip
    await account.mailbox.append(account.epoch, draft)
    await start_courier()
    await receiver.wait(lambda: receiver.seqs() == [1])
