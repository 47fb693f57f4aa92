"""What people show of themselves, and to whom: about, picture, privacy, blocking."""

from __future__ import annotations

import asyncio

import pytest

from actors.events import EventType
from actors.instance.connection import engine_pb2 as pb
from lab.faults import FailQuery
from lab.network import Lab
from tests.engine.conftest import ANA, BIA, CAIO, MakeDevice
from tests.engine.device import refused
from tests.wait import until

pytestmark = pytest.mark.engine

JPEG = b"\xff\xd8\xff\xe0 a picture"
NOBODY = "5511988887777"


def person(phone: str) -> str:
    return f"{phone}@s.whatsapp.net"


async def test_people_are_described(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    await device(BIA)
    lab.set_picture(BIA, JPEG)
    lab.account(CAIO).record.verified_name = "Caio's Café"
    found = await ana.engine.people.get([person(phone) for phone in (BIA, NOBODY, CAIO, BIA)])
    assert [(entry.identity.phone, entry.identity.lid) for entry in found] == [
        (BIA, lab.account(BIA).lid),
        (CAIO, lab.account(CAIO).lid),
    ]
    bia, caio = found
    assert (bia.about, bia.devices, bia.verified_name) == (lab.account(BIA).record.about, 2, "")
    assert bia.picture_id == (await ana.engine.picture(person(BIA))).id
    assert (caio.picture_id, caio.devices, caio.verified_name) == ("", 1, "Caio's Café")
    [by_lid] = await ana.engine.people.get([f"{lab.account(BIA).lid}@lid"])
    assert (by_lid.identity.phone, by_lid.about) == (BIA, bia.about)
    assert await ana.engine.people.get([]) == []
    assert (await refused(ana.engine.people.get(["120363000000000001@g.us"]))).code == "bad_request"


async def test_an_about_text_is_changed_and_seen(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.send(BIA, "olá", "A1")
    await bia.received(1)
    await bia.engine.profile.set_about("na praia 🏖")
    [seen] = await ana.engine.people.get([person(BIA)])
    assert seen.about == "na praia 🏖"
    assert await ana.other("user_about", "Status") == "na praia 🏖"
    await bia.engine.profile.set_about("")
    assert (await ana.engine.people.get([person(BIA)]))[0].about == ""
    assert (await refused(bia.engine.profile.set_about("x" * 140))).code == "bad_request"
    for name in ("", "x" * 26):
        assert (await refused(bia.engine.profile.set_name(name))).code == "bad_request"


async def test_a_picture_is_changed_and_seen(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.send(BIA, "olá", "A1")
    await bia.received(1)
    id_ = await bia.engine.profile.set_picture(JPEG)
    assert id_
    assert (await ana.engine.picture(person(BIA))).id == id_
    assert await ana.other("picture", "PictureID") == id_
    assert ana.of(EventType.CONTACT_CHANGED)[-1].data["chat"]["phone"] == f"+{BIA}"
    assert await bia.engine.profile.set_picture(b"") == ""
    await ana.other("picture", "Remove")
    assert (await ana.engine.picture(person(BIA))).absence == pb.GetPictureResult.NOT_SET
    assert (await refused(bia.engine.profile.set_picture(b"GIF89a"))).code == "bad_request"


async def test_privacy_is_changed_and_takes_effect(device: MakeDevice, lab: Lab) -> None:
    ana, bia = await device(ANA), await device(BIA)
    other = await device(BIA, name="other")
    lab.set_picture(BIA, JPEG)
    before = await bia.engine.privacy()
    after = await bia.engine.profile.set_privacy("profile", "none")
    assert after == before | {"profile": "none"} == await bia.engine.privacy()
    assert (await ana.engine.picture(person(BIA))).absence == pb.GetPictureResult.HIDDEN
    assert (await other.other("privacy_settings", "ProfileChanged")) is True
    for name in before:
        assert name in await bia.engine.profile.set_privacy(name, before[name])
    assert (await refused(bia.engine.profile.set_privacy("colour", "none"))).code == "bad_request"
    assert (await refused(bia.engine.profile.set_privacy("profile", ""))).code == "bad_request"
    error = await refused(bia.engine.profile.set_privacy("profile", "purple"))
    assert (error.code, error.server_code) == ("rejected", 400)


async def test_who_is_blocked_is_not_heard(device: MakeDevice, lab: Lab) -> None:
    ana, bia, other = await device(ANA), await device(BIA), await device(BIA, name="other")
    assert await bia.engine.people.blocklist() == []
    [blocked] = await bia.engine.people.block(person(ANA), blocked=True)
    assert (blocked.phone, blocked.lid) == (ANA, lab.account(ANA).lid)
    assert await bia.engine.people.blocklist() == [blocked]
    [change] = await other.other("blocklist", "Changes")
    assert (change["Action"], change["JID"]) == ("block", f"{lab.account(ANA).lid}@lid")
    await ana.send(BIA, "do you hear me?", "A1")
    assert await bia.engine.people.block(person(ANA), blocked=False) == []
    await ana.send(BIA, "and now?", "A2")
    assert await bia.received(1) == ["and now?"]
    error = await refused(bia.engine.people.block(person(NOBODY), blocked=True))
    assert error.code == "not_on_whatsapp"
    assert (await refused(bia.engine.people.block("ana", blocked=True))).code == "bad_request"


async def test_messages_that_disappear(device: MakeDevice, lab: Lab) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.engine.profile.set_disappearing(86_400, chat=person(BIA))
    [draft] = await until(lambda: bia.of(EventType.CHAT_CHANGED))
    assert draft.data["expires_in"] == 86_400
    await ana.engine.profile.set_disappearing(7_776_000)
    assert lab.account(ANA).record.disappearing == 7_776_000
    for seconds, chat in ((5, ""), (86_400, "ana"), (86_400, "status@broadcast")):
        error = await refused(ana.engine.profile.set_disappearing(seconds, chat=chat))
        assert error.code == "bad_request"


async def test_a_timer_set_amid_traffic_undoes_no_step(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    texts = [f"{number:03d}" for number in range(40)]

    async def timers() -> None:
        for number in range(20):
            await ana.engine.profile.set_disappearing((0, 86_400)[number % 2], chat=person(BIA))

    await asyncio.gather(ana.write(BIA, texts), bia.write(ANA, texts), timers())
    await until(lambda: len(bia.of(EventType.MESSAGE_RECEIVED)) == 40)
    await until(lambda: len(bia.of(EventType.CHAT_CHANGED)) == 20)
    assert [text for text in bia.texts() if text] == texts
    assert await ana.received(40) == texts
    for reader in (ana, bia):
        assert not [event for event in reader.raw if isinstance(event, pb.Undecryptable)]


async def test_whatsapp_may_refuse_and_be_busy(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    lab.faults.add(FailQuery(query="blocklist", code=500, times=1))
    error = await refused(ana.engine.people.blocklist())
    assert (error.code, error.server_code) == ("rejected", 500)
    lab.faults.add(FailQuery(query="w:mex", code=429, times=1))
    assert (await refused(ana.engine.profile.set_about("x"))).code == "rate_limited"
