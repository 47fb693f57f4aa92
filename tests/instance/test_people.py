"""People and the account through the API: what is shown of whom, and who is blocked."""

from __future__ import annotations

import base64
import os
import signal
from pathlib import Path

import pytest

from actors.events import EventType
from lab.contacts import ENGINE
from lab.network import Lab
from tests.engine.device import Device
from tests.instance.conftest import FRIEND, PHONE
from tests.instance.http import Gateway
from tests.instance.test_groups import JPEG, NOBODY, person
from tests.instance.test_groups import friend as friend
from tests.instance.test_groups import gateway as gateway
from tests.wait import until

pytestmark = pytest.mark.engine


@pytest.mark.kinds(send="contacts")
async def test_a_foundis_looked_up(gateway: Gateway, friend: Device, lab: Lab) -> None:
    await friend.engine.profile.set_about("na praia")
    lab.set_picture(FRIEND, JPEG)
    shown = await gateway.good("GET", f"contacts/{FRIEND}")
    assert (shown["phone"], shown["lid"]) == (f"+{FRIEND}", f"{lab.account(FRIEND).lid}@lid")
    assert (shown["about"], shown["verified_name"]) == ("na praia", None)
    assert shown["picture_id"] == (await gateway.good("GET", f"contacts/{FRIEND}/picture"))["id"]
    for method, path in (("GET", f"contacts/{NOBODY}"), ("PUT", f"blocklist/{NOBODY}")):
        problem = await gateway.refused("rejected", method, path)
        assert (problem["status"], problem["code"]) == (422, "not_on_whatsapp")
        assert "contacts/check" in problem["detail"]


async def test_whoever_wrote_is_known(gateway: Gateway, friend: Device, lab: Lab) -> None:
    assert (await gateway.good("GET", "contacts"))["items"] == []
    await friend.send(PHONE, "olá", "F1")

    async def known() -> list[dict[str, str]]:
        return [one for one in (await gateway.good("GET", "contacts"))["items"] if one["name"]]

    (one,) = await until(known, what="somebody known, by name")
    (event,) = await until(lambda: gateway.one.events(EventType.MESSAGE_RECEIVED), what="the message")
    identity = {"id": event.chat_id, "phone": f"+{FRIEND}", "lid": f"{lab.account(FRIEND).lid}@lid"}
    assert {name: one[name] for name in (*identity, "name")} == identity | {"name": "Ana"}


@pytest.mark.kinds(send="blocklist")
async def test_who_is_blocked_is_not_heard(gateway: Gateway, friend: Device, lab: Lab) -> None:
    who = [{"phone": f"+{FRIEND}", "lid": f"{lab.account(FRIEND).lid}@lid", "name": None}]
    for _ in range(2):
        assert (await gateway.good("PUT", f"blocklist/{FRIEND}"))["items"] == who
    assert (await gateway.good("GET", "blocklist"))["items"] == who
    await friend.send(PHONE, "do you hear me?", "F1")
    for _ in range(2):
        assert (await gateway.good("DELETE", f"blocklist/{FRIEND}"))["items"] == []
    await friend.send(PHONE, "and now?", "F2")
    await until(gateway.one.received, what="a message")
    assert await gateway.one.received() == ["and now?"]


@pytest.mark.kinds(send="profile", receive="profile")
async def test_the_profile_is_changed_and_seen(gateway: Gateway, friend: Device) -> None:
    await gateway.good("PATCH", "account", {"name": "Padaria", "about": "Open from 9 to 6"})
    await gateway.good("PUT", "account/picture", {"base64": base64.b64encode(JPEG).decode()})
    shown = await gateway.good("GET", "account")
    assert (shown["phone"], shown["about"]) == (f"+{PHONE}", "Open from 9 to 6")
    assert shown["name"] == "Padaria"
    await gateway.good("POST", "messages", {"to": FRIEND, "text": "olá"})
    [seen] = await until(lambda: friend.of(EventType.MESSAGE_RECEIVED), what="a message")
    assert seen.data["push_name"] == "Padaria"
    (named,) = await until(lambda: gateway.one.events(EventType.ACCOUNT_CHANGED), what="account.changed")
    assert named.data["changes"] == {"privacy": [], "name": "Padaria"}
    [found] = await friend.engine.people.get([person(PHONE)])
    assert (found.about, found.picture_id) == ("Open from 9 to 6", shown["picture_id"])
    assert shown["picture_id"]
    await gateway.good("DELETE", "account/picture")
    assert (await gateway.good("GET", "account"))["picture_id"] is None


