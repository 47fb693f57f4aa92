"""Groups through the API: each operation on WhatsApp's side, at other members, and in events."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from actors.events import Event, EventType
from lab.contacts import ENGINE
from lab.network import Lab
from tests.api.world import running_world
from tests.engine.device import Device
from tests.instance.conftest import FRIEND, PHONE, Running
from tests.instance.http import Gateway
from tests.wait import until

pytestmark = pytest.mark.engine
Own = Callable[..., Awaitable[Running]]

THIRD, NOBODY = "5511900000003", "5511988887777"
UNKNOWN = "120363000000000001@g.us"
JPEG = b"\xff\xd8\xff\xe0 a picture"


def person(phone: str) -> str:
    return f"{phone}@s.whatsapp.net"


@pytest.fixture
async def gateway(own: Own, redis_url: str, prefix: str) -> AsyncIterator[Gateway]:
    """The API in front of an instance that is paired and connected."""
    one = await own()
    await one.pair()
    async with running_world(redis_url, prefix) as world:
        yield Gateway(world, one)


@pytest.fixture
async def friend(lab: Lab, tmp_path: Path) -> AsyncIterator[Device]:
    """Somebody else's client."""
    lab.account(FRIEND, "Ana")
    lab.account(THIRD, "Caio")
    device = Device(ENGINE, lab, FRIEND, f"sqlite:{tmp_path / 'friend.db'}", "friend")
    await device.start()
    await device.connect()
    yield device
    await device.close()


async def family(gateway: Gateway, *people: str) -> str:
    """The id of a new group of the instance's."""
    made = await gateway.good("POST", "groups", {"name": "Family", "participants": list(people)})
    return str(made["id"])


async def told(one: Running, kind: EventType, change: str) -> Event:
    """The instance's newest event of a change of a group."""

    async def look() -> Event | None:
        events = [e for e in await one.events(kind) if change in e.data.get("changes", {})]
        return events[-1] if events else None

    return await until(look, what=f"{kind} with {change}")


def roles(group: Any) -> dict[str, str]:
    return {
        one["phone"].lstrip("+"): "owner" if one["owner"] else "admin" if one["admin"] else "member"
        for one in group["members"]
    }


@pytest.mark.kinds(send="groups")
async def test_a_group_is_created_listed_and_shown(gateway: Gateway, friend: Device) -> None:
    body = {"name": "Família", "participants": ["+55 11 90000-0002", person(FRIEND), NOBODY]}
    made = await gateway.good("POST", "groups", body)
    assert roles(made) == {PHONE: "owner", FRIEND: "member"}
    (refused,) = made["refused"]
    assert (refused["phone"], refused["done"], refused["code"]) == (f"+{NOBODY}", False, "not_on_whatsapp")
    assert (made["size"], made["members_add"], made["expires_in"]) == (2, True, 0)
    await friend.other("joined_group", "Name")
    shown = await gateway.good("GET", f"groups/{made['id']}")
    assert shown == {name: value for name, value in made.items() if name != "refused"}
    listed = await gateway.good("GET", "groups")
    assert listed["items"] == [{name: value for name, value in shown.items() if name != "members"}]


@pytest.mark.kinds(send="groups")
async def test_each_setting_is_changed_and_seen_by_others(gateway: Gateway, friend: Device) -> None:
    group = await family(gateway, FRIEND)
    changes = {
        "name": "Relatives",
        "topic": "Sundays",
        "locked": True,
        "announce": True,
        "members_add": False,
        "join_approval": True,
        "expires_in": 604_800,
    }
    changed = await gateway.good("PATCH", f"groups/{group}", changes)
    assert {name: changed[name] for name in changes} == changes
    assert (await friend.other("group_info", "Name"))["Name"] == "Relatives"
    assert (await friend.other("group_info", "Ephemeral"))["DisappearingTimer"] == 604_800
    undone: dict[str, Any] = {
        "topic": "",
        "locked": False,
        "announce": False,
        "members_add": True,
        "join_approval": False,
        "expires_in": 0,
    }
    changed = await gateway.good("PATCH", f"groups/{group}", undone)
    assert {name: changed[name] for name in undone} == undone | {"topic": None}
    assert changed["name"] == "Relatives"
    assert (await friend.other("group_info", "Topic", count=2))["TopicDeleted"]


