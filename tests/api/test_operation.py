"""Health, metrics, the pages, and the OpenAPI document against what is really served."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from actors.events import Event, EventType
from api.app import GROUPS
from api.auth import Access
from api.event_kinds import KINDS
from api.routing import common_problems
from api.services import SERVICES
from tests.api.world import FIRST, Owner, World, handoff, node, running_world

ROUTES = [route for group in GROUPS for route in group.routes]


async def test_healthz(world: World) -> None:
    answer = await world.ask("GET", "/healthz", key=None)
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    for path in ("/healthz", "/readyz", "/metrics", "/docs"):
        head = await world.ask("HEAD", path, key=None)
        assert (head.status, head.body) == (200, b"")


async def test_readyz(world: World) -> None:
    answer = await world.ask("GET", "/readyz", key=None)
    assert (answer.status, answer.json) == (200, {"ready": True, "missing": []})
    world.instances.away = ["the supervisor does not run"]
    answer = await world.ask("GET", "/readyz", key=None)
    assert (answer.status, answer.json) == (503, {"ready": False, "missing": ["the supervisor does not run"]})


async def test_metrics_count_by_route(world: World, iid: str) -> None:
    async def counted() -> float:
        text = (await world.ask("GET", "/metrics", key=None)).body.decode()
        sample = 'malote_http_requests_total{method="GET",route="/v1/instances/{instance_id}",status="200"}'
        found = re.search(re.escape(sample) + r" ([0-9.]+)", text)
        assert iid not in text
        return float(found.group(1)) if found else 0.0

    before = await counted()
    await world.ask("GET", f"/v1/instances/{iid}")
    assert await counted() == before + 1
    for number in range(3):
        await world.ask("GET", f"/random-{number}")
        await world.ask(f"VERB{number}", "/random")
    text = (await world.ask("GET", "/metrics", key=None)).body.decode()
    assert "random-" not in text
    assert "VERB" not in text


@pytest.mark.parametrize(
    ("path", "kind", "contains"),
    [
        ("/", "text/html", b"/docs"),
        ("/docs", "text/html", b"swagger-ui"),
        ("/docs/init.js", "text/javascript", b"/openapi.json"),
        ("/docs/assets/swagger-ui-bundle.js", "text/javascript", b"SwaggerUIBundle"),
        ("/docs/assets/swagger-ui.css", "text/css", b".swagger-ui"),
        ("/docs/assets/favicon-32x32.png", "image/png", b"PNG"),
        ("/openapi.json", "application/json", b'"openapi":"3.1.0"'),
    ],
)
async def test_pages(world: World, path: str, kind: str, contains: bytes) -> None:
    answer = await world.ask("GET", path, key=None)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(kind)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert contains in answer.body


async def test_pages_load_nothing_from_elsewhere(world: World) -> None:
    for path in ("/", "/docs", "/problems"):
        answer = await world.ask("GET", path, key=None)
        assert not re.findall(rb"""(?:src|href)=["'](?:https?:)?//""", answer.body)
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


async def test_what_to_do_about_an_error_is_shown_as_it_is_meant(world: World) -> None:
    page = (await world.ask("GET", "/problems/unauthorised", key=None)).body.decode()
    assert "<code>Authorization: Bearer &lt;key&gt;</code>" in page
    assert "`" not in page


async def test_assets_are_listed_ones_only(world: World) -> None:
    for name in ("index.html", "..%2f..%2f__init__.py", "swagger-ui.js.map", "%2e%2e%2f__init__.py"):
        assert (await world.ask("GET", f"/docs/assets/{name}", key=None)).status == 404


async def document(world: World) -> Any:
    return (await world.ask("GET", "/openapi.json", key=None)).json


async def test_the_document_is_valid_openapi(world: World) -> None:
    OpenAPIV31SpecValidator(await document(world)).validate()


