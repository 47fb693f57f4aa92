from __future__ import annotations

import asyncio
import base64
import os

import pytest

from lab import wa_pb2 as wa
from lab.accounts import Account, LabError
from lab.network import Lab
from lab.phone import QrCode
from lab.wire import SERVER, Jid, node
from tests.lab.client import Client, Keys
from tests.lab.conftest import ANA, back, linked
from tests.wait import until

TYPED = "ABCD-1234"
SHOWN = "ABCD1234"


async def test_a_scanned_client_becomes_a_device_and_logs_in(lab: Lab, ana: Account) -> None:
    keys = await linked(lab, ANA)
    assert keys.jid == Jid(ANA, device=1)
    assert keys.lid == Jid(ana.lid, "lid", 1)
    client = Client(lab.target, keys)
    await client.open()
    assert (await client.first("success")).jid("lid") == keys.lid
    await client.close()
    device = lab.device(ANA, 1)
    assert device.record.name == "by hand"
    assert (device.counters.connections, device.counters.logins, device.counters.refused) == (1, 1, 0)


async def test_six_codes_are_offered(lab: Lab) -> None:
    async with Client(lab.target, Keys()) as client:
        offer = (await client.first("iq", "pair-device")).child("pair-device")
        assert offer is not None
        refs = [ref.data() for ref in offer.children("ref")]
        assert len(set(refs)) == 6


async def test_every_offered_code_can_be_scanned(lab: Lab, ana: Account) -> None:
    async with Client(lab.target, Keys()) as client:
        code = await client.code()
        offer = (await client.first("iq", "pair-device")).child("pair-device")
        assert offer is not None
        last = offer.children("ref")[-1].data().decode()
        first, _, rest = code.rpartition("#")[2].partition(",")
        scan = asyncio.create_task(lab.scan(ANA, code.replace(f"{first},{rest}", f"{last},{rest}")))
        await client.accept()
        assert (await scan).number == 1


@pytest.mark.parametrize("code", ["", "hello", "a,b,c,d", "2@x,,,", "2@x," + ",".join(["AAAA"] * 3)])
async def test_what_is_no_code_is_refused(lab: Lab, ana: Account, code: str) -> None:
    with pytest.raises(LabError) as caught:
        await lab.scan(ANA, code)
    assert caught.value.code == "bad_code"


async def test_a_code_that_nobody_shows_is_refused(lab: Lab, ana: Account) -> None:
    client = Client(lab.target, Keys())
    await client.open()
    code = await client.code()
    await client.close()
    await until(lambda: lab.board.shown_by(QrCode.parse(code).ref) is None)
    with pytest.raises(LabError) as caught:
        await lab.scan(ANA, code)
    assert caught.value.code == "unknown_code"


async def test_a_code_with_other_keys_than_the_clients_is_refused(lab: Lab, ana: Account) -> None:
    async with Client(lab.target, Keys()) as client:
        code = await client.code()
        ref, *_ = code.split(",")
        foreign = [base64.b64encode(os.urandom(32)).decode() for _ in range(3)]
        with pytest.raises(LabError) as caught:
            await lab.scan(ANA, ",".join([ref, *foreign]))
        assert caught.value.code == "bad_code"


