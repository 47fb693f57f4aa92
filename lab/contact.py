"""A person to talk to: an account whose companion device is a real client, run by an engine of its own."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
from collections.abc import Coroutine
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
from actors.instance.connection.mapping import text_message
from lab.accounts import LabError
from lab.wire import LIDS, USERS, Jid

if TYPE_CHECKING:
    from lab.network import Lab
    from lab.state import State

log = logging.getLogger(__name__)

_LOCK_WAIT_MS = 10_000
_READY_TIMEOUT = 60.0
_RECONNECT_DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
_FINAL = frozenset({"bad_request", "not_on_whatsapp", "unsupported", "not_paired"})
Phase = Literal["starting", "connected", "reconnecting", "logged_out", "failed", "stopped"]


class Arrival(BaseModel):
    """A message that a contact's device received."""

    position: int = Field(description="Grows with every arrival: read on with ?after=")
    id: str
    sender: str = Field(description="Digits if the number is known, else the LID")
    chat: str
    from_me: bool = Field(description="Written by another device of the contact's own account")
    text: str
    kind: str
    sent_at_ms: int
    arrived_at_ms: int
    repeated: bool = Field(description="This id had arrived before from the same sender")


class Written(BaseModel):
    """What became of a command to write."""

    ids: list[str] = Field(description="The ids of all messages, in the order of writing")
    sent: int = Field(description="How many of them, from the first, the network has accepted")
    error: str | None = Field(None, description="Why the rest was not sent")
    done: bool = True


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
        self.sent = 0
        self.state: Phase = "starting"
        self.error: str | None = None
        self._lab = lab
        self._state = state
        self._folder = lab.state_dir / "contacts" / phone
        self._binary = binary
        self._connection: Connection | None = None
        self._connected = asyncio.Event()
        self._writing = asyncio.Lock()
        self._jobs: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None
        self.seen_typing: dict[str, str] = {}
        self._lost = asyncio.Event()
        self._gone = False
        self.arrived = state.rows("SELECT count(*) FROM arrival WHERE contact = ?", phone)[0][0]

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
        tasks = [*self._jobs, *([self._runner] if self._runner else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._connection:
            await self._connection.close()
        self.state = "stopped"

    def forget(self) -> None:
        """Delete its session and what arrived."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._state.run("DELETE FROM arrival WHERE contact = ?", self.phone)
        self._state.run("DELETE FROM receipt WHERE contact = ?", self.phone)

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
            self._keep(event, received_at_ms)
        elif isinstance(event, pb.Receipt):
            self._state.run_many(
                "INSERT INTO receipt VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
                [(self.phone, id_, event.type) for id_ in event.message_ids],
            )
        elif isinstance(event, pb.ChatPresenceEvent):
            self.seen_typing[event.sender.phone or event.sender.lid] = event.state
        return True

    def on_signal(self, signal: Signal) -> None:
        """Follow the connection."""
        if isinstance(signal, pb.Qr):
            self._start(self._scan(signal.code))
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

    def _keep(self, message: pb.Message, received_at_ms: int) -> None:
        info = message.info
        sender = info.sender.phone or info.sender.lid
        arrival = Arrival(
            position=0,
            id=info.id,
            sender=sender,
            chat=info.chat.phone or info.chat.lid or info.chat.jid,
            from_me=info.from_me,
            text=message.text,
            kind=message.kind,
            sent_at_ms=info.timestamp_ms,
            arrived_at_ms=received_at_ms,
            repeated=self._has(sender, info.id),
        )
        self._state.run(
            "INSERT INTO arrival (contact, sender, id, json) VALUES (?, ?, ?, ?)",
            self.phone,
            sender,
            info.id,
            arrival.model_dump_json(exclude={"position"}),
        )
        self.arrived += 1

    def _has(self, sender: str, id_: str) -> bool:
        query = "SELECT 1 FROM arrival WHERE contact = ? AND id = ? AND sender = ? LIMIT 1"
        return bool(self._state.rows(query, self.phone, id_, sender))

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

    def arrivals(self, after: int = 0, limit: int = 1000) -> list[Arrival]:
        """What arrived, in order, from a position on."""
        rows = self._state.rows(
            "SELECT position, json FROM arrival WHERE contact = ? AND position > ? ORDER BY position LIMIT ?",
            self.phone,
            after,
            limit,
        )
        return [Arrival.model_validate_json(f'{{"position":{row[0]},{row[1][1:]}') for row in rows]

    def receipts(self, ids: list[str] | None = None) -> dict[str, dict[str, int]]:
        """For each message it wrote how many receipts of each type came, from all devices."""
        found: dict[str, dict[str, int]] = {id_: {} for id_ in ids or []}
        query = "SELECT id, kind, count FROM receipt WHERE contact = ?"
        if ids is None:
            rows = self._state.rows(query, self.phone)
        else:
            rows = [row for id_ in ids for row in self._state.rows(f"{query} AND id = ?", self.phone, id_)]
        for id_, kind, count in rows:
            found.setdefault(id_, {})[kind] = count
        return found

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
        prefix = id_prefix or f"3EB0{secrets.token_hex(6).upper()}"
        ids = [f"{prefix}{n:06d}" for n in range(1, count + 1)]
        result = Written(ids=ids, sent=0, done=False)
        texts = [text.replace("{n}", str(n)) for n in range(1, count + 1)]
        task = self._start(self._write(_address(to), result, texts, interval))
        if wait:
            await asyncio.shield(task)
        return result

    async def mark_read(self, chat: str, ids: list[str], sender: str = "") -> None:
        """Show messages of a chat as read, in a group those of one sender. Raises LabError."""
        by = str(_address(sender)) if sender else ""
        await self._command(self._engine().mark_read(str(_address(chat)), ids, sender=by))

    async def typing(self, chat: str, state: str) -> None:
        """Show ``composing``, ``recording`` or ``paused`` in a chat. Raises LabError."""
        await self._command(self._engine().chat_presence(str(_address(chat)), state))

    @staticmethod
    async def _command(command: Coroutine[Any, Any, None]) -> None:
        try:
            await command
        except ConnectionError as error:
            raise LabError(error.code, error.message, 502) from error

    def _engine(self) -> Connection:
        if self._connection is None or self._gone or not self._connected.is_set():
            raise LabError(
                "contact_offline", f"{self.phone} is {self.state}: {self.error or 'no error'}", 503
            )
        return self._connection

    async def _write(self, to: Jid, result: Written, texts: list[str], interval: float) -> None:
        async with self._writing:
            for id_, text in zip(result.ids, texts, strict=True):
                result.error = await self._send(str(to), id_, text_message(text))
                if result.error:
                    break
                result.sent += 1
                self.sent += 1
                if interval:
                    await asyncio.sleep(interval)
        result.done = True

    async def _send(self, to: str, id_: str, message: bytes) -> str | None:
        error = ""
        for delay in _RECONNECT_DELAYS:
            with suppress(TimeoutError):
                async with asyncio.timeout(_READY_TIMEOUT):
                    await self._connected.wait()
            try:
                await self._engine().send(to, id_, message)
            except ConnectionError as failure:
                error = str(failure)
                if failure.code in _FINAL:
                    return error
            except LabError as failure:
                return failure.detail
            else:
                return None
            await asyncio.sleep(delay)
        return error

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)
        return task


def _address(to: str) -> Jid:
    user, _, server = to.lstrip("+").partition("@")
    if not user or (not server and not user.isdigit()):
        raise LabError("bad_address", f"{to!r} is neither a number nor an address such as 123@lid", 422)
    return Jid(user, {"lid": LIDS, "": USERS}.get(server, server))
