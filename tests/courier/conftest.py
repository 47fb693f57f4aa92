"""A courier on real Valkey, an account whose mailbox it serves, and a customer's endpoint."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from actors.courier.courier import Courier
from actors.courier.endpoints import Endpoints
from actors.events import EventDraft, EventType
from actors.instance.mailbox import Mailbox
from actors.registry import InstanceRecord, Registry, now
from actors.settings import CourierSettings, Settings
from actors.store import Store
from tests.courier.receiver import Receiver


async def eventually(look: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    """Look again and again until what is looked for is there."""
    async with asyncio.timeout(seconds):
        while not await look():  # noqa: ASYNC110 - it is in another process
            await asyncio.sleep(0.01)


class Account:
    """An instance with an owner, so that events can be appended."""

    def __init__(self, store: Store, settings: Settings, instance_id: str) -> None:
        self.store = store
        self.id = instance_id
        self.mailbox = Mailbox(store, instance_id, settings.mailbox)
        self.endpoints = Endpoints(store, instance_id, settings)
        self._numbers = itertools.count(1)
        self.epoch = 0

    async def open(self) -> None:
        registry = Registry(self.store)
        await registry.create(
            InstanceRecord(id=self.id, name=self.id, created_at=now()), token=f"token-{self.id}"
        )
        self.epoch, _ = await registry.fence(
            self.id, after=0, leader=1, actor="test:1", node="n", known_dead=True
        )

    async def append(
        self, chat: str | None = "a", type_: EventType = EventType.MESSAGE_RECEIVED, **data: Any
    ) -> int:
        number = next(self._numbers)
        draft = EventDraft(
            type=type_,
            dedupe_key=f"{type_}/{number}",
            occurred_at=now(),
            received_at=now(),
            data={"n": number, **data},
            chat_id=chat,
        )
        seq = await self.mailbox.append(self.epoch, draft)
        assert seq is not None
        return seq

    async def floor(self, endpoint_id: str) -> int:
        redis, key = self.store.redis, self.store.keys.instance(self.id, "floors")
        return int(await self.store.run(lambda: redis.hget(key, endpoint_id), timeout=10))

    async def settled(self, endpoint_id: str, seq: int, seconds: float = 60.0) -> None:
        """Wait until everything up to ``seq`` is finished for the endpoint."""

        async def look() -> bool:
            return await self.floor(endpoint_id) >= seq

        await eventually(look, seconds)


MakeSettings = Callable[..., Settings]
MakeAccount = Callable[..., Awaitable[Account]]
StartCourier = Callable[..., Awaitable[Courier]]


@pytest.fixture
def make_settings() -> MakeSettings:
    """Settings with everything quick, and with what a test changes."""

    def make(**courier: Any) -> Settings:
        quick: dict[str, Any] = {
            "allow_private": True,
            "schedule": (0.05,) * 4,
            "jitter": 0.0,
            "breaker_first": 0.05,
            "breaker_longest": 0.2,
            "sweep": 0.2,
            "timeout": 10.0,
            "drain_timeout": 10.0,
        }
        return Settings(courier=CourierSettings(**{**quick, **courier}))

    return make


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings()


@pytest.fixture
def make_account(store: Store, settings: Settings) -> MakeAccount:
    numbers = itertools.count(1)

    async def make(
        name: str | None = None, *, on: Store | None = None, by: Settings | None = None
    ) -> Account:
        account = Account(on or store, by or settings, name or f"inst_{next(numbers)}")
        await account.open()
        return account

    return make


@pytest.fixture
async def account(make_account: MakeAccount) -> Account:
    return await make_account()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    server = Receiver()
    await server.start()
    yield server
    await server.stop()


class Running:
    """Couriers of a test and their tasks."""

    def __init__(self) -> None:
        self.tasks: dict[Courier, asyncio.Task[None]] = {}

    async def kill(self, courier: Courier) -> None:
        """End a courier at once: what it has in flight is broken off, nothing is written down."""
        task = self.tasks.pop(courier)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def drain(self, courier: Courier) -> None:
        courier.drain()
        await self.tasks.pop(courier)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    couriers = Running()
    yield couriers
    for courier in list(couriers.tasks):
        await couriers.kill(courier)


@pytest.fixture
def start_courier(store: Store, settings: Settings, running: Running) -> StartCourier:
    async def start(
        index: int = 0,
        members: Any = (0,),
        *,
        on: Store | None = None,
        by: Settings | None = None,
        **more: Any,
    ) -> Courier:
        courier = Courier(on or store, by or settings, index, members, **more)
        running.tasks[courier] = asyncio.create_task(courier.run())
        async with asyncio.timeout(30):
            await courier.ready.wait()
        return courier

    return start
