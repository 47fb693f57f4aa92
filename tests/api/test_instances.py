"""Instances: created, listed, changed, connected, deleted."""

from __future__ import annotations

import pytest

from actors.instance.errors import CallFailed
from actors.registry import Desired
from api.calls import InstanceUnavailable
from tests.api.world import Owner, World


async def test_create_shows_the_token_once(world: World) -> None:
    answer = await world.ask("POST", "/v1/instances", json={"name": "Support"})
    assert answer.status == 201
    created = answer.json
    assert created["name"] == "Support"
    assert created["desired"] == "connected"
    assert created["state"]["connection"] == "starting"
    assert answer.headers["Location"] == f"/v1/instances/{created['id']}"
    assert answer.headers["Cache-Control"] == "no-store"
    shown = await world.ask("GET", answer.headers["Location"], key=created["token"])
    assert shown.status == 200
    assert "token" not in shown.json
    assert created["token"].encode() not in shown.body


async def test_the_token_is_stored_as_a_hash_only(world: World) -> None:
    answer = await world.ask("POST", "/v1/instances", json={"name": "Support"})
    token = answer.json["token"]
    async for key in world.store.redis.scan_iter(match=f"{world.settings.prefix}:*"):
        if await world.store.redis.type(key) == "hash":
            stored = await world.store.redis.hgetall(key)
            assert token not in str(stored)


async def test_an_id_of_ones_own_makes_creation_repeatable(world: World) -> None:
    assert (await world.ask("POST", "/v1/instances", json={"name": "A", "id": "shop-1"})).json[
        "id"
    ] == "shop-1"
    again = await world.ask("POST", "/v1/instances", json={"name": "A", "id": "shop-1"})
    again.problem("exists")
    assert again.status == 409


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "#/name"),
        ({"name": ""}, "#/name"),
        ({"name": "x" * 101}, "#/name"),
        ({"name": 7}, "#/name"),
        ({"name": "A", "id": "a{b}"}, "#/id"),
        ({"name": "A", "id": "x" * 65}, "#/id"),
        ({"name": "A", "desired": "maybe"}, "#/desired"),
        ({"name": "A", "proxy": "ftp://example.com"}, "#/proxy"),
        ({"name": "A", "proxy": "socks5://"}, "#/proxy"),
        ({"name": "A", "proxy": "http://example.com:99999"}, "#/proxy"),
        ({"name": "A", "proxy": "http://[::1"}, "#/proxy"),
        ({"name": "A", "colour": "red"}, "#/colour"),
        ([], "#"),
        ("text", "#"),
    ],
)
async def test_a_bad_body_is_explained(world: World, body: object, pointer: str) -> None:
    answer = await world.ask("POST", "/v1/instances", json=body)
    document = answer.problem("invalid")
    assert answer.status == 422
    assert [error["pointer"] for error in document["errors"]] == [pointer]


async def test_pages_of_instances(world: World) -> None:
    ids = [await world.instance() for _ in range(5)]
    first = (await world.ask("GET", "/v1/instances?limit=2")).json
    second = (await world.ask("GET", f"/v1/instances?limit=2&after={first['next']}")).json
    third = (await world.ask("GET", f"/v1/instances?limit=2&after={second['next']}")).json
    assert [item["id"] for page in (first, second, third) for item in page["items"]] == ids
    assert third["next"] is None
    everything = (await world.ask("GET", "/v1/instances")).json
    assert [item["id"] for item in everything["items"]] == ids
    assert everything["next"] is None


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "after=gone", "page=2", "limit=1&limit=2"]
)
async def test_a_bad_page_is_explained(world: World, query: str) -> None:
    document = (await world.ask("GET", f"/v1/instances?{query}")).problem("invalid")
    assert document["errors"][0]["parameter"] == query.partition("=")[0]


async def test_show(world: World, iid: str, owner: Owner) -> None:
    for key in ("admin-key-of-this-test", world.tokens[iid]):
        shown = (await world.ask("GET", f"/v1/instances/{iid}", key=key)).json
        assert shown["state"]["connection"] == "connected"
        assert shown["state"]["epoch"] == owner.epoch


async def test_unknown_instances_are_404(world: World) -> None:
    for path in ("/v1/instances/nobody", "/v1/instances/%7Bx%7D", "/v1/instances/a%2Fb"):
        answer = await world.ask("GET", path)
        answer.problem("not-found")
        assert answer.status == 404


async def test_change(world: World, iid: str) -> None:
    path = f"/v1/instances/{iid}"
    changed = (await world.ask("PATCH", path, json={"name": "Sales"})).json
    assert (changed["name"], changed["revision"]) == ("Sales", 1)
    proxied = (
        await world.ask("PATCH", path, json={"proxy": "socks5://me:hidden@proxy.example.com:1080"})
    ).json
    assert proxied["proxy"] == "socks5://me:***@proxy.example.com:1080"
    assert proxied["name"] == "Sales"
    assert (await world.registry.get(iid)).proxy == "socks5://me:hidden@proxy.example.com:1080"
    assert (await world.ask("PATCH", path, json={"proxy": None})).json["proxy"] is None
    same = (await world.ask("PATCH", path, json={})).json
    assert same["revision"] == 3


async def test_a_change_based_on_an_old_revision_is_refused(world: World, iid: str) -> None:
    path = f"/v1/instances/{iid}"
    await world.ask("PATCH", path, json={"name": "Sales", "revision": 0})
    answer = await world.ask("PATCH", path, json={"name": "Support", "revision": 0})
    answer.problem("changed-meanwhile")
    assert answer.status == 409
    assert (await world.registry.get(iid)).name == "Sales"


