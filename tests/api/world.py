"""A gateway to test against: the real application on a real port, and what stands behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from aiohttp import web

from actors.events import EventDraft, EventType
from actors.instance.mailbox import Mailbox
from actors.instance.outbox import Outbox
from actors.registry import ConnectionState, InstanceState, Registry, now
from actors.settings import CourierSettings, GatewaySettings, MediaSettings, Settings
from actors.store import Store
from api.app import make_app
from api.services import SERVICES, Services
from tests.api.answers import ANSWERS

T = TypeVar("T")

ADMIN = "admin-key-of-this-test"
FIRST, SECOND = "a" * 56, "b" * 56


class Instances:
    """The calls of a gateway to its instances, answered in this process: records them, or fails as told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.failure: Exception | None = None
        self.numbers: list[dict[str, Any]] = []
        self.found: dict[str, Any] = {"id": "1", "url": "https://example.com/p.jpg", "absence": "none"}
        self.answers: dict[tuple[str, str], Any] = dict(ANSWERS)
        self.away: list[str] = []
        self.fleet: list[dict[str, Any]] = []
        self.past: list[dict[str, Any]] = []
        self.drained: dict[str, Any] | None = None
        self.rung = asyncio.Event()

    def _called(self, *call: Any) -> None:
        self.calls.append(call)
        if self.failure is not None:
            raise self.failure

    async def pair_phone(self, instance_id: str, phone: str) -> str:
        self._called("pair_phone", instance_id, phone)
        return "ABCD-1234"

    async def logout(self, instance_id: str) -> None:
        self._called("logout", instance_id)

    async def ring_outbox(self, instance_id: str) -> None:
        self.rung.set()
        self._called("ring_outbox", instance_id)

    async def mark_read(
        self, instance_id: str, chat: str, message_ids: Sequence[str], sender: str | None, played: bool
    ) -> None:
        self._called("mark_read", instance_id, chat, list(message_ids), sender, played)

    async def typing(self, instance_id: str, chat: str, state: str) -> None:
        self._called("typing", instance_id, chat, state)

    async def check_numbers(self, instance_id: str, phones: Sequence[str]) -> list[dict[str, Any]]:
        self._called("check_numbers", instance_id, list(phones))
        return self.numbers

    async def picture(self, instance_id: str, jid: str, preview: bool) -> dict[str, Any]:
        self._called("picture", instance_id, jid, preview)
        return self.found

    async def ask(self, instance_id: str, subject: str, method: str, *args: Any) -> Any:
        self._called(subject, method, *args)
        return self.answers.get((subject, method))

    async def missing(self) -> list[str]:
        return self.away

    async def nodes(self) -> list[dict[str, Any]]:
        if self.failure is not None:
            raise self.failure
        return self.fleet

    async def begin_drain(self, node: str) -> int:
        self._called("begin_drain", node)
        (found,) = (known for known in self.fleet if known["id"] == node)
        found["draining"] = True
        return int(found["instances"])

    async def drain(self, node: str, wait: float) -> dict[str, Any] | None:
        self._called("drain", node, wait)
        return self.drained

    async def undrain(self, node: str) -> None:
        self._called("undrain", node)
        for known in self.fleet:
            known["draining"] = known["id"] == node and known["labels"].get("by") == "ray"

    async def move(self, instance_id: str, node: str | None) -> dict[str, Any]:
        self._called("move", instance_id, node)
        return self.past[0]

    async def handoffs(self, instance_id: str | None, limit: int) -> list[dict[str, Any]]:
        self._called("handoffs", instance_id, limit)
        return self.past[:limit]


def node(name: str, instances: int = 0, **more: Any) -> dict[str, Any]:
    """A node as the supervisor tells of it."""
    return {
        "id": name,
        "address": "10.0.0.1",
        "slots": 40,
        "instances": instances,
        "couriers": 0,
        "draining": False,
        "labels": {},
        **more,
    }


