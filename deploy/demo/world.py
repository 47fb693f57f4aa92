"""Everything a demonstration consists of: the lab, Malote, a receiver, and accounts that are paired."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import sys
from base64 import b64encode
from typing import Any

from aiohttp import ClientError
from pydantic import BaseModel, SecretStr

from actors.registry import new_token
from actors.settings import Settings
from deploy.children import Child, Say
from deploy.demo.clients import LabControl, Malote, Refused
from deploy.demo.ledger import Ledger
from deploy.demo.receiver import Receiver
from deploy.errors import CommandError
from deploy.local import Local
from deploy.lock import write_private
from deploy.valkey import free_port, is_free

PAIRING_PATIENCE = 300.0
CONTACTS = {"5511955550001": "Ana", "5511955550002": "Bruno"}
GATEWAY_PORT = 8080
CONTROL_PORT = 8090


class Kept(BaseModel):
    """What a demonstration has to find again when it is continued."""

    secret: str
    gateway_port: int = 0
    receiver_port: int = 0
    lab_port: int = 0
    control_port: int = CONTROL_PORT
    webhooks: dict[str, str] = {}


def instance_id(number: int) -> str:
    """Of the demonstration's own instances, from 1."""
    return f"demo-{number}"


def phone_of(number: int) -> str:
    """The number of the account that instance ``number`` is paired with."""
    return f"55119000{number:05d}"