async def test_a_proxy_takes_the_admin_key(world: World, iid: str) -> None:
    path = f"/v1/instances/{iid}"
    answer = await world.ask("PATCH", path, key=world.tokens[iid], json={"proxy": "http://10.0.0.1:80"})
    answer.problem("forbidden")
    assert (await world.ask("PATCH", path, key=world.tokens[iid], json={"name": "Mine"})).status == 200


async def test_a_tenant_is_set_with_the_admin_key_and_named_plainly(world: World, iid: str) -> None:
    path = f"/v1/instances/{iid}"
    assert (await world.ask("PATCH", path, json={"tenant": "acme"})).json["tenant"] == "acme"
    answer = await world.ask("PATCH", path, key=world.tokens[iid], json={"tenant": "other"})
    answer.problem("forbidden")
    bad = await world.ask("PATCH", path, json={"tenant": "a b"})
    assert bad.problem("invalid")["errors"][0]["pointer"] == "#/tenant"
    assert (await world.ask("PATCH", path, json={"tenant": None})).json["tenant"] is None


async def test_a_name_cannot_be_removed(world: World, iid: str) -> None:
    answer = await world.ask("PATCH", f"/v1/instances/{iid}", json={"name": None})
    assert answer.problem("invalid")["errors"][0]["pointer"] == "#/name"


async def test_connect_and_disconnect_change_what_is_desired(world: World, iid: str) -> None:
    for verb, desired in (("disconnect", Desired.DISCONNECTED), ("connect", Desired.CONNECTED)):
        for _ in range(2):
            answer = await world.ask("POST", f"/v1/instances/{iid}/{verb}", key=world.tokens[iid])
            assert answer.status == 202
            assert answer.json["desired"] == desired
        assert (await world.registry.get(iid)).desired is desired


async def test_asking_to_connect_again_reaches_the_owner(world: World, iid: str) -> None:
    revisions = [(await world.ask("POST", f"/v1/instances/{iid}/connect")).json["revision"] for _ in range(3)]
    assert revisions == [1, 2, 3]


async def test_never_started_and_not_wanted_is_disconnected(world: World) -> None:
    iid = await world.instance(desired="disconnected")
    shown = (await world.ask("GET", f"/v1/instances/{iid}")).json
    assert shown["state"]["connection"] == "disconnected"


async def test_delete_removes_everything(world: World, iid: str, owner: Owner) -> None:
    await owner.append()
    token = world.tokens[iid]
    assert (await world.ask("DELETE", f"/v1/instances/{iid}", key=token)).status == 204
    assert (await world.ask("GET", f"/v1/instances/{iid}")).status == 404
    assert (await world.ask("GET", f"/v1/instances/{iid}", key=token)).status == 401
    assert (await world.ask("DELETE", f"/v1/instances/{iid}")).status == 404
    again = await world.ask("POST", "/v1/instances", json={"id": iid, "name": "Again"})
    assert again.status == 409
    assert "still being removed" in again.problem("exists")["detail"]
    left = [key async for key in world.store.redis.scan_iter(match=f"{world.settings.prefix}:*{iid}*")]
    assert left == [owner.mailbox.key("owner")], "its epoch, which goes on to fence an actor that still lives"


async def test_logout_is_the_instance_s(world: World, iid: str) -> None:
    assert (await world.ask("POST", f"/v1/instances/{iid}/logout", key=world.tokens[iid])).status == 204
    assert world.instances.calls == [("logout", iid)]


async def test_a_new_token_replaces_the_old_one(world: World, iid: str) -> None:
    old = world.tokens[iid]
    answer = await world.ask("POST", f"/v1/instances/{iid}/token", key=old)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert (await world.ask("GET", f"/v1/instances/{iid}", key=old)).status == 401
    assert (await world.ask("GET", f"/v1/instances/{iid}", key=answer.json["token"])).status == 200


@pytest.mark.parametrize(
    ("failure", "status", "slug", "retry"),
    [
        (CallFailed("not_connected", "The socket is closed"), 409, "not-connected", False),
        (CallFailed("parked", "The mailbox is full"), 409, "not-connected", False),
        (CallFailed("not_paired", "No device"), 409, "not-paired", False),
        (CallFailed("already_paired", "It is paired"), 409, "already-paired", False),
        (CallFailed("timeout", "No answer"), 504, "timed-out", False),
        (CallFailed("rate_limited", "Slow down"), 429, "rate-limited", True),
        (CallFailed("bad_request", "No such thing"), 422, "rejected", False),
        (CallFailed("not_on_whatsapp", "Nobody has it"), 422, "rejected", False),
        (CallFailed("unsupported", "Not with this engine"), 501, "unsupported", False),
        (CallFailed("store_locked", "Another engine has it"), 503, "instance-unavailable", True),
        (CallFailed("internal", "panic: secret"), 500, "internal", False),
        (InstanceUnavailable("The instance is being moved."), 503, "instance-unavailable", True),
        (RuntimeError("secret"), 500, "internal", False),
    ],
)
async def test_failures_of_an_instance_are_explained(
    world: World, iid: str, failure: Exception, status: int, slug: str, retry: bool
) -> None:
    world.instances.failure = failure
    answer = await world.ask("POST", f"/v1/instances/{iid}/logout")
    answer.problem(slug)
    assert answer.status == status
    assert ("Retry-After" in answer.headers) is retry
    assert b"secret" not in answer.body
