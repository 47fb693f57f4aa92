"""A gateway process on a real, local Ray: it finds an instance's owner, calls it, and loses it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import ray

from actors import cluster
from actors.courier.actor import CourierActor
from actors.instance.actor import InstanceActor
from actors.instance.errors import CallFailed
from actors.registry import InstanceRecord, Registry, new_token, now
from actors.store import Store
from actors.supervisor.actor import SupervisorActor, actor_name
from tests.api.process import Process
from tests.api.world import ADMIN, FIRST, SECOND, handoff, node, soon

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]
NAMESPACE = "api-tests"


class Instance:
    """Answers an instance's calls, or fails as the phone number says."""

    async def pair_phone(self, phone: str) -> str:
        if phone.endswith("1"):
            raise CallFailed("already_paired", "The instance is paired")
        if phone.endswith("2"):
            raise RuntimeError("hidden")
        if phone.endswith("3"):
            await asyncio.sleep(3600)
        if phone.endswith("4"):
            cluster.exit_actor()
        return f"CODE-{phone[-4:]}"

    async def mark_read(
        self, chat: str, message_ids: list[str], sender: str | None = None, played: bool = False
    ) -> None:
        if (chat, message_ids, sender, played) != ("5511912345678@s.whatsapp.net", ["A"], None, True):
            raise CallFailed("bad_request", f"{chat} {message_ids} {sender} {played}")

    async def chat_presence(self, chat: str, state: str) -> None:
        if state != "recording":
            raise CallFailed("bad_request", state)

    async def check_numbers(self, phones: list[str]) -> list[dict[str, Any]]:
        return [{"query": phone, "registered": True} for phone in phones]

    async def picture(self, jid: str, preview: bool = False) -> dict[str, Any]:
        return {"id": "7", "url": f"https://example.com/{jid}/{preview}", "absence": ""}

    async def logout(self) -> None:
        pass

    async def ring_outbox(self) -> None:
        pass


class Supervisor:
    """Says whether it supervises."""

    def __init__(self) -> None:
        self.answer = "running"
        self.drained: list[str] = []

    async def drains(self) -> list[str]:
        return self.drained

    async def ping(self) -> str:
        return self.answer

    async def become(self, answer: str) -> None:
        self.answer = answer

    async def nodes(self) -> list[dict[str, Any]]:
        return [node(FIRST, 1), node(SECOND)]

    async def begin_drain(self, node: str) -> int:
        return 1

    async def drain(self, node: str) -> dict[str, Any]:
        self.drained.append(node)
        if node == SECOND:
            await asyncio.sleep(3600)
        return {"node": node, "instances": 1, "remaining": 0, "seconds": 0.1, "handoffs": [handoff("inst_1")]}

    async def undrain(self, node: str) -> None:
        pass

    async def move(self, instance_id: str, node: str | None) -> dict[str, Any]:
        if node == FIRST:
            raise ValueError(f"node {node} is draining")
        if node == SECOND:
            cluster.exit_actor()
        return handoff(instance_id)

    async def handoffs(self, instance_id: str | None, limit: int) -> list[dict[str, Any]]:
        return [handoff(instance_id or "inst_1")][:limit]


@pytest.fixture(scope="module")
def gcs() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="ray-") as directory:
        ray.init(
            num_cpus=1,
            include_dashboard=False,
            namespace=NAMESPACE,
            _temp_dir=str(Path(directory)),
            object_store_memory=80_000_000,
            log_to_driver=False,
        )
        yield str(ray.get_runtime_context().gcs_address)
        ray.shutdown()


def start(actor: type, name: str) -> cluster.Handle:
    remote: Any = cluster.actor(num_cpus=0)(actor)
    handle: cluster.Handle = remote.options(name=name, namespace=NAMESPACE).remote()
    return handle


class Loops:
    """Says whether its methods run in the event loop that it was made in."""

    async def __init__(self) -> None:  # type: ignore[misc]
        self._loop = asyncio.get_running_loop()

    @ray.method(concurrency_group="apart")
    async def apart(self) -> bool:
        return asyncio.get_running_loop() is self._loop

    async def together(self) -> bool:
        return asyncio.get_running_loop() is self._loop


async def test_a_concurrency_group_has_a_loop_of_its_own_so_no_actor_has_one(gcs: str) -> None:
    remote: Any = cluster.actor(num_cpus=0, concurrency_groups={"apart": 1})(Loops)
    handle: cluster.Handle = remote.remote()
    assert await cluster.call(handle, "together", timeout=60)
    assert not await cluster.call(handle, "apart", timeout=60)
    cluster.kill(handle)
    for ours in (SupervisorActor, InstanceActor, CourierActor):
        assert not ours._default_options.get("concurrency_groups")


@pytest.fixture
async def registry(store: Store) -> Registry:
    found = Registry(store)
    record = InstanceRecord(id="inst_1", name="x", created_at=now())
    await found.create(record, new_token())
    return found


@pytest.fixture
async def gateway(
    gcs: str, tmp_path: Path, redis_url: str, prefix: str, registry: Registry
) -> AsyncIterator[Process]:
    process = Process(
        tmp_path,
        MALOTE_REDIS_URL=redis_url,
        MALOTE_PREFIX=prefix,
        MALOTE_RAY_ADDRESS=gcs,
        MALOTE_NAMESPACE=NAMESPACE,
        MALOTE_GATEWAY_ACTOR_TIMEOUT="3",
    )
    await process.start()
    try:
        yield process
        process.process.terminate()
        status, said = await process.ended()
        assert status == 0, said
    finally:
        await process.stop()