class World:
    """All of it, started and stopped together.

    Args:
        settings: as the user gave them; a gateway port of 0 or one that is taken becomes a free one.
        instances: how many accounts are paired.
        dashboard: with Ray's dashboard.
    """

    def __init__(self, settings: Settings, instances: int, say: Say, *, dashboard: bool) -> None:
        data_dir = settings.data_dir.expanduser().absolute()
        self.ledger = Ledger()
        self.receiver = Receiver(self.ledger)
        self.numbers = list(range(1, instances + 1))
        given = settings.admin_key
        self.admin_key = given.get_secret_value() if given is not None else new_token()
        self._say = say
        self._file = data_dir / "demo.json"
        self._lab_dir = data_dir / "lab"
        self._settings = settings.model_copy(
            update={
                "data_dir": data_dir,
                "admin_key": SecretStr(self.admin_key),
                "lab": settings.lab.model_copy(update={"directory": self._lab_dir}),
                "allow_hosts": (*settings.allow_hosts, "127.0.0.1"),
            }
        )
        self.local = Local(self._settings, command="demo", say=say, dashboard=dashboard)
        self._lab: Child | None = None
        self._lab_keeper: asyncio.Task[None] | None = None
        self._kept = Kept(secret="")
        self.api = Malote("")
        self.lab = LabControl("")

    @property
    def secret(self) -> str:
        """What every webhook of the demonstration is signed with."""
        return self._kept.secret

    def check(self) -> None:
        """Make sure that a start can succeed.

        Raises:
            CommandError
        """
        gateway = self._settings.gateway
        self.local.check()
        self._kept = self._load()
        self._choose_ports(gateway.port)

    async def start(self) -> None:
        """Start everything, and pair the accounts.

        Raises:
            CommandError: a part did not come up.
        """
        await self._start_lab()
        await self._start_contacts()
        await self.local.start()
        self.api = Malote(self.local.gateway_url, key=self.admin_key)
        self._kept.gateway_port = int(self.local.gateway_url.rpartition(":")[2])
        self.receiver.secret = self._kept.secret
        await self.receiver.start(self._kept.receiver_port)
        self._kept.receiver_port = self.receiver.port
        self._save()
        self._say("Pairing the accounts: each instance shows a QR code, and its phone scans it.")
        await asyncio.gather(*(self._pair(number) for number in self.numbers))
        self._save()

    async def stop(self) -> None:
        """End everything; what was paired and received is kept."""
        await self.local.stop()
        await self._leave_lab()
        if self._lab is not None:
            await self._lab.stop()
        await self.receiver.stop()
        await self.api.close()
        await self.lab.close()

    async def _leave_lab(self) -> None:
        if self._lab_keeper is not None:
            self._lab_keeper.cancel()
            await asyncio.gather(self._lab_keeper, return_exceptions=True)

    def kill(self) -> None:
        """Do not wait for a clean end."""
        if self._lab_keeper is not None:
            self._lab_keeper.cancel()
        self.local.kill()
        if self._lab is not None:
            self._lab.kill()

    async def paired(self) -> int:
        """How many of the demonstration's instances are connected to their accounts."""
        wanted = {instance_id(number): phone_of(number) for number in self.numbers}
        return sum(
            shown["state"]["connection"] == "connected"
            and (shown["state"]["phone"] or "").lstrip("+") == wanted[shown["id"]]
            for shown in await self.api.instances()
            if shown["id"] in wanted
        )

    # ---- the lab ----

    async def _start_lab(self) -> None:
        self._say("Starting the lab: a WhatsApp network on this machine.")
        self._lab_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = self._lab_dir / "lab.json"

        def command() -> list[str]:
            place.unlink(missing_ok=True)
            ports = ("--port", self._kept.lab_port, "--control-port", self._kept.control_port)
            engine = ("--engine", self.local.settings.engine)
            options = map(str, ("--state", self._lab_dir, *ports, *engine))
            return [sys.executable, "-m", "lab", *options]

        async def ready() -> bool:
            return place.exists()

        self._lab = Child(
            "lab",
            command=command,
            env=self.local.environment,
            ready=ready,
            log=self.local.logs / "lab.log",
            say=self._say,
        )
        await self._lab.start()
        facts = json.loads(place.read_text())
        self._kept.lab_port = int(facts["address"].rpartition(":")[2])
        self._save()
        self.lab = LabControl(facts["control_url"].rstrip("/"))
        self.local.note(lab_control_url=self.lab.url)
        self._lab_keeper = asyncio.create_task(self._lab.keep())

    async def _start_contacts(self) -> None:
        for phone, name in CONTACTS.items():
            await self.lab.create("/contacts", {"phone": phone, "name": name})

    # ---- the instances ----

    async def _pair(self, number: int) -> None:
        name = instance_id(number)
        phone = phone_of(number)
        await self.lab.create("/accounts", {"phone": phone, "name": f"Demo {number}"})
        await self.api.create("/v1/instances", {"id": name, "name": f"Demo {number}"})
        await self._subscribe(name)
        scanned = ""
        try:
            async with asyncio.timeout(PAIRING_PATIENCE):
                while (state := await self.api.connection(name)) != "connected":
                    if state == "pairing":
                        scanned = await self._scan(name, phone, scanned)
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise CommandError(
                f"instance {name} is {await self.api.connection(name)}, not connected, "
                f"after {PAIRING_PATIENCE:.0f} s",
                f"Look at the logs in {self.local.logs}; to begin anew, remove {self._file.parent}.",
            ) from None
        self._say(f"  {name} is connected as +{phone}.")

    async def _scan(self, name: str, phone: str, scanned: str) -> str:
        # A code can be replaced between the two requests; then the next one is scanned.
        with contextlib.suppress(Refused, ClientError):
            code = str((await self.api.call("GET", f"/v1/instances/{name}/qr"))["code"])
            if code != scanned:
                await self.lab.scan(phone, code)
                return code
        return scanned

    async def _subscribe(self, name: str) -> None:
        base = f"/v1/instances/{name}/webhooks"
        webhook: dict[str, Any] = {"url": self.receiver.url(name)}
        known = self._kept.webhooks.get(name)
        if known is not None:
            with contextlib.suppress(Refused):
                await self.api.call("PATCH", f"{base}/{known}", webhook | {"enabled": True})
                return
        made = await self.api.call("POST", base, webhook | {"secret": self._kept.secret})
        self._kept.webhooks[name] = made["id"]

    # ---- what is kept ----

    def _load(self) -> Kept:
        try:
            return Kept.model_validate_json(self._file.read_text())
        except FileNotFoundError:
            return Kept(secret=f"whsec_{b64encode(secrets.token_bytes(24)).decode()}")
        except ValueError as error:
            raise CommandError(
                f"{self._file} is damaged: {error}", f"Remove {self._file.parent} to begin anew."
            ) from error

    def _save(self) -> None:
        write_private(self._file, self._kept.model_dump_json(indent=2))

    def _choose_ports(self, wanted: int) -> None:
        kept = self._kept
        for name in ("receiver_port", "lab_port", "control_port"):
            port = getattr(kept, name)
            setattr(kept, name, port if port and _available(port) else free_port())
        gateway = self.local.settings.gateway
        usual = kept.gateway_port or GATEWAY_PORT
        if not wanted and is_free(gateway.host, usual):
            gateway = gateway.model_copy(update={"port": usual})
            self.local.settings = self.local.settings.model_copy(update={"gateway": gateway})


def _available(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return False
    return is_free("127.0.0.1", port)
