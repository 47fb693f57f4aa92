"""What ECS does with its tasks, played: a container for each task of moto's that the autoscaler started.

Each is a real `python -m deploy.node worker`, with a metadata endpoint of its own. It gets SIGTERM when its
task is stopped, and its task ends when it does, as ECS has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.autoscaler.tasks import NODE_TYPE_TAG
from tests.autoscaler.ecs import Ecs
from tests.node.agent import TASK, Agent
from tests.node.containers import Container, Containers


@dataclass
class Machine:
    """A task and its container.

    Args:
        status: exit status of the container, once it has ended.
    """

    task: Any
    container: Container
    agent: Agent
    status: int | None = None
    terminated: bool = False


class Machines:
    """Runs them while it is entered.

    Args:
        owned: how many instances the node of a container owns; asked in the moment that its task is stopped.

    Attributes:
        stops: the task of each StopTask, and what its node owned then.
    """

    def __init__(self, ecs: Ecs, cluster: Containers, owned: Callable[[Container], int]) -> None:
        self.all: dict[str, Machine] = {}
        self.stops: list[tuple[str, int]] = []
        self._ecs = ecs
        self._cluster = cluster
        self._owned = owned

    @property
    def running(self) -> list[Machine]:
        return [machine for machine in self.all.values() if machine.status is None]

    async def __aenter__(self) -> Machines:
        self._ecs.on_stop(self._stopped)
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *ended: object) -> None:
        self._ecs.on_stop(None)
        self._running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running
        for machine in self.all.values():
            await machine.container.kill()
            await machine.agent.__aexit__()

    def _stopped(self, task: str) -> None:
        # In a thread of the server's, while StopTask is being answered.
        self.stops.append((task, self._owned(self.all[task].container)))

    async def _run(self) -> None:
        while True:
            for task in self._ecs.tasks():
                kind = {tag["key"]: tag["value"] for tag in task.tags}.get(NODE_TYPE_TAG)
                if kind and task.id not in self.all and task.desired_status == "RUNNING":
                    await self._start(task)
            for machine in self.running:
                process = machine.container.process
                assert process is not None
                if process.returncode is not None:
                    machine.status = process.returncode
                    self._ecs.end(machine.task)
                elif machine.task.desired_status == "STOPPED" and not machine.terminated:
                    machine.terminated = True
                    with contextlib.suppress(ProcessLookupError):
                        process.terminate()
            await asyncio.sleep(0.2)

    async def _start(self, task: Any) -> None:
        described = copy.deepcopy(TASK)
        described["TaskARN"] = task.task_arn
        described["Containers"][0]["Networks"][0]["IPv4Addresses"] = [f"127.0.0.{20 + len(self.all)}"]
        agent = Agent(described)
        await agent.__aenter__()
        (override,) = task.overrides["containerOverrides"]
        given = {entry["name"]: entry["value"] for entry in override["environment"]}
        container = self._cluster.worker(task.id[:8], **agent.environment, **given)
        self.all[task.id] = Machine(task, container, agent)
        await container.launch()
