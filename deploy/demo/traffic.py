"""Messages in both directions, each of them booked."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from aiohttp import ClientError

from deploy.children import Say
from deploy.demo.clients import Refused
from deploy.demo.world import CONTACTS, World, instance_id, phone_of

LOOK = 0.5


class Traffic:
    """Contacts that write to instances, instances that write to contacts, and the books about both."""

    def __init__(self, world: World, say: Say) -> None:
        self.accepted = 0
        self._world = world
        self._say = say
        self._keys = itertools.count()
        self._run = random.randbytes(4).hex()

    async def contact_writes(self, number: int, contact: str, *, count: int, interval: float) -> None:
        """Let a contact write to instance ``number``: ``count`` messages, ``interval`` seconds apart."""
        text = f"Message {{n}} from {CONTACTS[contact]}"
        try:
            ids = await self._world.lab.write(contact, phone_of(number), text, count=count, interval=interval)
        except (Refused, ClientError, TimeoutError) as error:
            self._say(f"{CONTACTS[contact]} could not write: {error}")
            return
        for message_id in ids:
            self._world.ledger.inbound.start(f"{instance_id(number)}/{message_id}")

    async def instance_writes(self, number: int, contact: str, *, count: int, interval: float) -> None:
        """Send ``count`` messages from instance ``number`` to a contact through the API."""
        for _ in range(count):
            key = f"{self._run}-{next(self._keys)}"
            name = instance_id(number)
            message_id = await self._world.api.send(name, f"+{contact}", f"Hello from {name}, {key}", key)
            self.accepted += 1
            self._world.ledger.outbound.start(f"{contact}/{message_id}")
            await asyncio.sleep(interval)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Book what arrives at the contacts, for as long as the block runs and once more at its end."""
        positions = {contact: await self._last_position(contact) for contact in CONTACTS}
        watcher = asyncio.create_task(self._watch(positions))
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def settled(self, patience: float) -> bool:
        """Wait until everything that was sent has arrived. False if that takes longer than ``patience``."""
        ledger = self._world.ledger
        deadline = asyncio.get_running_loop().time() + patience
        while ledger.inbound.missing or ledger.outbound.missing or ledger.gaps:
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(LOOK)
        return True

    async def _watch(self, positions: dict[str, int]) -> None:
        while True:
            for contact in CONTACTS:
                with contextlib.suppress(Refused, ClientError, TimeoutError):
                    positions[contact] = await self._collect(contact, positions[contact])
            await asyncio.sleep(LOOK)

    async def _collect(self, contact: str, position: int) -> int:
        while arrivals := await self._world.lab.arrivals(contact, position):
            position = arrivals[-1]["position"]
            for arrival in arrivals:
                if not arrival["from_me"]:
                    self._world.ledger.outbound.arrive(f"{contact}/{arrival['id']}")
        return position

    async def _last_position(self, contact: str) -> int:
        position = 0
        while arrivals := await self._world.lab.arrivals(contact, position):
            position = arrivals[-1]["position"]
        return position


async def together(*work: Coroutine[Any, Any, None]) -> None:
    """Run all; the first failure ends the others and is raised as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
