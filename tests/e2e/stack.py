"""All of Malote on this machine, its clients at both ends, and a way to find and kill its processes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientTimeout
from pydantic import SecretStr

from actors.settings import LabSettings, Settings
from deploy.local import Local
from deploy.processes import command_line, descendants
from lab.contacts import Contact
from lab.network import Lab
from tests.courier.receiver import Receiver
from tests.wait import until

ADMIN = "mlt_admin_key_of_the_end_to_end_tests"
PHONE = "5511900000001"
FRIEND = "5511900000009"

TITLES = {
    "engine": "malote-engine",
    "instance": "ray::Instance",
    "courier": "ray::Courier",
    "supervisor": "ray::Supervisor",
    "gateway": "-m gateway",
    "valkey": "valkey-server",
    "raylet": "/raylet/raylet ",
    "gcs": "/gcs/gcs_server ",
}
"""What tells a kind of process by its command line."""


@dataclass
class Stack:
    """One running Malote with one paired instance and one webhook.

    ``written`` and ``sent`` are the texts that the contact and the API sent so far, in order; ``others`` are
    processes of this test run that were there before.
    """

    directory: Path
    lab: Lab
    receiver: Receiver
    local: Local
    session: ClientSession
    instance: str = ""
    token: str = ""
    others: set[int] = field(default_factory=set)
    written: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)

    @classmethod
    async def start(cls, directory: Path) -> Stack:
        """Start everything and pair one instance."""
        others = {process.pid for process in descendants(os.getpid())}
        lab = await Lab.start(directory / "lab")
        receiver = Receiver()
        await receiver.start()
        session = ClientSession(timeout=ClientTimeout(60))
        stack = cls(directory, lab, receiver, _local(directory), session, others=others)
        await stack.up()
        stack.lab.account(PHONE)
        await (await stack.lab.contacts.create(FRIEND, "Ana")).ready()
        created = await stack.call("POST", "/v1/instances", {"name": "One"}, expect=201)
        stack.instance, stack.token = created["id"], created["token"]
        hook = await stack.call("POST", stack.path("webhooks"), {"url": receiver.url("/hook")}, expect=201)
        receiver.secret = hook["secret"]
        await stack.lab.scan(PHONE, await until(stack.qr, what="a QR code"))
        await stack.connected()
        return stack

    async def up(self) -> None:
        """Start Malote; again after `down`, with the same data."""
        self.local = _local(self.directory)
        self.local.check()
        await self.local.start()

    async def down(self) -> None:
        """End Malote cleanly."""
        await self.local.stop()

    async def stop(self) -> None:
        """End everything."""
        await self.session.close()
        await self.down()
        await self.receiver.stop()
        await self.lab.stop()

    # ---- the API ----

    def path(self, *parts: str) -> str:
        return "/".join(("/v1/instances", self.instance, *parts))

    async def call(self, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
        """One request as the administrator; fails unless it is answered as expected."""
        headers = {"Authorization": f"Bearer {ADMIN}"}
        url = self.local.gateway_url + path
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == expect, f"{method} {path}: {answer.status} {text}"
            return await answer.json(content_type=None) if text else None

    async def qr(self) -> str | None:
        async with self.session.get(
            self.local.gateway_url + self.path("qr"),
            headers={"Authorization": f"Bearer {ADMIN}", "Accept": "application/json"},
        ) as answer:
            return str((await answer.json())["code"]) if answer.status == 200 else None

    async def connected(self) -> dict[str, Any]:
        async def look() -> dict[str, Any] | None:
            shown = await self.call("GET", self.path())
            return shown["state"] if shown["state"]["connection"] == "connected" else None

        return await until(look, timeout=90, what="connected")

    # ---- messages ----

    @property
    def friend(self) -> Contact:
        return self.lab.contacts.get(FRIEND)

    async def write(self, count: int, interval: float = 0.02) -> None:
        """Let the contact write."""
        start = len(self.written)
        texts = [f"in-{start + number}" for number in range(count)]
        for text in texts:
            result = await self.friend.write(PHONE, text)
            assert result.error is None
            self.written.append(text)
            await asyncio.sleep(interval)

    async def answer(self, count: int, interval: float = 0.05) -> None:
        """Send through the API. While anything but the gateway is down, every send must be accepted."""
        for _ in range(count):
            text = f"out-{len(self.sent)}"
            async with self.session.post(
                self.local.gateway_url + self.path("messages") + "?wait=0",
                json={"to": f"+{FRIEND}", "text": text},
                headers={"Authorization": f"Bearer {ADMIN}", "Idempotency-Key": f"{self.instance}-{text}"},
            ) as response:
                assert response.status in (201, 202), await response.text()
            self.sent.append(text)
            await asyncio.sleep(interval)

    def delivered(self) -> list[str]:
        """Texts of the received messages that the endpoint took, each once, in the order of arrival."""
        seen: dict[str, str] = {}
        for got in self.receiver.taken:
            if got.event["type"] == "message.received":
                seen.setdefault(got.event["id"], got.event["data"]["text"])
        return list(seen.values())

    def arrived(self) -> list[str]:
        """Texts that arrived at the contact, each id once, in the order of arrival."""
        return [arrival.text for arrival in self.friend.arrivals(limit=100_000) if not arrival.repeated]

    async def settle(self) -> None:
        """Wait until everything has arrived, and check that nothing is lost, reordered or skipped."""
        await until(
            lambda: len(self.delivered()) >= len(self.written) and len(self.arrived()) >= len(self.sent),
            timeout=120,
            what=f"{len(self.written)} delivered and {len(self.sent)} arrived",
        )
        assert self.delivered() == self.written
        assert self.arrived() == self.sent
        assert not self.receiver.forged, "every signature is good"
        seqs = sorted({got.seq for got in self.receiver.taken})
        assert seqs == list(range(1, len(seqs) + 1)), "no gap"

    def duplicates(self) -> int:
        """Deliveries of events that had been taken before."""
        counted = Counter(got.event["id"] for got in self.receiver.taken)
        return sum(counted.values()) - len(counted)

    # ---- processes ----

    def pids(self, kind: str) -> set[int]:
        """The stack's processes of a kind. Not those of other tests, and not the contacts' engines."""
        title = TITLES[kind]
        contacts = {
            contact._connection.pid for contact in self.lab.contacts.all() if contact._connection is not None
        }
        return {
            process.pid
            for process in descendants(os.getpid())
            if title in command_line(process.pid) and process.pid not in contacts | self.others
        }

    async def kill(self, *kinds: str) -> None:
        """SIGKILL one process of each of these kinds at once, and wait until others are there."""
        before = {kind: self.pids(kind) for kind in kinds}
        victims = {min(pids) for pids in before.values()}
        for victim in victims:
            with suppress(ProcessLookupError):  # an engine ends with its actor
                os.kill(victim, signal.SIGKILL)
        await until(
            lambda: all(len(self.pids(kind) - victims) >= len(pids) for kind, pids in before.items()),
            timeout=120,
            what=f"another {' and '.join(kinds)}",
        )


def _local(directory: Path) -> Local:
    settings = Settings(
        data_dir=directory / "data",
        admin_key=SecretStr(ADMIN),
        allow_hosts=("127.0.0.1",),
        lab=LabSettings(directory=directory / "lab"),
    )
    gateway = settings.gateway.model_copy(update={"port": 0})
    said: list[str] = []
    return Local(settings.model_copy(update={"gateway": gateway}), command="test", say=said.append)
