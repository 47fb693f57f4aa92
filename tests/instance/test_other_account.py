"""What was queued for one account, or told by its phone, is never another's that is paired after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from actors.events import EventType
from actors.registry import ConnectionState, History
from lab.network import Lab
from tests.engine.device import Device
from tests.instance.conftest import FRIEND, PHONE
from tests.instance.http import Gateway
from tests.instance.test_groups import friend as friend
from tests.instance.test_groups import gateway as gateway
from tests.instance.test_history import Own, told, waiting, want
from tests.instance.test_history import past as past
from tests.wait import until

pytestmark = pytest.mark.engine
OTHER = "5511900000077"


@pytest.mark.parametrize(("next_phone", "status"), [(OTHER, "failed"), (PHONE, "sent")])
async def test_what_waits_is_of_the_account_it_was_queued_for(
    gateway: Gateway, friend: Device, lab: Lab, next_phone: str, status: str
) -> None:
    one = gateway.one
    await one.instance._sender.quiesce()
    waits = await gateway.ask("POST", "messages", {"to": FRIEND, "text": "from the first account"}, wait="0")
    assert waits.status == 202
    message_id = waits.json["id"]
    lab.log_out(PHONE, 1)
    await one.reach(ConnectionState.LOGGED_OUT)
    one.instance.configure(one.instance.record.model_copy(update={"revision": 99}))
    await one.pair(next_phone)
    one.instance._sender.resume()

    async def ended() -> bool:
        message = await one.outbox.get(message_id)
        return message is not None and message.result is not None

    await until(ended, what="a result")
    shown = await gateway.good("GET", f"messages/{message_id}")
    assert (shown["status"] == "failed") is (status == "failed")
    await gateway.good("POST", "messages", {"to": FRIEND, "text": "from the one that is paired"})
    await until(lambda: "from the one that is paired" in friend.texts(), what="the next message")
    assert ("from the first account" in friend.texts()) is (status == "sent")
    failed = await one.events(EventType.MESSAGE_FAILED)
    assert [event.data["error"]["code"] for event in failed] == ["other_account"] * (status == "failed")


async def test_history_of_one_account_is_not_told_as_that_of_another(
    own: Own, lab: Lab, past: list[str]
) -> None:
    one = await own()
    want(one, History.RECENT)
    await one.instance._history.pause()
    await one.pair()
    await told(one, EventType.HISTORY_OFFERED, 2)
    await until(lambda: waiting(one), what="parts that wait")
    lab.log_out(PHONE, 1)
    await one.reach(ConnectionState.LOGGED_OUT)
    one.instance.configure(one.instance.record.model_copy(update={"revision": 99}))
    await one.pair(OTHER)
    one.instance._history.resume()
    failed = await told(one, EventType.HISTORY_FAILED, 2)
    assert {event.data["reason"] for event in failed} == {"other_account"}
    assert {event.data["sync"] for event in failed} == {"initial_bootstrap", "recent"}
    assert await one.events(EventType.HISTORY_MESSAGES) == []
    assert await waiting(one) == 0


@pytest.mark.parametrize("next_phone", [OTHER, PHONE])
async def test_chats_of_one_account_are_not_listed_for_another(
    gateway: Gateway, friend: Device, lab: Lab, next_phone: str
) -> None:
    one = gateway.one

    async def listed() -> list[str]:
        return [chat["last_message"]["id"] for chat in (await gateway.good("GET", "chats"))["items"]]

    async def sent(to: str) -> str:
        message = await gateway.good("POST", "messages", {"to": to, "text": "x"})
        await until(told_of(message["id"]), what="its chat")
        return str(message["id"])

    def told_of(message_id: str) -> Callable[[], Awaitable[bool]]:
        async def look() -> bool:
            return message_id in await listed()

        return look

    before = await sent(FRIEND)
    lab.log_out(PHONE, 1)
    await one.reach(ConnectionState.LOGGED_OUT)
    assert await listed() == [before], "until somebody else is there"
    one.instance.configure(one.instance.record.model_copy(update={"revision": 99}))
    await one.pair(next_phone)
    after = await sent(next_phone)
    assert await listed() == [after] + [before] * (next_phone == PHONE)
