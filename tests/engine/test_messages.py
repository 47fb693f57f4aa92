"""What flows over a healthy connection."""

from __future__ import annotations

import asyncio

import pytest

from actors.events import EventType
from actors.instance.connection import engine_pb2 as pb
from lab.network import Lab
from tests.engine.conftest import ANA, BIA, MakeDevice
from tests.engine.device import numbered, refused
from tests.wait import until

pytestmark = pytest.mark.engine


async def test_a_message_and_its_receipts(device: MakeDevice, lab: Lab) -> None:
    ana, bia = await device(ANA), await device(BIA)
    result = await ana.send(BIA, "olá", "A1")
    assert result.timestamp_ms > 0
    await bia.received(1)
    [received] = bia.of(EventType.MESSAGE_RECEIVED)
    data = received.data
    assert data["id"] == "A1"
    assert data["text"] == "olá"
    assert data["kind"] == "conversation"
    assert data["sender"]["phone"] == f"+{ANA}"
    assert data["sender"]["lid"] == f"{lab.account(ANA).lid}@lid"
    assert received.chat_id == data["chat"]["id"] == f"{lab.account(ANA).lid}@lid"
    delivered = await until(lambda: ana.of(EventType.MESSAGE_STATUS))
    assert delivered[0].status_of == {"A1": "delivered"}
    assert delivered[0].chat_id == f"{lab.account(BIA).lid}@lid"
    await bia.engine.mark_read(data["chat"]["id"], ["A1"])
    await until(lambda: {"A1": "read"} in [draft.status_of for draft in ana.of(EventType.MESSAGE_STATUS)])


async def test_a_text_that_is_not_utf8(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.engine.send(f"{BIA}@s.whatsapp.net", "U1", b"\x0a\x04ol\xff!")
    assert await bia.received(1) == ["ol\N{REPLACEMENT CHARACTER}!"]


async def test_own_messages_from_another_device(device: MakeDevice) -> None:
    here, there = await device(ANA, name="here"), await device(ANA, name="there")
    await device(BIA)
    await there.send(BIA, "from the other one", "D1")
    [sent] = await until(lambda: here.of(EventType.MESSAGE_SENT))
    assert sent.data["source"] == "device"
    assert sent.data["from_me"]
    assert sent.data["chat"]["phone"] == f"+{BIA}"


async def test_typing_is_told_to_who_is_online(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.engine.subscribe_presence(f"{BIA}@s.whatsapp.net")
    for who in (ana, bia):
        await who.engine.presence(available=True)
    await until(lambda: [d for d in ana.of(EventType.CONTACT_PRESENCE) if d.data["available"]])
    for state in ("composing", "recording", "paused"):
        await bia.engine.chat_presence(f"{ANA}@s.whatsapp.net", state)

    def states() -> list[str]:
        return [draft.data["state"] for draft in ana.of(EventType.CHAT_PRESENCE)]

    await until(lambda: len(states()) == 3)
    assert states() == ["composing", "recording", "paused"]
    assert (await refused(bia.engine.chat_presence(f"{ANA}@s.whatsapp.net", "dancing"))).code == "bad_request"


async def test_queries(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    entries = await ana.engine.check_numbers([f"+{BIA}", "+5511988887777", f"+{BIA}"])
    assert [entry.registered for entry in entries] == [True, False, True]
    assert [entry.query for entry in entries] == [f"+{BIA}", "+5511988887777", f"+{BIA}"]
    assert entries[0].identity.lid == entries[2].identity.lid == lab.account(BIA).lid
    assert entries[0].identity.phone == BIA
    jid = f"{BIA}@s.whatsapp.net"
    assert (await ana.engine.picture(jid)).absence == pb.GetPictureResult.NOT_SET
    lab.set_picture(BIA, b"not really a JPEG")
    picture = await ana.engine.picture(jid, preview=True)
    assert picture.id
    assert picture.url.startswith("http")
    assert "last_seen" in await ana.engine.privacy()


async def test_bad_commands_are_refused(device: MakeDevice) -> None:
    ana = await device(ANA)
    engine = ana.engine
    assert (await refused(engine.send("nobody", "I", b""))).code == "bad_request"
    assert (await refused(engine.send(f"{BIA}:1@s.whatsapp.net", "I", b""))).code == "bad_request"
    assert (await refused(engine.send(f"{BIA}@s.whatsapp.net", "", b""))).code == "bad_request"
    assert (await refused(engine.send(f"{BIA}@s.whatsapp.net", "I", b"\xff"))).code == "bad_request"
    assert (await refused(ana.send("5511988887777", "hello", "I"))).code == "not_on_whatsapp"
    assert (await refused(engine.mark_read(f"{BIA}@s.whatsapp.net", []))).code == "bad_request"
    assert (await refused(engine.check_numbers(["five"]))).code == "bad_request"
    assert (await refused(engine.picture("@"))).code == "bad_request"


async def test_sends_keep_their_order(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    texts = numbered(200)
    await ana.write(BIA, texts)
    assert await bia.received(200) == texts


async def test_the_same_id_again_is_the_same_message(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.send(BIA, "once", "S1")
    await ana.send(BIA, "once", "S1")
    await ana.send(BIA, "end", "S2")
    assert await bia.received(2) == ["once", "end"]
    assert bia.repeated == 1


async def test_a_backlog_beyond_the_queue_keeps_its_order(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.send(BIA, "first", "F")
    await bia.received(1)
    await bia.acknowledged()
    await bia.engine.disconnect()
    texts = numbered(3000)
    await ana.write(BIA, texts)

    async def slowly(_: object) -> None:
        # Slower than the network, so that the queue fills up.
        await asyncio.sleep(0.001)

    bia.before_storing = slowly
    await bia.connect()
    assert (await bia.received(3001, timeout=120))[1:] == texts
    stats = await bia.engine.stats()
    assert stats.gate_waits > 0, "the backlog never filled the queue: this proves nothing"
    assert bia.repeated == 0
    assert not bia.signals_of(pb.Parked)


@pytest.mark.parametrize("pause", [0.0, 0.003])
async def test_disconnecting_under_flow(device: MakeDevice, pause: float) -> None:
    """When disconnect returns, nothing comes any more; what was not stored comes at the next connect."""
    ana, bia = await device(ANA), await device(BIA)

    async def slowly(_: object) -> None:
        await asyncio.sleep(pause)

    bia.before_storing = slowly
    texts = numbered(300)
    writing = asyncio.create_task(ana.write(BIA, texts))
    for round_ in range(5):
        await bia.received(10 + 40 * round_)
        await bia.engine.disconnect()
        seen = len(bia.raw)
        assert (await bia.engine.stats()).waiting_answers == 0
        await asyncio.sleep(0.05)
        assert len(bia.raw) == seen
        await bia.connect()
    await writing
    assert await bia.received(300) == texts
    assert not bia.signals_of(pb.Parked)


async def test_two_who_write_to_each_other_for_the_first_time_at_once(device: MakeDevice) -> None:
    """Both begin a session, and go on with either of them."""
    ana, bia = await device(ANA), await device(BIA)
    texts = numbered(60)
    await asyncio.gather(ana.write(BIA, texts, prefix="A"), bia.write(ANA, texts, prefix="B"))
    for reader in (ana, bia):
        assert await reader.received(60) == texts
        assert not [event for event in reader.raw if isinstance(event, pb.Undecryptable)]
