"""The cluster: nodes as containers run them, two servers of Redis with passwords, PostgreSQL."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from actors.registry import new_token
from bench.rollout.options import Options
from deploy.engine import BUILT
from deploy.errors import CommandError
from tests.engine.postgres import Postgres
from tests.node.containers import Container, Containers
from tests.valkey import Valkey

STOP_TIMEOUT = 120.0
"""Seconds between SIGTERM and SIGKILL, the most that ECS gives."""
PREFIX = "rollout"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Worker:
    """A node with instances and a gateway.

    Args:
        address: its own.
    """

    container: Container
    address: str


class Cluster:
    """All of it, started and stopped together.

    Args:
        lab_directory: where engines find the lab's network.

    Attributes:
        key: opens the API.
        head: the one that runs, or ran last.
        workers: those that are to run.
    """

    def __init__(self, options: Options, directory: Path, lab_directory: Path, say: Say) -> None:
        self.key = new_token()
        self.workers: list[Worker] = []
        self._options = options
        self._say = say
        self._count = 0
        self._postgres = Postgres()
        # Each server has a password with characters in it that a URL has to escape.
        self._mailboxes = Valkey(
            directory / "mailboxes", durable=True, password=f"m/{secrets.token_hex(16)}@:"
        )
        self._gcs = Valkey(directory / "gcs", durable=True, password=f"g/{secrets.token_hex(16)}@:")
        self._directory = directory
        self._lab_directory = lab_directory

    @property
    def redis_url(self) -> str:
        """Of the mailboxes, with the password."""
        return self._mailboxes.url

    def doors(self) -> list[str]:
        """URLs of the gateways."""
        return [worker.container.gateway for worker in self.workers]

    async def start(self) -> None:
        """Start everything but Malote's actors.

        Raises:
            CommandError: a part did not come up. `stop` ends what did.
        """
        self._say("Starting PostgreSQL, two Valkeys, and nodes as containers run them.")
        self._postgres.start()
        self._mailboxes.start()
        self._gcs.start()
        self.containers = Containers(
            self._directory / "nodes",
            self._gcs.url,
            MALOTE_REDIS_URL=self.redis_url,
            MALOTE_PREFIX=PREFIX,
            MALOTE_SESSION_STORE=self._postgres.url,
            MALOTE_ADMIN_KEY=self.key,
            MALOTE_ALLOW_HOSTS="127.0.0.1",
            MALOTE_COURIER_COUNT=str(self._options.couriers),
            MALOTE_ENGINE=str(BUILT / "malote-engine-lab"),
            MALOTE_LAB_DIRECTORY=str(self._lab_directory),
            MALOTE_NODE_STOP_TIMEOUT=f"{STOP_TIMEOUT:.0f}",
        )
        self.head = await self.new_head()
        # One after the other: each takes both processors for a while.
        for _ in range(self._options.workers):
            await self.add_worker()

    async def stop(self) -> None:
        """End everything, at once."""
        if hasattr(self, "containers"):
            await self.containers.__aexit__()
        self._gcs.stop()
        self._mailboxes.stop()
        await asyncio.to_thread(self._postgres.remove)

    async def new_head(self) -> Container:
        """A head on a new machine: its disk is empty, its address that of the one before."""
        head = self.containers.head()
        await _started(head)
        self.head = head
        return head

    async def add_worker(self) -> Worker:
        """One more worker, which has started when this returns; its gateway may not yet serve."""
        self._count += 1
        address = f"127.0.0.{self._count + 2}"
        container = self.containers.worker(
            f"worker-{self._count}",
            MALOTE_NODE_ADDRESS=address,
            # Any node may have to take all of them while the others are replaced.
            MALOTE_NODE_SLOTS=str(self._options.instances),
            MALOTE_NODE_GATEWAY="true",
        )
        await _started(container)
        worker = Worker(container, address)
        self.workers.append(worker)
        return worker

    async def terminate(self, container: Container) -> int | None:
        """End a node as a platform does. Returns its exit status, None if it had to be killed."""
        try:
            return await asyncio.wait_for(container.terminate(), STOP_TIMEOUT)
        except TimeoutError:
            await container.kill()
            return None


async def _started(container: Container) -> None:
    try:
        await container.start()
    except AssertionError as error:
        raise CommandError(str(error)) from error
