"""What the gateway serves against what its OpenAPI document says, with requests made up from that document.

A seed decides which requests, so that a run can be repeated; a failure shows it, and its request.
``MALOTE_TEST_SEED=7 pytest tests/api/test_schema.py`` tries others.
"""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks

from actors.registry import ConnectionState
from actors.settings import Settings
from actors.store import Store
from api.app import GROUPS, malote_version
from api.auth import Access
from api.openapi import PATH_EXAMPLES, document
from api.problems import CONTENT_TYPE, INSTANCE_UNAVAILABLE, SUPERVISOR_UNAVAILABLE, TIMED_OUT
from api.streams import CONTENT_TYPE as STREAM
from tests.api.process import Process
from tests.api.world import ADMIN, FIRST, Owner
from tests.valkey import Valkey

SEED = int(os.environ.get("MALOTE_TEST_SEED", "20260131"))
EXAMPLES = 12
"""Random requests of an operation, besides those at the bounds of its schema and its documented examples."""

CASES = 250
"""Requests of an operation in all: a message has thousands of bounds. Each run takes the same of them."""

PREFIX = "schema"
ROUTES = {(route.method, route.path): route for group in GROUPS for route in group.routes}
# A live stream has no end that could be compared: tests/api/test_events.py and test_pairing.py read them.
STREAMS = [route.path for route in ROUTES.values() if any(STREAM in a.media for a in route.answers.values())]
# These need an instance's actor or the supervisor, which are not there without a cluster.
AWAY = (INSTANCE_UNAVAILABLE, SUPERVISOR_UNAVAILABLE)
CALLING = [route.operation_id for route in ROUTES.values() if set(AWAY) & set(route.problems)]

CHECKED = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.missing_required_header,
]
"""Not what a schema cannot say: phone numbers and URLs of the right length are refused, too. Nor what
tests/api/test_access.py tries on all routes: keys and verbs."""

schema = schemathesis.openapi.from_dict(
    document(GROUPS, malote_version()), config=SchemathesisConfig(seed=SEED)
).exclude(path=STREAMS)
bounded = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


class Home:
    """A connected instance with a message, an event and a webhook, and the gateway that serves it."""

    def __init__(self, url: str, store_url: str, runner: asyncio.Runner) -> None:
        self.url = url
        self.count = 0
        self.session = requests.Session()
        self.session.trust_env = False
        self._store_url = store_url
        self._runner = runner
        self.settle()

    def settle(self) -> None:
        """Make everything anew."""
        made = self._post("/v1/instances", {"name": "Test"})
        iid, self.token = made["id"], made["token"]
        self._runner.run(self._own(iid))
        hook = self._post(f"/v1/instances/{iid}/webhooks", {"url": "https://example.com"})
        message = self._post(f"/v1/instances/{iid}/messages?wait=0", {"to": "+5511912345678", "text": "x"})
        self.parts = {
            **{name: example for name, (_, example) in PATH_EXAMPLES.items()},
            "instance_id": iid,
            "webhook_id": hook["id"],
            "message_id": message["id"],
            "node_id": FIRST,
        }

    def _post(self, path: str, body: Any) -> Any:
        answer = self.session.post(
            f"{self.url}{path}", json=body, headers={"Authorization": f"Bearer {ADMIN}"}
        )
        assert answer.ok, answer.text
        return answer.json()

    async def _own(self, instance_id: str) -> None:
        store = Store(self._store_url, PREFIX)
        owner = Owner(store, Settings(), instance_id)
        await owner.take()
        await owner.append()
        await owner.state(ConnectionState.CONNECTED, device="5511900000000:1@s.whatsapp.net")
        await store.close()


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as found:
        yield found


def served(
    runner: asyncio.Runner, valkey: Valkey, factory: pytest.TempPathFactory, module: str
) -> Iterator[str]:
    """Where a gateway process serves, whose bounds are out of the way."""
    process = Process(
        factory.mktemp("gateway"),
        module,
        MALOTE_REDIS_URL=valkey.url,
        MALOTE_PREFIX=PREFIX,
        MALOTE_GATEWAY_SEND_WAIT="0.01",
        MALOTE_GATEWAY_RATE="1000000",
        MALOTE_GATEWAY_BURST="1000000",
        MALOTE_COURIER_ENDPOINTS_MAX="10000",
    )
    runner.run(process.start())
    try:
        yield runner.run(process.serving())
    finally:
        runner.run(process.stop())


@pytest.fixture(scope="module")
def answering(runner: asyncio.Runner, valkey: Valkey, tmp_path_factory: Any) -> Iterator[str]:
    yield from served(runner, valkey, tmp_path_factory, "tests.api.answering")


@pytest.fixture(scope="module")
def alone(runner: asyncio.Runner, valkey: Valkey, tmp_path_factory: Any) -> Iterator[str]:
    yield from served(runner, valkey, tmp_path_factory, "gateway")


@pytest.fixture
def home(answering: str, valkey: Valkey, runner: asyncio.Runner) -> Iterator[Home]:
    """One whose instances and nodes answer."""
    found = Home(answering, valkey.url, runner)
    yield found
    found.session.close()


@pytest.fixture
def lonely(alone: str, valkey: Valkey, runner: asyncio.Runner) -> Iterator[Home]:
    """One without a cluster."""
    found = Home(alone, valkey.url, runner)
    yield found
    found.session.close()


def test_the_served_document_is_the_one_that_is_tried(answering: str) -> None:
    assert requests.get(f"{answering}/openapi.json", timeout=60).json() == document(GROUPS, malote_version())


@schema.parametrize()
@bounded
def test_answers_are_as_documented(case: schemathesis.Case, home: Home) -> None:
    """With the instances and the cluster there, nothing but success or a client's error comes."""
    answer = ask(case, home)
    if answer is not None:
        assert answer.status_code < 500, f"seed {SEED}: {case.as_curl_command()}: {answer.text}"


@schema.include(operation_id=CALLING).parametrize()
@bounded
def test_without_a_cluster_answers_are_as_documented(case: schemathesis.Case, lonely: Home) -> None:
    """What needs the cluster says that it is away, and what is wrong with a request all the same."""
    answer = ask(case, lonely)
    if answer is not None and answer.status_code >= 500:
        assert answer.headers["content-type"] == [CONTENT_TYPE], answer.text
        kinds = {kind.uri for kind in (*AWAY, TIMED_OUT)}
        assert answer.json()["type"] in kinds, f"seed {SEED}: {case.as_curl_command()}: {answer.text}"


def ask(case: schemathesis.Case, home: Home) -> Any:
    """Send a request and check the answer against its operation; None if there were enough of its kind."""
    home.count += 1
    if home.count > CASES and luck(case) % 10:
        return None
    for name, value in case.path_parameters.items():
        if zlib.crc32(str(value).encode()) % 4:
            case.path_parameters[name] = home.parts.get(name, value)
    access = ROUTES[case.method, case.path].access if (case.method, case.path) in ROUTES else Access.ADMIN
    key = home.token if access is Access.INSTANCE and luck(case) % 2 else ADMIN
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {key}"}
    answer = case.call(base_url=home.url, session=home.session)
    deleted = case.method == "DELETE" and answer.status_code == 204
    if deleted or case.path.endswith("/token"):
        home.settle()
    try:
        case.validate_response(answer, checks=CHECKED)
    except BaseException as error:
        error.add_note(f"seed {SEED}")
        raise
    return answer


def luck(case: schemathesis.Case) -> int:
    """A number that is the same for the same request."""
    return zlib.crc32(json.dumps([repr(case.query), repr(case.body)]).encode())
