"""The Ray actor of an instance: a thin shell around `Instance`."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from actors import cluster, logs, metrics, metrics_node, otlp, version
from actors.instance.asked import Subject
from actors.instance.connection.engine import EngineConnection, engine_binary, read_lab_target
from actors.instance.errors import CallFailed
from actors.instance.instance import End, Instance
from actors.registry import History, InstanceRecord
from actors.settings import Settings
from actors.store import Store


def session_store(settings: Settings, instance_id: str) -> str:
    """Where the engine of an instance keeps its session."""
    if settings.session_store:
        return settings.session_store
    folder = settings.data_dir.absolute() / "sessions"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return f"sqlite:{folder / instance_id}.db"


def session_files(settings: Settings, instance_id: str) -> list[Path]:
    """The files of an instance's session, if it is kept in files."""
    return sorted((settings.data_dir.absolute() / "sessions").glob(f"{instance_id}.db*"))


# max_restarts=0: Ray restarts on its own account, without asking who owns the instance. A restart is the
# supervisor's decision, in a new epoch.
@cluster.actor(num_cpus=0, resources={cluster.INSTANCE_SLOT: 1}, max_restarts=0)
class InstanceActor:
    """Owns one WhatsApp account in one epoch."""

    def __init__(self, settings: Settings, record: InstanceRecord, epoch: int) -> None:
        logs.configure(
            settings.log_level,
            events=settings.log_events,
            instance=record.id,
            epoch=epoch,
            node=cluster.current_node(),
        )
        otlp.start(settings.otlp_endpoint, "malote-instance")
        self._settings = settings
        self._record = record
        self._epoch = epoch
        self._instance: Instance | None = None
        self._running: asyncio.Task[End] | None = None
        self._exporting: asyncio.Task[None] | None = None
        self._orders: dict[str, int] = {}
        self._gone = asyncio.Event()

    def __repr__(self) -> str:
        return f"Instance({self._record.id})"

    async def prepare(self) -> None:
        """Get warm: everything is ready but the session, which the predecessor still uses."""
        await self._make().prepare()

    async def start(self) -> None:
        """Begin to own the account. Again is harmless."""
        if self._running is None:
            self._running = asyncio.create_task(self._make().run())
            self._running.add_done_callback(lambda _: self._gone.set())

    async def activate(self) -> None:
        """`start`, and return once the connection stands, or waits for somebody."""
        await self.start()
        await self._work.settled()

    def _make(self) -> Instance:
        if self._instance is not None:
            return self._instance
        settings = self._settings

        def make(record: InstanceRecord) -> EngineConnection:
            # Read anew for each engine: a lab that was restarted may have moved.
            lab = read_lab_target(settings.lab.directory) if settings.lab.directory else None
            return EngineConnection(
                settings.engine or engine_binary(lab=lab is not None),
                lab=lab,
                proxy=record.proxy or "",
                answer_timeout=settings.instance.answer_timeout,
                full_history=record.history is History.FULL,
                send_timeout=settings.outbox.send_timeout,
            )

        self._instance = Instance(
            settings,
            Store(settings.redis_url or "", settings.prefix),
            self._record,
            self._epoch,
            cluster.current_node(),
            make_connection=make,
            session_store=session_store(settings, self._record.id),
        )
        metrics.SAMPLERS.append(self._instance.sample)
        self._exporting = asyncio.create_task(metrics_node.run(settings, "instance"))
        return self._instance

    async def watch(self) -> str:
        """Pends for as long as the instance is owned here; its end, or this process's, ends the call."""
        if self._running is None:
            raise RuntimeError("watch() before start()")
        try:
            return str(await asyncio.shield(self._running))
        except Exception:
            logging.getLogger(__name__).exception("instance failed", extra={"instance": self._record.id})
            raise

    async def gone(self) -> None:
        """Pends until this actor ends, whether or not it has begun to work."""
        # Not for ever: Ray lets an actor exit only when none of its calls is pending any more.
        await self._gone.wait()

    async def drain(self) -> str:
        """Finish the message being sent, disconnect, flush, give the lease back."""
        return str(await self._work.drain())

    async def quiesce(self, order: cluster.Order) -> None:
        """Take no further message from the outbox; returns when the one in flight has its result."""
        self._heed(order)
        await self._work.quiesce()

    async def disconnect(self, order: cluster.Order) -> int:
        """Disconnect, flush, close the session; returns the mailbox's last sequence number."""
        self._heed(order)
        return await self._work.disconnect()

    async def resume(self, order: cluster.Order) -> None:
        """Go on after `quiesce` and `disconnect`."""
        self._heed(order)
        self._work.resume()

    def _heed(self, order: cluster.Order) -> None:
        """Refuse an order that was overtaken on its way: the handoff is past its attempt."""
        handoff_id, attempt = order
        if attempt < self._orders.get(handoff_id, 0):
            raise CallFailed("overtaken", f"attempt {attempt} of {handoff_id} is over")
        self._orders = {handoff_id: attempt}

    async def leave(self) -> None:
        """End this process. Ray's own kill would run no clean-up."""
        self._gone.set()
        if self._running is not None:
            self._running.cancel()
        elif self._instance is not None:
            await self._instance.abandon()
        if self._exporting is not None:
            self._exporting.cancel()
            await asyncio.gather(self._exporting, return_exceptions=True)
        cluster.exit_actor()

    async def configure(self, record: InstanceRecord) -> None:
        """Follow a changed record."""
        self._record = record
        self._work.configure(record)

    async def describe(self) -> dict[str, Any]:
        """What is going on."""
        found = self._make().describe()
        return {"pid": os.getpid(), "version": version.of(self._settings), **found}

    async def ring_outbox(self) -> None:
        """A message was queued."""
        self._work.ring_outbox()

    async def pair_phone(self, phone: str) -> str:
        """A pairing code for this phone number (digits)."""
        return await self._work.pair_phone(phone)

    async def logout(self) -> None:
        """Unlink the device."""
        await self._work.logout()

    async def mark_read(
        self, chat: str, message_ids: Sequence[str], sender: str | None = None, played: bool = False
    ) -> None:
        """Tell the sender that messages were read (or played)."""
        await self._work.mark_read(chat, message_ids, sender, played)

    async def chat_presence(self, chat: str, state: str) -> None:
        """Show ``composing``, ``recording`` or ``paused`` in a chat."""
        await self._work.chat_presence(chat, state)

    async def check_numbers(self, phones: Sequence[str]) -> list[dict[str, Any]]:
        """Which numbers (E.164) are on WhatsApp."""
        return await self._work.check_numbers(phones)

    async def picture(self, jid: str, preview: bool = False) -> dict[str, str]:
        """Where a profile picture is."""
        return await self._work.picture(jid, preview)

    async def ask(self, subject: Subject, method: str, *args: Any) -> Any:
        """Ask or change something about groups, people or the account."""
        return await self._work.ask(subject, method, *args)

    @property
    def _work(self) -> Instance:
        if self._instance is None:
            raise RuntimeError("called before start()")
        return self._instance


def create(settings: Settings, record: InstanceRecord, epoch: int, *, node: str, name: str) -> cluster.Handle:
    """Create an instance's actor on a node: detached, in the namespace of the settings."""
    options: Any = InstanceActor
    handle: cluster.Handle = options.options(
        name=name,
        namespace=settings.namespace,
        lifetime="detached",
        scheduling_strategy=cluster.on_node(node),
    ).remote(settings, record, epoch)
    return handle
