"""A running cluster's metrics, against what really happened in it."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from tests.courier.receiver import Got
from tests.e2e.stack import FRIEND, PHONE, Stack
from tests.wait import until

pytestmark = [pytest.mark.cluster, pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]

Samples = dict[tuple[str, ...], float]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MALOTE_METRICS_INTERVAL", "0.5")
        patch.setenv("MALOTE_METRICS_CENSUS", "0.5")
        patch.setenv("MALOTE_METRICS_PER_ENDPOINT", "true")
        running = await Stack.start(tmp_path_factory.mktemp("stack"))
        yield running
        await running.stop()


async def scrape(stack: Stack) -> str:
    async with stack.session.get(stack.local.gateway_url + "/metrics") as answer:
        assert answer.status == 200
        return await answer.text()


async def samples(stack: Stack) -> Samples:
    """Values by name and the labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(await scrape(stack))
        for sample in family.samples
    }


async def shows(stack: Stack, right: Callable[[Samples], bool], what: str) -> Samples:
    async def look() -> Samples | None:
        found = await samples(stack)
        try:
            return found if right(found) else None
        except KeyError:
            return None

    return await until(look, timeout=30, what=what)


async def test_what_happened_is_what_is_counted(stack: Stack) -> None:
    await stack.write(20)
    await stack.answer(5)
    await stack.settle()

    def taken() -> Counter[str]:
        # Anew at every look: names and receipts come when they come.
        return Counter(got.event["type"] for got in stack.receiver.taken)

    found = await shows(
        stack,
        lambda now: (
            all(now["malote_events_delivered_total", kind] == count for kind, count in taken().items())
            and now["malote_messages_total", "sent"] == 5
            and now["malote_events_received_total", "message.received"] == 20
        ),
        "every delivery",
    )
    assert found["malote_events_appended_total", "message.received"] == 20
    assert found[("malote_outbox_wait_seconds_count",)] == 5
    assert found[("malote_event_append_seconds_count",)] >= 20
    delivered = sum(found["malote_events_delivered_total", kind] for kind in taken())
    assert found["malote_delivery_attempt_seconds_count", "2xx"] >= delivered
    assert 0 < found[("malote_event_delivery_seconds_sum",)] < 60 * delivered
    for role in ("gateway", "instance", "courier", "supervisor"):
        assert found["malote_processes", role] == 1
        assert found["malote_process_memory_bytes", role] > 10_000_000
    found = await shows(
        stack, lambda now: now["malote_mailbox_depth", stack.instance] == 0, "an empty mailbox"
    )
    assert found["malote_instance_connected", stack.instance] == 1
    assert found["malote_instances", "connected"] == 1
    assert found["malote_instance_memory_bytes", stack.instance] > 10_000_000
    assert found[("malote_instances_down",)] == found[("malote_instances_unowned",)] == 0
    assert found[("malote_redis_memory_used_bytes",)] > 100_000
    assert found["malote_endpoints", "open"] == 1
    (endpoint,) = (one["id"] for one in (await stack.call("GET", stack.path("webhooks")))["items"])
    assert found["malote_endpoint_down", endpoint, stack.instance] == 0


async def test_no_number_name_or_url_is_told(stack: Stack) -> None:
    text = "\n".join(line for line in (await scrape(stack)).splitlines() if line[0] != "#")
    for secret in (PHONE, FRIEND, "Ana", '"One"', "/hook", "127.0.0.1"):
        assert secret not in text


@pytest.mark.skipif(shutil.which("promtool") is None, reason="apt-get install prometheus")
async def test_prometheus_finds_nothing_wrong_with_it(stack: Stack) -> None:
    text = (await scrape(stack)).encode()
    done = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=text, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


async def test_a_hung_endpoint_is_seen_while_it_hangs(stack: Stack) -> None:
    released = asyncio.Event()

    async def hang(got: Got, request: web.Request) -> web.Response | None:
        await released.wait()
        return None

    stack.receiver.answer(hang, "/hook")
    await stack.write(3)
    found = await shows(
        stack,
        lambda now: (
            now[("malote_delivery_attempt_oldest_seconds",)] > 1
            and now["malote_oldest_undelivered_event_seconds", stack.instance] > 1
        ),
        "the hung request",
    )
    assert found[("malote_delivery_attempts_open",)] >= 1
    assert found["malote_mailbox_depth", stack.instance] >= 3
    assert found[("malote_event_handlers",)] == 0, "it holds up nothing before the mailbox"
    stack.receiver.obey("/hook")
    released.set()
    await stack.settle()
    await shows(
        stack,
        lambda now: (
            now[("malote_delivery_attempts_open",)] == 0
            and now["malote_oldest_undelivered_event_seconds", stack.instance] == 0
        ),
        "the end of it",
    )


async def test_counters_outlive_processes_and_gauges_do_not(stack: Stack) -> None:
    before = await samples(stack)
    await stack.kill("courier", "engine")
    await stack.connected()
    await stack.write(5)
    await stack.settle()
    kind = ("malote_events_delivered_total", "message.received")
    found = await shows(stack, lambda now: now[kind] >= before[kind] + 5, "the new courier's deliveries")
    assert found["malote_processes", "courier"] == 1
    assert found["malote_endpoints", "open"] == 1
    for key, value in before.items():
        if key[0].endswith(("_total", "_count", "_bucket")):
            assert found[key] >= value, key
    await shows(stack, lambda now: now[("malote_engines_lost_total",)] >= 1, "the engine's end")


async def test_a_handoff_is_measured(stack: Stack) -> None:
    before = (await samples(stack))["malote_handoffs_total", "moved"]
    (node,) = {one["id"] for one in (await stack.call("GET", "/v1/nodes"))["items"]}
    await stack.call("POST", stack.path("move"), {"node": node})
    found = await shows(stack, lambda now: now["malote_handoffs_total", "moved"] == before + 1, "the handoff")
    assert found[("malote_handoff_blackout_seconds_count",)] >= 1
    for step in ("prepare", "quiesce", "disconnect", "fence", "activate", "retire"):
        assert found["malote_handoff_step_seconds_count", step] >= 1, step
    assert found[("malote_handoffs_open",)] == 0
    assert await shows(stack, lambda now: now["malote_processes", "instance"] == 1, "one owner")
