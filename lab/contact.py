"""A person to talk to: an account whose companion device is a real client, run by an engine of its own."""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
import shutil
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import (
    Connection,
    ConnectionError,
    DurableEvent,
    Gone,
    PassingEvent,
    Signal,
)
from actors.instance.connection.engine import EngineConnection
from lab.accounts import LabError
from lab.arrivals import Arrival, Arrivals
from lab.attachments import Attachment, file_in
from lab.writing import Writer, Written, address_of

if TYPE_CHECKING:
    from lab.network import Lab
    from lab.state import State

log = logging.getLogger(__name__)

_LOCK_WAIT_MS = 10_000
_READY_TIMEOUT = 60.0
_RECONNECT_DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_MAX_FETCH = 64 << 20
"""Bytes of a file that is fetched for somebody who looks at it."""
Phase = Literal["starting", "connected", "reconnecting", "logged_out", "failed", "stopped"]


class ContactView(BaseModel):
    """A contact as the control interface shows it."""

    phone: str
    name: str
    lid: str
    device: int | None = Field(description="The companion device that its engine is")
    state: Phase
    error: str | None
    arrived: int = Field(description="Messages received")
    sent: int = Field(description="Messages accepted by the network")
    typing: dict[str, str] = Field(description="What each other person last showed: composing, paused …")


