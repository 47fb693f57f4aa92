"""Chats through the API: listed as the events tell of them, changed on all devices of the account."""

from __future__ import annotations

from typing import Any

import pytest

from actors.events import EventType
from lab.app_state import ChatSettings
from lab.network import Lab
from tests.api.world import running_world
from tests.engine.device import Device
from tests.instance.conftest import FRIEND, PHONE
from tests.instance.http import Gateway
from tests.instance.test_groups import THIRD, Own, family
from tests.instance.test_groups import friend as friend
from tests.instance.test_groups import gateway as gateway
from tests.wait import until

pytestmark = pytest.mark.engine


async def listed(gateway: Gateway, **wanted: Any) -> dict[str, Any]:
    """The first chat of the list, once it is as wanted."""

    async def look() -> dict[str, Any] | None:
        items = (await gateway.good("GET", "chats"))["items"]
        fits = items and all(items[0][name] == value for name, value in wanted.items())
        return dict(items[0]) if fits else None

    return await until(look, what=f"a chat with {wanted}")


async def test_chats_are_listed_as_messages_pass(gateway: Gateway, friend: Device, lab: Lab) -> None:
    assert (await gateway.good("GET", "chats"))["items"] == []
    for number in range(3):
        await friend.send(PHONE, f"{number}", f"F{number}")
    chat = await listed(gateway, unread=3)
    assert (chat["phone"], chat["lid"]) == (f"+{FRIEND}", f"{lab.account(FRIEND).lid}@lid")
    assert (chat["last_message"]["id"], chat["last_message"]["from_me"]) == ("F2", False)
    assert (chat["archived"], chat["pinned"], chat["muted"]) == (None, None, None)
    await gateway.good("POST", f"chats/{chat['id']}/read", {"message_ids": ["F0", "F1"]})
    assert (await listed(gateway, id=chat["id"]))["unread"] == 1, "at once"
    sent = await gateway.good("POST", "messages", {"to": FRIEND, "text": "olá"})
    latest = await listed(
        gateway, id=chat["id"], last_message={**chat["last_message"]} | await _last(gateway)
    )
    assert (latest["last_message"]["id"], latest["last_message"]["from_me"]) == (sent["id"], True)
    group = await family(gateway, THIRD)
    await gateway.good("POST", "messages", {"to": group, "text": "todos"})
    assert (await listed(gateway, kind="group"))["id"] == group
    first = await gateway.good("GET", "chats", limit="1")
    rest = await gateway.good("GET", "chats", limit="1", after=first["next"])
    assert [page["items"][0]["id"] for page in (first, rest)] == [group, chat["id"]]
    assert rest["next"] is None


async def _last(gateway: Gateway) -> dict[str, Any]:
    """The last message, once it is one of the account's own."""

    async def look() -> dict[str, Any] | None:
        (chat,) = (await gateway.good("GET", "chats"))["items"]
        return dict(chat["last_message"]) if chat["last_message"]["from_me"] else None

    return await until(look, what="an own message")


@pytest.mark.kinds(send="chats")
async def test_a_chat_is_changed_on_all_devices(gateway: Gateway, friend: Device, lab: Lab) -> None:
    await friend.send(PHONE, "oi", "F1")
    chat = (await listed(gateway, unread=1))["id"]
    await gateway.good("PATCH", f"chats/{chat}", {"archived": True, "muted": True, "read": True})
    phone = lab.board.app_states.chats(lab.account(PHONE))
    assert phone == {chat: ChatSettings(archived=True, pinned=False, muted_until=-1, read=True)}
    await listed(gateway, archived=True, pinned=False, muted=True, muted_until=None, unread=0)
    await gateway.good("PATCH", f"chats/{FRIEND}", {"archived": False, "pinned": True, "read": False})
    await listed(gateway, archived=False, pinned=True, marked_unread=True)
    until_ = "2999-01-31T12:00:00Z"
    await gateway.good("PATCH", f"chats/{chat}", {"muted": True, "muted_until": until_})
    await listed(gateway, muted=True, muted_until=until_)
    assert lab.board.app_states.chats(lab.account(PHONE))[chat].muted_until == 32_474_779_200_000
    for wrong in ({}, {"muted_until": until_}, {"archived": "perhaps"}):
        await gateway.refused("invalid", "PATCH", f"chats/{chat}", wrong)