@pytest.mark.kinds(send="privacy")
async def test_privacy_is_changed_and_takes_effect(gateway: Gateway, friend: Device) -> None:
    before = await gateway.good("GET", "account/privacy")
    assert all(before.values()), before
    changes = {"group_add": "none", "last_seen": "contacts", "read_receipts": "none"}
    assert await gateway.good("PATCH", "account/privacy", changes) == before | changes
    made = await friend.engine.groups.create("Theirs", [person(PHONE)])
    assert [one.error for one in made.participants if one.identity.phone == PHONE] == [403]


@pytest.mark.kinds(receive=("blocklist", "privacy"))
async def test_what_another_device_changes_is_an_event(
    gateway: Gateway, friend: Device, lab: Lab, tmp_path: Path
) -> None:
    other = Device(ENGINE, lab, PHONE, f"sqlite:{tmp_path / 'other.db'}", "other")
    await other.start()
    try:
        await other.connect()
        await other.engine.people.block(person(FRIEND), blocked=True)
        await other.engine.people.block(person(FRIEND), blocked=False)
        await other.engine.profile.set_privacy("last_seen", "none")
    finally:
        await other.close()
    who = {"phone": None, "lid": f"{lab.account(FRIEND).lid}@lid", "name": None}

    async def told() -> bool:
        changes = [event.data["changes"] for event in await gateway.one.events(EventType.BLOCKLIST_CHANGED)]
        return changes == [{"blocked": [who], "unblocked": []}, {"blocked": [], "unblocked": [who]}]

    await until(told, what="both changes of the blocklist")

    async def changed() -> bool:
        events = await gateway.one.events(EventType.ACCOUNT_CHANGED)
        return [event.data["changes"] for event in events] == [{"privacy": ["last_seen"]}]

    await until(changed, what="the change of privacy")


@pytest.mark.kinds(send="presence", receive="presence")
async def test_who_comes_online_is_told_also_after_a_new_connection(
    gateway: Gateway, friend: Device, lab: Lab
) -> None:
    await gateway.good("PUT", f"contacts/{FRIEND}/presence")
    await gateway.configure({"show_online": True})

    async def told() -> list[bool]:
        events = await gateway.one.events(EventType.CONTACT_PRESENCE)
        return [event.data["available"] for event in events]

    async def heard(*wanted: bool) -> None:
        async def look() -> bool:
            return await told() == list(wanted)

        await until(look, what=f"presence {wanted}")

    await heard(False)
    await friend.engine.presence(available=True)
    await heard(False, True)
    await friend.engine.subscribe_presence(person(PHONE))
    await until(lambda: friend.of(EventType.CONTACT_PRESENCE), what="the account's own presence")
    assert friend.of(EventType.CONTACT_PRESENCE)[-1].data["available"]
    before = gateway.one.engine_pid
    os.kill(before, signal.SIGKILL)
    await heard(False, True, True)
    await friend.engine.presence(available=False)
    await heard(False, True, True, False)
    await gateway.configure({"show_online": False})
    await until(
        lambda: not friend.of(EventType.CONTACT_PRESENCE)[-1].data["available"], what="the account gone"
    )
    await gateway.good("DELETE", f"contacts/{FRIEND}/presence")
    assert await gateway.one.instance._presence.watched.all() == []