async def test_every_route_is_documented_and_served(world: World) -> None:
    described = {
        (method.upper(), path)
        for path, methods in (await document(world))["paths"].items()
        for method in methods
    }
    assert described == {(route.method, route.path) for route in ROUTES}
    served = {
        (route.method, route.resource.canonical)
        for route in world.runner.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    pages = {
        "/",
        "/docs",
        "/docs/init.js",
        "/docs/assets/{name}",
        "/openapi.json",
        "/problems",
        "/problems/{slug}",
    }
    assert {pair for pair in served if pair[1] not in pages} == described


async def test_operations_have_names_of_their_own_and_all_their_errors(world: World) -> None:
    paths = (await document(world))["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for route in ROUTES:
        operation = paths[route.path][route.method.lower()]
        assert operation["summary"]
        assert operation["description"]
        for kind in common_problems(route):
            assert str(kind.status) in operation["responses"]
        if "{instance_id}" in route.path and route.access is not Access.PUBLIC:
            assert {"401", "404", "429", "503"} <= set(operation["responses"])


async def test_examples_are_accepted_by_their_schemas(world: World) -> None:
    found = await document(world)
    for route in ROUTES:
        if route.body is None:
            continue
        content = found["paths"][route.path][route.method.lower()]["requestBody"]["content"][
            "application/json"
        ]
        schema = {**content["schema"], "components": found["components"]}
        assert content["examples"]
        for example in content["examples"].values():
            Draft202012Validator(schema).validate(example["value"])
            route.body.model_validate(example["value"])


async def test_every_type_of_event_is_documented_with_an_example(world: World) -> None:
    found = await document(world)
    assert set(found["webhooks"]) == {kind.value for kind in EventType}
    for name, webhook in found["webhooks"].items():
        content = webhook["post"]["requestBody"]["content"]["application/json"]
        schema = {**content["schema"], "components": found["components"]}
        example = content["example"]
        Draft202012Validator(schema).validate(_complete(example))
        event = Event.model_validate(example)
        assert event.type == name
        assert webhook["post"]["description"].endswith(".")


def _complete(example: Any) -> Any:
    """An example leaves out what is as it always is, which an event never does."""
    kind = KINDS[EventType(example["type"])]
    data = kind.data.model_validate(example["data"]).model_dump(mode="json")
    return {**example, "data": data}


async def test_answers_have_the_documented_shape(world: World, iid: str, owner: Owner) -> None:
    """Whatever a simple call of each route answers, its status and body are as documented."""
    found = await document(world)
    await owner.append()
    hook = (
        await world.ask("POST", f"/v1/instances/{iid}/webhooks", json={"url": "https://example.com"})
    ).json["id"]
    sent = await world.ask(
        "POST", f"/v1/instances/{iid}/messages?wait=0", json={"to": "+5511912345678", "text": "x"}
    )
    media = await world.ask("POST", f"/v1/instances/{iid}/media", data=b"x")
    parts = {
        "media_id": media.json["id"],
        "instance_id": iid,
        "webhook_id": hook,
        "message_id": sent.json["id"],
        "chat_id": "5511912345678@s.whatsapp.net",
        "who": "5511912345678",
        "group_id": "120363000000000000@g.us",
        "newsletter_id": "120363000000000001@newsletter",
        "number": "1",
        "call_id": "5A1B2C",
        "event_id": "evt_1",
        "node_id": FIRST,
    }
    world.instances.fleet = [node(FIRST, 1)]
    world.instances.past = [handoff(iid)]
    last = [route for route in ROUTES if route.method == "DELETE"]
    for route in [*(route for route in ROUTES if route not in last), *reversed(last)]:
        if route.path.endswith("/stream"):
            continue
        path = re.sub(r"\{(\w+)\}", lambda match: parts[match.group(1)], route.path)
        for valid in (True, False):
            body = next(iter(route.examples.values()), {}) if valid else {"surprise": 1}
            answer = await world.ask(
                route.method,
                path + ("?surprise=1" if not valid and route.query is not None else ""),
                **({"json": body} if route.body else {}),
            )
            if not valid and (route.body is not None or route.query is not None):
                assert answer.status == 422, (route.path, answer.body)
            responses = found["paths"][route.path][route.method.lower()]["responses"]
            assert str(answer.status) in responses, (route.method, route.path, answer.status, answer.body)
            response = responses[str(answer.status)]
            if "$ref" in response:
                response = found["components"]["responses"][response["$ref"].rpartition("/")[2]]
            if "content" not in response:
                assert answer.body == b""
                continue
            kind = answer.headers["Content-Type"].partition(";")[0]
            schema = {**response["content"][kind]["schema"], "components": found["components"]}
            if kind.endswith("json"):
                Draft202012Validator(schema).validate(answer.json)
            if not valid and route.method == "DELETE":
                break


async def test_a_closing_gateway_is_not_ready(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix) as world:
        world.runner.app[SERVICES].closing.set()
        answer = await world.ask("GET", "/readyz", key=None)
        assert answer.json["missing"] == ["the gateway is closing"]
