from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import DurableEvent, PassingEvent, Signal
from actors.instance.connection.engine import EngineConnection, engine_binary
from actors.instance.connection.mapping import text_message
from lab.accounts import LabError
from lab.contact import Contact
from lab.faults import LoseSendAcks, RefuseLogin
from lab.network import Lab
from lab.switchboard import LOW_PREKEYS
from tests.wait import until

pytestmark = pytest.mark.engine

ANA, BIA, CAIO = "5511900000001", "5511900000002", "5511900000003"


class Recorder:
    """A client that only listens."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.signals: list[Any] = []

    async def on_event(self, event: DurableEvent | PassingEvent, received_at_ms: int) -> bool:
        self.events.append(event)
        return True

    def on_signal(self, signal: Signal) -> None:
        self.signals.append(signal)

    def of(self, kind: type[Any]) -> list[Any]:
        return [item for item in [*self.events, *self.signals] if isinstance(item, kind)]


class Device:
    """An engine of the test's own, for an account of its choice."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.heard = Recorder()
        self.engine = EngineConnection(engine_binary(lab=True), lab=lab.target)
        self._store = f"sqlite:{folder / 'session.db'}"

    async def open(self) -> None:
        await self.engine.start(self.heard)
        await self.engine.open(store=self._store, device="", session="test", lock_wait_ms=5000)
        await self.engine.connect()

    async def code(self) -> str:
        await until(lambda: self.heard.of(pb.Qr))
        return str(self.heard.of(pb.Qr)[0].code)

    async def connected(self) -> None:
        await until(lambda: self.heard.of(pb.Connected))


@pytest.fixture
async def device(lab: Lab, tmp_path: Path) -> AsyncIterator[Device]:
    made = Device(lab, tmp_path)
    yield made
    await made.engine.close()


async def arrived(contact: Contact, count: int) -> list[str]:
    await until(lambda: contact.arrived >= count)
    return [arrival.id for arrival in contact.arrivals(limit=10_000)]


async def test_contacts_write_to_each_other_in_order(lab: Lab) -> None:
    ana, bia = await lab.contacts.create(ANA, "Ana"), await lab.contacts.create(BIA, "Bia")
    written = await ana.write(BIA, "olá {n}", count=60)
    assert (written.sent, written.error, written.done) == (60, None, True)
    assert await arrived(bia, 60) == written.ids
    arrivals = bia.arrivals()
    assert [arrival.text for arrival in arrivals] == [f"olá {n}" for n in range(1, 61)]
    assert {arrival.sender for arrival in arrivals} == {ANA}
    assert not any(arrival.from_me or arrival.repeated for arrival in arrivals)
    answer = await bia.write(ANA, "oi")
    assert await arrived(ana, 1) == answer.ids
    await until(lambda: all("inactive" in got for got in ana.receipts(written.ids).values()))
    assert bia.arrivals(after=arrivals[-2].position, limit=5) == arrivals[-1:]
    assert (ana.view().state, ana.view().sent, bia.view().arrived) == ("connected", 60, 60)
    assert lab.board.unknown_queries == {}


async def test_read_receipts_and_typing_reach_the_writer(lab: Lab, device: Device) -> None:
    lab.account(ANA)
    bia = await lab.contacts.create(BIA)
    await device.open()
    await lab.scan(ANA, await device.code())
    await device.connected()
    sent = await device.engine.send(f"{BIA}@s.whatsapp.net", "OUT1", text_message("hello"))
    assert sent.timestamp_ms
    assert await arrived(bia, 1) == ["OUT1"]
    await bia.mark_read(ANA, ["OUT1"])
    await until(lambda: [r for r in device.heard.of(pb.Receipt) if r.type == "read"])
    written = await bia.write(ANA)
    await until(lambda: device.heard.of(pb.Message))
    (message,) = device.heard.of(pb.Message)
    assert (message.info.id, message.text, message.info.from_me) == (written.ids[0], "message 1", False)
    assert (message.info.sender.phone, message.info.sender.lid) == (BIA, lab.account(BIA).lid)
    await device.engine.chat_presence(f"{BIA}@s.whatsapp.net", "recording")
    await until(lambda: ANA in bia.view().typing)
    await device.engine.presence(available=True)
    await bia.typing(ANA, "composing")
    await until(lambda: device.heard.of(pb.ChatPresenceEvent))
    (typing,) = device.heard.of(pb.ChatPresenceEvent)
    assert (typing.sender.phone, typing.state) == (BIA, "composing")


