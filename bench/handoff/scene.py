"""What a gateway is watched with: the lab with its contacts, a receiver, accounts that are paired."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

from aiohttp import ClientError

from actors.settings import LabSettings, Settings
from bench.handoff.books import Books
from bench.handoff.receiver import Receiver
from bench.handoff.traffic import Traffic
from deploy.children import Child
from deploy.demo.clients import LabControl, Malote, Refused
from deploy.engine import engine_binary
from deploy.errors import CommandError

PAIRING_PATIENCE = 300.0
SETTLE_PATIENCE = 240.0
LOOK = 0.5

Say = Callable[[str], None]


class Scene:
    """All but Malote itself, whose ``api`` whoever starts it sets.

    Args:
        directory: for data and logs.
        instances, contacts: how many.
        books: take in what the receiver gets.

    Attributes:
        instances: phone numbers of the paired accounts by instance.
        contacts: phone numbers of those who write.
        secret: signs what the receiver gets.
    """

    def __init__(self, directory: Path, say: Say, *, instances: int, contacts: int, books: Books) -> None:
        self.instances = {f"move-{n:02d}": f"55119000{n:05d}" for n in range(1, instances + 1)}
        self.contacts = [f"55119555{n:05d}" for n in range(1, contacts + 1)]
        self.books = books
        self.api = Malote("")
        self.lab = LabControl("")
        self.secret = f"whsec_{b64encode(secrets.token_bytes(24)).decode()}"
        self._receiver = Receiver(books, self.secret)
        self._directory = directory
        self._say = say
        self._lab: Child | None = None

    def traffic(self, write_interval: float, send_interval: float) -> Traffic:
        """Messages of every contact and every instance; seconds between two of one of them."""
        return Traffic(
            self.books,
            self.api,
            self.lab,
            instances=self.instances,
            contacts=self.contacts,
            write_interval=write_interval,
            send_interval=send_interval,
        )

    @property
    def lab_directory(self) -> Path:
        """Where an engine finds the lab's network."""
        return self._directory / "lab"

    async def open(self) -> None:
        """Start the lab and the receiver.

        Raises:
            CommandError: the lab did not come up. `close` ends what did.
        """
        await self._start_lab()
        await self._receiver.start()

    async def pair(self) -> None:
        """Create and pair all accounts.

        Raises:
            CommandError: one was not connected in time.
        """
        self._say(f"Pairing {len(self.instances)} accounts.")
        await asyncio.gather(*(self._pair(name, phone) for name, phone in self.instances.items()))

    async def close(self) -> None:
        """End everything."""
        if self._lab is not None:
            await self._lab.stop()
        await self._receiver.stop()
        await self.api.close()
        await self.lab.close()

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
        directory = self.lab_directory
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