class Contact:
    """One person: an account with a phone, and a real client linked to it."""

    def __init__(self, lab: Lab, state: State, phone: str, name: str, binary: Path) -> None:
        self.phone = phone
        self.name = name
        self.state: Phase = "starting"
        self.error: str | None = None
        self._lab = lab
        self._folder = (lab.state_dir / "contacts" / phone).absolute()
        self._binary = binary
        self._connection: Connection | None = None
        self._connected = asyncio.Event()
        self._scans: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None
        self.seen_typing: dict[str, str] = {}
        self._lost = asyncio.Event()
        self._gone = False
        self._arrivals = Arrivals(state, phone)
        self._writer = Writer(self._patient_engine)

    # ---- its life -----------------------------------------------------------------------------------

    def run(self) -> None:
        """Start its engine and keep it connected."""
        self._runner = asyncio.create_task(self._run())

    async def ready(self) -> None:
        """Return when it is connected for the first time. Raises LabError."""
        connected = asyncio.create_task(self._connected.wait())
        assert self._runner
        await asyncio.wait(
            {connected, self._runner}, timeout=_READY_TIMEOUT, return_when=asyncio.FIRST_COMPLETED
        )
        connected.cancel()
        if not self._connected.is_set():
            detail = self.error or "its client did not connect in time"
            raise LabError("contact_failed", f"{self.phone}: {detail}", 502)

    async def stop(self) -> None:
        """End its engine. Never raises."""
        await self._writer.stop()
        tasks = [*self._scans, *([self._runner] if self._runner else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connection:
            await self._connection.close()
        self.state = "stopped"

    def forget(self) -> None:
        """Delete its session and what arrived."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._arrivals.forget()

    async def _run(self) -> None:
        attempt, ever = 0, False
        while not self._logged_out:
            try:
                await self._connect()
                if self._connected.is_set():
                    attempt, ever = 0, True
                    await self._lost.wait()
            except (ConnectionError, OSError, TimeoutError) as error:
                self.error = str(error)
            self._connected.clear()
            if self._logged_out:
                return
            log.info("contact %s: %s", self.phone, self.error)
            if attempt >= len(_RECONNECT_DELAYS) and not ever:
                self.state = "failed"
                return
            self.state = "reconnecting" if ever else "starting"
            await asyncio.sleep(_RECONNECT_DELAYS[min(attempt, len(_RECONNECT_DELAYS) - 1)])
            attempt += 1

    @property
    def _logged_out(self) -> bool:
        return self.state == "logged_out"

    async def _connect(self) -> None:
        self._lost.clear()
        if self._connection and self._gone:
            await self._connection.close()
            self._connection = None
        if self._connection is None:
            self._connection = await self._open()
        await self._connection.connect()
        waits = [asyncio.create_task(event.wait()) for event in (self._connected, self._lost)]
        await asyncio.wait(waits, timeout=_READY_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        if self._connected.is_set():
            # Typing is shown only to those who are online themselves.
            with suppress(ConnectionError):
                await self._connection.presence(available=True)

    async def _open(self) -> Connection:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._gone = False
        engine = EngineConnection(self._binary, lab=self._lab.target)
        try:
            await engine.start(self)
            await engine.open(
                store=f"sqlite:{self._folder / 'session.db'}",
                device="",
                session=f"contact-{self.phone}",
                lock_wait_ms=_LOCK_WAIT_MS,
            )
        except BaseException:
            await engine.close()
            raise
        return engine

    # ---- what its engine reports --------------------------------------------------------------------

    async def on_event(self, event: DurableEvent | PassingEvent, received_at_ms: int) -> bool:
        """Keep what arrives."""
        if isinstance(event, pb.Message):
            self._arrivals.keep(event, received_at_ms)
        elif isinstance(event, pb.Receipt):
            self._arrivals.keep_receipt(event)
        elif isinstance(event, pb.ChatPresenceEvent):
            self.seen_typing[event.sender.phone or event.sender.lid] = event.state
        return True

    def on_signal(self, signal: Signal) -> None:
        """Follow the connection."""
        if isinstance(signal, pb.Qr):
            task = asyncio.create_task(self._scan(signal.code))
            self._scans.add(task)
            task.add_done_callback(self._scans.discard)
        elif isinstance(signal, pb.Connected):
            self.state, self.error = "connected", None
            self._connected.set()
        elif isinstance(signal, pb.LoggedOut):
            self.state, self.error = "logged_out", signal.reason
            self._lost.set()
        elif isinstance(signal, Gone):
            self._gone = True
            self.error = "its engine ended"
            self._lost.set()
        elif isinstance(
            signal, pb.Disconnected | pb.Replaced | pb.ConnectFailure | pb.Parked | pb.PairFailed
        ):
            self.error = type(signal).__name__
            self._lost.set()

    async def _scan(self, code: str) -> None:
        if self._lab.account(self.phone).devices:
            return
        try:
            await self._lab.scan(self.phone, code)
        except LabError as error:
            self.error = error.detail

    # ---- what came of it ----------------------------------------------------------------------------

    @property
    def arrived(self) -> int:
        """How many messages have arrived."""
        return self._arrivals.count

    @property
    def sent(self) -> int:
        """How many messages the network has accepted from it."""
        return self._writer.sent

    def arrivals(self, after: int = 0, limit: int = 1000) -> list[Arrival]:
        """What arrived, in order, from a position on."""
        return self._arrivals.all(after, limit)

    def receipts(self, ids: list[str] | None = None) -> dict[str, dict[str, int]]:
        """For each message it wrote how many receipts of each type came, from all devices."""
        return self._arrivals.receipts(ids)

    async def fetch(self, id_: str) -> bytes:
        """The file that a message brought, downloaded and decrypted by its engine. Raises LabError."""
        described = file_in(base64.b64decode(self._arrivals.get(id_).message))
        path = self.room()
        try:
            await self._command(self._engine().fetch_media(path, **described, max_bytes=_MAX_FETCH))
            return path.read_bytes()
        finally:
            path.unlink(missing_ok=True)

    # ---- what it is told to do ----------------------------------------------------------------------

    @property
    def connection(self) -> Connection | None:
        """Its engine, None while there is none."""
        return self._connection

    def view(self) -> ContactView:
        """How it is."""
        account = self._lab.account(self.phone)
        return ContactView(
            phone=self.phone,
            name=self.name,
            lid=account.lid,
            device=next(iter(account.devices), None),
            state=self.state,
            error=self.error,
            arrived=self.arrived,
            sent=self.sent,
            typing=self.seen_typing,
        )

    async def write(
        self,
        to: str,
        text: str = "message {n}",
        *,
        count: int = 1,
        interval: float = 0.0,
        id_prefix: str = "",
        wait: bool = True,
    ) -> Written:
        """Write messages to a number or address, one after the other, in order.

        Args:
            to: digits, ``<lid>@lid`` or any address.
            text: ``{n}`` stands for the message's number, from 1.
            count: how many.
            interval: seconds between two.
            id_prefix: the ids are this and the number; a fresh one if empty.
            wait: False returns at once and writes on in the background.
        """
        texts = [text.replace("{n}", str(n)) for n in range(1, count + 1)]
        return await self._writer.texts(to, texts, interval=interval, id_prefix=id_prefix, wait=wait)

    async def write_message(self, to: str, message: bytes, id_: str = "") -> Written:
        """Write a serialized waE2E.Message, whatever it is; under a fresh id if none is given."""
        return await self._writer.message(to, message, id_)

    async def write_file(self, to: str, path: Path, attachment: Attachment, id_: str = "") -> Written:
        """Upload a file (an absolute path) through its engine and write a message that brings it."""
        return await self._writer.file(to, path, attachment, id_)

    def room(self) -> Path:
        """A path for a file of its own that is needed for a while."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{secrets.token_hex(8)}.file"

    async def vote(
        self, chat: str, poll_id: str, options: Sequence[str], *, sender: str = "", id_: str = ""
    ) -> Written:
        """Vote in a poll of ``sender``, its own if empty; no options take the vote back."""
        return await self._writer.vote(chat, poll_id, options, sender=sender, id_=id_)

    async def mark_read(self, chat: str, ids: list[str], sender: str = "") -> None:
        """Show messages of a chat as read, in a group those of one sender. Raises LabError."""
        by = str(address_of(sender)) if sender else ""
        await self._command(self._engine().mark_read(str(address_of(chat)), ids, sender=by))

    async def typing(self, chat: str, state: str) -> None:
        """Show ``composing``, ``recording`` or ``paused`` in a chat. Raises LabError."""
        await self._command(self._engine().chat_presence(str(address_of(chat)), state))

    @staticmethod
    async def _command(command: Coroutine[Any, Any, Any]) -> None:
        try:
            await command
        except ConnectionError as error:
            raise LabError(error.code, error.message, 502) from error

    def _engine(self) -> Connection:
        online = self._connected.is_set() and self.state != "logged_out"
        if self._connection is None or self._gone or not online:
            raise LabError(
                "contact_offline", f"{self.phone} is {self.state}: {self.error or 'no error'}", 503
            )
        return self._connection

    async def _patient_engine(self) -> Connection:
        with suppress(TimeoutError):
            async with asyncio.timeout(_READY_TIMEOUT):
                await self._connected.wait()
        return self._engine()
