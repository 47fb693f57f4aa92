"""History: what an instance wants of it, and asking the phone for older messages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.world import World

BEFORE = {"message_id": "3EB0A1", "from_me": True, "timestamp": "2026-01-31T09:00:00-03:00"}
CHAT = "5511912345678@s.whatsapp.net"


async def test_it_is_off_unless_it_is_wanted(world: World) -> None:
    made = (await world.ask("POST", "/v1/instances", json={"name": "One"})).json
    assert made["history"] == "off"
    path = f"/v1/instances/{made['id']}"
    for wanted, shown in (("recent", "recent"), ("full", "full"), (None, "off")):
        assert (await world.ask("PATCH", path, json={"history": wanted})).json["history"] == shown
    made = (await world.ask("POST", "/v1/instances", json={"name": "Two", "history": "full"})).json
    assert made["history"] == "full"
    [error] = (await world.ask("PATCH", path, json={"history": "all"})).problem("invalid")["errors"]
    assert error["pointer"] == "#/history"


async def test_the_phone_is_asked_for_older_messages(world: World, iid: str) -> None:
    path = f"/v1/instances/{iid}/chats/+5511912345678/history"
    answer = await world.ask("POST", path, json={"before": BEFORE, "count": 20}, key=world.tokens[iid])
    assert (answer.status, answer.json) == (202, {"chat_id": CHAT, "count": 20})
    assert world.instances.calls == [("history", "older", CHAT, "3EB0A1", True, 1_769_860_800_000, 20)]


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, "#/before"),
        ({"before": {**BEFORE, "timestamp": 5}}, "#/before/timestamp"),
        ({"before": {**BEFORE, "timestamp": "1969-12-31T00:00:00Z"}}, "#/before/timestamp"),
        ({"before": BEFORE, "count": 501}, "#/count"),
    ],
)
async def test_bad_requests_are_explained(world: World, iid: str, body: Any, where: str) -> None:
    answer = await world.ask("POST", f"/v1/instances/{iid}/chats/{CHAT}/history", json=body)
    [error] = answer.problem("invalid")["errors"]
    assert error["pointer"] == where
    assert world.instances.calls == []