async def test_codes_expire(lab: Lab, ana: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.pairing._LIFETIME", 0.05)
    async with Client(lab.target, Keys()) as client:
        code = await client.code()
        await client.closed.wait()
        await until(lambda: lab.board.shown_by(QrCode.parse(code).ref) is None)
        with pytest.raises(LabError) as caught:
            await lab.scan(ANA, code)
        assert caught.value.code == "unknown_code"


async def test_a_client_that_never_answers_is_given_up(
    lab: Lab, ana: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.pairing._ANSWER_TIMEOUT", 0.05)
    async with Client(lab.target, Keys()) as client:
        with pytest.raises(LabError) as caught:
            await lab.scan(ANA, await client.code())
        assert caught.value.code == "client_silent"
    assert not ana.devices


@pytest.mark.parametrize(
    "broken", ["identity", "signed_key_signature", "signed_key_id", "device_props", None]
)
async def test_a_client_must_show_all_its_keys(lab: Lab, broken: str | None) -> None:
    class Careless(Client):
        def _payload(self, passive: bool) -> wa.ClientPayload:
            payload = super()._payload(passive)
            if broken is None:
                return wa.ClientPayload()
            setattr(payload.pairing, broken, b"\xff" * 5)
            return payload

    async with Careless(lab.target, Keys()) as client:
        assert (await client.first("failure")).text("reason") == "400"
        await client.closed.wait()


async def test_a_client_that_refuses_is_not_linked(lab: Lab, ana: Account) -> None:
    async with Client(lab.target, Keys()) as client:
        scan = asyncio.create_task(lab.scan(ANA, await client.code()))
        success = await client.first("iq", "pair-success")
        error = node("error", {"code": 401, "text": "hmac-mismatch"})
        await client.send(node("iq", {"id": success.text("id"), "to": SERVER, "type": "error"}, error))
        with pytest.raises(LabError) as caught:
            await scan
        assert caught.value.code == "client_refused"
        assert "hmac-mismatch" in caught.value.detail
    assert not ana.devices


async def test_a_client_with_a_bad_signature_is_not_linked(lab: Lab, ana: Account) -> None:
    async with Client(lab.target, Keys()) as client:
        scan = asyncio.create_task(lab.scan(ANA, await client.code()))
        client.keys.identity = Keys().identity
        await client.accept()
        with pytest.raises(LabError) as caught:
            await scan
        assert caught.value.code == "bad_signature"
    assert not ana.devices


async def test_a_client_that_leaves_is_not_linked(lab: Lab, ana: Account) -> None:
    client = Client(lab.target, Keys())
    await client.open()
    scan = asyncio.create_task(lab.scan(ANA, await client.code()))
    await client.first("iq", "pair-success")
    await client.close()
    with pytest.raises(LabError) as caught:
        await scan
    assert caught.value.code == "client_gone"


async def test_a_phone_links_four_devices_and_no_more(lab: Lab, ana: Account) -> None:
    for _ in range(4):
        await linked(lab, ANA)
    assert list(ana.devices) == [1, 2, 3, 4]
    async with Client(lab.target, Keys()) as client:
        with pytest.raises(LabError) as caught:
            await lab.scan(ANA, await client.code())
        assert caught.value.code == "device_limit"
    lab.log_out(ANA, 2)
    assert (await linked(lab, ANA)).jid == Jid(ANA, device=5)


async def test_two_clients_scanned_at_once_become_two_devices(lab: Lab, ana: Account) -> None:
    first, second = await asyncio.gather(linked(lab, ANA), linked(lab, ANA))
    assert {first.jid, second.jid} == {Jid(ANA, device=1), Jid(ANA, device=2)}
    for keys in (first, second):
        await (await back(lab, keys)).close()


async def test_a_client_is_linked_by_a_code_typed_on_the_phone(lab: Lab, ana: Account) -> None:
    keys = Keys()
    async with Client(lab.target, keys) as client:
        await client.first("iq", "pair-device")
        ephemeral = await client.ask_to_link(ANA, SHOWN)
        typed = asyncio.create_task(lab.confirm(ANA, TYPED.lower()))
        assert (await client.finish_link(ANA, SHOWN, ephemeral)).text("type") == "result"
        await client.accept()
        assert (await typed).jid("s.whatsapp.net") == keys.jid
    await (await back(lab, keys)).close()


async def test_a_wrong_typed_code_links_nothing(lab: Lab, ana: Account) -> None:
    async with Client(lab.target, Keys()) as client:
        await client.first("iq", "pair-device")
        ephemeral = await client.ask_to_link(ANA, SHOWN)
        typed = asyncio.create_task(lab.confirm(ANA, "WXYZ-9876"))
        await client.finish_link(ANA, SHOWN, ephemeral)
        with pytest.raises(LabError) as caught:
            await typed
        assert caught.value.code == "wrong_code"
    assert not ana.devices


async def test_a_typed_code_needs_its_form_and_a_client_that_asked(lab: Lab, ana: Account) -> None:
    for text, code in (("ABC", "bad_code"), ("ABCD-123O", "bad_code"), (TYPED, "no_request")):
        with pytest.raises(LabError) as caught:
            await lab.confirm(ANA, text)
        assert caught.value.code == code


async def test_an_unknown_number_cannot_be_asked_to_link(lab: Lab) -> None:
    async with Client(lab.target, Keys()) as client:
        await client.first("iq", "pair-device")
        with pytest.raises(AssertionError, match="item-not-found"):
            await client.ask_to_link("5511900009999", SHOWN)


async def test_an_unlinked_client_is_served_nothing_but_pairing(lab: Lab, ana: Account) -> None:
    async with Client(lab.target, Keys()) as client:
        answer = await client.query("usync", "get", node("usync"))
        error = answer.child("error")
        assert error is not None
        assert error.text("code") == "401"
        await client.send(node("message", {"id": "1", "to": Jid(ANA)}, node("enc", {}, b"x")))
        assert (await client.query("w:g2", "get", None)).text("type") == "error"
        assert client.all("ack") == []


@pytest.mark.parametrize("phone", ["", "123", "+5511900000001", "0551190000", "55119x0000001", "1" * 16])
async def test_what_is_no_number_gets_no_account(lab: Lab, phone: str) -> None:
    with pytest.raises(LabError) as caught:
        lab.account(phone)
    assert caught.value.code == "bad_phone"
