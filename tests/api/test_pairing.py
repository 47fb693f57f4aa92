"""Pairing: QR code as text, image and live stream, and pairing by code."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
import segno

from actors.instance.errors import CallFailed
from actors.registry import ConnectionState, now
from api.pairing import draw
from tests.api.world import World

CODE = "2@abcdefghijklmnopqrstuvwxyz,ABCDEFG=,HIJKLMN=,OPQ="
DEVICE = "5511900000000:1@s.whatsapp.net"


async def pairing(world: World, iid: str, code: str = CODE) -> None:
    owner = await world.owner(iid, ConnectionState.PAIRING)
    await owner.state(ConnectionState.PAIRING, qr=code, qr_expires_at=now() + timedelta(seconds=20))


async def test_code_as_json(world: World, iid: str) -> None:
    await pairing(world, iid)
    answer = await world.ask("GET", f"/v1/instances/{iid}/qr", key=world.tokens[iid])
    assert answer.status == 200
    assert answer.json["code"] == CODE
    assert answer.json["expires_at"]
    assert answer.headers["Cache-Control"] == "no-store"


async def test_code_as_text(world: World, iid: str) -> None:
    await pairing(world, iid)
    answer = await world.ask("GET", f"/v1/instances/{iid}/qr", headers={"Accept": "text/plain"})
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    text = answer.body.decode()
    assert text == draw(CODE)
    assert set(text) == {"█", "▀", "▄", " ", "\n"}


def test_the_drawing_is_the_code() -> None:
    lines = draw(CODE).splitlines()
    light = {"█": (True, True), "▀": (True, False), "▄": (False, True), " ": (False, False)}
    rows = [[light[c][half] for c in line] for line in lines for half in (0, 1)]
    expected = [[not dark for dark in row] for row in segno.make_qr(CODE, error="l").matrix_iter(border=2)]
    assert rows[: len(expected)] == expected


async def test_code_as_png(world: World, iid: str) -> None:
    await pairing(world, iid)
    answer = await world.ask("GET", f"/v1/instances/{iid}/qr.png", key=world.tokens[iid])
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Expires-At"]
    expected = io.BytesIO()
    segno.make_qr(CODE, error="l").save(expected, kind="png", scale=8, border=4)
    assert answer.body == expected.getvalue()


@pytest.mark.parametrize("path", ["qr", "qr.png"])
async def test_no_code_yet(world: World, iid: str, path: str) -> None:
    answer = await world.ask("GET", f"/v1/instances/{iid}/{path}")
    answer.problem("not-ready")
    assert answer.status == 409
    assert answer.headers["Retry-After"] == "2"


async def test_an_expired_code_is_not_shown(world: World, iid: str) -> None:
    owner = await world.owner(iid, ConnectionState.PAIRING)
    await owner.state(ConnectionState.PAIRING, qr=CODE, qr_expires_at=now() - timedelta(seconds=1))
    (await world.ask("GET", f"/v1/instances/{iid}/qr")).problem("not-ready")


async def test_no_code_when_paired(world: World, iid: str) -> None:
    await world.owner(iid)
    answer = await world.ask("GET", f"/v1/instances/{iid}/qr")
    answer.problem("already-paired")
    assert answer.status == 409


async def test_no_code_when_not_to_connect(world: World) -> None:
    iid = await world.instance(desired="disconnected")
    assert "connect" in (await world.ask("GET", f"/v1/instances/{iid}/qr")).problem("not-ready")["detail"]


async def test_no_code_after_a_logout_says_what_to_do(world: World, iid: str) -> None:
    owner = await world.owner(iid, ConnectionState.PAIRING)
    await owner.state(ConnectionState.LOGGED_OUT, reason="unlinked on the phone")
    detail = (await world.ask("GET", f"/v1/instances/{iid}/qr")).problem("not-ready")["detail"]
    assert "logged_out" in detail
    assert "unlinked on the phone" in detail


async def test_stream_follows_until_connected(world: World, iid: str) -> None:
    owner = await world.owner(iid, ConnectionState.CONNECTING, paired=False)
    async with world.stream(f"/v1/instances/{iid}/qr/stream", key=world.tokens[iid]) as stream:
        assert stream.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["X-Request-Id"]
        assert (await stream.events(1))[0] == {
            "event": "state",
            "data": '{"connection":"connecting","reason":null}',
        }
        await owner.state(ConnectionState.PAIRING, qr="one")
        state, code = await stream.events(2)
        assert json.loads(state["data"])["connection"] == "pairing"
        assert json.loads(code["data"])["code"] == "one"
        await owner.state(ConnectionState.PAIRING, qr="two")
        assert json.loads((await stream.events(1))[0]["data"])["code"] == "two"
        await owner.state(ConnectionState.CONNECTED, device=DEVICE, phone="+5511900000000")
        names = [event["event"] for event in await stream.events(3)]
        assert names == ["state", "paired", "connected"]
        assert await stream.event() is None


async def test_stream_of_an_instance_that_starts_later(world: World, iid: str) -> None:
    async with world.stream(f"/v1/instances/{iid}/qr/stream") as stream:
        await pairing(world, iid)
        found = await stream.events(2)
        if found[0]["event"] == "state" and found[1]["event"] == "state":
            found = [found[1], *(await stream.events(1))]
        assert json.loads(found[1]["data"])["code"] == CODE


async def test_pair_by_code(world: World, iid: str) -> None:
    body = {"phone": "+55 11 91234-5678"}
    answer = await world.ask("POST", f"/v1/instances/{iid}/pair", key=world.tokens[iid], json=body)
    assert answer.status == 200
    assert answer.json == {"code": "ABCD-1234"}
    assert world.instances.calls == [("pair_phone", iid, "5511912345678")]


@pytest.mark.parametrize(
    "phone", ["", "hello", "123", "0055 11 91234-5678", "+55 11 91234-5678 ext 9", "٥٥١١٩"]
)
async def test_a_bad_phone_is_explained(world: World, iid: str, phone: str) -> None:
    answer = await world.ask("POST", f"/v1/instances/{iid}/pair", json={"phone": phone})
    assert answer.status == 422
    assert answer.problem("invalid")["errors"][0]["pointer"] == "#/phone"
    assert world.instances.calls == []


async def test_pairing_a_paired_instance_is_refused(world: World, iid: str) -> None:
    world.instances.failure = CallFailed("already_paired", "The instance is paired")
    answer = await world.ask("POST", f"/v1/instances/{iid}/pair", json={"phone": "+5511912345678"})
    assert answer.problem("already-paired")["code"] == "already_paired"
