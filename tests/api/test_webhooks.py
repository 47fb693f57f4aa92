"""Webhook endpoints through the API, with a real courier and a real receiver behind them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import WebhookVerificationError

from actors.courier.courier import Courier
from tests.api.world import Answered, Owner, World, running_world, soon
from tests.courier.authority import Authority
from tests.courier.receiver import Got, Receiver

URL = "https://example.com/hooks"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    server = Receiver()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def courier(world: World) -> AsyncIterator[Courier]:
    """Delivers everything of this test."""
    found = Courier(world.store, world.settings, 0, (0,))
    running = asyncio.create_task(found.run())
    async with asyncio.timeout(30):
        await found.ready.wait()
    yield found
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


class Hooks:
    """The webhooks of one instance, asked for with its own token."""

    def __init__(self, world: World, iid: str) -> None:
        self.world = world
        self.iid = iid

    async def ask(self, method: str, path: str = "", **more: Any) -> Answered:
        base = f"/v1/instances/{self.iid}/webhooks"
        return await self.world.ask(method, f"{base}{path}", key=self.world.tokens[self.iid], **more)

    async def create(self, url: str = URL, **more: Any) -> dict[str, Any]:
        answer = await self.ask("POST", json={"url": url, **more})
        assert answer.status == 201, answer.body
        return dict(answer.json)


@pytest.fixture
def hooks(world: World, iid: str) -> Hooks:
    return Hooks(world, iid)


async def refuse(got: Got, request: web.Request) -> web.StreamResponse:
    return web.Response(status=500, text="no")


async def test_create_shows_the_secret_once(hooks: Hooks) -> None:
    answer = await hooks.ask(
        "POST",
        json={"url": URL, "events": ["message.*"], "headers": {"X-Key": "hidden-value"}, "description": "d"},
    )
    assert answer.status == 201
    assert answer.headers["Cache-Control"] == "no-store"
    created = answer.json
    assert created["secret"].startswith("whsec_")
    assert created["header_names"] == ["X-Key"]
    assert created["status"]["waiting"] == 0
    shown = await hooks.world.ask("GET", answer.headers["Location"])
    listed = await hooks.ask("GET")
    assert listed.json["items"] == [shown.json]
    assert shown.json == {name: value for name, value in created.items() if name != "secret"}
    for body in (shown.body, listed.body):
        assert b"hidden-value" not in body
        assert created["secret"].encode() not in body
    assert b"hidden-value" not in answer.body


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/url"),
        ({"url": "nothing"}, "#/url"),
        ({"url": "ftp://example.com"}, "#/url"),
        ({"url": "https://"}, "#/url"),
        ({"url": "https://u:p@example.com"}, "#/url"),
        ({"url": f"https://example.com/{'x' * 3000}"}, "#/url"),
        ({"url": URL, "events": []}, "#/events"),
        ({"url": URL, "events": ["message.eaten"]}, "#/events"),
        ({"url": URL, "ordering": "random"}, "#/ordering"),
        ({"url": URL, "headers": {"Host": "x"}}, "#/headers"),
        ({"url": URL, "headers": {"X": "a\nb"}}, "#/headers"),
        ({"url": URL, "headers": {"Traceparent": "x"}}, "#/headers"),
        ({"url": URL, "secret": "short"}, "#/secret"),
        ({"url": URL, "description": "x" * 501}, "#/description"),
        ({"url": URL, "method": "PUT"}, "#/method"),
        ({"url": URL, "delivery": {"media": "never"}}, "#/delivery/media"),
        ({"url": URL, "delivery": {"rate": 1e-12}}, "#/delivery/rate"),
        ({"url": URL, "delivery": {"media_wait": 601}}, "#/delivery/media_wait"),
        ({"url": URL, "tls": {"certificate": "x", "key": "y"}}, "#/tls"),
        ({"url": URL, "tls": {"certificate": "x"}}, "#/tls/key"),
    ],
)
async def test_a_bad_endpoint_is_explained(hooks: Hooks, body: Any, pointer: str) -> None:
    answer = await hooks.ask("POST", json=body)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.problem("invalid")["errors"]] == [pointer]
    assert (await hooks.ask("GET")).json["items"] == []


async def test_private_addresses_are_refused(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix, courier={"allow_private": False}) as world:
        hooks = Hooks(world, await world.instance())
        for url in ("http://127.0.0.1/", "http://169.254.169.254/latest", "http://[::1]:8080/"):
            answer = await hooks.ask("POST", json={"url": url})
            assert answer.problem("invalid")["errors"][0]["pointer"] == "#/url"
        created = await hooks.create()
        answer = await hooks.ask("PATCH", f"/{created['id']}", json={"url": "http://10.0.0.1/"})
        assert answer.problem("invalid")["errors"][0]["pointer"] == "#/url"


async def test_there_is_a_bound(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix, courier={"endpoints_max": 2}) as world:
        hooks = Hooks(world, await world.instance())
        await hooks.create()
        await hooks.create()
        answer = await hooks.ask("POST", json={"url": URL})
        assert answer.problem("limit-reached")["bound"] == 2


async def test_change(hooks: Hooks) -> None:
    one = f"/{(await hooks.create())['id']}"
    changed = (await hooks.ask("PATCH", one, json={"events": ["message.received"], "enabled": False})).json
    assert (changed["events"], changed["enabled"], changed["revision"]) == (["message.received"], False, 1)
    assert changed["disabled_reason"]
    assert changed["url"] == URL
    old = await hooks.ask("PATCH", one, json={"description": "x", "revision": 0})
    old.problem("changed-meanwhile")
    assert old.status == 409
    missing = await hooks.ask("PATCH", one, json={"url": None})
    assert missing.problem("invalid")["errors"][0]["pointer"] == "#/url"
    bad = await hooks.ask("PATCH", one, json={"url": "ftp://x"})
    assert bad.problem("invalid")["errors"][0]["pointer"] == "#/url"
    enabled = await hooks.ask("POST", f"{one}/enable")
    assert enabled.json["enabled"] is True
    assert enabled.json["disabled_reason"] is None


async def test_a_client_certificate_is_set_shown_and_taken_away(hooks: Hooks) -> None:
    authority = Authority()
    tls = authority.client()
    created = await hooks.create(tls=tls.model_dump())
    one = f"/{created['id']}"
    assert created["tls"] == {"fingerprint": tls.fingerprint, "own_ca": True}
    for answer in (await hooks.ask("GET", one), await hooks.ask("GET")):
        assert tls.key.splitlines()[1].encode() not in answer.body
    other = authority.issue("other")
    pair = {"certificate": other.certificate, "key": other.key}
    changed = (await hooks.ask("PATCH", one, json={"tls": pair})).json["tls"]
    assert changed["fingerprint"] != tls.fingerprint
    assert changed["own_ca"] is False
    kept = await hooks.ask("PATCH", one, json={"description": "x"})
    assert kept.json["tls"] == changed

    wrong = await hooks.ask("PATCH", one, json={"tls": {**pair, "key": tls.key}})
    problem = wrong.problem("invalid")["errors"][0]
    assert (problem["pointer"], "does not belong" in problem["detail"]) == ("#/tls", True)
    assert tls.key.splitlines()[1].encode() not in wrong.body
    plain = await hooks.ask("PATCH", one, json={"url": "http://example.com"})
    assert "https://" in plain.problem("invalid")["errors"][0]["detail"]
    assert (await hooks.ask("PATCH", one, json={"tls": None})).json["tls"] is None


async def test_delete(hooks: Hooks) -> None:
    one = f"/{(await hooks.create())['id']}"
    assert (await hooks.ask("DELETE", one)).status == 204
    for method in ("GET", "DELETE"):
        (await hooks.ask(method, one)).problem("not-found")
    assert (await hooks.ask("GET")).json["items"] == []


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/enable"),
        ("POST", "/secret"),
        ("POST", "/test"),
        ("GET", "/attempts"),
        ("GET", "/dead-letters"),
        ("GET", "/dead-letters/evt_1"),
        ("POST", "/dead-letters/evt_1/replay"),
        ("POST", "/dead-letters/replay"),
    ],
)
async def test_unknown_endpoints_are_404(world: World, hooks: Hooks, method: str, path: str) -> None:
    elsewhere = Hooks(world, await world.instance())
    theirs = (await elsewhere.create())["id"]
    body = {"json": {}} if method == "PATCH" else {}
    for name in ("ep_nothing", theirs):
        answer = await hooks.ask(method, f"/{name}{path}", **body)
        answer.problem("not-found")
        assert answer.status == 404
    assert (await elsewhere.ask("GET", f"/{theirs}")).json["revision"] == 0


def verifies(got: Got, secret: str) -> bool:
    try:
        got.verify(secret)
    except WebhookVerificationError:
        return False
    return True


async def signed_by_soon(look: Callable[[], Awaitable[list[bool]]], wanted: list[bool]) -> bool:
    async def matches() -> bool:
        return await look() == wanted

    return await soon(matches)


async def test_rotate_the_secret(hooks: Hooks, owner: Owner, receiver: Receiver, courier: Courier) -> None:
    created = await hooks.create(receiver.url())
    answer = await hooks.ask("POST", f"/{created['id']}/secret")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    fresh = answer.json["secret"]
    assert fresh != created["secret"]

    async def signed_by() -> list[bool]:
        seen = len(receiver.taken)
        await owner.append()
        await receiver.wait_taken(seen + 1)
        return [verifies(receiver.taken[seen], secret) for secret in (fresh, created["secret"])]

    # The courier learns of a new secret a moment later, and signs with the old one until then.
    assert await signed_by_soon(signed_by, [True, True])
    await hooks.ask("POST", f"/{created['id']}/secret", json={"overlap": 0, "secret": created["secret"]})
    assert await signed_by_soon(signed_by, [False, True])
    for bad, pointer in (({"overlap": -1}, "#/overlap"), ({"secret": "x"}, "#/secret")):
        refused = await hooks.ask("POST", f"/{created['id']}/secret", json=bad)
        assert refused.problem("invalid")["errors"][0]["pointer"] == pointer


async def test_test_event(hooks: Hooks, owner: Owner, receiver: Receiver, courier: Courier) -> None:
    created = await hooks.create(receiver.url(), events=["message.*"])
    answer = await hooks.ask("POST", f"/{created['id']}/test")
    assert answer.status == 202
    await receiver.wait_taken(1)
    assert receiver.taken[0].event["type"] == "webhook.test"
    assert receiver.taken[0].event["id"] == answer.json["event_id"]
    receiver.taken[0].verify(created["secret"])


async def attempted(hooks: Hooks, one: str, count: int) -> list[dict[str, Any]]:
    async def look() -> list[dict[str, Any]] | None:
        items = (await hooks.ask("GET", f"{one}/attempts")).json["items"]
        return items if len(items) >= count else None

    return await soon(look)


async def test_attempts(hooks: Hooks, owner: Owner, receiver: Receiver, courier: Courier) -> None:
    one = f"/{(await hooks.create(receiver.url()))['id']}"
    for _ in range(3):
        await owner.append()
    everything = await attempted(hooks, one, 3)
    assert [item["seq"] for item in everything] == [3, 2, 1]
    assert {item["result"] for item in everything} == {"delivered"}
    first = (await hooks.ask("GET", f"{one}/attempts?limit=2")).json
    second = (await hooks.ask("GET", f"{one}/attempts?limit=2&before={first['next']}")).json
    assert [*first["items"], *second["items"]] == everything
    assert second["next"] is None
    assert (await hooks.ask("GET", f"{one}/attempts?before=0-0")).json == {"items": [], "next": None}
    for query in ("limit=0", "limit=1001", "before=x", f"before={'9' * 20}", "after=1"):
        refused = await hooks.ask("GET", f"{one}/attempts?{query}")
        assert refused.problem("invalid")["errors"][0]["parameter"] == query.partition("=")[0]


async def test_a_disabled_endpoint_gets_no_test_event(hooks: Hooks) -> None:
    created = await hooks.create(enabled=False)
    refused = await hooks.ask("POST", f"/{created['id']}/test")
    assert refused.status == 409
    assert "Enable it first" in refused.problem("not-ready")["detail"]
    assert (await hooks.ask("PATCH", f"/{created['id']}", json={"enabled": True})).status == 200
    assert (await hooks.ask("POST", f"/{created['id']}/test")).status == 202


@pytest.fixture
async def one(hooks: Hooks, owner: Owner, receiver: Receiver, courier: Courier) -> str:
    """An endpoint with three dead letters."""
    receiver.answer(refuse)
    path = f"/{(await hooks.create(receiver.url()))['id']}"
    for _ in range(3):
        await owner.append()

    async def look() -> bool:
        return len((await hooks.ask("GET", f"{path}/dead-letters")).json["items"]) == 3

    assert await soon(look)
    return path


async def test_dead_letters(hooks: Hooks, one: str) -> None:
    everything = (await hooks.ask("GET", f"{one}/dead-letters")).json["items"]
    assert [letter["seq"] for letter in everything] == [1, 2, 3]
    assert everything[0]["status"] == 500
    assert everything[0]["attempts"] == 2
    assert everything[0]["event"]["data"] == {"number": 1}
    assert (await hooks.ask("GET", f"{one}/dead-letters/{everything[0]['id']}")).json == everything[0]
    (await hooks.ask("GET", f"{one}/dead-letters/evt_nothing")).problem("not-found")
    (await hooks.ask("POST", f"{one}/dead-letters/evt_nothing/replay")).problem("not-found")
    first = (await hooks.ask("GET", f"{one}/dead-letters?limit=2")).json
    second = (await hooks.ask("GET", f"{one}/dead-letters?limit=2&offset={first['next']}")).json
    assert [*first["items"], *second["items"]] == everything
    assert second["next"] is None
    later = await hooks.ask("GET", f"{one}/dead-letters", params={"since": "2999-01-01T00:00:00+00:00"})
    assert later.json["items"] == []
    for query in ("limit=0", "offset=-1", "since=yesterday", "since=2026-01-01T00:00:00"):
        refused = await hooks.ask("GET", f"{one}/dead-letters?{query}")
        assert refused.problem("invalid")["errors"][0]["parameter"] == query.partition("=")[0]


async def test_replay_one_then_the_rest(hooks: Hooks, one: str, receiver: Receiver) -> None:
    letters = (await hooks.ask("GET", f"{one}/dead-letters")).json["items"]
    receiver.obey()
    answer = await hooks.ask("POST", f"{one}/dead-letters/{letters[1]['id']}/replay")
    assert (answer.status, answer.json) == (202, {"count": 1})
    await receiver.wait_taken(1)
    assert receiver.taken[0].event["id"] == letters[1]["id"]
    none = await hooks.ask("POST", f"{one}/dead-letters/replay", json={"since": "2999-01-01T00:00:00Z"})
    assert none.json == {"count": 0}
    rest = await hooks.ask("POST", f"{one}/dead-letters/replay")
    assert (rest.status, rest.json) == (202, {"count": 2})
    await receiver.wait_taken(3)
    assert {got.event["id"] for got in receiver.taken} == {letter["id"] for letter in letters}
    assert (await hooks.ask("GET", f"{one}/dead-letters")).json["items"] == []
    bad = await hooks.ask("POST", f"{one}/dead-letters/replay", json={"since": "yesterday"})
    assert bad.problem("invalid")["errors"][0]["pointer"] == "#/since"
