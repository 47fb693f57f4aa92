"""An instance without Ray around it: real engine, real lab, real Valkey."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from actors.events import Event, EventType
from actors.instance.connection.engine import EngineConnection
from actors.instance.instance import End, Instance
from actors.instance.mailbox import Mailbox
from actors.instance.outbox import Outbox, SendRequest
from actors.messages.content import Text
from actors.registry import ConnectionState, InstanceRecord, InstanceState, Registry, new_token, now
from actors.settings import InstanceSettings, MailboxSettings, OutboxSettings, Settings
from actors.store import Store
from lab.contacts import ENGINE, Contact
from lab.network import Lab
from tests.wait import until

PHONE = "5511900000001"
FRIEND = "5511900000002"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    network = await Lab.start(tmp_path / "lab")
    yield network
    await network.stop()


@pytest.fixture
def settings(redis_url: str, prefix: str, tmp_path: Path) -> Settings:
    return Settings(
        redis_url=redis_url,
        prefix=prefix,
        data_dir=tmp_path / "data",
        mailbox=MailboxSettings(append_timeout=1.0),
        outbox=OutboxSettings(send_timeout=10.0),
        instance=InstanceSettings(
            lease_ttl=3.0, lease_renew=0.5, reconnect_first=0.1, reconnect_max=1.0, conflict_backoff=0.5
        ),
    )


@dataclass
class Running:
    """An owner at work, and what a test may ask about it."""

    instance: Instance
    task: asyncio.Task[End]
    store: Store
    settings: Settings
    lab: Lab

    @property
    def id(self) -> str:
        return self.instance.record.id

    @property
    def mailbox(self) -> Mailbox:
        return Mailbox(self.store, self.id, self.settings.mailbox)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.store, self.mailbox, self.settings.outbox)

    @property
    def engine_pid(self) -> int:
        pid = self.instance.describe()["engine_pid"]
        assert pid is not None
        return int(pid)

    async def state(self) -> InstanceState:
        state = await Registry(self.store).state(self.id)
        assert state is not None
        return state

    async def reach(self, wanted: ConnectionState) -> InstanceState:
        async def look() -> InstanceState | None:
            state = await Registry(self.store).state(self.id)
            return state if state is not None and state.connection is wanted else None

        return await until(look, what=f"connection {wanted}")

    async def pair(self, phone: str = PHONE) -> None:
        self.lab.account(phone)

        async def code() -> str | None:
            state = await Registry(self.store).state(self.id)
            return state.qr if state else None

        await self.lab.scan(phone, await until(code, what="a QR code"))
        await self.reach(ConnectionState.CONNECTED)

    async def events(self, *kinds: EventType) -> list[Event]:
        found: list[Event] = []
        while page := await self.mailbox.read(after=found[-1].seq if found else 0, limit=1000):
            found += page
        assert [event.seq for event in found] == list(range(1, len(found) + 1)), "gapless"
        return [event for event in found if not kinds or event.type in kinds]

    async def received(self) -> list[str]:
        """Texts of the received messages, in the mailbox's order."""
        return [event.data["text"] for event in await self.events(EventType.MESSAGE_RECEIVED)]

    async def send(self, text: str, to: str = f"{FRIEND}@s.whatsapp.net") -> str:
        message_id, _ = await self.outbox.enqueue(SendRequest(to=to, content=Text(text=text)))
        self.instance.ring_outbox()
        return message_id


@pytest.fixture
async def own(
    store: Store, settings: Settings, lab: Lab, tmp_path: Path
) -> AsyncIterator[Callable[..., object]]:
    """Starts an owner of ``ins_1`` in the next epoch."""
    started: list[Running] = []
    registry = Registry(store)

    async def start(store: Store = store, *, session: str | None = None) -> Running:
        record = InstanceRecord(id="ins_1", name="One", created_at=now())
        owner = await registry.owner(record.id)
        if owner is None:
            await registry.create(record, new_token())
        after = owner.epoch if owner else 0
        epoch, _ = await registry.fence(
            record.id, after=after, leader=1, actor=f"a:{after + 1}", node="n", known_dead=True
        )
        instance = Instance(
            settings,
            store,
            record,
            epoch,
            "n",
            make_connection=lambda record: EngineConnection(
                ENGINE,
                lab=lab.target,
                proxy=record.proxy or "",
                send_timeout=settings.outbox.send_timeout,
            ),
            session_store=session or f"sqlite:{tmp_path / 'session.db'}",
        )
        running = Running(instance, asyncio.create_task(instance.run()), store, settings, lab)
        started.append(running)
        return running

    yield start
    for running in started:
        running.task.cancel()
    await asyncio.gather(*(running.task for running in started), return_exceptions=True)


@pytest.fixture
async def friend(lab: Lab) -> Contact:
    """A contact with a real client of its own."""
    contact = await lab.contacts.create(FRIEND, "Ana")
    await contact.ready()
    return contact
