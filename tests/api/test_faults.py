"""Redis goes away and comes back; a reply is lost; the gateway process starts, ends and fails to start."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from actors.instance.mailbox import Mailbox
from actors.instance.outbox import Outbox
from actors.settings import MailboxSettings, OutboxSettings
from actors.store import Store
from tests.api.process import Process
from tests.api.world import ADMIN, World, running_world, soon
from tests.proxy import Proxy
from tests.valkey import Valkey


@pytest.fixture
async def own(own_valkey: Valkey, prefix: str) -> AsyncIterator[World]:
    """A gateway with a Valkey of its own."""
    async with running_world(own_valkey.url, prefix) as found:
        yield found


async def test_redis_stopped_is_503_and_recovers(own: World, own_valkey: Valkey) -> None:
    iid = await own.instance()
    await own.owner(iid)
    message = {"to": "+5511912345678", "text": "x"}
    send = f"/v1/instances/{iid}/messages?wait=0"
    own_valkey.stop()
    answers = await asyncio.gather(
        own.ask("GET", f"/v1/instances/{iid}"),
        own.ask("POST", send, json=message, headers={"Idempotency-Key": "k"}),
        own.ask("GET", f"/v1/instances/{iid}/events", key=own.tokens[iid]),
    )
    for answer in answers:
        answer.problem("store-unavailable")
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "2"
    assert (await own.ask("GET", "/healthz")).status == 200
    assert (await own.ask("GET", "/readyz")).json["missing"] == ["Redis does not answer"]
    own_valkey.start()

    async def ready() -> bool:
        return (await own.ask("GET", "/readyz")).status == 200

    assert await soon(ready)
    assert (await own.ask("GET", f"/v1/instances/{iid}")).status == 200
    again = await own.ask("POST", send, json=message, headers={"Idempotency-Key": "k"})
    assert again.status == 202
    assert await own.services.outbox(iid).depth() == 1


async def test_a_stream_outlives_redis(own: World, own_valkey: Valkey) -> None:
    iid = await own.instance()
    owner = await own.owner(iid)
    async with own.stream(f"/v1/instances/{iid}/events/stream?after=0") as stream:
        await owner.append()
        assert (await stream.events(1))[0]["id"] == "1"
        own_valkey.kill()
        await asyncio.sleep(1)
        own_valkey.start()
        await owner.append()
        assert (await stream.events(1))[0]["id"] == "2"
        await owner.append()
        assert (await stream.events(1))[0]["id"] == "3"


async def test_a_stalled_redis_is_503(proxy: Proxy, prefix: str) -> None:
    async with running_world(proxy.url, prefix) as world:
        iid = await world.instance()
        proxy.stall()
        answer = await world.ask("GET", f"/v1/instances/{iid}")
        answer.problem("store-unavailable")
        assert (await world.ask("GET", "/readyz")).status == 503
        proxy.resume()
        assert (await world.ask("GET", f"/v1/instances/{iid}")).status == 200


@pytest.mark.parametrize("what", ["lose_reply", "lose_request"])
async def test_a_lost_step_is_not_done_twice(proxy: Proxy, prefix: str, what: str) -> None:
    async with running_world(proxy.url, prefix) as world:
        iid = await world.instance()
        owner = await world.owner(iid)
        body = {"to": "+5511912345678", "text": "x"}
        path = f"/v1/instances/{iid}/messages?wait=0"
        await world.ask("POST", path, json=body)
        getattr(proxy, what)("EVALSHA")
        answer = await world.ask("POST", path, json=body)
        assert answer.status == 202
        assert proxy.lost == 1
        assert await owner.outbox.depth() == 2


@pytest.fixture
async def process(tmp_path: Path, redis_url: str, prefix: str) -> AsyncIterator[Process]:
    found = Process(tmp_path, MALOTE_REDIS_URL=redis_url, MALOTE_PREFIX=prefix)
    await found.start()
    yield found
    await found.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_serves_without_ray_and_ends_on_a_signal(
    process: Process, number: signal.Signals, store: Store
) -> None:
    url = await process.serving()
    auth = {"Authorization": f"Bearer {ADMIN}"}
    async with aiohttp.ClientSession(headers=auth) as client:
        async with client.post(f"{url}/v1/instances", json={"name": "x"}) as response:
            assert response.status == 201
            iid = (await response.json())["id"]
        async with client.post(f"{url}/v1/instances/{iid}/logout") as response:
            assert response.status == 503
            assert response.headers["Retry-After"]
        async with client.get(f"{url}/readyz") as response:
            assert (await response.json())["missing"] == ["the Ray cluster is not reached"]
        waiting = {"to": "+5511912345678", "text": "x"}
        sending = asyncio.create_task(client.post(f"{url}/v1/instances/{iid}/messages", json=waiting))
        async with client.get(f"{url}/v1/instances/{iid}/events/stream") as stream:
            assert await stream.content.readline() == b": alive\n"
            mailbox = Mailbox(store, iid, MailboxSettings())
            await soon(Outbox(store, mailbox, OutboxSettings()).depth)
            process.process.send_signal(number)
            while await stream.content.readline():
                pass
        async with await sending as response:
            assert response.status == 202
    status, said = await process.ended()
    assert status == 0, said
    assert "Traceback" not in said
    assert ADMIN not in said
    assert not (process.folder / "gateway.json").exists()


async def refused(folder: Path, **settings: str) -> str:
    """What a gateway says that does not start."""
    process = Process(folder, **settings)
    await process.start()
    status, said = await process.ended()
    assert status == 1
    assert "Traceback" not in said
    return said.strip().splitlines()[-1]


async def test_a_port_in_use_is_one_clear_line(tmp_path: Path, redis_url: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        said = await refused(tmp_path, MALOTE_REDIS_URL=redis_url, MALOTE_GATEWAY_PORT=port)
    assert f"port {port} on 127.0.0.1 is in use" in said
    assert "MALOTE_GATEWAY_PORT" in said
    assert not (tmp_path / "gateway.json").exists()


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, "MALOTE_REDIS_URL"),
        ({"MALOTE_REDIS_URL": "http://nothing"}, "MALOTE_REDIS_URL"),
        (
            {"MALOTE_REDIS_URL": "redis://127.0.0.1:1", "MALOTE_GATEWAY_PORT": "70000"},
            "MALOTE_GATEWAY_PORT: ",
        ),
        ({"MALOTE_REDIS_URL": "redis://127.0.0.1:1", "MALOTE_DATA_DIR": "/dev/null/x"}, "MALOTE_DATA_DIR"),
        (
            {"MALOTE_REDIS_URL": "redis://127.0.0.1:1", "MALOTE_GATEWAY_HOST": "192.0.2.1"},
            "MALOTE_GATEWAY_HOST",
        ),
    ],
)
async def test_bad_settings_are_one_clear_line(tmp_path: Path, settings: dict[str, str], names: str) -> None:
    assert names in await refused(tmp_path, **settings)


async def test_a_redis_that_is_down_at_start_is_waited_for(
    tmp_path: Path, own_valkey: Valkey, prefix: str
) -> None:
    own_valkey.stop()
    process = Process(tmp_path, MALOTE_REDIS_URL=own_valkey.url, MALOTE_PREFIX=prefix)
    await process.start()
    try:
        url = await process.serving()
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {ADMIN}"}) as client:
            async with client.get(f"{url}/v1/instances") as response:
                assert response.status == 503
            own_valkey.start()
            async with client.get(f"{url}/v1/instances") as response:
                assert response.status == 200
    finally:
        await process.stop()