def handoff(iid: str, **more: Any) -> dict[str, Any]:
    """A handoff as the supervisor tells of it."""
    log = [
        {"step": "prepare", "attempt": 1, "outcome": "prepared", "at": 1_700_000_000.0},
        {"step": "disconnect", "attempt": 1, "outcome": "disconnected", "at": 1_700_000_000.25},
    ]
    return {
        "id": "ho_1",
        "instance_id": iid,
        "reason": "move",
        "step": "done",
        "outcome": "moved",
        "from": FIRST,
        "to": SECOND,
        "epoch": 2,
        "blackout_ms": 31.5,
        "log": log,
        **more,
    }


class Owner:
    """What an instance's actor does to the store: it owns the instance in an epoch and writes as it does."""

    def __init__(self, store: Store, settings: Settings, instance_id: str) -> None:
        self.registry = Registry(store)
        self.instance_id = instance_id
        self.mailbox = Mailbox(store, instance_id, settings.mailbox)
        self.outbox = Outbox(store, self.mailbox, settings.outbox)
        self.epoch = 0
        self._count = 0

    async def take(self) -> None:
        """Become the owner."""
        name = f"a:{self.epoch + 1}"
        self.epoch, _ = await self.registry.fence(
            self.instance_id, after=self.epoch, leader=1, actor=name, node="n", known_dead=True
        )

    async def append(
        self, kind: EventType = EventType.MESSAGE_RECEIVED, data: dict[str, Any] | None = None
    ) -> int:
        """Store an event."""
        self._count += 1
        draft = EventDraft(
            type=kind,
            dedupe_key=f"test:{self._count}",
            occurred_at=now(),
            received_at=now(),
            chat_id="5511912345678@s.whatsapp.net",
            data=data if data is not None else {"number": self._count},
        )
        seq = await self.mailbox.append(self.epoch, draft)
        assert seq is not None
        return seq

    async def state(self, connection: ConnectionState, **facts: Any) -> None:
        """Publish where the connection stands."""
        state = InstanceState(connection=connection, since=now(), epoch=self.epoch, node="n", **facts)
        await self.registry.write_state(self.instance_id, self.epoch, state)

    async def send_next(self, error: dict[str, Any] | None = None) -> str:
        """Send the message whose turn it is, as WhatsApp would take or refuse it."""
        message = await soon(self.outbox.head)
        await self.outbox.begin(self.epoch, message)
        kind = EventType.MESSAGE_FAILED if error else EventType.MESSAGE_SENT
        draft = EventDraft(
            type=kind,
            dedupe_key=f"result:{message.id}",
            occurred_at=now(),
            received_at=now(),
            data={"id": message.id},
        )
        sent = {"timestamp": now().isoformat(), "chat_id": message.request.to}
        result = {"error": error} if error else sent
        await self.outbox.finish(self.epoch, message, "failed" if error else "sent", result, draft)
        return message.id


async def soon(look: Callable[[], Awaitable[T | None]]) -> T:
    """What ``look`` finds, as soon as it finds something."""
    for turn in range(600):
        found = await look()
        if found:
            return found
        await asyncio.sleep(min(0.2, 0.005 * turn))
    raise AssertionError("it never came")


@dataclass
class Answered:
    """An answer, read whole."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def problem(self, slug: str) -> Any:
        """The problem document, which has to be of this kind."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        document = self.json
        assert document["type"] == f"/problems/{slug}", document
        assert document["status"] == self.status
        assert document["request_id"] == self.headers["X-Request-Id"]
        assert document["detail"]
        return document


