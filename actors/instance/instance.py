"""An instance at work: lease, connection, mailbox and outbox put together, without Ray."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from enum import StrEnum
from functools import partial
from typing import Any

from actors import logs
from actors.events import EventDraft, EventType
from actors.instance import measured
from actors.instance.announcer import Announcer
from actors.instance.asked import Asked, Subject
from actors.instance.calls import CallKeeper
from actors.instance.chats.keeper import ChatKeeper
from actors.instance.chats.queries import ChatQueries
from actors.instance.chats.shelf import ChatShelf
from actors.instance.composer import Composer
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import Connection, ConnectionError, DurableEvent, PassingEvent
from actors.instance.connection.mapping import ChatIds, draft_of, refers_to
from actors.instance.connector import Connector
from actors.instance.contacts.contacts import Contacts
from actors.instance.contacts.facts import Kind, absence_of
from actors.instance.downloads import Downloads
from actors.instance.errors import CallFailed
from actors.instance.groups import GroupQueries
from actors.instance.history import HistoryReader
from actors.instance.jobs import Jobs
from actors.instance.known import KnownMessages
from actors.instance.lease import Lease
from actors.instance.made_groups import MadeGroups
from actors.instance.mailbox import Mailbox, MailboxFull
from actors.instance.old_files import FileQueries, OldFiles
from actors.instance.outbox import Outbox
from actors.instance.presence import Presence
from actors.instance.refusals import call_failure
from actors.instance.sender import Sender
from actors.instance.upkeep import Upkeep
from actors.instance.uploads import Uploads
from actors.instance.waiting_files import Job, with_download
from actors.media.linker import Linker
from actors.media.store import open_store
from actors.registry import Desired, InstanceRecord, Registry
from actors.settings import Settings
from actors.store import StaleEpoch, Store, StoreUnavailable

log = logging.getLogger(__name__)


class End(StrEnum):
    """Why an instance's owner ended."""

    DRAINED = "drained"
    FENCED = "fenced"


