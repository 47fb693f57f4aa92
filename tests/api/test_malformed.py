"""Requests that no client library would send: each is answered with a problem that says what is wrong."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest

from api.app import GROUPS
from api.auth import Access
from api.routing import Route
from tests.api.test_access import WITH_BODY, body, names, path
from tests.api.world import ADMIN, Owner, World

JSON = {"Content-Type": "application/json"}
TO = "+5511912345678"
WITH_PARTS = [
    route
    for group in GROUPS
    for route in group.routes
    if "{" in route.path and route.access is not Access.PUBLIC
]


BROKEN = [
    (b'{"a": 1, "a": 2}', "'a' is given twice"),
    (b'{"a": {"b": [{"c": 1, "c": 1}]}}', "'c' is given twice"),
    (b'{"a": 1e400}', "too large"),
    (b'{"a": -Infinity}', "not JSON"),
    (b'{"a": ' + b"9" * 5_000 + b"}", "out of range"),
    (b'{"a": "\x00"}', "control character"),
    (b'{"a": "\xc3\x28"}', "not JSON"),
    (b"\xef\xbb\xbf{}", "not JSON"),
    (b'{"a":' * 10_000, "recursion limit"),
    (b"{} {}", "trailing"),
    (b"{'a': 1}", "not JSON"),
    (json.dumps({"a": "x"}).encode("utf-16"), "not JSON"),
]
PARTS = ["%00", "a%00b", "%ff%fe", "%zz", "%2e%2e", "%2f", "%ed%a0%80", "a" * 2_000, "%0d%0aX:y"]


# One gateway for all that a route is asked: there are many routes.
@pytest.mark.parametrize("route", WITH_BODY, ids=names(WITH_BODY))
async def test_json_that_can_be_read_in_two_ways_or_none(world: World, iid: str, route: Route) -> None:
    for raw, says in BROKEN:
        answer = await world.ask(route.method, path(route, iid), data=raw, headers=JSON)
        assert says in answer.problem("broken-json")["detail"], raw[:50]
        assert answer.status == 400
    assert world.instances.calls == []


@pytest.mark.parametrize("value", ["1", "true", 1, 0, "", [], {}])
async def test_what_is_no_truth_value_does_not_become_one(
    world: World, iid: str, owner: Owner, value: Any
) -> None:
    read = {"message_ids": ["3EB0A1"], "played": value}
    answer = await world.ask("POST", f"/v1/instances/{iid}/chats/{TO}/read", json=read)
    assert answer.problem("invalid")["errors"][0]["pointer"] == "#/played"


@pytest.mark.parametrize("value", ["1", True, [1], "1.5"])
async def test_what_is_no_number_does_not_become_one(
    world: World, iid: str, owner: Owner, value: Any
) -> None:
    message = {"to": TO, "text": "x", "delay": value}
    answer = await world.ask("POST", f"/v1/instances/{iid}/messages?wait=0", json=message)
    assert answer.problem("invalid")["errors"][0]["pointer"] == "#/delay"


@pytest.mark.parametrize(
    "time", [0, 1.5, "0", "0.5", "1769860800", "2026-01-31", "2026-01-31T12:00:00", "now"]
)
async def test_a_time_is_written_out(world: World, iid: str, time: Any) -> None:
    hook = (
        await world.ask("POST", f"/v1/instances/{iid}/webhooks", json={"url": "https://example.com"})
    ).json
    letters = f"/v1/instances/{iid}/webhooks/{hook['id']}/dead-letters"
    for answer in (
        await world.ask("GET", letters, params={"since": str(time)}),
        await world.ask("POST", f"{letters}/replay", json={"since": time}),
    ):
        assert "as in 2026-01-31T12:00:00Z" in answer.problem("invalid")["detail"]
    for good in ("2026-01-31T12:00:00Z", "2026-01-31t12:00:00.25-03:00"):
        assert (await world.ask("GET", letters, params={"since": good})).status == 200
        assert (await world.ask("POST", f"{letters}/replay", json={"since": good})).status == 202


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_compressed_bodies(world: World, encoding: str) -> None:
    def sent(raw: bytes) -> dict[str, Any]:
        packed = gzip.compress(raw) if encoding == "gzip" else zlib.compress(raw)
        return {"data": packed, "headers": {**JSON, "Content-Encoding": encoding}}

    assert (await world.ask("POST", "/v1/instances", **sent(b'{"name": "x"}'))).status == 201
    bomb = await world.ask("POST", "/v1/instances", **sent(b" " * 50_000_000))
    assert bomb.problem("too-large")["limit"] == world.settings.gateway.body_bytes


@pytest.mark.parametrize("route", WITH_BODY, ids=names(WITH_BODY))
async def test_a_body_is_what_its_headers_say(world: World, iid: str, route: Route) -> None:
    for encoding in ("gzip", "deflate"):
        headers = {**JSON, "Content-Encoding": encoding}
        answer = await world.ask(route.method, path(route, iid), data=b'{"name": "x"}', headers=headers)
        assert "Content-Encoding" in answer.problem("bad-request")["detail"]
        assert answer.status == 400
    headers = {**JSON, "Content-Encoding": "rot13"}
    answer = await world.ask(route.method, path(route, iid), data=b'{"name": "x"}', headers=headers)
    assert "rot13" in answer.problem("unsupported-media-type")["detail"]


@pytest.mark.parametrize("route", WITH_PARTS, ids=names(WITH_PARTS))
async def test_a_part_of_a_path_can_be_anything(world: World, iid: str, route: Route) -> None:
    """Whatever stands in the last variable part of a path is an unknown thing or an invalid one."""
    before, _, after = route.path.rpartition("{")
    where = path(route, iid) if before == "" else before.replace("{instance_id}", iid)
    for name in ("webhook_id", "chat_id"):
        where = where.replace(f"{{{name}}}", TO)
    for part in PARTS:
        status, head, document = await raw_request(
            world, route.method, where + part + after.partition("}")[2], body(route).get("json")
        )
        # What only an instance can know is not told from what there is: none is behind this gateway.
        assert 400 <= status < 500 or status in (202, 204), (part, document)
        assert "X:y" not in head.split("\r\n")
        if status >= 400:
            assert document["type"].startswith("/problems/")


async def raw_request(world: World, method: str, where: str, sent: Any) -> tuple[int, str, Any]:
    """Send a request whose path is not touched by a client library."""
    host, port = world.url.removeprefix("http://").split(":")
    content = b"" if sent is None else json.dumps(sent).encode()
    lines = (
        f"{method} {where} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {ADMIN}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
    )
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
    async with asyncio.timeout(30):
        head, _, answered = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), head.decode(), json.loads(answered) if answered else None