async def test_an_accounts_other_device_gets_a_copy(lab: Lab, device: Device) -> None:
    lab.account(ANA)
    ana, bia = await lab.contacts.create(ANA), await lab.contacts.create(BIA)
    await ana.write(BIA, "before")
    await device.open()
    second = await lab.scan(ANA, await device.code())
    await device.connected()
    assert second.number == 2
    await until(lambda: lab.device(ANA, 1).counters.acked == lab.device(ANA, 1).counters.sent)
    written = await ana.write(BIA, "after {n}", count=2)
    await until(lambda: len(device.heard.of(pb.Message)) >= 2)
    own = device.heard.of(pb.Message)
    assert [message.info.id for message in own] == written.ids
    assert all(message.info.from_me and message.info.chat.phone == BIA for message in own)
    assert [message.text for message in own] == ["after 1", "after 2"]
    answer = await bia.write(ANA, "to both")
    assert await arrived(ana, 1) == answer.ids
    await until(lambda: answer.ids[0] in [m.info.id for m in device.heard.of(pb.Message)])


async def test_an_engine_is_linked_by_a_typed_code(lab: Lab, device: Device) -> None:
    lab.account(ANA)
    await device.open()
    await device.code()
    linked = await lab.confirm(ANA, await device.engine.pair_phone(ANA))
    await device.connected()
    assert (linked.account.phone, linked.number) == (ANA, 1)


async def test_an_engine_uploads_keys_before_they_run_out(lab: Lab) -> None:
    await lab.contacts.create(ANA)
    device = lab.device(ANA, 1)
    await until(lambda: len(device.prekeys) > LOW_PREKEYS)
    while len(device.prekeys) > 3:
        lab.board.directory.take_prekey(device)
    lab.board.ask_for_prekeys(device)
    await until(lambda: len(device.prekeys) > LOW_PREKEYS)


async def test_a_message_waits_while_the_contact_is_away(lab: Lab) -> None:
    ana, bia = await lab.contacts.create(ANA), await lab.contacts.create(BIA)
    lab.faults.add(RefuseLogin(phone=BIA, code=503, times=2))
    assert lab.drop(BIA, 1)
    await until(lambda: lab.board.connection(lab.device(BIA, 1)) is None)
    written = await ana.write(BIA, count=20)
    assert await arrived(bia, 20) == written.ids
    assert lab.device(BIA, 1).counters.refused == 2


async def test_a_contact_survives_the_death_of_its_engine(lab: Lab) -> None:
    ana, bia = await lab.contacts.create(ANA), await lab.contacts.create(BIA)
    written = await ana.write(BIA, count=200, wait=False)
    for _ in range(3):
        await until(lambda: ana.sent > 0 and ana.view().state == "connected")
        before = ana.sent
        assert isinstance(ana.connection, EngineConnection)
        assert ana.connection.pid
        os.kill(ana.connection.pid, signal.SIGKILL)
        await until(lambda before=before: ana.sent > before or written.done)
    await until(lambda: written.done)
    assert (written.sent, written.error) == (200, None)
    await until(lambda: {arrival.id for arrival in bia.arrivals()} == set(written.ids))
    first_times = [arrival.id for arrival in bia.arrivals() if not arrival.repeated]
    assert first_times == written.ids


async def test_a_message_whose_acknowledgement_is_lost_is_sent_again(lab: Lab) -> None:
    ana, bia = await lab.contacts.create(ANA), await lab.contacts.create(BIA)
    lab.faults.add(LoseSendAcks(phone=ANA, times=1))
    task = asyncio.create_task(ana.write(BIA, count=2))
    await until(lambda: bia.arrived >= 1)
    lab.drop(ANA, 1)
    written = await task
    assert written.sent == 2
    await until(lambda: {arrival.id for arrival in bia.arrivals()} == set(written.ids))


