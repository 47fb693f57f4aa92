from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from lab.accounts import Account
from lab.network import Lab
from lab.wire import LIDS, Jid
from tests.lab.client import Client, Keys
from tests.lab.conftest import ANA, BIA, back, online
from tests.wait import until

JPEG = b"\xff\xd8\xff\xe0 a picture"


class Control:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def __call__(self, method: str, path: str, *, status: int = 200, **request: Any) -> Any:
        async with self.session.request(method, path, **request) as answer:
            text = await answer.text()
            assert answer.status == status, text
            return await answer.json(content_type=None) if text else None

    async def problem(self, method: str, path: str, status: int, **request: Any) -> dict[str, Any]:
        async with self.session.request(method, path, **request) as answer:
            assert answer.content_type == "application/problem+json"
            problem: dict[str, Any] = await answer.json(content_type=None)
            assert (answer.status, problem["status"]) == (status, status), problem
            assert problem["detail"]
            return problem


@pytest.fixture
async def control(lab: Lab) -> AsyncIterator[Control]:
    async with aiohttp.ClientSession(lab.control_url) as session:
        yield Control(session)


async def test_an_account_is_created_and_shown(control: Control) -> None:
    made = await control("POST", "/accounts", json={"phone": f"+{ANA}", "name": "Ana"}, status=201)
    assert (made["phone"], made["name"], made["devices"], made["banned"]) == (ANA, "Ana", [], False)
    assert await control("GET", f"/accounts/%2B{ANA}") == made
    assert await control("GET", "/accounts") == [made]
    problem = await control.problem("POST", "/accounts", 409, json={"phone": ANA})
    assert problem["code"] == "account_exists"


async def test_a_client_is_linked_by_a_scan_and_logged_out(lab: Lab, ana: Account, control: Control) -> None:
    keys = Keys()
    async with Client(lab.target, keys) as client:
        body = {"code": await client.code()}
        scan = asyncio.create_task(control("POST", f"/accounts/{ANA}/scan", json=body, status=201))
        await client.accept()
        device = await scan
    assert (device["number"], device["name"], device["online"]) == (1, "by hand", False)
    client = await back(lab, keys)
    shown = await control("GET", f"/accounts/{ANA}/devices/1")
    assert shown["online"]
    assert shown["counters"]["logins"] == 1
    await control("DELETE", f"/accounts/{ANA}/devices/1", status=204)
    await client.first("stream:error", code="401")
    await client.close()
    await control.problem("GET", f"/accounts/{ANA}/devices/1", 404)


async def test_a_client_is_linked_by_a_typed_code(lab: Lab, ana: Account, control: Control) -> None:
    async with Client(lab.target, Keys()) as client:
        await client.first("iq", "pair-device")
        ephemeral = await client.ask_to_link(ANA, "ABCD1234")
        body = {"code": "ABCD-1234"}
        typed = asyncio.create_task(control("POST", f"/accounts/{ANA}/confirm", json=body, status=201))
        await client.finish_link(ANA, "ABCD1234", ephemeral)
        await client.accept()
        assert (await typed)["number"] == 1


async def test_counters_and_queue_of_a_device(lab: Lab, ana: Account, bia: Account, control: Control) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    for id_ in ("M1", "M2"):
        await writer.write(id_, Jid(bia.lid, LIDS), [reader.own()])
    first, _ = await reader.messages(2)
    await reader.ack(first)
    await reader.query("w:p", "get", None)
    shown = await control("GET", f"/accounts/{BIA}/devices/1")
    assert (shown["queue"], shown["queued"]) == (1, {"message": 1})
    counters = shown["counters"]
    assert (counters["sent"], counters["acked"], counters["redelivered"]) == (2, 1, 0)
    assert (await control("GET", f"/accounts/{ANA}/devices/1"))["counters"]["received"] == 2
    overview = await control("GET", "/")
    assert (overview["accounts"], overview["devices"], overview["online"]) == (2, 2, 2)
    assert overview["errors"] == []
    await writer.close()
    await reader.close()


async def test_a_connection_is_frozen(lab: Lab, ana: Account, control: Control) -> None:
    await control.problem("POST", f"/accounts/{ANA}/devices/9/freeze", 404)
    client = await online(lab, ANA)
    assert await control("POST", f"/accounts/{ANA}/devices/1/freeze") == {"done": True}
    await client.close()
    again = await back(lab, client.keys)
    await again.close()
    await until(lambda: lab.board.connection(lab.device(ANA, 1)) is None)
    assert await control("POST", f"/accounts/{ANA}/devices/1/freeze") == {"done": False}


async def test_connections_are_dropped_and_contested(lab: Lab, ana: Account, control: Control) -> None:
    client = await online(lab, ANA)
    assert await control("POST", f"/accounts/{ANA}/devices/1/drop") == {"done": True}
    await client.closed.wait()
    await client.close()
    again = await back(lab, client.keys)
    assert await control("POST", f"/accounts/{ANA}/devices/1/conflict") == {"done": True}
    await again.first("stream:error")
    await again.closed.wait()
    await again.close()


async def test_a_ban_and_its_end(lab: Lab, ana: Account, control: Control) -> None:
    assert (await control("POST", f"/accounts/{ANA}/ban", json={"seconds": 60}))["banned"]
    await control("DELETE", f"/accounts/{ANA}/ban", status=204)
    assert not (await control("GET", f"/accounts/{ANA}"))["banned"]