@pytest.mark.kinds(receive="chats")
async def test_a_change_on_the_phone_is_an_event(gateway: Gateway, friend: Device, lab: Lab) -> None:
    await friend.send(PHONE, "oi", "F1")
    chat = (await listed(gateway, unread=1))["id"]
    phone = lab.board.app_states
    phone.set(lab.account(PHONE), chat, ChatSettings(archived=True, muted_until=0, read=True))

    async def told() -> list[dict[str, Any]]:
        events = [event.data for event in await gateway.one.events(EventType.CHAT_UPDATED)]
        return events if len(events) == 3 else []

    events = await until(told, what="three changes")
    assert {event["chat"]["id"] for event in events} == {chat}
    changes: dict[str, Any] = {}
    for event in events:
        changes |= event["changes"]
    assert changes == {"archived": True, "muted": False, "read": True}
    await listed(gateway, archived=True, muted=False, unread=0)


async def test_a_new_device_knows_what_was_set_before(
    own: Own, redis_url: str, prefix: str, lab: Lab
) -> None:
    chat = f"{lab.account(FRIEND, 'Ana').lid}@lid"
    lab.board.app_states.set(lab.account(PHONE), chat, ChatSettings(pinned=True, archived=False))
    one = await own()
    await one.pair()
    async with running_world(redis_url, prefix) as world:
        await listed(Gateway(world, one), id=chat, pinned=True, archived=None)
    (event,) = await one.events(EventType.CHAT_UPDATED)
    assert (event.data["changes"], event.data["initial"]) == ({"pinned": True}, True)


@pytest.mark.kinds(send="stars", receive="stars")
async def test_stars_are_the_same_on_all_devices(gateway: Gateway, friend: Device, lab: Lab) -> None:
    account, states = lab.account(PHONE), lab.board.app_states
    await friend.send(PHONE, "keep this", "F1")
    chat = (await listed(gateway, unread=1))["id"]
    mine = await gateway.good("POST", "messages", {"to": FRIEND, "text": "and this"})
    group = await family(gateway, FRIEND)
    await friend.other("joined_group", "Name")
    await friend.send(group, "this too", "G1")
    await until(lambda: gateway.one.events(EventType.MESSAGE_RECEIVED), what="messages")

    async def received() -> bool:
        return len(await gateway.one.received()) == 2

    await until(received, what="both messages")
    for message_id in ("F1", mine["id"], "G1", "G1"):
        await gateway.good("PUT", f"messages/{message_id}/star")
    lid = f"{lab.account(FRIEND).lid}@lid"
    shown = sorted(states.stars(account), key=lambda star: star[1] != "F1")
    assert shown[0] == [chat, "F1", "0", "0"]
    assert sorted(shown[1:]) == sorted([[chat, mine["id"], "1", "0"], [group, "G1", "0", lid]])
    for message_id in (mine["id"], "G1"):
        await gateway.good("DELETE", f"messages/{message_id}/star")
    assert states.stars(account) == [[chat, "F1", "0", "0"]]
    problem = await gateway.refused("not-found", "PUT", "messages/F9/star")
    assert problem["code"] == "message_unknown"
    states.star(account, chat, "F1", starred=False)

    async def told() -> bool:
        events = [event.data for event in await gateway.one.events(EventType.MESSAGE_STARRED)]
        of_first = [event["starred"] for event in events if event["message_id"] == "F1"]
        return of_first == [True, False]

    await until(told, what="the star gone")
