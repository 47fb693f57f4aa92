"""Read receipts, typing, number checks, pictures."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.api.world import Answered, World

JID = "5511912345678@s.whatsapp.net"
GROUP = "120363000000000000@g.us"


async def post(world: World, iid: str, path: str, body: Any) -> Answered:
    return await world.ask("POST", f"/v1/instances/{iid}/{path}", key=world.tokens[iid], json=body)


async def test_mark_read(world: World, iid: str) -> None:
    answer = await post(world, iid, f"chats/{JID}/read", {"message_ids": ["A", "B"]})
    assert answer.status == 204
    assert answer.body == b""
    assert world.instances.calls == [("mark_read", iid, JID, ["A", "B"], None, False)]


async def test_mark_read_in_a_group(world: World, iid: str) -> None:
    refused = await post(world, iid, f"chats/{GROUP}/read", {"message_ids": ["A"]})
    assert refused.problem("invalid")["errors"][0]["pointer"] == "#/sender"
    body = {"message_ids": ["A"], "sender": "+55 11 91234-5678", "played": True}
    assert (await post(world, iid, f"chats/{GROUP}/read", body)).status == 204
    assert world.instances.calls == [("mark_read", iid, GROUP, ["A"], JID, True)]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/message_ids"),
        ({"message_ids": []}, "#/message_ids"),
        ({"message_ids": ["x"] * 101}, "#/message_ids"),
        ({"message_ids": [""]}, "#/message_ids/0"),
        ({"message_ids": ["a b"]}, "#/message_ids/0"),
        ({"message_ids": ["A"], "sender": "nobody"}, "#/sender"),
    ],
)
async def test_bad_receipts_are_explained(world: World, iid: str, body: Any, pointer: str) -> None:
    answer = await post(world, iid, f"chats/{JID}/read", body)
    assert answer.problem("invalid")["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("state", ["composing", "recording", "paused"])
async def test_typing(world: World, iid: str, state: str) -> None:
    chat = quote("+55 11 91234-5678")
    assert (await post(world, iid, f"chats/{chat}/typing", {"state": state})).status == 204
    assert world.instances.calls == [("typing", iid, JID, state)]


async def test_typing_without_a_body(world: World, iid: str) -> None:
    answer = await world.ask("POST", f"/v1/instances/{iid}/chats/{JID}/typing")
    assert answer.status == 204
    assert world.instances.calls == [("typing", iid, JID, "composing")]


async def test_bad_typing_is_explained(world: World, iid: str) -> None:
    state = await post(world, iid, f"chats/{JID}/typing", {"state": "thinking"})
    assert state.problem("invalid")["errors"][0]["pointer"] == "#/state"
    chat = await post(world, iid, "chats/nobody/typing", {"state": "paused"})
    assert chat.problem("invalid")["errors"][0]["parameter"] == "chat_id"


async def test_check_keeps_order_and_writing(world: World, iid: str) -> None:
    world.instances.numbers = [
        {"query": "+14155552671", "registered": False, "phone": None, "lid": None, "jid": None},
        {
            "query": "5511912345678@c.us",
            "registered": True,
            "phone": "+551112345678",
            "lid": "1@lid",
            "jid": "551112345678@s.whatsapp.net",
        },
    ]
    asked = ["+55 11 91234-5678", "1 415 555 2671", "5511912345678"]
    answer = await post(world, iid, "contacts/check", {"phones": asked})
    assert answer.status == 200
    results = answer.json["results"]
    assert [result["query"] for result in results] == asked
    assert [result["registered"] for result in results] == [True, False, True]
    assert results[0]["jid"] == "551112345678@s.whatsapp.net"
    assert results[0]["phone"] == "+551112345678"
    assert results[1]["phone"] == "+14155552671"
    assert world.instances.calls == [("check_numbers", iid, ["+5511912345678", "+14155552671"])]


@pytest.mark.parametrize(
    ("phones", "pointer"),
    [
        ([], "#/phones"),
        (["+5511912345678"] * 101, "#/phones"),
        (["+5511912345678", "nobody"], "#/phones/1"),
        ("+5511912345678", "#/phones"),
    ],
)
async def test_a_bad_check_is_explained(world: World, iid: str, phones: Any, pointer: str) -> None:
    answer = await post(world, iid, "contacts/check", {"phones": phones})
    assert [error["pointer"] for error in answer.problem("invalid")["errors"]] == [pointer]
    assert world.instances.calls == []


async def test_picture(world: World, iid: str) -> None:
    answer = await world.ask("GET", f"/v1/instances/{iid}/contacts/5511912345678/picture?preview=true")
    assert answer.json == {"url": "https://example.com/p.jpg", "id": "1", "absence": None}
    assert world.instances.calls == [("picture", iid, JID, True)]


@pytest.mark.parametrize(
    ("absence", "shown"),
    [("NOT_SET", "not_set"), ("hidden", "hidden"), ("not_set", "not_set"), ("", None), (None, None)],
)
async def test_a_missing_picture_is_no_error(
    world: World, iid: str, absence: str | None, shown: str | None
) -> None:
    world.instances.found = {"id": "", "url": "", "absence": absence}
    answer = await world.ask("GET", f"/v1/instances/{iid}/contacts/{GROUP}/picture", key=world.tokens[iid])
    assert answer.json == {"url": None, "id": None, "absence": shown}


async def test_a_bad_picture_is_explained(world: World, iid: str) -> None:
    who = await world.ask("GET", f"/v1/instances/{iid}/contacts/nobody/picture")
    assert who.problem("invalid")["errors"][0]["parameter"] == "who"
    preview = await world.ask("GET", f"/v1/instances/{iid}/contacts/{JID}/picture?preview=maybe")
    assert preview.problem("invalid")["errors"][0]["parameter"] == "preview"
