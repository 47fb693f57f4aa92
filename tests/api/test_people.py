"""People, the blocklist and the account: what goes to the instance, and what is said of bad requests."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.world import World

JID, GROUP = "5511912345678@s.whatsapp.net", "120363000000000000@g.us"


async def test_known_people_come_page_by_page_with_both_identities(world: World, iid: str) -> None:
    chats = {f"{n}0000@lid": f"{n}0000@lid" for n in range(1, 6)} | {
        "5511912345678@s.whatsapp.net": "30000@lid",
        "5511900000009@s.whatsapp.net": "5511900000009@s.whatsapp.net",
    }
    await world.store.redis.hset(world.store.keys.instance(iid, "chats"), mapping=chats)
    found: list[Any] = []
    after = ""
    while True:
        page = (await world.ask("GET", f"/v1/instances/{iid}/contacts?limit=2{after}")).json
        found += page["items"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert [one["id"] for one in found] == sorted(set(chats.values()))
    identities = [{name: one[name] for name in ("id", "phone", "lid")} for one in found]
    assert {"id": "30000@lid", "phone": "+5511912345678", "lid": "30000@lid"} in identities
    assert {"id": "5511900000009@s.whatsapp.net", "phone": "+5511900000009", "lid": None} in identities


async def test_privacy_goes_by_the_names_of_the_engine(world: World, iid: str) -> None:
    path = f"/v1/instances/{iid}/account/privacy"
    shown = (await world.ask("GET", path)).json
    assert (shown["picture"], shown["group_add"], shown["calls"]) == ("all", "contact_blacklist", None)
    await world.ask("PATCH", path, json={"picture": "none", "calls": "known", "about": None})
    assert world.instances.calls[1:] == [("account", "set_privacy", {"profile": "none", "call_add": "known"})]


@pytest.mark.parametrize(
    ("method", "path", "body", "where"),
    [
        ("PATCH", "account", {}, {"pointer": "#"}),
        ("PATCH", "account", {"name": ""}, {"pointer": "#/name"}),
        ("PATCH", "account", {"name": "x" * 26}, {"pointer": "#/name"}),
        ("PATCH", "account", {"about": "x" * 140}, {"pointer": "#/about"}),
        ("PUT", "account/picture", {"base64": "R0lGODlh"}, {"pointer": "#/base64"}),
        ("PATCH", "account/privacy", {}, {"pointer": "#"}),
        ("PATCH", "account/privacy", None, {"pointer": "#"}),
        ("PATCH", "account/privacy", {"last_seen": "friends"}, {"pointer": "#/last_seen"}),
        ("PUT", "blocklist/nobody", None, {"parameter": "who"}),
        ("DELETE", f"blocklist/{GROUP}", None, {"parameter": "who"}),
        ("GET", f"contacts/{GROUP}", None, {"parameter": "who"}),
        ("PUT", f"contacts/{GROUP}/presence", None, {"parameter": "who"}),
        ("GET", f"newsletters/{GROUP}", None, {"parameter": "newsletter_id"}),
        ("GET", "newsletters/invite?link=x", None, {"parameter": "link"}),
        ("POST", "newsletters", {"name": ""}, {"pointer": "#/name"}),
        ("POST", "calls/no:id/reject", {"caller": JID}, {"parameter": "call_id"}),
        ("POST", "calls/5A1B/reject", {"caller": GROUP}, {"pointer": "#/caller"}),
    ],
)
async def test_bad_requests_are_explained(
    world: World, iid: str, method: str, path: str, body: Any, where: dict[str, str]
) -> None:
    more = {"json": body} if body is not None else {}
    answer = await world.ask(method, f"/v1/instances/{iid}/{path}", key=world.tokens[iid], **more)
    (error,) = answer.problem("invalid")["errors"]
    assert {name: error[name] for name in where} == where
    assert world.instances.calls == []


async def test_a_call_is_rejected(world: World, iid: str) -> None:
    answer = await world.ask("POST", f"/v1/instances/{iid}/calls/5A1B/reject", json={"caller": JID})
    assert (answer.status, answer.body) == (204, b"")
    assert world.instances.calls == [("people", "reject_call", JID, "5A1B")]
