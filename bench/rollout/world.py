"""Everything that runs: the lab, a receiver, the cluster, paired accounts; and how it stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import ClientError

from actors.registry import Registry
from actors.store import Store
from bench.handoff.scene import Say, Scene
from bench.rollout.books import Diary
from bench.rollout.cluster import PREFIX, Cluster
from bench.rollout.doors import Doors
from bench.rollout.options import Options
from bench.rollout.watch import Watch
from deploy.demo.clients import Http, Refused
from deploy.errors import CommandError

LOOK = 0.2
PATIENCE = 120.0
HANDOFFS = 1_000


class World(Scene):
    """All of it, started and stopped together.

    Attributes:
        diary: the books.
        cluster: nodes, Redis, PostgreSQL.
        watch: of owners and connections.
        registry: Malote's, read as its supervisor does.
    """

    def __init__(self, options: Options, directory: Path, say: Say) -> None:
        self.diary = Diary()
        super().__init__(
            directory, say, instances=options.instances, contacts=options.contacts, books=self.diary
        )
        self.cluster = Cluster(options, directory, self.lab_directory, say)
        self._store = Store(self.cluster.redis_url, PREFIX)
        self.registry = Registry(self._store)

    async def start(self) -> None:
        """Start everything but Malote's actors.

        Raises:
            CommandError: a part did not come up. `stop` ends what did.
        """
        await self.open()
        self.watch = Watch(self.registry, self.lab, self.instances)
        await self.cluster.start()
        self.api = Doors(self.cluster.doors, key=self.cluster.key)

    async def stop(self) -> None:
        """End everything."""
        await self._store.close()
        await self.cluster.stop()
        await self.close()

    async def serving(self) -> None:
        """Wait until every gateway is ready.

        Raises:
            CommandError: one is not in time.
        """

        async def ready(url: str) -> bool:
            door = Http(url)
            try:
                await door.call("GET", "/readyz")
            finally:
                await door.close()
            return True

        for url in self.cluster.doors():
            await until(lambda url=url: ready(url), what=f"the gateway at {url} is ready")  # type: ignore[misc]

    async def nodes(self) -> dict[str, dict[str, Any]]:
        """Living nodes as the supervisor tells of them, by address."""
        return {node["address"]: node for node in (await self.api.call("GET", "/v1/nodes"))["items"]}

    async def complete(self) -> dict[str, dict[str, Any]]:
        """The nodes by address, once the supervisor knows every worker, and the head.

        Raises:
            CommandError: it does not in time.
        """
        addresses = {worker.address for worker in self.cluster.workers}
        nodes: dict[str, dict[str, Any]] = {}

        async def all_there() -> bool:
            nonlocal nodes
            nodes = await self.nodes()
            return addresses <= nodes.keys() and len(nodes) > len(addresses)

        await until(all_there, what="the supervisor knows all nodes")
        return nodes

    async def elsewhere(self, address: str) -> None:
        """Wait until every instance is connected, on another node than this one.

        Raises:
            CommandError: one is not in time.
        """

        async def there() -> bool:
            node = (await self.nodes()).get(address, {}).get("id")
            return all(place not in (None, node) for place in (await self.places()).values())

        await until(there, what=f"all instances are connected elsewhere than on {address}")

    async def handoffs(self) -> list[dict[str, Any]]:
        """All that are on record, the newest first.

        Raises:
            CommandError: they are not told in time.
        """
        found: list[dict[str, Any]] = []

        async def told() -> bool:
            nonlocal found
            found = (await self.api.call("GET", f"/v1/handoffs?limit={HANDOFFS}"))["items"]
            return True

        await until(told, what="the supervisor tells of handoffs")
        return found


async def until(true: Callable[[], Awaitable[bool]], *, what: str, patience: float = PATIENCE) -> None:
    """Ask again and again; no answer, or an error, is no.

    Raises:
        CommandError: it never was yes.
    """
    deadline = time.monotonic() + patience
    error: Exception | None = None
    while time.monotonic() < deadline:
        try:
            if await true():
                return
        except (Refused, ClientError, TimeoutError) as failure:
            error = failure
        await asyncio.sleep(LOOK)
    raise CommandError(f"not within {patience:.0f} s: {what}" + (f" ({error!r})" if error else ""))
