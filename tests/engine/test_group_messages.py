"""What is written in groups: to everybody, in order, through outages and deaths."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from actors.events import EventDraft, EventType
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import Gone
from lab.network import Lab
from lab.stanzas import group_members
from tests.engine.conftest import ANA, BIA, CAIO, MakeDevice
from tests.engine.device import Device, numbered, refused
from tests.wait import until

pytestmark = pytest.mark.engine


def person(phone: str) -> str:
    return f"{phone}@s.whatsapp.net"


async def family(ana: Device, *others: str) -> str:
    """The JID of a group of Ana's."""
    return (await ana.engine.groups.create("Family", [person(phone) for phone in others])).jid


def texts_of(device: Device, phone: str) -> list[str]:
    received = device.of(EventType.MESSAGE_RECEIVED)
    return [draft.data["text"] for draft in received if draft.data["sender"]["phone"] == f"+{phone}"]


def damaged(device: Device) -> list[pb.Undecryptable]:
    return [event for event in device.raw if isinstance(event, pb.Undecryptable)]


async def test_three_members_write_to_each_other_in_order(device: MakeDevice, lab: Lab) -> None:
    ana, bia, caio = await device(ANA), await device(BIA), await device(CAIO)
    group = await family(ana, BIA, CAIO)
    texts = numbered(60)
    members = (ana, bia, caio)
    await asyncio.gather(*(member.write(group, texts, prefix=member.phone) for member in members))
    for reader in members:
        await reader.received(120)
        for writer in members:
            assert texts_of(reader, writer.phone) == ([] if reader is writer else texts)
        assert not damaged(reader)
        assert reader.repeated == 0
    draft = caio.of(EventType.MESSAGE_RECEIVED)[0]
    writer = lab.account(draft.data["sender"]["phone"].lstrip("+"))
    assert draft.chat_id == draft.data["chat"]["id"] == group
    assert draft.data["chat"]["kind"] == "group"
    assert draft.data["sender"]["lid"] == f"{writer.lid}@lid"
    assert draft.data["push_name"] == writer.record.push_name


