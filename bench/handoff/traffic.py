"""Messages in both directions, without a pause, each of them booked."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence

from aiohttp import ClientError

from bench.handoff.books import Books
from deploy.demo.clients import LabControl, Malote, Refused

LOOK = 0.5
RETRY = 0.2


class Traffic:
    """Contacts write to every instance in turn; every instance sends to every contact in turn.

    It may flow again after it has ended: what is written and sent is numbered on.

    Attributes:
        send_errors: what was answered to a send, other than that it is accepted. Such a send is repeated
            under the same key until it is.
        write_errors: what kept a contact from writing. That message then does not exist.
    """

    def __init__(
        self,
        books: Books,
        api: Malote,
        lab: LabControl,
        *,
        instances: dict[str, str],
        contacts: Sequence[str],
        write_interval: float,
        send_interval: float,
    ) -> None:
        self.send_errors: list[str] = []
        self.write_errors: list[str] = []
        self._books = books
        self._api = api
        self._lab = lab
        self._instances = instances
        self._contacts = contacts
        self._write_interval = write_interval
        self._send_interval = send_interval
        self._ending = asyncio.Event()
        self._positions = dict.fromkeys(contacts, 0)
        self._rounds = {writer: itertools.count(1) for writer in (*contacts, *instances)}

    @contextlib.asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Let messages flow while the block runs; at its end, what was begun is finished."""
        self._ending.clear()
        writers = [asyncio.create_task(self._write(contact)) for contact in self._contacts]
        senders = [asyncio.create_task(self._send(instance_id)) for instance_id in self._instances]
        try:
            yield
            self._ending.set()
            await asyncio.gather(*writers, *senders)
        finally:
            for task in (*writers, *senders):
                task.cancel()
            await asyncio.gather(*writers, *senders, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Book what arrives at the contacts while the block runs."""
        watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)

    async def _write(self, contact: str) -> None:
        for count in self._rounds[contact]:
            for instance_id, phone in self._instances.items():
                if self._ending.is_set():
                    return
                try:
                    ids = await self._lab.write(contact, phone, f"in {count}", count=1, interval=0)
                except (Refused, ClientError, TimeoutError) as error:
                    self.write_errors.append(f"{contact} to {instance_id}: {error!r}")
                    ids = []
                for message_id in ids:
                    self._books.inbound.start(f"{instance_id}/{message_id}")
                await self._pause(self._write_interval)

    async def _send(self, instance_id: str) -> None:
        for count in self._rounds[instance_id]:
            for contact in self._contacts:
                if self._ending.is_set():
                    return
                message_id = await self._accepted(instance_id, contact, count)
                self._books.outbound.start(f"{contact}/{message_id}")
                await self._pause(self._send_interval)

    async def _accepted(self, instance_id: str, contact: str, count: int) -> str:
        headers = {"Idempotency-Key": f"{instance_id}-{contact}-{count}"}
        body = {"to": f"+{contact}", "text": f"out {instance_id} {count}"}
        while True:
            try:
                path = f"/v1/instances/{instance_id}/messages?wait=0"
                return str((await self._api.call("POST", path, body, headers=headers))["id"])
            except (Refused, ClientError, TimeoutError) as error:
                self.send_errors.append(f"{instance_id} to {contact}: {error!r}")
            await asyncio.sleep(RETRY)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    async def _watch(self) -> None:
        positions = self._positions
        while True:
            for contact in self._contacts:
                with contextlib.suppress(Refused, ClientError, TimeoutError):
                    while arrivals := await self._lab.arrivals(contact, positions[contact]):
                        for arrival in arrivals:
                            self._books.arrive(contact, arrival)
                        positions[contact] = arrivals[-1]["position"]
            await asyncio.sleep(LOOK)
