"""Everything that runs: the lab, several Ray nodes, Malote on them, a receiver, accounts that are paired."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import ray
from aiohttp import ClientError
from pydantic import SecretStr

from actors.registry import new_token
from actors.settings import LabSettings, Settings
from bench.handoff.books import Books
from bench.handoff.receiver import Receiver
from deploy.children import Child
from deploy.demo.clients import LabControl, Malote, Refused
from deploy.engine import engine_binary
from deploy.errors import CommandError
from deploy.local import Local
from tests.cluster.nodes import HEAD, LocalCluster

PAIRING_PATIENCE = 300.0
SETTLE_PATIENCE = 240.0
LOOK = 0.5

Say = Callable[[str], None]


class World:
    """All of it, started and stopped together.

    Args:
        cluster: not started; its access is in this process's environment already.
        directory: for data and logs.
        instances, contacts: how many.
        books: take in what the receiver gets.
        redis_url: a Redis or Valkey instead of an embedded one.

    Attributes:
        instances: phone numbers of the paired accounts by instance.
        contacts: phone numbers of those who write.
        secret: signs what the receiver gets.
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
        self.instances = {f"move-{n:02d}": f"55119000{n:05d}" for n in range(1, instances + 1)}
        self.contacts = [f"55119555{n:05d}" for n in range(1, contacts + 1)]
        self.books = books
        self.cluster = cluster
        self.api = Malote("")
        self.lab = LabControl("")
        self.local: Local | None = None
        self.secret = f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"
        self._receiver = Receiver(books, self.secret)
        self._key = new_token()
        self._directory = directory
        self._say = say
        self._redis_url = redis_url
        self._lab: Child | None = None

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
        await self._start_lab()
        self._say("Starting a Ray cluster of several nodes.")
        await self.cluster.start()
        await self._start_malote()
        await self._receiver.start()
        self._say(f"Pairing {len(self.instances)} accounts.")
        await asyncio.gather(*(self._pair(name, phone) for name, phone in self.instances.items()))

    def join(self) -> None:
        """Become a driver of the cluster, on its head, so that no node's end is the end of this process."""
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        ray.init(address=self.cluster.address, log_to_driver=False, logging_level=logging.WARNING)
        # Ray puts handlers of its own in place.
        for number, handler in handlers.items():
            signal.signal(number, handler)

    async def stop(self) -> None:
        """End everything."""
        ray.shutdown()
        if self.local is not None:
            await self.local.stop()
        await self.cluster.stop()
        if self._lab is not None:
            await self._lab.stop()
        await self._receiver.stop()
        await self.api.close()
        await self.lab.close()

    def nodes(self) -> dict[str, str]:
        """Ids of the living nodes that take instances, by name."""
        return {
            node.name: node.id for node in self.cluster.nodes.values() if node.name != HEAD and node.alive
        }

    async def places(self) -> dict[str, str | None]:
        """On which node each instance is, None for one that is not connected now."""
        page = await self.api.call("GET", "/v1/instances?limit=1000")
        states = {one["id"]: one["state"] for one in page["items"]}
        return {
            name: str(states[name]["node"]) if states[name]["connection"] == "connected" else None
            for name in self.instances
        }

    async def connected(self) -> int:
        """Wait until every instance is connected, with patience. Returns how many are."""
        deadline = time.monotonic() + SETTLE_PATIENCE
        while True:
            connected = sum(node is not None for node in (await self.places()).values())
            if connected == len(self.instances) or time.monotonic() > deadline:
                return connected
            await asyncio.sleep(LOOK)

    async def settled(self) -> bool:
        """Wait until everything has arrived. False if that takes too long."""
        deadline = time.monotonic() + SETTLE_PATIENCE
        while True:
            newest = await self.newest()
            if not (self.books.inbound.missing or self.books.outbound.missing or self.books.gaps(newest)):
                return True
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK)

    async def conflicts(self) -> int:
        """How often WhatsApp saw two connections of one device at the same time."""
        accounts = await self.lab.call("GET", "/accounts")
        return sum(device["counters"]["conflicts"] for one in accounts for device in one["devices"])

    async def newest(self) -> dict[str, int]:
        """The last sequence number of each instance, as Malote has it."""
        pages = await asyncio.gather(
            *(self.api.call("GET", f"/v1/instances/{name}/events?limit=1") for name in self.instances)
        )
        return {name: int(page["last_seq"]) for name, page in zip(self.instances, pages, strict=True)}

    # ---- the parts -----------------------------------------------------------------------------------

    async def _start_lab(self) -> None:
        self._say("Starting the lab.")
        directory = self._directory / "lab"
        place = directory / "lab.json"
        binary = engine_binary(Settings(lab=LabSettings(directory=directory)))

        async def ready() -> bool:
            return place.exists()

        self._lab = Child(
            "lab",
            command=lambda: [sys.executable, "-m", "lab", "--state", str(directory), "--engine", str(binary)],
            env=lambda: os.environ,
            ready=ready,
            log=self._directory / "lab.log",
            say=self._say,
        )
        await self._lab.start()
        self.lab = LabControl(json.loads(place.read_text())["control_url"].rstrip("/"))
        for number, phone in enumerate(self.contacts, 1):
            await self.lab.create("/contacts", {"phone": phone, "name": f"Contact {number}"})

    async def _start_malote(self) -> None:
        usual = Settings()
        settings = usual.model_copy(
            update={
                "data_dir": self._directory / "data",
                "redis_url": self._redis_url,
                "ray_address": self.cluster.address,
                "admin_key": SecretStr(self._key),
                "allow_hosts": ("127.0.0.1",),
                "lab": LabSettings(directory=self._directory / "lab"),
                "gateway": usual.gateway.model_copy(update={"port": 0}),
            }
        )
        self.local = Local(settings, command="bench", say=self._say)
        self.local.check()
        await self.local.start()
        self.api = Malote(self.local.gateway_url, key=self._key)

    async def _pair(self, name: str, phone: str) -> None:
        await self.lab.create("/accounts", {"phone": phone, "name": name})
        await self.api.create("/v1/instances", {"id": name, "name": name})
        webhook = {"url": self._receiver.url(name), "secret": self.secret}
        await self.api.call("POST", f"/v1/instances/{name}/webhooks", webhook)
        scanned = ""
        try:
            async with asyncio.timeout(PAIRING_PATIENCE):
                while (state := await self.api.connection(name)) != "connected":
                    if state == "pairing":
                        scanned = await self._scan(name, phone, scanned)
                    await asyncio.sleep(LOOK)
        except TimeoutError:
            raise CommandError(f"{name} was not connected within {PAIRING_PATIENCE:.0f} s") from None

    async def _scan(self, name: str, phone: str, scanned: str) -> str:
        # A code can be replaced between the two requests; then the next one is scanned.
        with contextlib.suppress(Refused, ClientError):
            code = str((await self.api.call("GET", f"/v1/instances/{name}/qr"))["code"])
            if code != scanned:
                await self.lab.scan(phone, code)
                return code
        return scanned
