from __future__ import annotations

import asyncio
import contextlib

import pytest

from lab.accounts import Account
from lab.faults import (
    DelayQuery,
    FailQuery,
    Faults,
    IgnoreQuery,
    LoseAcks,
    LoseSendAcks,
    RefuseLogin,
    StopReading,
    StopWriting,
)
from lab.network import Lab
from lab.wire import LIDS, Jid, node
from tests.lab.client import Client
from tests.lab.conftest import ANA, BIA, back, linked, online
from tests.wait import until


async def test_a_rule_hits_what_it_names_as_often_as_it_says() -> None:
    faults = Faults()
    number = faults.add(RefuseLogin(phone=ANA, device=1, code=503, times=2))
    assert faults.login_code(BIA, 1) is None
    assert faults.login_code(ANA, 2) is None
    assert [faults.login_code(ANA, 1) for _ in range(3)] == [503, 503, None]
    assert not faults.remove(number)
    faults.add(IgnoreQuery(query="usync"))
    faults.add(FailQuery(query="*", code=500, times=1))
    assert isinstance(faults.on_query(ANA, 1, "usync"), IgnoreQuery)
    assert isinstance(faults.on_query(ANA, 1, "w:p"), FailQuery)
    assert faults.on_query(ANA, 1, "w:p") is None
    faults.clear()
    assert faults.all() == {}


@pytest.mark.parametrize("code", [403, 405, 500, 503])
async def test_logins_are_refused_with_the_code_of_choice(lab: Lab, ana: Account, code: int) -> None:
    keys = await linked(lab, ANA)
    lab.faults.add(RefuseLogin(phone=ANA, code=code, times=1))
    async with Client(lab.target, keys) as client:
        assert (await client.first("failure")).text("reason") == str(code)
        await client.closed.wait()
    await (await back(lab, keys)).close()
    assert lab.device(ANA, 1).counters.refused == 1


