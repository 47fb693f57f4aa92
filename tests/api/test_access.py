"""Who may do what, how often, and how much at a time; and how every error looks."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any

import aiohttp
import pytest

from api import reading
from api.app import GROUPS
from api.auth import Access
from api.limit import RateLimit
from api.problems import KINDS
from api.routing import Route
from tests.api.world import ADMIN, World, running_world

ROUTES = [route for group in GROUPS for route in group.routes]
GUARDED = [route for route in ROUTES if route.access is not Access.PUBLIC]
OF_INSTANCES = [route for route in ROUTES if route.access is Access.INSTANCE]
WITH_BODY = [route for route in ROUTES if route.body is not None]


def names(routes: list[Route]) -> list[str]:
    return [f"{route.method} {route.path}" for route in routes]


def path(route: Route, instance_id: str) -> str:
    filled = route.path.replace("{instance_id}", instance_id).replace(
        "{chat_id}", "5511912345678@s.whatsapp.net"
    )
    return re.sub(r"\{\w+\}", "5511912345678", filled)


def body(route: Route) -> dict[str, Any]:
    return {"json": next(iter(route.examples.values()), {})} if route.body else {}


@pytest.mark.parametrize("route", GUARDED, ids=names(GUARDED))
async def test_every_guarded_route_wants_a_key(world: World, iid: str, route: Route) -> None:
    where = path(route, iid)
    for headers in (
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Bearer "},
        {"Authorization": f"Basic {world.tokens[iid]}"},
        {"apikey": "wrong"},
        {"Authorization": f"Bearer {'x' * 600}"},
    ):
        answer = await world.ask(route.method, where, key=None, headers=headers, **body(route))
        answer.problem("unauthorised")
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert world.instances.calls == []


@pytest.mark.parametrize("route", OF_INSTANCES, ids=names(OF_INSTANCES))
async def test_another_s_instance_looks_like_none(world: World, iid: str, route: Route) -> None:
    other = await world.instance()
    theirs = await world.ask(route.method, path(route, other), key=world.tokens[iid], **body(route))
    nobody = await world.ask(route.method, path(route, "nobody"), key=world.tokens[iid], **body(route))
    admin = await world.ask(route.method, path(route, "nobody"), **body(route))
    for answer in (theirs, nobody, admin):
        assert answer.status == 404
    same = [{**answer.problem("not-found"), "request_id": ""} for answer in (theirs, nobody, admin)]
    assert same[0] == same[1] == same[2]
    assert world.instances.calls == []
    assert (await world.registry.get(other)).revision == 0


async def test_instances_cannot_list_or_create(world: World, iid: str) -> None:
    for method, more in (("GET", {}), ("POST", {"json": {"name": "x"}})):
        answer = await world.ask(method, "/v1/instances", key=world.tokens[iid], **more)
        answer.problem("forbidden")
        assert answer.status == 403


async def test_ways_to_send_a_key(world: World, iid: str) -> None:
    for headers in (
        {"apikey": world.tokens[iid]},
        {"Authorization": f"bearer {world.tokens[iid]}"},
        {"Authorization": f"Bearer   {world.tokens[iid]} "},
    ):
        assert (await world.ask("GET", f"/v1/instances/{iid}", key=None, headers=headers)).status == 200


async def test_admin_keys_of_the_registry_work_too(world: World, iid: str) -> None:
    await world.registry.add_admin_key("another-admin-key")
    assert (await world.ask("GET", f"/v1/instances/{iid}", key="another-admin-key")).status == 200


@pytest.mark.parametrize("route", WITH_BODY, ids=names(WITH_BODY))
async def test_bodies_have_to_be_json(world: World, iid: str, route: Route) -> None:
    where, kind = path(route, iid), {"Content-Type": "application/json"}
    for raw in (b"{", b"nonsense", b'{"a": NaN}', b"\xff\xfe", b'"\\ud800"', b"[" * 100_000, b" "):
        answer = await world.ask(route.method, where, data=raw, headers=kind)
        answer.problem("broken-json")
        assert answer.status == 400
    for other in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"):
        answer = await world.ask(route.method, where, data=b"{}", headers={"Content-Type": other})
        answer.problem("unsupported-media-type")
        assert answer.status == 415
    for unusable in (b"null", b"[]", b"7", b'{"surprise": 1}'):
        answer = await world.ask(route.method, where, data=unusable, headers=kind)
        answer.problem("invalid")
        assert answer.status == 422


@pytest.mark.parametrize("route", WITH_BODY, ids=names(WITH_BODY))
async def test_bodies_are_bounded(redis_url: str, prefix: str, route: Route) -> None:
    async with running_world(redis_url, prefix, body_bytes=2000) as world:
        iid = await world.instance()
        where, kind = path(route, iid), {"Content-Type": "application/json"}
        large = json.dumps({"x": "y" * 2000}).encode()

        async def drip() -> Any:
            for _ in range(10):
                yield large

        for data in (large, drip()):
            answer = await world.ask(route.method, where, data=data, headers=kind)
            assert answer.problem("too-large")["limit"] == 2000
            assert answer.status == 413


async def test_a_body_that_does_not_come_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BODY_TIMEOUT", 0.2)
    host, port = world.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        "POST /v1/instances HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {ADMIN}",
        "Content-Length: 9",
        "",
        "{",
    )
    writer.write("\r\n".join(head).encode())
    async with asyncio.timeout(20):
        answered = (await reader.read()).decode()
    assert answered.startswith("HTTP/1.1 408 ")
    assert '"type":"/problems/too-slow"' in answered
    writer.close()
    await writer.wait_closed()


async def test_unknown_paths_and_wrong_verbs(world: World, iid: str) -> None:
    for unknown in ("/nothing", "/v1", "/v2/instances", f"/v1/instances/{iid}/nothing", "/docs/assets/../x"):
        answer = await world.ask("GET", unknown)
        answer.problem("not-found")
        assert answer.status == 404
    for route in ROUTES:
        answer = await world.ask("PURGE", path(route, iid))
        answer.problem("method-not-allowed")
        assert answer.status == 405
        assert route.method in answer.headers["Allow"]


async def test_a_key_is_limited_and_served_again(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix, rate=5, burst=4) as world:
        iid = await world.instance()
        token = world.tokens[iid]
        answers = [await world.ask("GET", f"/v1/instances/{iid}", key=token) for _ in range(12)]
        limited = [answer for answer in answers if answer.status == 429]
        assert limited
        for answer in limited:
            answer.problem("rate-limited")
            assert int(answer.headers["Retry-After"]) >= 1
        assert (await world.ask("GET", f"/v1/instances/{iid}")).status == 200

        async def served() -> bool:
            return (await world.ask("GET", f"/v1/instances/{iid}", key=token)).status == 200

        await asyncio.sleep(0.3)
        assert await served()


async def test_guessing_keys_is_limited(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix, rate=1, burst=3) as world:
        answers = [(await world.ask("GET", "/v1/instances", key=f"guess-{i}")).status for i in range(8)]
        assert 401 in answers
        assert 429 in answers


def test_the_bucket() -> None:
    limit = RateLimit(rate=2, burst=3)
    assert [limit.take("a", 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert limit.take("a", 0.0) == pytest.approx(0.5)
    assert limit.take("b", 0.0) == 0.0
    assert limit.take("a", 0.5) == 0.0
    assert limit.take("a", 0.5) == pytest.approx(0.5)
    assert [limit.take("a", 1000.0) for _ in range(4)][:3] == [0.0, 0.0, 0.0]
    assert limit.take("a", 1.0) > 0, "a clock that goes back gives nothing"


def test_buckets_are_bounded() -> None:
    limit = RateLimit(rate=1, burst=1, keys_kept=10)
    for number in range(100):
        limit.take(str(number), 0.0)
    assert len(limit._buckets) == 10
    assert limit.take("99", 0.0) > 0


async def test_request_ids(world: World) -> None:
    given = await world.ask("GET", "/healthz", headers={"X-Request-Id": "mine-1"})
    assert given.headers["X-Request-Id"] == "mine-1"
    made = await world.ask("GET", "/nothing")
    assert made.json["request_id"] == made.headers["X-Request-Id"]
    bad = await world.ask("GET", "/healthz", headers={"X-Request-Id": "<script>"})
    assert re.fullmatch("[0-9a-f]{16}", bad.headers["X-Request-Id"])


async def test_the_log_has_no_secrets_numbers_or_texts(
    world: World, iid: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="api")
    token = world.tokens[iid]
    await world.owner(iid)
    where = f"/v1/instances/{iid}/messages?wait=0"
    await world.ask("POST", where, key=token, json={"to": "+5511912345678", "text": "my secret text"})
    await world.ask("GET", f"/v1/instances/{iid}/contacts/5511912345678/picture", key=token)
    await world.ask("GET", "/v1/instances", key="a-wrong-key")
    assert "/v1/instances/{instance_id}/messages 202" in caplog.text
    written = caplog.text + str([vars(record) for record in caplog.records])
    for secret in (token, "admin-key-of-this-test", "a-wrong-key", "my secret text", "5511912345678"):
        assert secret not in written


async def test_every_kind_of_error_has_a_page(world: World) -> None:
    overview = await world.ask("GET", "/problems", key=None)
    for kind in KINDS:
        assert kind.uri.encode() in overview.body
        page = await world.ask("GET", kind.uri, key=None)
        assert page.status == 200
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert kind.uri.encode() in page.body
    (await world.ask("GET", "/problems/none", key=None)).problem("not-found")


def test_kinds_are_unique() -> None:
    assert len({kind.slug for kind in KINDS}) == len(KINDS)


async def test_broken_http_does_not_hurt(world: World) -> None:
    host, port = world.url.removeprefix("http://").split(":")
    for raw in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 20_000 + b"\r\n\r\n"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(raw)
        assert b" 400 " in await reader.readline()
        writer.close()
        await writer.wait_closed()
    assert (await world.ask("GET", "/healthz")).status == 200


async def test_a_client_that_hangs_up_early_leaves_nothing(world: World, iid: str) -> None:
    await world.owner(iid)
    with pytest.raises(TimeoutError):
        await world.ask(
            "POST",
            f"/v1/instances/{iid}/messages",
            json={"to": "+5511912345678", "text": "x"},
            timeout=aiohttp.ClientTimeout(total=0.3),
        )
    assert await world.services.outbox(iid).depth() == 1
    assert (await world.ask("GET", "/healthz")).status == 200