async def test_the_key_that_comes_with_a_message_is_no_message(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.send(await family(ana, BIA), "olá", "A1")
    await bia.received(1)
    [event] = [event for event in bia.raw if isinstance(event, pb.Message)]
    assert (event.info.id, event.text, event.kind, event.info.group) == ("A1", "olá", "conversation", True)


async def test_receipts_say_who_has_and_who_has_read(device: MakeDevice) -> None:
    ana, bia, caio = await device(ANA), await device(BIA), await device(CAIO)
    group = await family(ana, BIA, CAIO)
    await ana.send(group, "olá", "A1")
    for reader in (bia, caio):
        await reader.received(1)

    def told(status: str) -> set[str]:
        drafts = [d for d in ana.of(EventType.MESSAGE_STATUS) if d.data["ids"] == ["A1"]]
        assert not any(d.status_of for d in drafts), "one of many says nothing of the others"
        return {d.data["sender"]["phone"] for d in drafts if d.data["status"] == status}

    await until(lambda: told("delivered") == {f"+{BIA}", f"+{CAIO}"})
    await bia.engine.mark_read(group, ["A1"], sender=person(ANA))
    await until(lambda: told("read"))
    assert told("read") == {f"+{BIA}"}
    assert all(draft.chat_id == group for draft in ana.of(EventType.MESSAGE_STATUS))


async def test_own_messages_from_another_device(device: MakeDevice) -> None:
    here, there = await device(ANA, name="here"), await device(ANA, name="there")
    group = await family(here, BIA)
    await there.send(group, "from the other one", "D1")
    [sent] = await until(lambda: here.of(EventType.MESSAGE_SENT))
    assert (sent.data["source"], sent.data["from_me"], sent.chat_id) == ("device", True, group)


async def test_two_members_who_choose_the_same_id(device: MakeDevice) -> None:
    ana, bia, caio = await device(ANA), await device(BIA), await device(CAIO)
    group = await family(ana, BIA, CAIO)
    await ana.send(group, "from Ana", "SAME")
    await bia.send(group, "from Bia", "SAME")
    assert sorted(await caio.received(2)) == ["from Ana", "from Bia"]
    await caio.acknowledged()


async def test_the_same_id_again_is_the_same_message(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    for _ in range(2):
        await ana.send(group, "once", "S1")
    await ana.send(group, "end", "S2")
    assert await bia.received(2) == ["once", "end"]
    assert bia.repeated == 1


async def test_a_member_who_was_away_gets_everything_at_the_next_connect(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    await bia.other("joined_group", "Name")
    await bia.engine.disconnect()
    texts = numbered(150)
    await ana.write(group, texts[:75])
    await ana.engine.groups.change(group, name="Relatives")
    await ana.write(group, texts[75:])
    await bia.connect()
    assert await bia.received(150) == texts
    assert (await bia.other("group_info", "Name"))["Name"] == "Relatives"
    kinds = [d.data.get("text", "renamed") for d in bia.drafts.values() if _in(d, group)]
    assert kinds[1:] == [*texts[:75], "renamed", *texts[75:]], "not in the order of the network"


def _in(draft: EventDraft, group: str) -> bool:
    return draft.chat_id == group


@pytest.mark.timeout(300)
async def test_killing_a_member_amid_the_traffic(device: MakeDevice) -> None:
    ana, bia, caio = await device(ANA), await device(BIA), await device(CAIO)
    group = await family(ana, BIA, CAIO)

    async def store(_: object) -> None:
        # Long enough that most kills hit an event that is shown but not answered.
        await asyncio.sleep(0.003)

    bia.before_storing = store
    texts = numbered(300)
    writing = asyncio.gather(*(member.write(group, texts, prefix=member.phone) for member in (ana, caio)))
    dice = random.Random(7)
    kills = 6
    for kill in range(1, kills + 1):
        await bia.received(kill * 600 // (kills + 2))
        await asyncio.sleep(dice.random() * 0.01)
        bia.kill()
        await bia.signal(Gone, count=kill)
        await bia.restart()
    await writing
    await bia.received(600, timeout=120)
    assert texts_of(bia, ANA) == texts
    assert texts_of(bia, CAIO) == texts
    assert not damaged(bia)
    # Stored, but killed before the answer was passed on: at most one for each kill, message or other event.
    assert bia.repeated <= kills


@pytest.mark.timeout(300)
async def test_killing_the_writer(device: MakeDevice) -> None:
    """What has no result is sent again under the same id; the readers see each once."""
    ana, bia, caio = await device(ANA), await device(BIA), await device(CAIO)
    group = await family(ana, BIA, CAIO)
    texts = numbered(120)
    open_ = dict.fromkeys(texts)

    async def send(text: str) -> None:
        await ana.send(group, text, f"S{text}")
        del open_[text]

    for kill in range(1, 4):
        sending = asyncio.gather(*(send(text) for text in list(open_)[:60]), return_exceptions=True)
        await asyncio.sleep(0.15)
        ana.kill()
        await ana.signal(Gone, count=kill)
        await sending
        await ana.restart()
    for text in list(open_):
        await send(text)
    for reader in (bia, caio):
        assert sorted(await reader.received(len(texts))) == texts
        assert not damaged(reader)


@pytest.mark.parametrize("table", ["whatsmeow_sender_keys", "whatsmeow_sessions"])
async def test_a_store_without_the_keys_table_parks_and_loses_nothing(
    device: MakeDevice, tmp_path: Path, table: str
) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    await ana.send(group, "first", "F")
    await bia.received(1)
    await bia.acknowledged()
    with closing(sqlite3.connect(tmp_path / f"{BIA}.db", isolation_level=None)) as database:
        database.execute(f"ALTER TABLE {table} RENAME TO hidden")
        await ana.send(group, "second", "S")
        parked = await bia.signal(pb.Parked)
        assert (parked.cause, table in parked.detail) == ("store", True)
        await ana.send(group, "third", "T")
        database.execute(f"ALTER TABLE hidden RENAME TO {table}")
    await bia.connect()
    assert await bia.received(3) == ["first", "second", "third"]
    assert not damaged(bia)


async def test_what_a_member_cannot_decrypt_is_written_again_for_it(
    device: MakeDevice, lab: Lab, tmp_path: Path
) -> None:
    ana, bia, caio = await device(ANA), await device(BIA), await device(CAIO)
    group = await family(ana, BIA, CAIO)
    await ana.send(group, "first", "F")
    for reader in (bia, caio):
        await reader.received(1)
    with closing(sqlite3.connect(tmp_path / f"{BIA}.db", isolation_level=None)) as database:
        database.execute("DELETE FROM whatsmeow_sessions")
        database.execute("DELETE FROM whatsmeow_sender_keys")
    await ana.send(group, "second", "S")
    assert await bia.received(2) == ["first", "second"]
    assert lab.device(BIA, 1).counters.retries > 0
    await ana.send(group, "third", "T")
    assert await bia.received(3) == ["first", "second", "third"]
    assert await caio.received(3) == ["first", "second", "third"]
    assert caio.repeated == 0, "what was written again for one reached another"


async def test_a_device_linked_later_reads_what_comes_then(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA, name="first")
    group = await family(ana, BIA)
    await ana.send(group, "before", "B")
    await bia.received(1)
    second = await device(BIA, name="second")
    await ana.send(group, "after", "A")
    assert await second.received(1) == ["after"]
    assert await bia.received(2) == ["before", "after"]


async def test_a_group_from_before_lids(device: MakeDevice, lab: Lab) -> None:
    ana, bia = await device(ANA), await device(BIA)
    old, _ = group_members.create(lab.board, lab.account(ANA), "Old", [lab.account(BIA)], addressing="pn")
    group = str(old.jid)
    await ana.send(group, "olá", "A1")
    await bia.received(1)
    await bia.send(group, "oi", "B1")
    await ana.received(1)
    for reader, writer in ((ana, BIA), (bia, ANA)):
        sender = reader.of(EventType.MESSAGE_RECEIVED)[0].data["sender"]
        assert (sender["phone"], sender["lid"]) == (f"+{writer}", f"{lab.account(writer).lid}@lid")
    owner = (await bia.engine.groups.get(group)).owner
    assert (owner.phone, owner.lid) == (ANA, lab.account(ANA).lid)


async def test_typing_in_a_group(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    for who in (ana, bia):
        await who.engine.presence(available=True)
    await bia.engine.chat_presence(group, "composing")
    [draft] = await until(lambda: ana.of(EventType.CHAT_PRESENCE))
    assert (draft.chat_id, draft.data["state"], draft.data["sender"]["phone"]) == (
        group,
        "composing",
        f"+{BIA}",
    )


async def test_only_admins_write_where_only_admins_may(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    group = await family(ana, BIA)
    await ana.engine.groups.change(group, announce=True)
    error = await refused(bia.send(group, "I, too", "B1"))
    assert (error.code, error.server_code) == ("rejected", 403)
    await ana.send(group, "only me", "A1")
    assert await bia.received(1) == ["only me"]
    assert ana.texts() == []


async def test_a_status_goes_to_whom_the_account_chose(device: MakeDevice, lab: Lab) -> None:
    ana, bia, caio = await device(ANA), await device(BIA), await device(CAIO)
    lab.account(ANA).record.status_audience = "whitelist"
    lab.account(ANA).record.status_people = [BIA]
    await ana.send("status@broadcast", "at the beach", "ST1")
    await bia.received(1)
    [draft] = bia.of(EventType.MESSAGE_RECEIVED)
    assert (draft.data["chat"]["kind"], draft.data["text"]) == ("status", "at the beach")
    assert draft.data["sender"]["phone"] == f"+{ANA}"
    assert draft.data["sender"]["lid"] == f"{lab.account(ANA).lid}@lid"
    await ana.send(CAIO, "end", "E")
    assert await caio.received(1) == ["end"]


async def test_a_contact_of_the_lab_writes_and_reads_in_a_group(device: MakeDevice, lab: Lab) -> None:
    ana, duda = await device(ANA), await lab.contacts.create("5511900000004", "Duda")
    group = await family(ana, "5511900000004")
    await duda.write(group, "hello {n}", count=3)
    assert await ana.received(3) == ["hello 1", "hello 2", "hello 3"]
    await ana.send(group, "olá", "A1")
    [arrival] = await until(lambda: [a for a in duda.arrivals() if a.text])
    assert (arrival.chat, arrival.sender, arrival.id) == (group, ANA, "A1")
    await duda.mark_read(group, ["A1"], ANA)
    await until(lambda: {"A1": "read"} in [d.status_of for d in ana.of(EventType.MESSAGE_STATUS)])


async def test_what_is_written_again_amid_the_traffic_undoes_no_step(
    device: MakeDevice, tmp_path: Path
) -> None:
    """Sessions that are lost: each message arrives, those of the others in order."""
    ana, bia, caio = await device(ANA), await device(BIA), await device(CAIO)
    group = await family(ana, BIA, CAIO)
    texts = numbered(200)
    writing = asyncio.create_task(ana.write(group, texts))
    with closing(sqlite3.connect(tmp_path / f"{BIA}.db", isolation_level=None, timeout=30)) as database:
        await bia.received(60)
        database.execute("DELETE FROM whatsmeow_sessions")
        database.execute("DELETE FROM whatsmeow_sender_keys")
    await writing
    await until(lambda: sorted(bia.texts()) == texts, timeout=60, what="every message at Bia's")
    assert await caio.received(200) == texts
    assert not damaged(caio)
