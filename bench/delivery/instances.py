"""Accounts that append events to their mailboxes, as instance actors do, and nothing else."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Mapping, Sequence

from actors.courier.endpoints import Endpoints
from actors.events import EventDraft, EventType
from actors.instance.mailbox import Mailbox
from actors.registry import InstanceRecord, Registry, now
from actors.settings import Settings
from actors.store import Store
from bench.delivery.books import Appended

TOGETHER = 64
"""Appends at a time while a backlog is made."""
TEXT = "Olá! Your order has left our warehouse and should be with you by tomorrow afternoon. 📦 "


class Account:
    """An instance with an owner, so that events can be appended, and with one endpoint."""

    def __init__(self, store: Store, settings: Settings, instance_id: str) -> None:
        self.id = instance_id
        self.mailbox = Mailbox(store, instance_id, settings.mailbox)
        self._endpoints = Endpoints(store, instance_id, settings)
        self._registry = Registry(store)
        self._numbers = itertools.count(1)
        self._epoch = 0

    async def open(self, url: str) -> str:
        """Make it. Returns the endpoint's id."""
        record = InstanceRecord(id=self.id, name=self.id, created_at=now())
        await self._registry.create(record, token=f"token-{self.id}")
        self._epoch, _ = await self._registry.fence(
            self.id, after=0, leader=1, actor=f"bench:{self.id}", node="bench", known_dead=True
        )
        return (await self._endpoints.create(url)).id

    async def append(self, chat: str, due: float) -> Appended:
        """A message came in."""
        number = next(self._numbers)
        moment = now()
        draft = EventDraft(
            type=EventType.MESSAGE_RECEIVED,
            dedupe_key=f"message:{chat}:{number}",
            occurred_at=moment,
            received_at=moment,
            chat_id=chat,
            data={
                "id": f"3EB0{number:016X}",
                "chat": {"id": chat, "kind": "direct", "phone": f"+{chat}", "lid": f"{chat}@lid"},
                "sender": {"phone": f"+{chat}", "lid": f"{chat}@lid", "name": "Ana"},
                "kind": "text",
                "text": f"{TEXT}{number}",
            },
        )
        began = time.monotonic()
        seq = await self.mailbox.append(self._epoch, draft)
        assert seq is not None, "only ephemeral events are turned away"
        return Appended(self.id, seq, due, began, time.monotonic())


class Instances:
    """A service for a process of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stores: list[Store] = []
        self._accounts: dict[str, Account] = {}

    async def open(self, prefix: str, urls: Mapping[str, str]) -> dict[str, str]:
        """Make accounts, instead of those before.

        Args:
            prefix: of every key.
            urls: where the events of each instance go.

        Returns:
            The endpoints' ids, by instance.
        """
        store = Store(self._settings.redis_url or "", prefix)
        self._stores.append(store)
        self._accounts = {name: Account(store, self._settings, name) for name in urls}
        return {name: await account.open(urls[name]) for name, account in self._accounts.items()}

    async def fill(self, places: Sequence[tuple[str, str]]) -> list[Appended]:
        """Append an event for each instance and chat of a list, as fast as it goes."""
        rest = iter(places)
        appended: list[Appended] = []

        async def work() -> None:
            for name, chat in rest:
                appended.append(await self._accounts[name].append(chat, time.monotonic()))

        await asyncio.gather(*(work() for _ in range(TOGETHER)))
        return appended

    async def flow(self, rate: float, seconds: float, chats: int, seed: int) -> tuple[float, list[Appended]]:
        """Let messages come in at random times, whether or not those before are stored yet.

        Args:
            rate: per second, of all instances together, on average.
            chats: of each instance.

        Returns:
            When it began (monotonic seconds), and the events.
        """
        dice = random.Random(seed)
        names = list(self._accounts)
        tasks: list[asyncio.Task[Appended]] = []
        began = due = time.monotonic()
        while (due := due + dice.expovariate(rate)) < began + seconds:
            await asyncio.sleep(due - time.monotonic())
            account = self._accounts[dice.choice(names)]
            tasks.append(asyncio.create_task(account.append(chat_id(dice.randrange(chats)), due)))
        await asyncio.sleep(began + seconds - time.monotonic())
        return began, list(await asyncio.gather(*tasks))

    async def close(self) -> None:
        """Give back every connection."""
        for store in self._stores:
            await store.close()


def chat_id(number: int) -> str:
    """A chat by its number."""
    return f"55119{number:08d}"
