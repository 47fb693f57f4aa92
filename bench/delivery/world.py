"""Everything that a part of the benchmark needs: a Valkey, customers' servers, instances, a courier."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from actors.courier.endpoints import Endpoints
from actors.settings import CourierSettings, Settings
from actors.store import Store
from bench.delivery.books import Appended, Arrival, Place
from bench.delivery.couriers import CourierHost, Load, Plain
from bench.delivery.instances import Instances
from bench.delivery.receiver import Manner, Receiver
from bench.delivery.worker import Worker
from tests.valkey import Valkey

LOOK = 0.02
PAGE = 500

Say = Callable[[str], None]


class Unsettled(Exception):
    """Not everything was delivered in time."""


class World:
    """All of it, each in a process of its own. Settings are the defaults, or what the environment
    says, except that loopback is allowed.

    Args:
        directory: for what Valkey writes.
    """

    def __init__(self, directory: Path, say: Say) -> None:
        self.say = say
        self._valkey = Valkey(directory / "valkey", durable=True)
        self._workers: list[Worker] = []
        self._port = self._dark_port = 0

    async def start(self) -> None:
        """Start it."""
        self._valkey.start()
        self.settings = Settings(redis_url=self._valkey.url, courier=CourierSettings(allow_private=True))
        self.receiver = self._worker("receiver", Receiver)
        self.instances = self._worker("instances", partial(Instances, self.settings))
        self.courier = self._worker("courier", partial(CourierHost, self.settings))
        self.plain = self._worker("plain loop", partial(Plain, self.settings))
        self._port, self._dark_port = await self.receiver.ask("start")

    async def stop(self) -> None:
        """End it, as far as it was started."""
        for worker in self._workers:
            await worker.end()
        self._valkey.stop()

    def url(self, name: str, *, dark: bool = False) -> str:
        """Where the events of an instance go; a dark one has to be lit before anybody answers there."""
        return f"http://127.0.0.1:{self._dark_port if dark else self._port}/{name}"

    def _worker(self, name: str, make: Callable[[], Receiver | Instances | CourierHost | Plain]) -> Worker:
        worker = Worker(name, make)
        self._workers.append(worker)
        return worker


class Scene:
    """Some instances with an endpoint each, under a prefix of keys of their own.

    Attributes:
        appended: every event so far.
        arrivals: every request that was fetched so far.
    """

    def __init__(self, world: World, prefix: str, urls: dict[str, str]) -> None:
        self.world = world
        self.prefix = prefix
        self.urls = urls
        self.appended: list[Appended] = []
        self.arrivals: list[Arrival] = []
        self.store = Store(world.settings.redis_url or "", prefix)
        self._endpoints: dict[str, str] = {}

    async def open(self) -> None:
        """Make the instances; those of another scene cannot append any more."""
        self._endpoints = await self.world.instances.ask("open", self.prefix, self.urls)

    async def close(self) -> None:
        """Give back the connections."""
        await self.store.close()

    async def fill(self, places: Sequence[tuple[str, str]]) -> list[Appended]:
        """Append an event for each instance and chat of a list."""
        appended: list[Appended] = await self.world.instances.ask("fill", places)
        self.appended += appended
        return appended

    async def flow(self, rate: float, seconds: float, chats: int, seed: int) -> tuple[float, list[Appended]]:
        """Let messages come in; see `Instances.flow`."""
        answer: tuple[float, list[Appended]] = await self.world.instances.ask(
            "flow", rate, seconds, chats, seed
        )
        self.appended += answer[1]
        return answer

    async def start_courier(self, *, profiled: bool = False) -> None:
        """Let a courier serve the scene."""
        await self.world.courier.ask("start_profiled" if profiled else "start", self.prefix)

    async def stop_courier(self) -> Load:
        """The courier ends."""
        load: Load = await self.world.courier.ask("stop")
        return load

    async def behave(self, manners: Mapping[str, Manner]) -> None:
        """Answer badly for these instances, and well for all others."""
        await self.world.receiver.ask("behave", {f"/{name}": manner for name, manner in manners.items()})

    async def fetch(self) -> list[Arrival]:
        """The requests that came since the last time."""
        arrivals: list[Arrival] = await self.world.receiver.ask("take")
        self.arrivals += arrivals
        return arrivals

    async def move_clock(self, seconds: float) -> None:
        """Let so much time pass for the courier, and have it look at everything."""
        await self.world.courier.ask("move_clock", seconds)
        for name in self.urls:
            await self.store.redis.publish(self.store.keys.ring, name)

    async def unsettled(self) -> dict[str, int]:
        """How many events some endpoint has not finished with, by instance, where there are any."""
        pipe = self.store.redis.pipeline(transaction=False)
        for name, endpoint in self._endpoints.items():
            pipe.hget(self.store.keys.instance(name, "meta"), "seq")
            pipe.hget(self.store.keys.instance(name, "floors"), endpoint)
        numbers = [int(number or 0) for number in await pipe.execute()]
        rest = {
            name: seq - floor
            for name, seq, floor in zip(self._endpoints, numbers[::2], numbers[1::2], strict=True)
        }
        return {name: number for name, number in rest.items() if number}

    async def settle(self, seconds: float, *, but: frozenset[str] = frozenset()) -> None:
        """Wait until every event is delivered or given up, and that is written down.

        Args:
            but: instances that do not matter.

        Raises:
            Unsettled
        """
        deadline = time.monotonic() + seconds
        while rest := {name: n for name, n in (await self.unsettled()).items() if name not in but}:
            if time.monotonic() > deadline:
                raise Unsettled(f"not delivered within {seconds:g} s: {rest}")
            await asyncio.sleep(LOOK)

    async def failed_attempts(self, name: str) -> int:
        """Attempts without a 2xx, as the courier counts them."""
        endpoints = Endpoints(self.store, name, self.world.settings)
        return (await endpoints.status(self._endpoints[name])).failed_attempts

    async def dead(self) -> list[Place]:
        """What is in the dead letters."""
        found: list[Place] = []
        for name, endpoint in self._endpoints.items():
            endpoints = Endpoints(self.store, name, self.world.settings)
            offset = 0
            while letters := await endpoints.dead_letters(endpoint, limit=PAGE, offset=offset):
                found += [(name, letter.seq) for letter in letters]
                offset += len(letters)
        return found