@dataclass
class World:
    """One gateway, an HTTP client, and the store behind."""

    url: str
    settings: Settings
    store: Store
    registry: Registry
    services: Services
    instances: Instances
    client: aiohttp.ClientSession
    runner: web.AppRunner
    tokens: dict[str, str] = field(default_factory=dict)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        key: str | None = ADMIN,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> Answered:
        """Send a request and read its answer."""
        sent = {"Authorization": f"Bearer {key}"} if key else {}
        async with self.client.request(
            method, f"{self.url}{path}", headers={**sent, **(headers or {})}, **more
        ) as response:
            return Answered(response.status, response.headers, await response.read())

    async def instance(self, **more: Any) -> str:
        """Create an instance; its token is kept in ``tokens``."""
        answer = await self.ask("POST", "/v1/instances", json={"name": "Test", **more})
        assert answer.status == 201, answer.body
        self.tokens[answer.json["id"]] = answer.json["token"]
        return str(answer.json["id"])

    async def owner(
        self,
        instance_id: str,
        connection: ConnectionState = ConnectionState.CONNECTED,
        *,
        paired: bool | None = None,
    ) -> Owner:
        """Own the instance, as its actor would.

        Args:
            paired: by default, if the connection says so.
        """
        owner = Owner(self.store, self.settings, instance_id)
        await owner.take()
        if paired is None:
            paired = connection not in (ConnectionState.PAIRING, ConnectionState.LOGGED_OUT)
        await owner.state(connection, device="5511900000000:1@s.whatsapp.net" if paired else None)
        return owner

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, *, key: str | None = ADMIN, headers: dict[str, str] | None = None
    ) -> AsyncIterator[LiveStream]:
        """Open a live stream."""
        sent = {"Authorization": f"Bearer {key}"} if key else {}
        async with self.client.get(f"{self.url}{path}", headers={**sent, **(headers or {})}) as response:
            yield LiveStream(response)


class LiveStream:
    """Reads Server-Sent Events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> dict[str, str] | None:
        """The next event or comment, None at the end."""
        async with asyncio.timeout(20):
            found: dict[str, str] = {}
            while True:
                line = (await self.response.content.readline()).decode()
                if not line:
                    return None
                if line == "\n":
                    return found
                name, _, value = line.rstrip("\n").partition(":")
                found[name or "comment"] = value.removeprefix(" ")

    async def event(self) -> dict[str, str] | None:
        """The next event, comments left out."""
        while True:
            found = await self.next()
            if found is None or "data" in found:
                return found

    async def events(self, count: int) -> list[dict[str, str]]:
        """So many events."""
        found = [await self.event() for _ in range(count)]
        assert all(event is not None for event in found)
        return [event for event in found if event is not None]


@contextlib.asynccontextmanager
async def running_world(
    redis_url: str,
    prefix: str,
    *,
    courier: dict[str, Any] | None = None,
    media: dict[str, Any] | None = None,
    **gateway: Any,
) -> AsyncIterator[World]:
    """A gateway that runs until the block is left."""
    home = tempfile.TemporaryDirectory()
    bounds = {"stream_poll": 0.2, "send_wait": 10.0, "shutdown_timeout": 5.0, **gateway}
    settings = Settings(
        redis_url=redis_url,
        prefix=prefix,
        data_dir=Path(home.name),
        # Plays an address of the public internet; 127.0.0.1 does not.
        allow_hosts=("127.0.0.2",),
        admin_key=ADMIN,  # type: ignore[arg-type]
        gateway=GatewaySettings(**bounds),
        courier=CourierSettings(
            **{"allow_private": True, "schedule": (0.05,), "jitter": 0.0, "sweep": 0.2, **(courier or {})}
        ),
        media=MediaSettings(**{"fetch_attempts": 1, "fetch_window": 0.5, **(media or {})}),
    )
    instances = Instances()
    store = Store(redis_url, prefix)
    app = make_app(Services.make(settings, store, instances, instances))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    behind = Store(redis_url, prefix)
    client = aiohttp.ClientSession()
    try:
        yield World(
            url=f"http://127.0.0.1:{runner.addresses[0][1]}",
            settings=settings,
            store=behind,
            registry=Registry(behind),
            services=app[SERVICES],
            instances=instances,
            client=client,
            runner=runner,
        )
    finally:
        await client.close()
        await runner.cleanup()
        await behind.close()
        home.cleanup()