@pytest.mark.kinds(send="communities")
async def test_a_group_says_which_community_it_belongs_to(gateway: Gateway, friend: Device, lab: Lab) -> None:
    community, member = await family(gateway), await family(gateway, FRIEND)
    groups = {str(group.jid): group for group in lab.board.groups.all()}
    groups[community].record.community = True
    groups[member].record.parent = groups[community].id
    shown = {one["id"]: one for one in (await gateway.good("GET", "groups"))["items"]}
    assert (shown[community]["community"], shown[community]["parent"]) == (True, None)
    assert (shown[member]["community"], shown[member]["parent"]) == (False, community)
    assert (await gateway.good("GET", f"groups/{member}"))["parent"] == community


@pytest.mark.kinds(receive="groups")
async def test_what_others_change_is_told_by_events(gateway: Gateway, friend: Device) -> None:
    group = await family(gateway, FRIEND)
    await gateway.good("POST", f"groups/{group}/participants/promote", {"participants": [FRIEND]})
    change = friend.engine.groups.change
    for changes in (
        {"name": "Relatives"},
        {"topic": "Sundays"},
        {"locked": True},
        {"announce": True},
        {"members_add": False},
        {"join_approval": True},
    ):
        await change(group, **changes)  # type: ignore[arg-type]
        ((name, value),) = changes.items()
        event = await told(gateway.one, EventType.GROUP_CHANGED, name)
        assert event.data["changes"][name] == value
        assert (event.chat_id, event.data["sender"]["phone"]) == (group, f"+{FRIEND}")
    for name, value in {"members_add": True, "join_approval": False}.items():
        await change(group, **{name: value})  # type: ignore[arg-type]

        async def undone(name: str = name, value: bool = value) -> bool:
            event = await told(gateway.one, EventType.GROUP_CHANGED, name)
            return event.data["changes"][name] is value

        await until(undone, what=f"{name} to be {value}")
    await friend.engine.profile.set_disappearing(86_400, chat=group)
    event = await told(gateway.one, EventType.GROUP_CHANGED, "expires_in")
    assert event.data["changes"]["expires_in"] == 86_400
    await change(group, picture=JPEG)
    event = await told(gateway.one, EventType.GROUP_CHANGED, "picture")
    assert event.data["changes"]["picture"]


@pytest.mark.kinds(send="groups")
async def test_a_picture_is_set_and_removed(gateway: Gateway, friend: Device) -> None:
    group = await family(gateway, FRIEND)
    picture = {"base64": base64.b64encode(JPEG).decode()}
    await gateway.good("PUT", f"groups/{group}/picture", picture)
    id_ = await friend.other("picture", "PictureID")
    assert (await gateway.good("GET", f"contacts/{group}/picture"))["id"] == id_
    await gateway.good("DELETE", f"groups/{group}/picture")
    await friend.other("picture", "Remove")
    assert (await gateway.good("GET", f"contacts/{group}/picture"))["absence"] == "not_set"


@pytest.mark.kinds(send="group members", receive="group members")
async def test_members_come_and_go_and_rise_and_fall(gateway: Gateway, friend: Device, lab: Lab) -> None:
    group = await family(gateway, FRIEND)
    where = f"groups/{group}/participants"
    lab.set_privacy(THIRD, "groupadd", "none")
    added = await gateway.good("POST", where, {"participants": [FRIEND, THIRD, NOBODY]})
    assert [(one["done"], one["code"]) for one in added["results"]] == [
        (True, "already_member"),
        (False, "not_allowed"),
        (False, "not_on_whatsapp"),
    ]
    lab.set_privacy(THIRD, "groupadd", "all")
    (one,) = (await gateway.good("POST", where, {"participants": [THIRD]}))["results"]
    assert (one["phone"], one["lid"]) == (f"+{THIRD}", f"{lab.account(THIRD).lid}@lid")
    assert (await told(gateway.one, EventType.GROUP_CHANGED, "joined")).data["changes"]["joined"]
    await gateway.good("POST", f"{where}/promote", {"participants": [THIRD]})
    await friend.other("group_info", "Promote")
    assert roles(await gateway.good("GET", f"groups/{group}"))[THIRD] == "admin"
    await gateway.good("POST", f"{where}/demote", {"participants": [THIRD]})
    await friend.other("group_info", "Demote")
    await gateway.good("POST", f"{where}/remove", {"participants": [THIRD]})
    await friend.other("group_info", "Leave")
    again = await gateway.good("POST", f"{where}/remove", {"participants": [THIRD]})
    assert [(one["done"], one["code"]) for one in again["results"]] == [(True, "not_a_member")]
    for _ in range(2):
        await gateway.good("DELETE", f"{where}/{FRIEND}")
    assert roles(await gateway.good("GET", f"groups/{group}")) == {PHONE: "owner"}