class Instance:
    """The owner of one WhatsApp account in one epoch.

    Args:
        record: what the customer configured.
        epoch: ours, granted by the supervisor.
        node: where we run, for people.
        make_connection: a new engine connection, not started.
        session_store: where the engine keeps the session, as in ``Connection.open``.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        record: InstanceRecord,
        epoch: int,
        node: str,
        *,
        make_connection: Callable[[InstanceRecord], Connection],
        session_store: str,
    ) -> None:
        self.record = record
        self.epoch = epoch
        self._settings = settings
        self._store = store
        self._mailbox = Mailbox(store, record.id, settings.mailbox)
        self._known = KnownMessages(self._mailbox)
        self._chats = ChatIds()
        self._files = open_store(settings)
        registry = Registry(store)
        self._announcer = Announcer(registry, self._mailbox, record.id, epoch, node)
        self._lease = Lease(registry, record.id, epoch, settings.instance, lambda: self._connector.poke())
        self._connector = Connector(
            instance_id=record.id,
            make=lambda: make_connection(self.record),
            store=session_store,
            settings=settings.instance,
            announcer=self._announcer,
            allowed=lambda: self._lease.held,
            sink=self._on_event,
            blocked=self._blocked,
            logged_in=lambda: self._presence.logged_in(),
        )
        self._presence = Presence(
            self._mailbox,
            epoch,
            wanted=lambda: self.record.show_online,
            online=self._connector.online,
            query=partial(self._query, "presence"),
        )
        outbox = Outbox(store, self._mailbox, settings.outbox)
        self._sender = Sender(
            epoch=epoch,
            outbox=outbox,
            settings=settings.outbox,
            online=self._connector.online,
            connection=lambda: self._connector.connection,
            composer=Composer(self._known, self._chats, settings.outbox),
            uploads=Uploads(
                epoch=epoch,
                outbox=outbox,
                files=self._files,
                settings=settings.media,
                connection=lambda: self._connector.connection,
            ),
            chats=self._chats,
            account=lambda: self._announcer.state.phone,
        )
        waiting = Jobs(self._mailbox, epoch, "downloads", Job)
        self._downloads = Downloads(
            instance_id=record.id,
            waiting=waiting,
            files=self._files,
            linker=Linker(store, settings),
            settings=settings.media,
            online=self._connector.online,
            connection=lambda: self._connector.connection,
            cap=lambda: self._file_cap,
        )
        old_files = OldFiles(self._mailbox, epoch, settings.history)
        self._history = HistoryReader(
            instance_id=record.id,
            epoch=epoch,
            old_files=old_files,
            mailbox=self._mailbox,
            chats=self._chats,
            room=self._files.scratch.absolute(),
            settings=settings.history,
            online=self._connector.online,
            connection=lambda: self._connector.connection,
            wanted=lambda: self.record.history,
            account=lambda: self._announcer.state.phone,
        )

        async def needed() -> set[str]:
            return self._downloads.ids() | await outbox.files()

        self._upkeep = Upkeep(record.id, self._files, settings.media, needed)
        self._handlers = measured.Handlers()
        self._queries = asyncio.Semaphore(settings.instance.query_concurrency)
        self._fenced = asyncio.Event()
        self._contacts = Contacts(
            store=store,
            mailbox=self._mailbox,
            epoch=epoch,
            settings=settings.contact,
            chats=self._chats,
            online=self._connector.online,
            connection=lambda: self._connector.connection,
            patience=settings.instance.query_timeout,
            fenced=self._fenced.set,
        )
        self._list = ChatKeeper(self._mailbox, epoch)
        chats = ChatQueries(
            partial(self._query, "chats"), ChatShelf(self._mailbox), self._known, self._chats.known
        )
        groups = GroupQueries(partial(self._query, "groups"))
        made = MadeGroups(
            self._mailbox,
            epoch,
            settings.outbox.idempotency_ttl,
            create=groups.create,
            groups=groups.all,
            own=lambda: {one for one in (self._announcer.state.phone, self._announcer.state.lid) if one},
        )
        self._asked = Asked(
            self._query,
            lambda: self._announcer.state,
            self._contacts,
            chats,
            groups=groups,
            made=made,
            files=FileQueries(
                record.id, old=old_files, known=self._known, waiting=waiting, downloads=self._downloads
            ),
            watched=self._presence.watched,
            renamed=self._renamed,
        )
        self._calls = CallKeeper(
            epoch=epoch,
            policy=lambda: self.record.calls,
            reject=lambda caller, call_id: self.ask("people", "reject_call", caller, call_id),
            outbox=outbox,
            ring=self._sender.ring,
            account=lambda: self._announcer.state.phone,
        )
        self._ended: asyncio.Future[End] = asyncio.get_running_loop().create_future()

    # ---- life ----

    async def prepare(self) -> None:
        """Get ready to own the account: the engine runs, Redis was reached; the session is not opened yet.

        Raises:
            CallFailed, StoreUnavailable
        """
        try:
            await self._connector.warm_up()
        except ConnectionError as error:
            raise CallFailed(error.code, error.message) from None
        self._chats.load(await self._mailbox.chats())

    async def settled(self) -> None:
        """Wait until the connection stands, or waits for somebody (a scan, a wish to connect)."""
        await self._connector.settled.wait()

    async def abandon(self) -> None:
        """Never mind: end what `prepare` started."""
        await self._connector.end()

    async def run(self) -> End:
        """Own the account until drained or fenced."""
        logs.bind(instance=self.record.id, epoch=self.epoch)
        try:
            await self._take_over()
            end = await self._work()
        except StaleEpoch as error:
            log.warning(
                "fenced", extra={"instance": self.record.id, "mine": error.mine, "now": error.current}
            )
            end = End.FENCED
        self._ended.set_result(end)
        return end

    async def _take_over(self) -> None:
        """Learn what the predecessor left, however long Redis is away."""
        while True:
            try:
                if await self._lease.renew():
                    self._chats.load(await self._mailbox.chats())
                    await self._announcer.restore()
                    return
            except StoreUnavailable as error:
                log.warning("waiting for Redis", extra={"instance": self.record.id, "error": str(error)})
            await asyncio.sleep(0.2)

    async def _work(self) -> End:
        self._connector.want(self.record.desired is Desired.CONNECTED)
        connector = asyncio.create_task(self._connector.run())
        announcer = asyncio.create_task(self._announcer.run())
        helpers = [
            announcer,
            asyncio.create_task(self._lease.keep()),
            asyncio.create_task(self._sender.run()),
            asyncio.create_task(self._downloads.run()),
            asyncio.create_task(self._history.run()),
            asyncio.create_task(self._upkeep.run()),
            asyncio.create_task(self._contacts.run()),
            asyncio.create_task(self._list.run()),
            asyncio.create_task(self._presence.run()),
            asyncio.create_task(self._until_fenced()),
        ]
        try:
            done, _ = await asyncio.wait([connector, *helpers], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await self._announcer_finished(announcer)
            await Registry(self._store).release(self.record.id, self.epoch)
            return End.DRAINED
        finally:
            self._calls.close()
            for task in (connector, *helpers):
                task.cancel()
            await asyncio.gather(connector, *helpers, return_exceptions=True)

    async def _until_fenced(self) -> None:
        await self._fenced.wait()
        raise StaleEpoch(self.epoch, None)

    async def _announcer_finished(self, announcer: asyncio.Task[None]) -> None:
        flushed = asyncio.create_task(self._announcer.flushed())
        await asyncio.wait([announcer, flushed], timeout=5.0, return_when=asyncio.FIRST_COMPLETED)
        flushed.cancel()

    async def quiesce(self) -> None:
        """Take no further message from the outbox; returns when the one in flight has its result."""
        await asyncio.gather(self._sender.quiesce(), self._downloads.pause(), self._history.pause())

    async def disconnect(self) -> int:
        """Disconnect, flush, close the session, and stay so until `resume`.

        Returns:
            The last sequence number in the mailbox.

        Raises:
            CallFailed: this owner has ended.
        """
        suspended = asyncio.ensure_future(self._connector.suspend().wait())
        ended = asyncio.ensure_future(asyncio.shield(self._ended))
        await asyncio.wait({suspended, ended}, return_when=asyncio.FIRST_COMPLETED)  # type: ignore[type-var]
        suspended.cancel()
        if self._ended.done():
            raise CallFailed("gone", f"this owner has ended: {self._ended.result()}")
        await self._announcer.flushed()
        return (await self._mailbox.extent())[1]

    def resume(self) -> None:
        """Go on after `quiesce` and `disconnect`: the successor did not come to be."""
        self._sender.resume()
        self._downloads.resume()
        self._history.resume()
        self._connector.resume()

    async def drain(self) -> End:
        """Finish the message being sent, disconnect, flush, give the lease back, end."""
        try:
            async with asyncio.timeout(10.0):
                await self.quiesce()
        except TimeoutError:
            # The successor sends it again under its id.
            log.warning("a send outlived the drain", extra={"instance": self.record.id})
        self._connector.drain()
        return await asyncio.shield(self._ended)

    def configure(self, record: InstanceRecord) -> None:
        """Follow a changed record, or a repeated wish to connect."""
        if record.revision == self.record.revision:
            return
        before, self.record = self.record, record
        if record.proxy != before.proxy:
            self._connector.renew()
        if record.show_online != before.show_online:
            self._presence.changed()
        self._connector.want(record.desired is Desired.CONNECTED)

    def _renamed(self, name: str) -> None:
        self._announcer.learn(push_name=name)
        self._presence.renamed()

    # ---- events ----

    def sample(self) -> None:
        """Set the gauges of what is measured here."""
        self._contacts.sample()
        measured.sample(self.record.id, self._handlers, self._connector.engine_pid, self._settings.metrics)

    async def _on_event(self, event: DurableEvent | PassingEvent, received_at_ms: int) -> bool:
        message = {"message_id": event.info.id} if isinstance(event, pb.Message) else {}
        facts = {"instance": self.record.id, "epoch": self.epoch, "came": type(event).__name__}
        with self._handlers.one(), logs.bound(**facts, **message):
            return await self._append(event, received_at_ms)

    async def _append(self, event: DurableEvent | PassingEvent, received_at_ms: int) -> bool:
        aliases: dict[str, str] = {}
        try:
            target_id = refers_to(event) if isinstance(event, pb.Message) else None
            target = await self._known.get(target_id) if target_id else None
            draft = self._contacts.told(draft_of(event, self._chats, received_at_ms, target))
            draft = self._with_work(event, draft)
            measured.received(draft.type.value)
            aliases = self._chats.unsaved()
            await self._mailbox.append(self.epoch, draft, aliases=aliases)
            measured.stored(received_at_ms)
            await self._calls.heed(draft)
        except StaleEpoch:
            measured.refused("fenced")
            self._fenced.set()
            return False
        except (MailboxFull, StoreUnavailable) as error:
            measured.refused("mailbox_full" if isinstance(error, MailboxFull) else "store_unavailable")
            log.warning("event refused", extra={"instance": self.record.id, "error": str(error)})
            return False
        self._chats.saved(aliases)
        self._contacts.heed(draft)
        self._list.ring()
        if draft.waiting is not None:
            worker = self._history if draft.waiting.work == "history" else self._downloads
            worker.take(draft.waiting.job)
        return True

    def _with_work(self, event: DurableEvent | PassingEvent, draft: EventDraft) -> EventDraft:
        if isinstance(event, pb.Message) and draft.type is EventType.HISTORY_OFFERED:
            return self._history.offered(draft, event)
        on, record = self._settings.media.download, self.record
        return with_download(
            draft,
            record.id,
            on=on if record.download is None else record.download,
            cap=self._file_cap,
            room=self._downloads.room,
        )

    @property
    def _file_cap(self) -> int:
        return self.record.download_bytes or self._settings.media.download_bytes

    async def _blocked(self) -> str | None:
        """Why an event could not be stored now."""
        try:
            depth = await self._mailbox.depth()
        except StoreUnavailable as error:
            log.warning("still parked", extra={"instance": self.record.id, "error": str(error)})
            return "Redis cannot be used"
        bound = self._settings.mailbox.hard_bound
        # Not at the bound itself: one slow endpoint would make the instance park and connect at every event.
        if depth > bound * 0.9:
            # Without the number: what is new is an event, which is one more that is undelivered.
            return f"{bound} events may be undelivered, and about as many are: see to the instance's webhooks"
        return None

    # ---- calls ----

    async def ask(self, subject: Subject, method: str, *args: Any) -> Any:
        """Ask or change something about groups, people, chats, newsletters, the account or its history.

        Args:
            subject: as `Asked` knows them.
            method: of the object that answers for the subject.

        Raises:
            CallFailed
        """
        return await self._asked.ask(subject, method, *args)

    @asynccontextmanager
    async def _query(self, kind: str) -> AsyncIterator[Connection]:
        """A bounded place for a query, with a deadline, errors turned into ours."""
        deadline = self._settings.instance.query_timeout
        try:
            async with measured.query(kind), asyncio.timeout(deadline), self._queries:
                yield self._connector.connection
        except ConnectionError as error:
            raise call_failure(error) from None
        except TimeoutError:
            raise CallFailed("timeout", "WhatsApp did not answer in time") from None

    def ring_outbox(self) -> None:
        """A message was queued."""
        self._sender.ring()

    async def pair_phone(self, phone: str) -> str:
        """A pairing code for this phone number (digits)."""
        try:
            return await self._connector.pair_phone(phone)
        except ConnectionError as error:
            raise CallFailed(error.code, error.message) from None

    async def logout(self) -> None:
        """Unlink the device."""
        if self._connector.session_lost:
            await self._connector.logout()
            return
        async with self._query("logout"):
            await self._connector.logout()

    async def mark_read(
        self, chat: str, message_ids: Sequence[str], sender: str | None, played: bool
    ) -> None:
        """Tell the sender that messages were read (or played)."""
        async with self._query("mark_read") as connection:
            await connection.mark_read(chat, message_ids, sender=sender or "", played=played)
        if not played:
            await self._list.read(self._chats.known(chat), len(message_ids))

    async def chat_presence(self, chat: str, state: str) -> None:
        """Show ``composing``, ``recording`` or ``paused`` in a chat."""
        async with self._query("chat_presence") as connection:
            await connection.chat_presence(chat, state)

    async def check_numbers(self, phones: Sequence[str]) -> list[dict[str, Any]]:
        """Which numbers (E.164) are on WhatsApp: query, registered, phone, lid, jid of each."""
        async with self._query("check_numbers") as connection:
            entries = await connection.check_numbers(phones)
        return [
            {
                "query": entry.query,
                "registered": entry.registered,
                "phone": f"+{entry.identity.phone}" if entry.identity.phone else None,
                "lid": f"{entry.identity.lid}@lid" if entry.identity.lid else None,
                "jid": entry.identity.jid or None,
            }
            for entry in entries
        ]

    async def picture(self, jid: str, preview: bool) -> dict[str, str]:
        """Where a profile picture is: id, url, and why there is none (``not_set``, ``hidden``)."""
        fact = await self._contacts.get(Kind.PREVIEW if preview else Kind.PICTURE, jid)
        if fact.data is None:
            return {"id": "", "url": "", "absence": absence_of(fact)}
        return {"id": fact.data["id"], "url": fact.data["url"], "absence": ""}

    def describe(self) -> dict[str, Any]:
        """What is going on, for people and tests."""
        return {
            "instance": self.record.id,
            "epoch": self.epoch,
            "state": self._announcer.state.model_dump(mode="json", exclude={"qr"}),
            "lease_held": self._lease.held,
            "engine_pid": self._connector.engine_pid,
            "contacts": self._contacts.describe(),
        }
