"""The log of a real flow: a message followed from WhatsApp to a webhook's 2xx, with nothing secret in it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from actors import logs, otlp, traces
from actors.courier.courier import Courier
from actors.courier.endpoints import Endpoints
from actors.events import EventType
from actors.settings import CourierSettings, Settings
from lab.contacts import Contact
from tests.courier.receiver import Got, Receiver
from tests.instance.conftest import FRIEND, PHONE, Running
from tests.wait import until

pytestmark = pytest.mark.engine
Own = Callable[..., Awaitable[Running]]

IN, OUT, SECRET = "goiabada-cascão", "queijo-minas", "whsec_" + "Y2FuYXN0cmE" * 3 + "Y2E="


@pytest.fixture
def settings(settings: Settings) -> Settings:
    courier = CourierSettings(schedule=(0.05,) * 4, jitter=0.0, sweep=0.2)
    return settings.model_copy(update={"courier": courier, "allow_hosts": ("127.0.0.0/8",)})


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """Everything that is logged, debugging included, as it would be written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


@contextlib.asynccontextmanager
async def delivering(one: Running) -> AsyncIterator[Courier]:
    courier = Courier(one.store, one.settings, 0, (0,))
    task = asyncio.create_task(courier.run())
    try:
        await courier.ready.wait()
        yield courier
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def flow(one: Running, friend: Contact) -> Got:
    """A message in, refused once and then taken by a webhook, and one out; the request that was taken."""
    refused = asyncio.Event()

    async def answer(got: Got, request: web.Request) -> web.StreamResponse | None:
        if got.event["type"] != EventType.MESSAGE_RECEIVED or refused.is_set():
            return None
        refused.set()
        return web.Response(status=500)

    receiver = Receiver(secret=SECRET)
    receiver.answers["/hook"] = answer
    await receiver.start()
    try:
        endpoints = Endpoints(one.store, one.id, one.settings)
        await endpoints.create(f"http://127.0.0.1:{receiver.port}/hook", secret=SECRET)
        async with delivering(one):
            await friend.write(PHONE, IN, count=1)
            await one.send(OUT)

            async def taken() -> Got | None:
                kinds = {got.event["type"]: got for got in receiver.taken}
                return kinds.get("message.received") if "message.sent" in kinds else None

            return await until(taken, what="both delivered")
    finally:
        await receiver.stop()


async def test_an_event_is_followed_by_its_trace_and_nothing_secret_is_written(
    own: Own, friend: Contact, written: io.StringIO
) -> None:
    one = await own()
    await one.pair()
    got = await flow(one, friend)
    text = written.getvalue()
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    event_id = got.event["id"]
    trace = event_id.removeprefix("evt_")
    followed = [(line["message"], line.get("attempt")) for line in lines if line.get("trace") == trace]
    assert followed == [("event stored", None), ("not delivered", 1), ("delivered", 2)]
    assert [line["level"] for line in lines if line.get("trace") == trace] == ["INFO", "WARNING", "INFO"]
    assert got.headers["traceparent"].split("-")[1] == trace
    for line in lines:
        if line.get("trace") == trace:
            assert (line["instance"], line["event"]) == (one.id, event_id)
    stored = next(line for line in lines if line.get("trace") == trace)
    assert (stored["epoch"], stored["message_id"]) == (one.instance.epoch, got.event["data"]["id"])

    assert got.event["data"]["text"] == IN
    for secret in (IN, OUT, SECRET, SECRET.removeprefix("whsec_"), got.headers["webhook-signature"]):
        assert secret not in text
        assert json.dumps(secret)[1:-1] not in text
    for person in (PHONE, FRIEND, "Ana", one.lab.account(FRIEND).lid):
        assert person not in text, next(line for line in text.splitlines() if person in line)


class Collector:
    """An OpenTelemetry collector's door."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.port = 0

    async def start(self) -> web.AppRunner:
        async def take(request: web.Request) -> web.Response:
            asked = ExportTraceServiceRequest.FromString(await request.read())
            for resource in asked.resource_spans:
                for scope in resource.scope_spans:
                    self.spans += scope.spans
            return web.Response(body=b"", content_type="application/x-protobuf")

        app = web.Application()
        app.router.add_post("/v1/traces", take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        return runner


async def test_spans_reach_a_collector(own: Own, friend: Contact) -> None:
    collector = Collector()
    runner = await collector.start()
    exporter = otlp.OtlpExporter(f"http://127.0.0.1:{collector.port}/v1/traces", "test")
    traces.export_to(exporter)
    try:
        one = await own()
        await one.pair()
        got = await flow(one, friend)
        trace = bytes.fromhex(traces.trace_id(got.event["id"]))

        def spans() -> list[Any] | None:
            found = [span for span in collector.spans if span.trace_id == trace]
            return found if len(found) == 3 else None

        found = await until(spans, what="three spans")
    finally:
        traces.export_to(None)
        await asyncio.to_thread(exporter.close)
        await runner.cleanup()
    root, *attempts = sorted(found, key=lambda span: span.start_time_unix_nano)
    assert root.name == "event message.received"
    assert not root.parent_span_id
    assert [(span.name, span.parent_span_id) for span in attempts] == [("deliver", root.span_id)] * 2
    assert [span.status.code for span in attempts] == [2, 0], "the first failed"
    assert got.headers["traceparent"].split("-")[2] == attempts[1].span_id.hex()