async def test_contacts_are_there_again_after_a_restart(tmp_path: Path) -> None:
    before = await Lab.start(tmp_path)
    ana, bia = await before.contacts.create(ANA, "Ana"), await before.contacts.create(BIA, "Bia")
    written = await ana.write(BIA, count=3)
    await arrived(bia, 3)
    await before.stop()
    after = await Lab.start(tmp_path)
    ana, bia = after.contacts.get(ANA), after.contacts.get(BIA)
    await asyncio.gather(ana.ready(), bia.ready())
    assert [arrival.id for arrival in bia.arrivals()] == written.ids
    again = await ana.write(BIA, count=3)
    assert await arrived(bia, 6) == [*written.ids, *again.ids]
    assert ana.view().device == 1
    await after.stop()


async def test_a_logged_out_contact_says_so(lab: Lab) -> None:
    ana = await lab.contacts.create(ANA)
    lab.log_out(ANA, 1)
    await until(lambda: ana.view().state == "logged_out")
    with pytest.raises(LabError) as caught:
        await ana.typing(BIA, "composing")
    assert caught.value.code == "contact_offline"
    await lab.contacts.delete(ANA)
    assert (await lab.contacts.create(ANA)).view().device == 2


async def test_what_a_contact_cannot_do(lab: Lab, tmp_path: Path) -> None:
    ana = await lab.contacts.create(ANA)
    for phone, code in ((ANA, "contact_exists"), ("12", "bad_phone")):
        with pytest.raises(LabError) as caught:
            await lab.contacts.create(phone)
        assert caught.value.code == code
    with pytest.raises(LabError) as caught:
        await ana.write("not a number")
    assert caught.value.code == "bad_address"
    written = await ana.write("5511900009999", count=3)
    assert (written.sent, written.done) == (0, True)
    assert written.error
    without = await Lab.start(tmp_path / "other", engine=tmp_path / "nothing")
    with pytest.raises(LabError) as caught:
        await without.contacts.create(ANA)
    assert caught.value.code == "no_engine"
    await without.stop()


async def test_contacts_over_http(lab: Lab) -> None:
    async with aiohttp.ClientSession(lab.control_url) as session:

        async def call(method: str, path: str, **request: Any) -> Any:
            async with session.request(method, path, **request) as answer:
                assert answer.status in (200, 201, 204), await answer.text()
                return None if answer.status == 204 else await answer.json()

        for phone in (ANA, BIA):
            made = await call("POST", "/contacts", json={"phone": phone, "name": phone[-1]})
            assert (made["phone"], made["state"]) == (phone, "connected")
        order = {"to": BIA, "text": "n {n}", "count": 5, "id_prefix": "ORDER"}
        written = await call("POST", f"/contacts/{ANA}/messages", json=order)
        assert written["ids"] == [f"ORDER{n:06d}" for n in range(1, 6)]
        assert (written["sent"], written["error"]) == (5, None)
        await until(lambda: lab.contacts.get(BIA).arrived == 5)
        page = await call("GET", f"/contacts/{BIA}/messages?limit=2")
        rest = await call("GET", f"/contacts/{BIA}/messages?after={page[-1]['position']}")
        assert [arrival["id"] for arrival in page + rest] == written["ids"]
        await call("POST", f"/contacts/{BIA}/read", json={"chat": ANA, "ids": written["ids"][:1]})
        await until(lambda: "read" in lab.contacts.get(ANA).receipts()[written["ids"][0]])
        counts = await call("GET", f"/contacts/{ANA}/receipts?id={written['ids'][0]}")
        assert counts == {written["ids"][0]: {"inactive": 1, "read": 1}}
        await call("POST", f"/contacts/{BIA}/typing", json={"chat": ANA})
        assert len(await call("GET", "/contacts")) == 2
        await call("DELETE", f"/contacts/{ANA}")
        assert [contact["phone"] for contact in await call("GET", "/contacts")] == [BIA]
        async with session.get(f"/contacts/{ANA}") as answer:
            assert answer.status == 404