@pytest.fixture
async def client(gateway: Process) -> AsyncIterator[aiohttp.ClientSession]:
    url = await gateway.serving()
    async with aiohttp.ClientSession(base_url=url, headers={"Authorization": f"Bearer {ADMIN}"}) as session:
        yield session


async def own(registry: Registry, after: int) -> None:
    name = f"instance:inst_1:{after + 1}"
    await registry.fence("inst_1", after=after, leader=1, actor=name, node="n", known_dead=True)


async def steer(client: aiohttp.ClientSession) -> None:
    """What the supervisor says reaches the client, and so does that it refuses or takes its time."""
    async with client.get("/v1/nodes") as response:
        assert (await response.json())["items"] == [node(FIRST, 1), node(SECOND)]
    async with client.get("/v1/instances/inst_1/handoffs") as response:
        assert [one["instance_id"] for one in (await response.json())["items"]] == ["inst_1"]
    async with client.post("/v1/instances/inst_1/move") as response:
        assert (response.status, (await response.json())["outcome"]) == (200, "moved")
    async with client.post("/v1/instances/inst_1/move", json={"node": FIRST}) as response:
        assert (response.status, (await response.json())["type"]) == (409, "/problems/not-ready")
    for drained, status in ((FIRST, 200), (SECOND, 202)):
        async with client.post(f"/v1/nodes/{drained}/drain?wait=3") as response:
            assert response.status == status
    async with client.delete(f"/v1/nodes/{FIRST}/drain") as response:
        assert response.status == 204


async def test_calls_reach_the_owner_wherever_it_is(
    client: aiohttp.ClientSession, registry: Registry
) -> None:
    async def missing() -> list[str]:
        async with client.get("/readyz") as response:
            return list((await response.json())["missing"])

    async def pair(phone: str) -> tuple[int, dict[str, Any]]:
        async with client.post("/v1/instances/inst_1/pair", json={"phone": phone}) as response:
            return response.status, await response.json()

    async def reached() -> bool:
        return await missing() == ["the supervisor does not run"]

    assert await soon(reached)
    supervisor = start(Supervisor, actor_name("1"))
    await cluster.call(supervisor, "ping")
    assert await missing() == []
    await cluster.call(supervisor, "become", "stopped")
    assert await missing() == ["the supervisor has stopped"]
    await cluster.call(supervisor, "become", "standby")
    assert await missing() == ["the supervisor is about to lead"]
    # In a roll-out there are two: the one that leads is asked, also by who knew the other.
    other = start(Supervisor, actor_name("2"))
    await cluster.call(other, "ping")
    assert await missing() == []
    cluster.kill(supervisor)
    supervisor = other

    await steer(client)

    status, document = await pair("+5511912345670")
    assert (status, document["type"]) == (503, "/problems/instance-unavailable")
    await own(registry, after=0)
    assert (await pair("+5511912345670"))[0] == 503

    first = start(Instance, "instance:inst_1:1")
    await cluster.call(first, "ring_outbox")
    assert await pair("+5511912345670") == (200, {"code": "CODE-5670"})
    status, document = await pair("+5511912345671")
    assert (status, document["type"], document["code"]) == (409, "/problems/already-paired", "already_paired")
    status, document = await pair("+5511912345672")
    assert (status, document["type"]) == (500, "/problems/internal")
    assert "hidden" not in str(document)
    status, document = await pair("+5511912345673")
    assert (status, document["type"]) == (504, "/problems/timed-out")

    path = "/v1/instances/inst_1"
    chat = f"{path}/chats/5511912345678@s.whatsapp.net"
    async with client.post(f"{chat}/read", json={"message_ids": ["A"], "played": True}) as response:
        assert response.status == 204
    async with client.post(f"{chat}/typing", json={"state": "recording"}) as response:
        assert response.status == 204
    async with client.post(f"{path}/contacts/check", json={"phones": ["+55 11 91234-5678"]}) as response:
        assert (await response.json())["results"][0]["registered"] is True
    async with client.get(f"{path}/contacts/5511912345678/picture?preview=true") as response:
        assert (await response.json())["url"] == "https://example.com/5511912345678@s.whatsapp.net/True"
    async with client.post(f"{path}/logout") as response:
        assert response.status == 204

    cluster.kill(first)
    status, document = await pair("+5511912345670")
    assert (status, document["type"]) == (503, "/problems/instance-unavailable")
    second = start(Instance, "instance:inst_1:2")
    await cluster.call(second, "ring_outbox")
    await own(registry, after=1)
    assert await pair("+5511912345670") == (200, {"code": "CODE-5670"})
    assert (await pair("+5511912345674"))[0] == 503
    cluster.kill(second)

    async with client.post(f"{path}/move", json={"node": SECOND}) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "2")
        assert (await response.json())["type"] == "/problems/supervisor-unavailable"

    async def gone() -> bool:
        return "the supervisor does not" in str(await missing())

    assert await soon(gone)


async def test_a_request_that_is_open_at_sigterm_is_answered_however_long_it_takes(
    gateway: Process, client: aiohttp.ClientSession
) -> None:
    """Ray's handler of SIGTERM would have the process aborted after three seconds."""
    supervisor = start(Supervisor, actor_name("3"))
    await cluster.call(supervisor, "ping")

    async def reached() -> bool:
        async with client.get("/readyz") as response:
            return response.status == 200

    assert await soon(reached)
    opened = asyncio.create_task(client.post(f"/v1/nodes/{SECOND}/drain?wait=5"))

    async def arrived() -> bool:
        return bool(await cluster.call(supervisor, "drains"))

    assert await soon(arrived)
    gateway.process.terminate()
    async with await opened as response:
        assert response.status == 202
    cluster.kill(supervisor)
