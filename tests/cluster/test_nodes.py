"""The tests' own cluster of several nodes does what its methods say, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from deploy.processes import Process, alive, descendants, read
from tests.cluster import detection
from tests.cluster.nodes import HEAD, ROOT, LocalCluster, NodeFailed
from tests.valkey import Valkey
from tests.wait import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(300),
]

NODES = """
import json, ray
ray.init(address={address!r}, log_to_driver=False, logging_level="ERROR")
print(json.dumps({{
    node["NodeName"]: [node["NodeID"], node["Resources"].get("instance_slot", 0)]
    for node in ray.nodes() if node["Alive"]
}}))
"""

SLEEPER = """
import ray, time
ray.init(address={address!r}, log_to_driver=False, logging_level="ERROR", namespace="nodes")

@ray.remote(num_cpus=0, resources={{"instance_slot": 1}})
class Sleeper:
    def where(self):
        return ray.get_runtime_context().get_node_id()

from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
place = NodeAffinitySchedulingStrategy({node!r}, soft=False)
sleeper = Sleeper.options(name="sleeper", lifetime="detached", scheduling_strategy=place).remote()
assert ray.get(sleeper.where.remote(), timeout=60) == {node!r}
"""

ABANDONED = """
import asyncio, sys
from pathlib import Path
from tests.cluster.nodes import LocalCluster

async def main():
    async with LocalCluster(Path(sys.argv[1]), nodes=1):
        print("started", flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory, valkey: Valkey) -> AsyncIterator[LocalCluster]:
    directory = tmp_path_factory.mktemp("cluster")
    env = {"RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "20", **detection.QUICK}
    async with LocalCluster(directory, slots=3, head_slots=0, gcs_redis=valkey.url, env=env) as running:
        family = [process for node in running.nodes.values() for process in node.processes()]
        yield running
    assert not [process for process in family if alive(process)]


async def run(cluster: LocalCluster, code: str, **values: Any) -> str:
    """Run a driver of the cluster in a process of its own; what it printed."""
    driver = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code.format(address=cluster.address, **values)),
        env=cluster.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complaints = await asyncio.wait_for(driver.communicate(), 120)
    finally:
        if driver.returncode is None:
            driver.kill()
            await driver.wait()
    assert driver.returncode == 0, complaints.decode()
    return said.decode()


def ids(cluster: LocalCluster) -> dict[str, list[Any]]:
    return {node.name: [node.id, node.slots] for node in cluster.nodes.values() if node.alive}


async def known(cluster: LocalCluster) -> None:
    """Wait until Ray knows the cluster's nodes and no others."""

    async def look() -> Any:
        return json.loads(await run(cluster, NODES)) == ids(cluster)

    await until(look, timeout=120, what=f"Ray knows {ids(cluster)}")


async def test_every_node_is_a_node_to_ray(cluster: LocalCluster) -> None:
    assert list(cluster.nodes) == [HEAD, "node-1", "node-2"]
    assert [node.slots for node in cluster.nodes.values()] == [0, 3, 3]
    assert json.loads(await run(cluster, NODES)) == ids(cluster)


async def test_who_lives_is_not_started_again(cluster: LocalCluster) -> None:
    with pytest.raises(NodeFailed, match="node-1 is alive"):
        await cluster.add_node("node-1")


async def test_a_killed_node_dies_by_itself_and_is_replaced(cluster: LocalCluster) -> None:
    node = cluster.nodes["node-1"]
    await run(cluster, SLEEPER, node=node.id)
    actors = [process for process in node.processes() if process.name.startswith("ray::Sleeper")]
    assert actors
    await cluster.kill_node("node-1")
    await cluster.ended("node-1")
    assert not node.alive
    assert not [actor for actor in actors if alive(actor)]
    again = await cluster.add_node("node-1")
    assert again.id != node.id
    await known(cluster)


async def test_a_frozen_raylet_stands_still_until_it_is_thawed(cluster: LocalCluster) -> None:
    cluster.freeze("node-2")
    await until(lambda: _state(cluster.nodes["node-2"].raylet) == "T", what="stopped")
    cluster.thaw("node-2")
    await until(lambda: _state(cluster.nodes["node-2"].raylet) in "RS", what="running")
    assert cluster.nodes["node-2"].alive


async def test_a_terminated_node_drains_and_ends(cluster: LocalCluster) -> None:
    cluster.terminate_node("node-2")
    await asyncio.wait_for(cluster.nodes["node-2"].keeper.wait(), 60)
    assert "Draining" in cluster.nodes["node-2"].log.read_text()
    await cluster.add_node("node-2")
    await known(cluster)


async def test_a_drained_node_loses_its_raylet(cluster: LocalCluster) -> None:
    await cluster.drain_node("node-2")
    await cluster.ended("node-2")
    # Ray leaves `ray start --block` behind, which has to be ended by whoever drained the node.
    assert cluster.nodes["node-2"].keeper.returncode is None
    await cluster.add_node("node-2")
    await known(cluster)


async def test_a_head_comes_back_at_its_address_and_knows_its_nodes(cluster: LocalCluster) -> None:
    raylets = [cluster.nodes[name].raylet for name in ("node-1", "node-2")]
    await cluster.kill_node(HEAD)
    await cluster.ended(HEAD)
    await cluster.add_node(HEAD)
    await known(cluster)
    assert all(alive(raylet) for raylet in raylets)


async def test_nothing_outlives_a_killed_test(tmp_path: Path) -> None:
    # A killed test cannot remove its files: they go where that is done here, as pytest's paths are too long.
    with tempfile.TemporaryDirectory(prefix="mlt-", ignore_cleanup_errors=True) as temporary:
        await _abandon(tmp_path, temporary)


async def _abandon(directory: Path, temporary: str) -> None:
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ABANDONED, str(directory)),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"TMPDIR": temporary},
        cwd=ROOT,
    )
    assert program.stdout is not None
    try:
        assert await asyncio.wait_for(program.stdout.readline(), 120) == b"started\n"
        family = descendants(program.pid)
        assert {"gcs_server", "raylet"} <= {process.name for process in family}
    finally:
        program.send_signal(signal.SIGKILL)
        await program.wait()
    await until(lambda: not [one for one in family if alive(one)], what="everything ended")


def _state(process: Process) -> str:
    present = read(process.pid)
    return present.state if present is not None else ""
