"""The courier as an actor of a real, local Ray: created, killed, replaced, drained."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray
from aiohttp import web

from actors import cluster
from actors.cluster import ActorGone
from actors.courier.actor import belongs, create
from actors.settings import CourierSettings, Settings
from tests.courier.conftest import Account, MakeAccount
from tests.courier.receiver import Got, Receiver

pytestmark = pytest.mark.cluster
NAMESPACE = "courier-tests"


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="ray-") as directory:
        ray.init(
            num_cpus=1,
            include_dashboard=False,
            namespace=NAMESPACE,
            _temp_dir=str(Path(directory)),
            object_store_memory=80_000_000,
            log_to_driver=False,
        )
        yield
        ray.shutdown()


@pytest.fixture
def actor_settings(redis_url: str, prefix: str) -> Settings:
    return Settings(
        redis_url=redis_url,
        prefix=prefix,
        namespace=NAMESPACE,
        courier=CourierSettings(allow_private=True, sweep=0.2, schedule=(0.1,) * 20),
    )


async def start(settings: Settings) -> cluster.Handle:
    _, handle = await asyncio.to_thread(create, settings, 0, cluster.current_node())
    await cluster.call(handle, "start")
    return handle


async def test_a_killed_courier_is_replaced_and_loses_nothing(
    ray_cluster: None, account: Account, receiver: Receiver, actor_settings: Settings
) -> None:
    endpoint = await account.endpoints.create(receiver.url())
    first = await start(actor_settings)
    watch = asyncio.create_task(cluster.call(first, "watch"))
    for number in range(50):
        await account.append(f"chat{number % 5}")
    await receiver.wait_taken(20)
    os.kill((await cluster.call(first, "describe"))["pid"], signal.SIGKILL)
    for number in range(50):
        await account.append(f"chat{number % 5}")
    with pytest.raises(ActorGone):
        await watch

    second = await start(actor_settings)
    watch = asyncio.create_task(cluster.call(second, "watch"))
    await account.settled(endpoint.id, 100)
    assert set(receiver.seqs()) == set(range(1, 101))
    (name,) = (name for name in await cluster.actor_names(NAMESPACE) if belongs(name, 0))
    found = await cluster.find(name, NAMESPACE)
    assert found is not None
    assert found._actor_id == second._actor_id

    numbers = await cluster.call(second, "drain")
    assert (numbers["draining"], numbers["open_attempts"]) == (True, 0)
    assert await watch == "drained"
    await account.append()
    await cluster.call(second, "start")
    await account.settled(endpoint.id, 101)
    with pytest.raises(ActorGone) as gone:
        await cluster.call(second, "leave")
    assert gone.value.exited


async def test_a_successor_delivers_while_its_predecessor_waits_for_an_answer(
    ray_cluster: None, make_account: MakeAccount, receiver: Receiver, actor_settings: Settings
) -> None:
    slow, quick = await make_account(), await make_account()
    release = asyncio.Event()

    async def hang(got: Got, request: web.Request) -> None:
        await release.wait()

    receiver.answer(hang, "/slow")
    hung = await slow.endpoints.create(receiver.url("/slow"))
    healthy = await quick.endpoints.create(receiver.url("/quick"))
    older = await start(actor_settings)
    watch = asyncio.create_task(cluster.call(older, "watch"))
    await slow.append()
    await receiver.wait(lambda: receiver.open == 1)
    _, newer = await asyncio.to_thread(create, actor_settings, 0, cluster.current_node())
    assert (await cluster.call(newer, "describe"))["stage"] == "new"
    assert (await cluster.call(older, "describe"))["stage"] == "working"

    await cluster.call(older, "make_way")
    await cluster.call(newer, "start")
    assert (await cluster.call(older, "describe"))["stage"] == "draining"
    assert (await cluster.call(newer, "describe"))["stage"] == "working"
    await slow.append()
    await quick.append()
    await quick.settled(healthy.id, 1)
    assert receiver.open == 1
    assert not watch.done()
    release.set()
    await slow.settled(hung.id, 2)
    assert await watch == "drained"
    assert (await cluster.call(older, "describe"))["stage"] == "ended"
    assert sorted((got.path, got.seq) for got in receiver.got) == [("/quick", 1), ("/slow", 1), ("/slow", 2)]
    for actor in (older, newer):
        await asyncio.to_thread(cluster.kill, actor)


async def test_the_newer_of_two_couriers_stays(
    ray_cluster: None, account: Account, receiver: Receiver, actor_settings: Settings
) -> None:
    older = await start(actor_settings)
    watch = asyncio.create_task(cluster.call(older, "watch"))
    endpoint = await account.endpoints.create(receiver.url())
    await account.append()
    await account.settled(endpoint.id, 1)
    # As a partition of the cluster makes two.
    newer = await start(actor_settings)
    assert await watch == "deposed"
    await account.append()
    await account.settled(endpoint.id, 2)
    assert receiver.seqs() == [1, 2]
    for actor in (older, newer):
        await asyncio.to_thread(cluster.kill, actor)
