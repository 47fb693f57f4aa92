"""Groups: what goes to the instance, and what is said of bad requests."""

from __future__ import annotations

from typing import Any

import pytest

from actors.instance.errors import CallFailed
from tests.api.answers import GROUP, GROUP_ID, LINK, outcome
from tests.api.world import Answered, World

JID = "5511912345678@s.whatsapp.net"


async def ask(world: World, iid: str, method: str, path: str = "", body: Any = None) -> Answered:
    more = {"json": body} if body is not None else {}
    return await world.ask(method, f"/v1/instances/{iid}/groups{path}", key=world.tokens[iid], **more)


async def test_people_are_named_in_any_form_and_each_once(world: World, iid: str) -> None:
    body = {"name": "Friends", "participants": ["+55 11 91234-5678", JID, "11111@lid"]}
    answer = await ask(world, iid, "POST", body=body)
    assert answer.status == 201
    assert world.instances.calls == [("groups", "create", "Friends", [JID, "11111@lid"])]


async def test_a_list_shows_no_members(world: World, iid: str) -> None:
    (shown,) = (await ask(world, iid, "GET")).json["items"]
    assert shown == {name: value for name, value in GROUP.items() if name != "members"}


async def test_only_what_is_mentioned_is_changed(world: World, iid: str) -> None:
    await ask(world, iid, "PATCH", f"/{GROUP_ID}", {"topic": "", "locked": False, "expires_in": 0})
    changes = {"topic": "", "locked": False, "expires_in": 0}
    assert world.instances.calls == [("groups", "change", GROUP_ID, changes)]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#"),
        ({"name": ""}, "#/name"),
        ({"name": "x" * 101}, "#/name"),
        ({"topic": "x" * 2049}, "#/topic"),
        ({"locked": "perhaps"}, "#/locked"),
        ({"expires_in": 5}, "#/expires_in"),
        ({"colour": "red"}, "#/colour"),
    ],
)
async def test_a_bad_change_is_explained(world: World, iid: str, body: Any, pointer: str) -> None:
    answer = await ask(world, iid, "PATCH", f"/{GROUP_ID}", body)
    assert answer.problem("invalid")["errors"][0]["pointer"] == pointer
    assert world.instances.calls == []


@pytest.mark.parametrize(
    ("method", "path", "body", "where"),
    [
        ("POST", "", {"name": "A", "participants": ["nobody"]}, {"pointer": "#/participants/0"}),
        ("POST", "", {"name": "A", "participants": [GROUP_ID]}, {"pointer": "#/participants/0"}),
        ("GET", f"/{JID}", None, {"parameter": "group_id"}),
        ("GET", "/5511912345678", None, {"parameter": "group_id"}),
        ("POST", f"/{GROUP_ID}/participants", {"participants": []}, {"pointer": "#/participants"}),
        ("DELETE", f"/{GROUP_ID}/participants/nobody", None, {"parameter": "who"}),
        ("PUT", f"/{GROUP_ID}/picture", {"base64": "R0lGODlh"}, {"pointer": "#/base64"}),
        ("PUT", f"/{GROUP_ID}/picture", {"base64": "not base64"}, {"pointer": "#/base64"}),
        ("POST", "/join", {"link": "https://example.com/x"}, {"pointer": "#/link"}),
        ("GET", "/join?link=https://example.com/x", None, {"parameter": "link"}),
        ("GET", "/join", None, {"parameter": "link"}),
    ],
)
async def test_bad_requests_are_explained(
    world: World, iid: str, method: str, path: str, body: Any, where: dict[str, str]
) -> None:
    (error,) = (await ask(world, iid, method, path, body)).problem("invalid")["errors"]
    assert {name: error[name] for name in where} == where
    assert error["detail"]
    assert world.instances.calls == []


async def test_a_link_or_the_code_at_its_end(world: World, iid: str) -> None:
    for link in (LINK, "AbCdEfGhIjKlMnOpQrStUv"):
        assert (await ask(world, iid, "POST", "/join", {"link": link})).status == 200
    assert [call[2] for call in world.instances.calls] == [LINK, "AbCdEfGhIjKlMnOpQrStUv"]


async def test_some_of_many_is_an_answer_and_none_of_them_a_problem(world: World, iid: str) -> None:
    refused = outcome("+5511900000001", done=False, code="not_allowed", detail="They do not want.")
    path, body = f"/{GROUP_ID}/participants", {"participants": ["+5511900000001", "+5511900000002"]}
    world.instances.answers["groups", "change_people"] = [refused, outcome("+5511900000002")]
    answer = await ask(world, iid, "POST", path, body)
    assert [one["done"] for one in answer.json["results"]] == [False, True]
    world.instances.answers["groups", "change_people"] = [refused, {**refused, "phone": "+5511900000002"}]
    problem = (await ask(world, iid, "POST", path, body)).problem("rejected")
    assert (problem["status"], problem["code"], len(problem["results"])) == (422, "not_allowed", 2)
    assert "+5511900000001: They do not want." in problem["detail"]


@pytest.mark.parametrize(
    ("code", "slug", "status"),
    [
        ("group_unknown", "group-unknown", 404),
        ("group_forbidden", "group-forbidden", 403),
        ("invite_invalid", "invite-invalid", 404),
        ("not_connected", "not-connected", 409),
        ("rate_limited", "rate-limited", 429),
    ],
)
async def test_refusals_say_what_to_do(world: World, iid: str, code: str, slug: str, status: int) -> None:
    world.instances.failure = CallFailed(code, "WhatsApp said no", 403)
    problem = (await ask(world, iid, "GET", f"/{GROUP_ID}")).problem(slug)
    assert (problem["status"], problem["code"], problem["server_code"]) == (status, code, 403)
    assert problem["detail"].startswith("WhatsApp said no. ")
