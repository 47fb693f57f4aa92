"""What happens on the day of a deploy, stage by stage."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.handoff.books import Death
from bench.handoff.traffic import Traffic
from bench.rollout.options import Options
from bench.rollout.report import Absence, Drain
from bench.rollout.watch import compare
from bench.rollout.world import World
from deploy.errors import CommandError
from tests.cluster.nodes import ROOT
from tests.node.containers import Container
from tests.rollout.trees import GOOD, tree

HEAD = "127.0.0.2"
JOB_PATIENCE = 600.0
GRACE = 2.0
"""Seconds after the head's death in which a message that left before may still come."""


class Stages:
    """The stages; what came of them is in the attributes.

    Attributes:
        up_s, paired_s, rollout_s: seconds.
        drains: of nodes that were ended by SIGTERM.
        absence: of the head.
        deaths: of couriers, with the head.
        rolled: instances whose owner is of the new version.
        problems: what was not as it should be.
    """

    def __init__(self, options: Options, world: World, directory: Path, say: Callable[[str], None]) -> None:
        self.up_s = 0.0
        self.paired_s = 0.0
        self.rollout_s: float | None = None
        self.drains: list[Drain] = []
        self.absence: Absence | None = None
        self.deaths: list[Death] = []
        self.rolled: int | None = None
        self.problems: list[str] = []
        self._options = options
        self._world = world
        self._directory = directory
        self._say = say

    async def up(self) -> None:
        """Bring everything up by a Ray job, and pair the accounts.

        Raises:
            CommandError: it did not come up.
        """
        world = self._world
        self._say("Submitting a job without the token, which has to be refused.")
        status, said = await world.cluster.containers.job("up", token=False)
        if status == 0:
            raise CommandError(f"a job without the cluster's token was let in: {said}")
        self._say("Submitting the job that brings everything up.")
        began = time.monotonic()
        await self._job("up")
        self.up_s = time.monotonic() - began
        await world.serving()
        await world.complete()
        began = time.monotonic()
        await world.pair()
        self.paired_s = time.monotonic() - began

    async def rollout(self) -> None:
        """Roll out a changed version of the code by a second job.

        Raises:
            CommandError: the job failed.
        """
        version = await asyncio.to_thread(tree, self._directory / "changed", GOOD)
        self._say("Submitting the job that rolls a changed version out.")
        began = time.monotonic()
        watch = f"{self._options.canary_watch:g}"
        told = await self._job("rollout", "--canary-watch", watch, code=version)
        self.rollout_s = round(time.monotonic() - began, 1)
        self._say(f"  It ended after {self.rollout_s:.1f} s: {told}.")
        registry = self._world.registry
        owners = await asyncio.gather(*map(registry.owner, self._world.instances))
        self.rolled = sum(owner is not None and owner.version == told["version"] for owner in owners)

    async def nodes(self) -> None:
        """End every node by SIGTERM: workers when their successor is there, the head before its own."""
        world, cluster = self._world, self._world.cluster
        for worker in list(cluster.workers):
            await cluster.add_worker()
            await world.complete()
            await world.serving()
            elsewhere = asyncio.create_task(self._elsewhere(worker.address))
            await self._drain(worker.container, worker.address)
            cluster.workers.remove(worker)
            self.drains[-1].elsewhere_s = await elsewhere
        await self._drain(cluster.head, HEAD)
        await cluster.new_head()
        await world.complete()

    async def _drain(self, container: Container, address: str) -> None:
        world = self._world
        # The supervisor may have moved with the node before.
        node = (await world.complete())[address]
        self._say(f"SIGTERM for {container.name}, which has {node['instances']} instances.")
        began = time.monotonic()
        status = await world.cluster.terminate(container)
        seconds = time.monotonic() - began
        self._say(f"  It ended after {seconds:.1f} s with status {status}.")
        self.drains.append(
            Drain(
                name=container.name,
                instances=node["instances"],
                couriers=node["couriers"],
                seconds=round(seconds, 1),
                status=status,
            )
        )

    async def _elsewhere(self, address: str) -> float:
        began = time.monotonic()
        await self._world.elsewhere(address)
        return round(time.monotonic() - began, 1)

    async def head(self, traffic: Traffic) -> None:
        """Kill the head, have none for a while, start it again; connections and messages go on."""
        options, world, cluster = self._options, self._world, self._world.cluster
        couriers = (await world.complete())[HEAD]["couriers"]
        async with world.watch.watching() as sights:
            refused = len(traffic.send_errors)
            self._say(f"SIGKILL for the head, for {options.absence:.0f} s.")
            began = time.monotonic()
            await cluster.head.kill()
            if couriers:
                self.deaths.append(Death(began, time.monotonic()))
            await asyncio.sleep(GRACE)
            quiet = time.monotonic()
            delivered, arrived = world.books.inbound.arrived, world.books.outbound.arrived
            await asyncio.sleep(max(0.0, options.absence - GRACE))
            delivered = world.books.inbound.arrived - delivered
            arrived = world.books.outbound.arrived - arrived
            silent = world.diary.silent(world.instances, quiet)
            gone = time.monotonic() - began
            await cluster.head.start()
            await world.complete()
            back = time.monotonic() - began
            self._say(f"The head is back after {back:.1f} s.")
            await asyncio.sleep(options.afterwards)
        change = compare(sights)
        self.absence = Absence(
            seconds=round(gone, 1),
            back_s=round(back, 1),
            delivered=delivered,
            arrived=arrived,
            silent=len(silent),
            send_errors=len(traffic.send_errors) - refused,
            looks=change.looks,
            new_owners=len(change.epochs),
            new_logins=len(change.logins),
            offline=len(change.offline),
        )

    async def ending(self) -> None:
        """Jobs are taken by the head that there is now, and it knows everything."""
        told = await self._job("status")
        nodes, instances = self._options.workers + 1, self._options.instances
        if (told["nodes"], told["instances"], told["draining"]) != (nodes, instances, []):
            self.problems.append(f"at last the cluster is told to be {told}")

    async def _job(self, *command: str, code: Path = ROOT) -> dict[str, Any]:
        """The last JSON object that the job printed, empty if it printed none.

        Raises:
            CommandError: it failed.
        """
        containers = self._world.cluster.containers
        status, said = await containers.job(*command, tree=code, patience=JOB_PATIENCE)
        if status != 0:
            raise CommandError(f"the job {' '.join(command)} ended with {status}: {said}")
        told: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        return told[-1] if told else {}
