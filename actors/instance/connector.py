"""Drives an engine: start it, connect, watch, decide what an ending means, again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import timedelta
from typing import Any

from actors import metrics
from actors.instance import measured
from actors.instance.announcer import Announcer
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import (
    Connection,
    ConnectionError,
    DurableEvent,
    PassingEvent,
    Signal,
)
from actors.instance.liveness import Liveness
from actors.instance.policy import Ended, Ending, after
from actors.instance.signals import ended_by, lid_of, phone_of
from actors.instance.watchdog import Reconnect
from actors.registry import ConnectionState, now
from actors.settings import InstanceSettings

log = logging.getLogger(__name__)

Sink = Callable[[DurableEvent | PassingEvent, int], Awaitable[bool]]
Changed = object()
"""Wakes a wait for signals: what is wanted or allowed may have changed."""
SESSION_LOST = (
    "the session store has no session of it. If the phone unlinked the device, log the instance out and pair "
    "it again; else see that the store is the right one"
)


class Connector:
    """Keeps an instance connected while that is wanted and allowed.

    Args:
        make: a new engine connection, not started.
        store: where the engine keeps the session, as in ``Connection.open``.
        allowed: False while another owner might be at work (the lease is not held).
        sink: stores an event, as ``Handler.on_event`` does.
        blocked: why events could not be stored now, None if they could; asked before a park ends.
        logged_in: called at each login.
    """

    def __init__(
        self,
        *,
        instance_id: str,
        make: Callable[[], Connection],
        store: str,
        settings: InstanceSettings,
        announcer: Announcer,
        allowed: Callable[[], bool],
        sink: Sink,
        blocked: Callable[[], Awaitable[str | None]],
        logged_in: Callable[[], None] = lambda: None,
    ) -> None:
        self._instance_id = instance_id
        self._make = make
        self._store = store
        self._settings = settings
        self._announcer = announcer
        self._allowed = allowed
        self._sink = sink
        self._blocked = blocked
        self._on_login = logged_in
        self._parked = False
        self._connection: Connection | None = None
        self._inbox: asyncio.Queue[Signal | object] = asyncio.Queue()
        self._desired = False
        self._waits_for_request = False
        self._draining = False
        self._renewing = False
        self._suspended: asyncio.Event | None = None
        self._unwanted = asyncio.Event()
        self._failures = 0
        self._rounds = 0
        self._warm: Connection | None = None
        self._forgetting = False
        self.session_lost = False
        """The instance is paired, and the session store has nothing of it."""
        self._liveness = Liveness(instance_id, settings, self._inbox.put_nowait)
        self.online = asyncio.Event()
        self.settled = asyncio.Event()
        """Set once the connection stands, or waits for somebody: a scan, a wish, another configuration."""

    # ---- what is wanted ----

    def want(self, connected: bool) -> None:
        """Say whether a connection is desired. Also ends a wait for somebody to ask again."""
        self._desired = connected
        self._waits_for_request = False
        self._failures = self._rounds = 0
        self.poke()

    def renew(self) -> None:
        """Disconnect, and then go on with an engine that is made anew: how it is made has changed."""
        self._renewing = True
        self.poke()

    def drain(self) -> None:
        """Disconnect for good; `run` returns when that is done."""
        self._draining = True
        self.poke()

    def suspend(self) -> asyncio.Event:
        """Disconnect and close the session, whatever is wanted, until `resume`.

        Returns:
            Set when that is done: no event comes any more, and the session's lock is free.
        """
        self._suspended = self._suspended or asyncio.Event()
        self.poke()
        return self._suspended

    def resume(self) -> None:
        """Follow again what is wanted."""
        self._suspended = None
        self.poke()

    def poke(self) -> None:
        """Look again at what is wanted and allowed."""
        if self._wanted():
            self._unwanted.clear()
        else:
            self._unwanted.set()
        self._inbox.put_nowait(Changed)

    def _wanted(self) -> bool:
        return (
            self._desired
            and not self._draining
            and not self._renewing
            and not self._waits_for_request
            and self._suspended is None
            and self._allowed()
        )

    # ---- what others may use ----

    @property
    def connection(self) -> Connection:
        """The engine, for calls that need a login.

        Raises:
            ConnectionError: not connected.
        """
        if self._connection is None or not self.online.is_set():
            state = self._announcer.state
            why = f" ({state.reason})" if state.reason else ""
            raise ConnectionError("not_connected", f"the instance is {state.connection}{why}, not connected")
        return self._connection

    @property
    def engine_pid(self) -> int | None:
        """The engine's process, if one runs."""
        return self._connection.pid if self._connection is not None else None

    async def pair_phone(self, phone: str) -> str:
        """A pairing code for this phone number (digits).

        Raises:
            ConnectionError
        """
        if self._announcer.state.device:
            raise ConnectionError("already_paired", "the instance is paired; log it out first")
        if self._connection is None or self._announcer.state.connection is not ConnectionState.PAIRING:
            raise ConnectionError("not_connected", "the instance is not ready to pair yet; try again shortly")
        return await self._connection.pair_phone(phone)

    async def logout(self) -> None:
        """Unlink the device.

        Raises:
            ConnectionError
        """
        if self.session_lost:
            # There is nothing to unlink it with.
            self._forgetting = True
            self.poke()
            return
        await self.connection.logout()
        self._inbox.put_nowait(pb.LoggedOut(reason="logged out by request"))

    # ---- the loop ----

    async def warm_up(self) -> None:
        """Start the engine's process, so that connecting later takes no longer than the network does.

        Raises:
            ConnectionError: it does not start.
        """
        if self._connection is None and self._warm is None:
            self._warm = await self._started()

    async def run(self) -> None:
        """Keep connecting until drained. When cancelled, the engine ends at once."""
        try:
            while not self._draining:
                if self._renewing:
                    await self._hang_up()
                    await self.end()
                    self._renewing = False
                    self.poke()
                    continue
                if self._forgetting:
                    self._forgetting = self.session_lost = False
                    await self._follow(Ended(Ending.LOGGED_OUT, "logged out by request"))
                    continue
                if not self._wanted():
                    await self._rest()
                    await self._inbox.get()
                    continue
                ended = await self._session()
                self.online.clear()
                await self._follow(ended)
            await self._hang_up()
        finally:
            await asyncio.shield(self.end())

    async def end(self) -> None:
        """End the engine at once: nothing unstored is acknowledged."""
        await self._end_engine()
        if self._warm is not None:
            warm, self._warm = self._warm, None
            await warm.close()

    async def _rest(self) -> None:
        """Be disconnected, and say why."""
        await self._hang_up()
        if self._suspended is not None:
            await self.end()
            self._suspended.set()
            return
        self.settled.set()
        if self._desired and not self._allowed():
            if self._announcer.state.connection is not ConnectionState.PARKED:
                metrics.PARKS.labels("lease").inc()
            self._announcer.change(ConnectionState.PARKED, "the lease could not be renewed in Redis")
        elif not self._desired:
            # Nobody needs the engine: its memory goes back.
            await self._end_engine()
            self._announcer.change(ConnectionState.DISCONNECTED, "disconnected by request")

    async def _follow(self, ended: Ended) -> None:
        if ended.ending is Ending.WANTED:
            return
        measured.ended(ended.ending, parked=self._parked)
        self._parked = ended.ending is Ending.PARKED
        if ended.ending is Ending.PAIRING_EXPIRED:
            self._rounds += 1
        following = after(ended, failures=self._failures, rounds=self._rounds, settings=self._settings)
        self._failures += 1
        level = logging.INFO if ended.ending is Ending.PAIRING_EXPIRED else logging.WARNING
        log.log(level, "connection ended", extra={"instance": self._instance_id, "ending": ended.ending})
        # Before anybody hears of it: who does may ask for a connection while the engine is still being ended.
        self._waits_for_request = following.delay is None
        facts = {"device": None, "lid": None, "phone": None} if ended.ending is Ending.LOGGED_OUT else {}
        self._announcer.change(following.state, ended.reason or ended.ending.replace("_", " "), **facts)
        if following.fresh_engine:
            await self._end_engine()
        else:
            await self._hang_up()
        if following.delay is None:
            self.settled.set()
        else:
            await self._pause(following.delay)

    async def _pause(self, seconds: float) -> None:
        """Wait, but no longer than until something changes."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while await self._inbox.get() is not Changed:
                    pass

    async def _session(self) -> Ended:
        """One connection, from the attempt to its end."""
        if self._parked and (reason := await self._blocked()) is not None:
            return Ended(Ending.PARKED, reason)
        try:
            if not await self._unless_unwanted(self._connect()):
                return Ended(Ending.WANTED)
        except ConnectionError as error:
            if error.code == "engine_gone":
                return Ended(Ending.ENGINE_GONE, error.message)
            if error.code == "not_paired":
                self.session_lost = True
                return Ended(Ending.SESSION_LOST, SESSION_LOST)
            return Ended(Ending.CONNECT_FAILED, f"{error.code}: {error.message}")
        self.session_lost = False
        paired = bool(self._announcer.state.device)
        if paired and self._announcer.state.connection is not ConnectionState.CONNECTING:
            self._announcer.connecting()
        try:
            ended = await self._watch(paired)
        finally:
            self._liveness.stop()
        if ended.ending is Ending.WANTED:
            # What is not wanted may have been unlinked at the same moment, which the engine tells once.
            told = await self._hung_up(ended)
            return told if told.ending is Ending.LOGGED_OUT else ended
        return ended

    async def _connect(self) -> None:
        connection = await self._engine()
        self._forget_signals()
        await connection.connect()

    async def _unless_unwanted(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do some work, unless it is not wanted any more before it is done. Says whether it was done."""
        doing = asyncio.create_task(work)
        stop = asyncio.create_task(self._unwanted.wait())
        try:
            await asyncio.wait([doing, stop], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            cut_short = not doing.done()
            doing.cancel()
            await asyncio.gather(doing, return_exceptions=True)
        if cut_short:
            await self._end_engine()
            return False
        doing.result()
        return True

    async def _watch(self, paired: bool) -> Ended:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.login_timeout if paired else None
        while self._wanted():
            try:
                async with asyncio.timeout_at(deadline):
                    signal = await self._inbox.get()
            except TimeoutError:
                return Ended(Ending.LOGIN_TIMEOUT, "WhatsApp did not answer the login in time")
            match signal:
                case pb.Connected():
                    deadline = None
                    self._logged_in(signal)
                    if self._connection is not None:
                        self._liveness.start(self._connection)
                case pb.KeepAlive(ok=False):
                    self._liveness.doubt()
                case Reconnect():
                    reason = f"WhatsApp said nothing for {signal.silence:.0f} s, asked {signal.probes} times"
                    return await self._hung_up(Ended(Ending.SILENT, reason))
                case pb.Paired():
                    deadline = loop.time() + self._settings.login_timeout
                    self._paired(signal)
                case pb.Qr():
                    expires = now() + timedelta(milliseconds=signal.valid_ms)
                    self._announcer.qr(signal.code, expires)
                    self.settled.set()
                case _:
                    ended = ended_by(signal)
                    if ended is not None:
                        return await self._hung_up(ended) if ended.ending is Ending.LOST else ended
        return Ended(Ending.WANTED)

    async def _hung_up(self, ended: Ended) -> Ended:
        """Hang up after an unexplained end; returns the end, as the engine explained it meanwhile."""
        await self._hang_up()
        # If another connection took over, do not fight it.
        waiting = [self._inbox.get_nowait() for _ in range(self._inbox.qsize())]
        for signal in waiting:
            self._inbox.put_nowait(signal)
        return next(filter(None, map(ended_by, waiting)), ended)

    def _paired(self, signal: pb.Paired) -> None:
        self._rounds = 0
        self._announcer.change(
            ConnectionState.CONNECTING,
            device=signal.device,
            phone=phone_of(signal.device),
            lid=lid_of(signal.lid),
        )

    def _logged_in(self, signal: pb.Connected) -> None:
        metrics.CONNECTS.inc()
        self._failures = self._rounds = 0
        self._announcer.change(
            ConnectionState.CONNECTED,
            device=signal.device,
            phone=phone_of(signal.device),
            lid=lid_of(signal.lid),
            push_name=signal.push_name or None,
        )
        self.online.set()
        self.settled.set()
        self._on_login()

    # ---- the engine ----

    async def _engine(self) -> Connection:
        """The running engine with its session open; starts one if there is none."""
        if self._connection is not None:
            return self._connection
        connection, self._warm = self._warm or await self._started(), None
        try:
            opened = await connection.open(
                store=self._store,
                device=self._announcer.state.device or "",
                session=self._instance_id,
                lock_wait_ms=int(self._settings.store_lock_wait * 1000),
            )
        except BaseException:
            await asyncio.shield(connection.close())
            raise
        self._connection = connection
        if (opened.device or None) != self._announcer.state.device:
            # The session store knows better: pairing may have ended in a crash before we wrote it down.
            self._announcer.learn(
                device=opened.device or None, phone=phone_of(opened.device), lid=lid_of(opened.lid)
            )
        return connection

    async def _started(self) -> Connection:
        connection = self._make()
        try:
            await connection.start(self)
        except BaseException:
            await asyncio.shield(connection.close())
            raise
        return connection

    async def _hang_up(self) -> None:
        self.online.clear()
        if self._connection is None:
            return
        try:
            await self._connection.disconnect()
        except ConnectionError as error:
            log.warning(
                "engine does not disconnect", extra={"instance": self._instance_id, "code": error.code}
            )
            await self._end_engine()

    async def _end_engine(self) -> None:
        self.online.clear()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    def _forget_signals(self) -> None:
        while not self._inbox.empty():
            self._inbox.get_nowait()

    # ---- Handler ----

    async def on_event(self, event: DurableEvent | PassingEvent, received_at_ms: int) -> bool:
        """Store one event."""
        return await self._sink(event, received_at_ms)

    def on_signal(self, signal: Signal) -> None:
        """Note what the engine says about the connection."""
        if not isinstance(signal, pb.Connected | pb.KeepAlive | pb.OfflinePreview | pb.OfflineDone):
            self.online.clear()
        self._inbox.put_nowait(signal)
