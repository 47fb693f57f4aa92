"""Calls to an instance: they ring, or are turned down as its customer wants."""

from __future__ import annotations

import pytest

from actors.events import Event, EventType
from actors.instance.connection import engine_pb2 as pb
from lab.network import Lab
from lab.stanzas import calls
from tests.engine.device import Device
from tests.instance.conftest import FRIEND, PHONE
from tests.instance.http import Gateway
from tests.instance.test_groups import friend as friend
from tests.instance.test_groups import gateway as gateway
from tests.wait import until

pytestmark = pytest.mark.engine
REPLY = "Please write instead."


async def event(gateway: Gateway, kind: EventType) -> Event:
    async def look() -> list[Event]:
        return await gateway.one.events(kind)

    (found,) = await until(look, what=kind)
    return found


@pytest.mark.kinds(send="calls", receive="calls")
async def test_a_call_rings_until_it_is_rejected_by_request(
    gateway: Gateway, friend: Device, lab: Lab
) -> None:
    call = calls.ring(lab.board, lab.account(FRIEND), lab.account(PHONE), video=True)
    rang = await event(gateway, EventType.CALL_RECEIVED)
    assert (rang.data["call"]["id"], rang.data["call"]["video"]) == (call.id, True)
    assert call.state == "ringing"
    await gateway.good("POST", f"calls/{call.id}/reject", {"caller": rang.data["sender"]["lid"]})
    await until(lambda: call.state == "rejected", what="rejected")


@pytest.mark.kinds(send="calls")
async def test_calls_are_rejected_and_callers_told_once(gateway: Gateway, friend: Device, lab: Lab) -> None:
    seen: list[pb.Other] = []
    instance = gateway.one.instance
    stored = instance._connector._sink

    async def watched(happened: object, at: int) -> bool:
        if isinstance(happened, pb.Other) and happened.kind == "call_offer":
            seen.append(happened)
        return await stored(happened, at)  # type: ignore[arg-type]

    instance._connector._sink = watched
    await gateway.configure({"calls": {"reject": True, "reply": REPLY}})
    call = calls.ring(lab.board, lab.account(FRIEND), lab.account(PHONE), video=False)
    await until(lambda: call.state == "rejected", what="rejected")
    rejected = await event(gateway, EventType.CALL_REJECTED)
    assert (rejected.data["call"]["id"], rejected.data["automatic"]) == (call.id, True)
    await until(lambda: REPLY in friend.texts(), what="the reply")
    for _ in range(2):
        assert await stored(seen[0], 0), "WhatsApp may tell of it again"
    await gateway.good("POST", "messages", {"to": FRIEND, "text": "the end"})
    await until(lambda: "the end" in friend.texts(), what="the end")
    assert friend.texts() == [REPLY, "the end"]
    await event(gateway, EventType.CALL_RECEIVED)
    await event(gateway, EventType.CALL_REJECTED)


async def test_a_call_without_a_policy_just_rings(gateway: Gateway, friend: Device, lab: Lab) -> None:
    await gateway.configure({"calls": {"reject": True}})
    await gateway.configure({"calls": None})
    assert (await gateway.good("GET", ""))["calls"] == {"reject": False, "reply": None}
    call = calls.ring(lab.board, lab.account(FRIEND), lab.account(PHONE), video=False)
    await event(gateway, EventType.CALL_RECEIVED)
    assert calls.hang_up(lab.board, call), "it still rang"
    await event(gateway, EventType.CALL_ENDED)


async def test_a_reply_needs_a_rejection(gateway: Gateway) -> None:
    problem = await gateway.refused("invalid", "PATCH", "", {"calls": {"reply": REPLY}})
    assert problem["errors"][0]["pointer"] == "#/calls"
