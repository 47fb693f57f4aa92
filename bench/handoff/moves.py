"""Handoffs, ordered from the supervisor one after another, and what it says about each."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError
from ray.exceptions import RayError

from actors import cluster
from bench.handoff.world import World
from deploy.demo.clients import Refused
from deploy.errors import CommandError

MOVED = "moved"
NO_ANSWER = "no answer"
MOVE_TIMEOUT = 120.0
DRAIN_TIMEOUT = 600.0
PAUSE = 0.5
MOST_FAILED = 20


@dataclass(frozen=True, slots=True)
class Move:
    """One handoff that was ordered.

    Attributes:
        at: seconds since the first one was ordered.
        outcome: the record's; `NO_ANSWER` if the supervisor did not give one.
        blackout_ms: from the predecessor's disconnect to the successor's connect.
        steps: seconds from the end of the step before, or from the order, to the end of each step.
        drain: it was part of the drain of a node.
    """

    at: float
    instance_id: str
    outcome: str
    blackout_ms: float | None
    steps: dict[str, float]
    drain: bool = False


class Mover:
    """Orders handoffs; what came of them is in ``moves``, why there was no answer in ``errors``.

    Args:
        dice: where every choice comes from.
    """

    def __init__(self, world: World, dice: random.Random) -> None:
        self.moves: list[Move] = []
        self.errors: list[str] = []
        self._world = world
        self._dice = dice
        self._busy: set[str] = set()
        self._began = time.monotonic()

    @property
    def moved(self) -> int:
        """How many succeeded."""
        return sum(move.outcome == MOVED for move in self.moves)

    @property
    def failed(self) -> Counter[str]:
        """How the others ended."""
        return Counter(move.outcome for move in self.moves if move.outcome != MOVED)

    async def run(self, count: int, *, parallel: int) -> None:
        """Move instances at random until ``count`` more handoffs have succeeded.

        Raises:
            CommandError: too many did not.
        """
        goal = self.moved + count

        async def work() -> None:
            # What is on its way counts, or the last ones would be too many.
            while self.moved + len(self._busy) < goal:
                if not await self._move_one():
                    await asyncio.sleep(PAUSE)
                self._check()

        while self.moved < goal:
            await asyncio.gather(*(work() for _ in range(parallel)))

    async def for_ever(self, *, parallel: int) -> None:
        """Move instances at random until cancelled."""

        async def work() -> None:
            while True:
                if not await self._move_one():
                    await asyncio.sleep(PAUSE)

        await asyncio.gather(*(work() for _ in range(parallel)))

    async def gather_on(self, node: str, *, parallel: int) -> None:
        """Move every instance that is elsewhere to one node."""
        permits = asyncio.Semaphore(parallel)

        async def fetch(instance_id: str) -> None:
            async with permits:
                while (await self._world.places())[instance_id] != node:
                    if not await self.move(instance_id, node):
                        await asyncio.sleep(PAUSE)
                    self._check()

        await asyncio.gather(*(fetch(instance_id) for instance_id in self._world.instances))

    def _check(self) -> None:
        failed = sum(self.failed.values())
        if failed > MOST_FAILED and failed > self.moved:
            raise CommandError(f"{failed} handoffs failed: {dict(self.failed)}, {self.errors[-1:]}")

    async def _move_one(self) -> bool:
        """One handoff of an instance that is not moving, to a node where it is not. True if it succeeded."""
        try:
            places = await self._world.places()
        except (Refused, ClientError, TimeoutError):
            return False
        idle = [name for name, node in places.items() if node is not None and name not in self._busy]
        if not idle:
            return False
        instance_id = self._dice.choice(idle)
        others = [node for node in self._world.nodes().values() if node != places[instance_id]]
        if not others:
            return False
        return await self.move(instance_id, self._dice.choice(others))

    async def move(self, instance_id: str, node: str | None) -> bool:
        """One handoff. True if it succeeded."""
        at, ordered = time.monotonic() - self._began, time.time()
        self._busy.add(instance_id)
        try:
            record = await self._call("move", instance_id, node, timeout=MOVE_TIMEOUT)
        except (cluster.ActorGone, RayError, TimeoutError, ValueError) as error:
            self.errors.append(f"{instance_id}: {error!r}")
            self.moves.append(Move(at, instance_id, NO_ANSWER, None, {}))
            return False
        finally:
            self._busy.discard(instance_id)
        self.moves.append(read(record, at, ordered))
        return self.moves[-1].outcome == MOVED

    async def drain(self, node: str) -> tuple[float, int]:
        """Drain a node. Seconds until nothing was left on it, and how many instances were on it."""
        before = [name for name, place in (await self._world.places()).items() if place == node]
        began, ordered = time.monotonic(), time.time()
        result = await self._call("drain", node, timeout=DRAIN_TIMEOUT)
        while True:
            places = await self._world.places()
            if all(places[name] not in (None, node) for name in before):
                break
            await asyncio.sleep(0.1)
        seconds = time.monotonic() - began
        at = began - self._began
        self.moves += [read(record, at, ordered, drain=True) for record in result["handoffs"]]
        return seconds, len(before)

    async def _call(self, method: str, *args: Any, timeout: float) -> Any:
        handle = await cluster.find_supervisor(self._world.settings.namespace)
        if handle is None:
            raise cluster.ActorGone("there is no supervisor", exited=False)
        return await cluster.call(handle, method, *args, timeout=timeout)


def read(record: Mapping[str, Any], at: float, ordered: float, *, drain: bool = False) -> Move:
    """A handoff as the supervisor shows it.

    Args:
        at: see `Move`.
        ordered: when it was ordered, seconds since 1970, as the times in the record.
    """
    steps: dict[str, float] = {}
    before = ordered
    for entry in record["log"]:
        steps[entry["step"]] = steps.get(entry["step"], 0.0) + max(0.0, entry["at"] - before)
        before = entry["at"]
    blackout = record["blackout_ms"]
    return Move(at, str(record["instance_id"]), str(record["outcome"]), blackout, steps, drain)
