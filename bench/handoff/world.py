"""Everything that runs: the lab, several Ray nodes, Malote on them, a receiver, accounts that are paired."""

from __future__ import annotations

import signal
from pathlib import Path

import ray
from pydantic import SecretStr

from actors.cluster import join
from actors.registry import new_token
from actors.settings import LabSettings, Settings
from bench.handoff.books import Books
from bench.handoff.scene import Say, Scene
from deploy.demo.clients import Malote
from deploy.local import Local
from tests.cluster.nodes import HEAD, LocalCluster


class World(Scene):
    """All of it, started and stopped together.

    Args:
        cluster: not started; its access is in this process's environment already.
        directory, say, instances, contacts, books: see `Scene`.
        redis_url: a Redis or Valkey instead of an embedded one.
    """

    def __init__(
        self,
        cluster: LocalCluster,
        directory: Path,
        say: Say,
        *,
        instances: int,
        contacts: int,
        books: Books,
        redis_url: str | None = None,
    ) -> None:
        super().__init__(directory, say, instances=instances, contacts=contacts, books=books)
        self.cluster = cluster
        self.local: Local | None = None
        self._key = new_token()
        self._redis_url = redis_url

    @property
    def settings(self) -> Settings:
        """As the actors have them."""
        assert self.local is not None
        return self.local.settings

    async def start(self) -> None:
        """Start everything and pair the accounts.

        Raises:
            CommandError, NodeFailed: a part did not come up. `stop` ends what did.
        """
        await self.open()
        self._say("Starting a Ray cluster of several nodes.")
        await self.cluster.start()
        await self._start_malote()
        await self.pair()

    def join(self) -> None:
        """Become a driver of the cluster, on its head, so that no node's end is the end of this process."""
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        join(self.cluster.address, Settings().namespace)
        # Ray puts handlers of its own in place.
        for number, handler in handlers.items():
            signal.signal(number, handler)

    async def stop(self) -> None:
        """End everything."""
        ray.shutdown()
        if self.local is not None:
            await self.local.stop()
        await self.cluster.stop()
        await self.close()

    def nodes(self) -> dict[str, str]:
        """Ids of the living nodes that take instances, by name."""
        return {
            node.name: node.id for node in self.cluster.nodes.values() if node.name != HEAD and node.alive
        }

    async def _start_malote(self) -> None:
        usual = Settings()
        settings = usual.model_copy(
            update={
                "data_dir": self._directory / "data",
                "redis_url": self._redis_url,
                "ray_address": self.cluster.address,
                "admin_key": SecretStr(self._key),
                "allow_hosts": ("127.0.0.1",),
                "lab": LabSettings(directory=self.lab_directory),
                "gateway": usual.gateway.model_copy(update={"port": 0}),
            }
        )
        self.local = Local(settings, command="bench", say=self._say)
        self.local.check()
        await self.local.start()
        self.api = Malote(self.local.gateway_url, key=self._key)