async def test_a_query_is_never_answered(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    lab.faults.add(IgnoreQuery(phone=ANA, query="privacy", times=1))
    await client.send(node("iq", {"id": "lost", "xmlns": "privacy", "type": "get"}, node("privacy")))
    assert (await client.query("privacy", "get", node("privacy"))).text("type") == "result"
    assert [stanza for stanza in client.seen if stanza.text("id") == "lost"] == []
    await client.close()


async def test_a_query_is_answered_late(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    lab.faults.add(DelayQuery(phone=ANA, query="privacy", seconds=0.2, times=1))
    await client.send(node("iq", {"id": "late", "xmlns": "privacy", "type": "get"}, node("privacy")))
    await client.query("w:p", "get", None)
    assert [stanza for stanza in client.seen if stanza.text("id") == "late"] == []
    assert (await client.first("iq", id="late")).text("type") == "result"
    await client.close()


async def test_a_query_is_answered_with_an_error(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    number = lab.faults.add(FailQuery(query="privacy", code=429))
    for _ in range(2):
        answer = await client.query("privacy", "get", node("privacy"))
        assert answer.child("error").text("code") == "429"
    assert lab.faults.remove(number)
    assert (await client.query("privacy", "get", node("privacy"))).text("type") == "result"
    await client.close()


async def test_a_network_that_does_not_read_still_delivers(lab: Lab, ana: Account, bia: Account) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    number = lab.faults.add(StopReading(phone=BIA))
    # What the network was waiting for when the rule came is still read.
    await reader.query("w:p", "get", None)
    await reader.send(node("iq", {"id": "unread", "xmlns": "w:p", "type": "get"}))
    await writer.write("M1", Jid(bia.lid, LIDS), [reader.own()])
    await reader.messages(1)
    assert [stanza for stanza in reader.seen if stanza.text("id") == "unread"] == []
    lab.faults.remove(number)
    await reader.first("iq", id="unread")
    await writer.close()
    await reader.close()


async def test_a_network_that_does_not_write_still_accepts(lab: Lab, ana: Account, bia: Account) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    lab.faults.add(StopWriting(phone=BIA, device=1))
    await reader.send(node("iq", {"id": "silent", "xmlns": "w:p", "type": "get"}))
    await writer.write("M1", Jid(bia.lid, LIDS), [reader.own()])
    await writer.first("ack", id="M1")
    await writer.query("w:p", "get", None)
    assert reader.all("message") == []
    lab.faults.clear()
    await reader.messages(1)
    await reader.first("iq", id="silent")
    await writer.close()
    await reader.close()


@pytest.mark.parametrize("rule", [StopReading(phone=ANA), StopWriting(phone=ANA)])
async def test_a_stalled_connection_can_be_replaced(
    lab: Lab, ana: Account, rule: StopReading | StopWriting
) -> None:
    client = await online(lab, ANA)
    number = lab.faults.add(rule)
    await client.send(node("iq", {"id": "1", "xmlns": "w:p", "type": "get"}))
    lab.drop(ANA, 1)
    await client.closed.wait()
    await client.close()
    lab.faults.remove(number)
    await (await back(lab, client.keys)).close()


async def test_lost_acknowledgements_bring_the_message_again(lab: Lab, ana: Account, bia: Account) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    lab.faults.add(LoseAcks(phone=BIA, times=2))
    for id_ in ("M1", "M2", "M3"):
        await writer.write(id_, Jid(bia.lid, LIDS), [reader.own()])
    for message in await reader.messages(3):
        await reader.ack(message)
    await reader.query("w:p", "get", None)
    await reader.close()
    again = await back(lab, reader.keys)
    assert [message.text("id") for message in await again.messages(2)] == ["M1", "M2"]
    counters = lab.device(BIA, 1).counters
    assert (counters.acks_lost, counters.acked, counters.redelivered) == (2, 1, 2)
    await again.close()
    await writer.close()


async def test_a_message_is_delivered_whose_sender_is_not_told(lab: Lab, ana: Account, bia: Account) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    lab.faults.add(LoseSendAcks(phone=ANA, times=1))
    await writer.write("M1", Jid(bia.lid, LIDS), [reader.own()])
    await reader.messages(1)
    await writer.write("M1", Jid(bia.lid, LIDS), [reader.own()])
    await writer.first("ack", id="M1")
    assert len(await reader.messages(2)) == 2
    assert len(writer.all("ack")) == 1
    await writer.close()
    await reader.close()


async def test_a_connection_is_cut_without_a_word(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    before = list(client.seen)
    assert lab.drop(ANA, 1)
    await client.closed.wait()
    assert client.seen == before
    await client.close()
    await until(lambda: lab.board.connection(lab.device(ANA, 1)) is None)
    assert not lab.drop(ANA, 1)


async def test_a_frozen_connection_is_open_and_silent(lab: Lab, ana: Account, bia: Account) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    assert lab.freeze(BIA, 1)
    before = list(reader.seen)
    await reader.send(node("iq", {"id": "unheard", "xmlns": "w:p", "type": "get"}))
    await writer.write("M1", Jid(bia.lid, LIDS), [reader.own()])
    await writer.first("ack", id="M1")
    await writer.query("w:p", "get", None)
    assert reader.seen == before
    assert not reader.closed.is_set()
    # A new connection is served, and finds what was not acknowledged on the silent one.
    again = await back(lab, reader.keys)
    assert [message.text("id") for message in await again.messages(1)] == ["M1"]
    assert reader.seen == before, "not even that it was replaced"
    assert lab.device(BIA, 1).counters.logins == 2
    for client in (writer, reader, again):
        await client.close()


async def test_a_conflict_without_another_connection(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    assert lab.conflict(ANA, 1)
    assert (await client.first("stream:error")).child("conflict").text("type") == "replaced"
    await client.closed.wait()
    await client.close()


async def test_a_writer_is_not_held_up_by_a_reader_that_stalls(lab: Lab, ana: Account, bia: Account) -> None:
    """A receiver that never reads fills its socket, not the sender's way."""
    writer, keys = await online(lab, ANA), await linked(lab, BIA)
    stalled = Client(lab.target, keys)
    await stalled.open()
    await stalled.activate()
    assert stalled._reader
    stalled._reader.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stalled._reader
    stalled._reader = None
    big = b"x" * 100_000
    for number in range(100):
        await writer.write(f"M{number}", Jid(bia.lid, LIDS), [Jid(bia.lid, LIDS, 1)], big)
    await writer.first("ack", id="M99")
    assert len(lab.device(BIA, 1).queue) == 100
    lab.drop(BIA, 1)
    await stalled.close()
    reader = await back(lab, keys)
    assert len(await reader.messages(100)) == 100
    await reader.close()
    await writer.close()