async def test_a_change_that_is_made_with_nobody_is_a_problem(gateway: Gateway, friend: Device) -> None:
    where = f"groups/{await family(gateway)}/participants"
    problem = await gateway.refused("rejected", "POST", where, {"participants": [NOBODY]})
    assert (problem["code"], problem["status"]) == ("not_on_whatsapp", 422)
    assert NOBODY in problem["detail"]
    assert [one["server_code"] for one in problem["results"]] == [404]
    problem = await gateway.refused("rejected", "POST", f"{where}/promote", {"participants": [FRIEND]})
    assert problem["code"] == "not_a_member"


@pytest.mark.kinds(send="group members", receive="group members")
async def test_admins_decide_who_joins(gateway: Gateway, friend: Device) -> None:
    group = await family(gateway)
    await gateway.good("PATCH", f"groups/{group}", {"join_approval": True})
    link = (await gateway.good("GET", f"groups/{group}/invite"))["link"]
    await friend.engine.groups.join(link)
    event = await told(gateway.one, EventType.GROUP_CHANGED, "requested")
    assert [one["phone"] for one in event.data["changes"]["requested"]] == [f"+{FRIEND}"]
    (waiting,) = (await gateway.good("GET", f"groups/{group}/requests"))["items"]
    assert (waiting["phone"], bool(waiting["requested_at"])) == (f"+{FRIEND}", True)
    await gateway.good("POST", f"groups/{group}/requests/approve", {"participants": [FRIEND]})
    await friend.other("joined_group", "Name")
    assert roles(await gateway.good("GET", f"groups/{group}"))[FRIEND] == "member"
    body = {"participants": [FRIEND]}
    problem = await gateway.refused("rejected", "POST", f"groups/{group}/requests/reject", body)
    assert problem["code"] == "no_request"


@pytest.mark.kinds(send="group invitations", receive="group invitations")
async def test_the_instance_joins_by_a_link_and_leaves(gateway: Gateway, friend: Device) -> None:
    group = (await friend.engine.groups.create("Theirs", [])).jid
    link = await friend.engine.groups.invite(group)
    behind = await gateway.good("GET", "groups/join", link=link)
    assert (behind["id"], behind["name"], behind["size"]) == (group, "Theirs", 1)
    for _ in range(2):
        joined = await gateway.good("POST", "groups/join", {"link": link})
        assert joined == {"group_id": group, "joined": True}

    async def welcome() -> list[Event]:
        return await gateway.one.events(EventType.GROUP_JOINED)

    (event,) = await until(welcome, what="group.joined")
    assert (event.chat_id, event.data["group"]["name"]) == (group, "Theirs")
    for _ in range(2):
        await gateway.good("DELETE", f"groups/{group}")
    await friend.other("group_info", "Leave")
    assert (await gateway.good("GET", "groups"))["items"] == []
    await friend.engine.groups.change(group, join_approval=True)
    assert not (await gateway.good("POST", "groups/join", {"link": link}))["joined"]


async def test_a_link_that_was_reset_leads_nowhere(gateway: Gateway, friend: Device) -> None:
    group = await family(gateway)
    old = (await gateway.good("GET", f"groups/{group}/invite"))["link"]
    new = (await gateway.good("POST", f"groups/{group}/invite/reset"))["link"]
    assert new != old
    guessed = "https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv"
    for link, server_code in ((old, 410), (guessed, 406)):
        for method, more in (("POST", {"body": {"link": link}}), ("GET", {"link": link})):
            problem = await gateway.refused("invite-invalid", method, "groups/join", **more)
            assert (problem["status"], problem["server_code"]) == (404, server_code)
    assert await friend.engine.groups.join(new) == group


async def test_what_only_admins_may_is_refused(gateway: Gateway, friend: Device) -> None:
    group = (await friend.engine.groups.create("Theirs", [person(PHONE)])).jid
    body = {"participants": [THIRD]}
    asked = (
        ("PATCH", f"groups/{group}", {"name": "Mine", "announce": True}),
        ("POST", f"groups/{group}/participants/promote", body),
        ("POST", f"groups/{group}/participants/remove", body),
        ("GET", f"groups/{group}/invite", None),
        ("POST", f"groups/{group}/invite/reset", None),
        ("GET", f"groups/{group}/requests", None),
    )
    details = [(await gateway.refused("group-forbidden", *one))["detail"] for one in asked]
    assert details[0].startswith("announce did not change; name changed before it")
    assert (await gateway.good("GET", f"groups/{group}"))["name"] == "Mine"


