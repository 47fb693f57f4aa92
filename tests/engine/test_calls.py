"""Calls: they ring, and can be turned down."""

from __future__ import annotations

import pytest

from actors.events import EventType
from lab.network import Lab
from lab.stanzas import calls
from tests.engine.conftest import ANA, BIA, CAIO, MakeDevice
from tests.engine.device import refused
from tests.wait import until

pytestmark = pytest.mark.engine


async def test_a_call_rings_and_is_turned_down(device: MakeDevice, lab: Lab) -> None:
    ana, bia, other = await device(ANA), await device(BIA), await device(BIA, name="other")
    call = calls.ring(lab.board, lab.account(ANA), lab.account(BIA), video=True)
    await bia.other("call_offer", "CallID")
    [draft] = bia.of(EventType.CALL_RECEIVED)
    assert (draft.data["event"]["CallID"], call.state) == (call.id, "ringing")
    for who in (draft.data["chat"], draft.data["sender"]):
        assert (who["phone"], who["lid"]) == (f"+{ANA}", f"{lab.account(ANA).lid}@lid")
    await bia.engine.people.reject_call(f"{lab.account(ANA).lid}@lid", call.id)
    await until(lambda: call.state == "rejected")
    assert call.rejected_by == lab.account(BIA).devices[1].number
    assert await other.other("call_terminate", "Reason") == "rejected_elsewhere"
    assert await ana.other("call_reject", "CallID") == call.id


async def test_a_caller_who_gives_up(device: MakeDevice, lab: Lab) -> None:
    bia = await device(BIA)
    call = calls.ring(lab.board, lab.account(ANA), lab.account(BIA), video=False)
    assert calls.hang_up(lab.board, call)
    assert await bia.other("call_terminate", "CallID") == call.id
    await bia.engine.people.reject_call(f"{lab.account(ANA).lid}@lid", call.id)
    await bia.engine.ping(10.0)
    assert (call.state, calls.hang_up(lab.board, call)) == ("ended", False)


async def test_a_call_that_came_while_away_is_heard_of(device: MakeDevice, lab: Lab) -> None:
    bia = await device(BIA)
    await bia.engine.disconnect()
    call = calls.ring(lab.board, lab.account(ANA), lab.account(BIA), video=False)
    await bia.connect()
    assert await bia.other("call_offer", "CallID") == call.id


async def test_only_who_is_called_turns_a_call_down(device: MakeDevice, lab: Lab) -> None:
    bia, caio = await device(BIA), await device(CAIO)
    call = calls.ring(lab.board, lab.account(ANA), lab.account(BIA), video=False)
    await caio.engine.people.reject_call(f"{lab.account(ANA).lid}@lid", call.id)
    await caio.engine.ping(10.0)
    assert call.state == "ringing"
    reject = bia.engine.people.reject_call
    for asked in (reject("ana", call.id), reject(f"{ANA}@s.whatsapp.net", "")):
        assert (await refused(asked)).code == "bad_request"


async def test_who_is_blocked_does_not_ring(device: MakeDevice, lab: Lab) -> None:
    bia = await device(BIA)
    await bia.engine.people.block(f"{ANA}@s.whatsapp.net", blocked=True)
    calls.ring(lab.board, lab.account(ANA), lab.account(BIA), video=False)
    heard = calls.ring(lab.board, lab.account(CAIO), lab.account(BIA), video=False)
    assert await bia.other("call_offer", "CallID") == heard.id
    assert len(bia.others("call_offer")) == 1