async def test_pictures_and_privacy(lab: Lab, ana: Account, control: Control) -> None:
    shown = await control("PUT", f"/accounts/{ANA}/picture", data=JPEG)
    assert shown["picture"].startswith(f"https://{lab.target.address}/")
    assert (await control.problem("PUT", f"/accounts/{ANA}/picture", 422, data=b"text"))[
        "code"
    ] == "bad_input"
    await control("DELETE", f"/accounts/{ANA}/picture", status=204)
    assert (await control("GET", f"/accounts/{ANA}"))["picture"] is None
    changed = await control("PATCH", f"/accounts/{ANA}/privacy", json={"last": "none"})
    assert changed["privacy"]["last"] == "none"
    await control.problem("PATCH", f"/accounts/{ANA}/privacy", 422, json={"colour": "none"})


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "refuse_login", "phone": ANA, "code": 503, "times": 2},
        {"kind": "ignore_query", "query": "usync"},
        {"kind": "delay_query", "query": "encrypt", "seconds": 1.5},
        {"kind": "fail_query", "code": 500},
        {"kind": "stop_reading", "phone": ANA, "device": 1},
        {"kind": "stop_writing"},
        {"kind": "lose_acks", "times": 1},
        {"kind": "lose_send_acks"},
    ],
)
async def test_faults_are_put_in_force_and_lifted(control: Control, fault: dict[str, Any]) -> None:
    made = await control("POST", "/faults", json=fault, status=201)
    assert fault.items() <= made["fault"].items()
    assert await control("GET", "/faults") == [made]
    await control("DELETE", f"/faults/{made['id']}", status=204)
    assert await control("GET", "/faults") == []
    await control("POST", "/faults", json=fault, status=201)
    await control("DELETE", "/faults", status=204)
    assert await control("GET", "/faults") == []
    await control.problem("DELETE", "/faults/99", 404)
    await control.problem("DELETE", "/faults/x", 404)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/accounts", {"phone": "12"}, 422, "bad_phone"),
        ("POST", "/accounts", {}, 422, "bad_input"),
        ("POST", "/accounts", [], 422, "bad_input"),
        ("GET", "/accounts/999", None, 404, "no_such_account"),
        ("POST", "/accounts/999/scan", {"code": "x" * 20}, 404, "no_such_account"),
        ("POST", f"/accounts/{ANA}/scan", {"code": "short"}, 422, "bad_input"),
        ("POST", f"/accounts/{ANA}/scan", {"code": "not a code"}, 422, "bad_code"),
        ("POST", f"/accounts/{ANA}/confirm", {"code": "ABCD-1234"}, 404, "no_request"),
        ("GET", f"/accounts/{ANA}/devices/1", None, 404, "no_such_device"),
        ("GET", f"/accounts/{ANA}/devices/one", None, 404, "no_such_device"),
        ("DELETE", f"/accounts/{ANA}/devices/1", None, 404, "no_such_device"),
        ("POST", f"/accounts/{ANA}/devices/1/drop", None, 404, "no_such_device"),
        ("POST", f"/accounts/{ANA}/ban", {"seconds": -1}, 422, "bad_input"),
        ("POST", "/faults", {"kind": "earthquake"}, 422, "bad_input"),
        ("POST", "/faults", {"kind": "refuse_login", "code": 200}, 422, "bad_input"),
        ("GET", f"/contacts/{BIA}", None, 404, "no_such_contact"),
        ("DELETE", f"/contacts/{BIA}", None, 404, "no_such_contact"),
        ("GET", f"/contacts/{BIA}/messages?after=-1", None, 422, "bad_input"),
        ("POST", f"/contacts/{BIA}/messages", {"to": ANA, "count": 0}, 422, "bad_input"),
        ("POST", f"/contacts/{BIA}/typing", {"chat": ANA, "state": "asleep"}, 422, "bad_input"),
        ("GET", "/nothing", None, 404, "not_found"),
        ("PUT", "/accounts", {}, 405, "method_not_allowed"),
    ],
)
async def test_bad_input_is_answered_with_a_problem(
    ana: Account, control: Control, method: str, path: str, body: Any, status: int, code: str
) -> None:
    request = {} if body is None else {"json": body}
    assert (await control.problem(method, path, status, **request))["code"] == code


async def test_broken_json_and_oversized_bodies_are_refused(ana: Account, control: Control) -> None:
    problem = await control.problem("POST", "/accounts", 422, data=b"{broken")
    assert problem["errors"][0]["where"] == "body"
    await control.problem("PUT", f"/accounts/{ANA}/picture", 413, data=io.BytesIO(bytes(5 << 20)))


async def test_the_interface_describes_itself(control: Control) -> None:
    described = await control("GET", "/openapi.json")
    assert described["openapi"] == "3.1.0"
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    assert all(operation["summary"] for operation in operations)
    scan = described["paths"]["/accounts/{phone}/scan"]["post"]
    assert "code" in scan["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert scan["parameters"][0]["name"] == "phone"
    references = set(_references(described))
    assert {f"#/components/schemas/{name}" for name in described["components"]["schemas"]} >= references


def _references(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for value in part.values() for found in _references(value)]
    if isinstance(part, list):
        return [found for value in part for found in _references(value)]
    return []