async def test_a_group_that_is_not_there_or_not_theirs(gateway: Gateway, friend: Device) -> None:
    body = {"participants": [FRIEND]}
    for method, path, sent in (
        ("GET", "", None),
        ("PATCH", "", {"name": "x"}),
        ("POST", "/participants", body),
        ("GET", "/invite", None),
        ("GET", "/requests", None),
        ("DELETE", "/picture", None),
    ):
        problem = await gateway.refused("group-unknown", method, f"groups/{UNKNOWN}{path}", sent)
        assert problem["status"] == 404
    theirs = (await friend.engine.groups.create("Theirs", [])).jid
    await gateway.refused("group-forbidden", "GET", f"groups/{theirs}")


async def test_a_message_to_a_group_that_the_account_is_not_in_fails(
    gateway: Gateway, friend: Device
) -> None:
    theirs = (await friend.engine.groups.create("Theirs", [])).jid
    for group in (theirs, UNKNOWN):
        problem = await gateway.refused("send-failed", "POST", "messages", {"to": group, "text": "hello?"})
        assert (problem["code"], problem["status"]) == ("group_unknown", 422)
    failed = await gateway.one.events(EventType.MESSAGE_FAILED)
    assert [event.data["error"]["code"] for event in failed] == ["group_unknown"] * 2


@pytest.mark.kinds(send=("messages in groups", "mentions"))
async def test_a_mention_in_a_group_reaches_who_is_mentioned(gateway: Gateway, friend: Device) -> None:
    group = await family(gateway, FRIEND)
    await friend.other("joined_group", "Name")
    body = {"to": group, "text": f"@{FRIEND} look", "mentions": [f"+{FRIEND}"]}
    sent = await gateway.good("POST", "messages", body)

    def arrived() -> Any:
        return next((d for d in friend.of(EventType.MESSAGE_RECEIVED) if d.data["id"] == sent["id"]), None)

    draft = await until(arrived, what="the message at the friend")
    assert draft.data["content"]["mentions"] == [person(FRIEND)]
    await friend.engine.mark_read(group, [sent["id"]], sender=person(PHONE))

    async def read() -> bool:
        events = await gateway.one.events(EventType.MESSAGE_STATUS)
        return any(e.data["status"] == "read" and e.data["ids"] == [sent["id"]] for e in events)

    await until(read, what="message.status")
    shown = await gateway.good("GET", f"messages/{sent['id']}")
    assert shown["status"] == "sent", "one of many has read it: that says nothing of the others"


async def test_who_asks_the_same_at_the_same_time_shares_the_answer(gateway: Gateway) -> None:
    group = await family(gateway)
    asked = 0
    get = gateway.one.instance._connector.connection.groups.get

    async def counted(jid: str) -> Any:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.1)
        return await get(jid)

    gateway.one.instance._connector.connection.groups.get = counted  # type: ignore[method-assign]
    found = await asyncio.gather(*(gateway.one.instance.ask("groups", "get", group) for _ in range(10)))
    assert (asked, {one["id"] for one in found}) == (1, {group})


@pytest.mark.kinds(receive="messages in groups")
async def test_messages_in_a_group_are_told_with_its_name_also_when_it_changes(
    gateway: Gateway, friend: Device
) -> None:
    one = gateway.one
    group = await family(gateway, person(FRIEND))

    async def called(text: str) -> str | None:
        events = await one.events(EventType.MESSAGE_RECEIVED)
        return next((event.data["chat"]["name"] for event in events if event.data["text"] == text), None)

    await friend.send(group, "first", "G1")
    assert await until(lambda: called("first"), what="the first message") == "Family"
    await gateway.good("PATCH", f"groups/{group}", {"name": "Clan"})

    async def told() -> bool:
        events = await one.events(EventType.GROUP_CHANGED)
        return any(event.data.get("changes", {}).get("name") == "Clan" for event in events)

    await until(told, what="the change")
    await friend.send(group, "second", "G2")
    assert await until(lambda: called("second"), what="the second message") == "Clan"
