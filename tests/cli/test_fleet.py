"""Nodes and handoffs on the command line, against a real cluster of two nodes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from actors.registry import Desired, InstanceRecord, Registry, new_token, now
from actors.store import Store
from deploy.engine import BUILT
from deploy.fleet_link import shorter
from tests.cli.command import Result, environment, malote
from tests.cluster.nodes import LocalCluster
from tests.cluster.supervised import supervised
from tests.wait import until

NAMES = ("one", "two", "three")


STRAY = """
import sys, time, ray
ray.init(address=sys.argv[1], namespace="malote", log_to_driver=False)
@ray.remote(num_cpus=0)
class Stray:
    def ping(self):
        pass
    def leave(self):
        ray.actor.exit_actor()
def named(name, namespace):
    actor = Stray.options(name=name, namespace=namespace, lifetime="detached").remote()
    ray.get(actor.ping.remote())
def lives(name, namespace):
    return {"name": name, "namespace": namespace} in ray.util.list_named_actors(all_namespaces=True)
named("instance:one:99:stray", "elsewhere")
named("instance:one:99:stray", "malote")
while lives("instance:one:99:stray", "malote"):
    time.sleep(0.1)
assert lives("instance:one:99:stray", "elsewhere")
"""
"""Makes an actor that nobody needs, and ends when that one has been ended."""


class Shell:
    """Runs commands beside a cluster."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.settings = settings

    async def run(self, *arguments: str) -> Result:
        return await asyncio.to_thread(
            lambda: malote(*arguments, cwd=self.folder, timeout=200, **self.settings)
        )

    async def json(self, *arguments: str) -> Any:
        done = await self.run(*arguments, "--json")
        assert done.status == 0, done.out + done.err
        return json.loads(done.out)

    async def load(self) -> dict[str, int]:
        return {node["id"]: node["instances"] for node in await self.json("nodes")}

    async def couriers(self) -> dict[str, int]:
        return {node["id"]: node["couriers"] for node in await self.json("nodes")}


@pytest.fixture
async def shell(tmp_path: Path, redis_url: str, prefix: str, store: Store) -> AsyncIterator[Shell]:
    """A cluster of two nodes with a supervisor and three instances that are to stay disconnected."""
    async with LocalCluster(tmp_path / "cluster", nodes=2) as cluster:
        registry = Registry(store)
        for name in NAMES:
            record = InstanceRecord(id=name, name=name, created_at=now(), desired=Desired.DISCONNECTED)
            await registry.create(record, new_token())
        own = {
            "MALOTE_REDIS_URL": redis_url,
            "MALOTE_PREFIX": prefix,
            "MALOTE_COURIER_COUNT": "1",
            "MALOTE_SUPERVISOR_SWEEP": "1",
            "MALOTE_ENGINE": str(BUILT / "malote-engine"),
        }
        async with supervised(cluster, tmp_path, **own) as settings:
            for name in NAMES:

                async def owned(name: str = name) -> bool:
                    return await registry.state(name) is not None

                await until(owned, timeout=180, what=f"an owner of {name}")
            yield Shell(tmp_path, settings)


@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.skipif(not (BUILT / "malote-engine").exists(), reason="needs the engine: make engine")
async def test_instances_are_moved_and_nodes_are_drained(shell: Shell) -> None:
    load = await shell.load()
    assert len(load) == 2
    assert sum(load.values()) == len(NAMES)
    shown = (await shell.run("nodes")).out
    assert all(short in shown for short in shorter(list(load)).values())

    moved = await shell.run("move", "one")
    assert moved.status == 0, moved.out + moved.err
    (handoff,) = await shell.json("handoffs", "one", "--limit", "1")
    assert (handoff["instance_id"], handoff["outcome"], handoff["epoch"]) == ("one", "moved", 2)
    assert {handoff["from"], handoff["to"]} == set(load)
    for word in ("one", "move", *shorter([handoff["from"], handoff["to"]]).values()):
        assert word in moved.out

    back = await shell.run("move", "one", "--to", handoff["from"][:20])
    assert back.status == 0, back.out + back.err
    assert [past["to"] for past in await shell.json("handoffs", "one")] == [handoff["from"], handoff["to"]]

    for arguments, said in (
        (("move", "nobody"), "nobody"),
        (("move", "one", "--to", "xyz"), "no living node"),
        (("drain", "xyz"), "no living node"),
    ):
        refused = await shell.run(*arguments)
        assert refused.status == 1
        assert said in refused.err
        assert "Traceback" not in refused.err

    stray = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", STRAY, shell.settings["MALOTE_RAY_ADDRESS"]],
        env=environment(**shell.settings),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert stray.returncode == 0, stray.stderr

    load = await shell.load()
    full = max(load, key=lambda node: load[node])
    (other,) = set(load) - {full}
    drained = await shell.run("drain", full[:20])
    assert drained.status == 0, drained.out + drained.err
    assert f"{load[full]} instances are to be moved" in drained.out
    assert "is empty" in drained.out
    assert await shell.load() == {full: 0, other: len(NAMES)}
    assert (await shell.couriers())[full] == 0
    assert Counter(past["reason"] for past in await shell.json("handoffs"))["drain"] == load[full]

    refused = await shell.run("move", "one", "--to", full)
    assert (refused.status, "draining" in refused.err) == (1, True)
    same = await shell.run("rollout")
    assert (same.status, "is what runs" in same.out) == (0, True), same.out + same.err
    refused = await shell.run("rollout", "pause")
    assert (refused.status, "no roll-out goes on" in refused.err) == (1, True), refused.out + refused.err
    undone = await shell.run("drain", full, "--undo")
    assert undone.status == 0, undone.out + undone.err
    assert (await shell.run("move", "one", "--to", full)).status == 0
    assert await shell.load() == {full: 1, other: len(NAMES) - 1}


def test_where_nothing_runs_it_says_so(tmp_path: Path) -> None:
    nothing = malote("nodes", cwd=tmp_path)
    assert nothing.status == 3
    assert "malote up" in nothing.err
    away = malote("drain", "3f9c", cwd=tmp_path, MALOTE_RAY_ADDRESS="127.0.0.1:1")
    assert away.status == 1
    assert "127.0.0.1:1" in away.err
    assert "Traceback" not in away.err + nothing.err


def test_ids_are_as_short_as_they_can_be_told_apart() -> None:
    assert shorter([]) == {}
    assert shorter(["a" * 56, "b" * 56]) == {"a" * 56: "a" * 8, "b" * 56: "b" * 8}
    alike = ["a" * 20 + end for end in "xy"]
    assert list(shorter(alike).values()) == alike
