"""SIGKILL for processes and nodes, by a plan that a seed decides."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bench.handoff.books import Death
from bench.handoff.world import World
from deploy.demo import faults
from deploy.demo.faults import Victim
from deploy.errors import CommandError
from deploy.processes import Process, command_line, descendants, end
from tests.cluster.nodes import Node

SUPERVISOR = "ray::Supervisor"
LOOK = 0.05
DEATH_PATIENCE = 30.0
VICTIM_PATIENCE = 60.0

Say = Callable[[str], None]


class Kind(StrEnum):
    """What is killed."""

    ENGINE = "engine"
    INSTANCE = "instance actor"
    COURIER = "courier"
    SUPERVISOR = "supervisor"
    NODE = "node"


VICTIMS = {Kind.ENGINE: Victim.ENGINE, Kind.INSTANCE: Victim.INSTANCE, Kind.COURIER: Victim.COURIER}
WEIGHTS = {Kind.ENGINE: 40, Kind.INSTANCE: 30, Kind.COURIER: 18, Kind.SUPERVISOR: 4, Kind.NODE: 8}


@dataclass(frozen=True, slots=True)
class Planned:
    """One kill: ``pause`` seconds after the one before; ``choice`` of [0, 1) picks one of its kind."""

    pause: float
    kind: Kind
    choice: float


def plan(seed: int, count: int, interval: float) -> list[Planned]:
    """The same seed gives the same plan. The first ones kill one of each kind, in an order of its own."""
    dice = random.Random(seed)
    kinds = dice.sample(list(Kind), len(Kind))
    kinds += dice.choices(list(WEIGHTS), list(WEIGHTS.values()), k=count)
    return [
        Planned(min(dice.expovariate(1 / interval), 3 * interval), kind, dice.random())
        for kind in kinds[:count]
    ]


class Killer:
    """Carries a plan out.

    Attributes:
        killed: how many of each kind.
        deaths: when couriers were killed, also with their nodes.
    """

    def __init__(self, world: World, say: Say) -> None:
        self.killed: Counter[Kind] = Counter()
        self.deaths: list[Death] = []
        self._world = world
        self._say = say
        self._replacing: asyncio.Task[Node] | None = None

    async def run(self, planned: list[Planned]) -> None:
        """Kill by plan.

        Raises:
            CommandError: there was nothing of a kind to kill for too long.
            NodeFailed: a node that was killed did not end, or could not be replaced.
        """
        try:
            for kill in planned:
                await asyncio.sleep(kill.pause)
                await (self._node(kill) if kill.kind is Kind.NODE else self._process(kill))
                self.killed[kill.kind] += 1
                if self.killed.total() % 10 == 0:
                    self._say(f"  {self.killed.total()} of {len(planned)} kills.")
            await self._replaced()
        finally:
            if self._replacing is not None:
                self._replacing.cancel()
                await asyncio.gather(self._replacing, return_exceptions=True)

    async def _process(self, kill: Planned) -> None:
        deadline = time.monotonic() + VICTIM_PATIENCE
        while not (present := await asyncio.to_thread(find, kill.kind)):
            if time.monotonic() > deadline:
                raise CommandError(f"there was no {kill.kind} to kill for {VICTIM_PATIENCE:.0f} s")
            await asyncio.sleep(LOOK)
        victim = present[int(kill.choice * len(present))]
        began = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim.pid, signal.SIGKILL)
        await asyncio.to_thread(end, [victim], patience=DEATH_PATIENCE)
        if kill.kind is Kind.COURIER:
            self.deaths.append(Death(began, time.monotonic()))

    async def _node(self, kill: Planned) -> None:
        """Kill a node while all others live, and put another one in its place meanwhile."""
        await self._replaced()
        names = sorted(self._world.nodes())
        name = names[int(kill.choice * len(names))]
        couriers = [
            process
            for process in self._world.cluster.nodes[name].processes()
            if faults.COURIER.match(command_line(process.pid))
        ]
        began = time.monotonic()
        await self._world.cluster.kill_node(name)
        await self._world.cluster.ended(name)
        if couriers:
            self.deaths.append(Death(began, time.monotonic()))
        self._replacing = asyncio.create_task(self._world.cluster.add_node(name))

    async def _replaced(self) -> None:
        if self._replacing is not None:
            await self._replacing


def find(kind: Kind) -> list[Process]:
    """The processes of a kind that descend from this one, always in the same order."""
    if kind is Kind.SUPERVISOR:
        family = descendants(os.getpid())
        return [process for process in family if command_line(process.pid).startswith(SUPERVISOR)]
    return sorted(faults.find(VICTIMS[kind], os.getpid()), key=lambda process: process.pid)
