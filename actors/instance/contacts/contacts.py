"""An instance's contacts: what is known, what is told with events, and what is asked anew."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from actors.events import Chat, EventDraft, EventType
from actors.instance.connection.base import Connection
from actors.instance.connection.chats import ChatIds, kind_of
from actors.instance.connection.parts import digest
from actors.instance.contacts.agenda import Priority, Subject
from actors.instance.contacts.cache import ContactCache
from actors.instance.contacts.desk import Desk
from actors.instance.contacts.facts import Age, Fact, Kind, age_of, changes
from actors.instance.contacts.lessons import NAMES, Lesson, Names, lessons, with_names
from actors.instance.contacts.notes import Notes
from actors.instance.mailbox import Mailbox, MailboxFull
from actors.settings import ContactSettings
from actors.store import StaleEpoch, Store, StoreUnavailable

log = logging.getLogger(__name__)

PREFETCHED = 2_000
"""Chats of which it is remembered that they were looked at, so that not every event looks again."""


AGAIN = 5.0
"""Seconds until what failed is begun anew."""


class Contacts:
    """Names, pictures, about texts and subjects of one instance.

    Nothing here is waited for when an event comes: `told` and `heed` look at memory only.

    Args:
        epoch: the owner's.
        chats: the instance's stable ids.
        online: set while the instance is connected.
        connection: the engine; raises ConnectionError while not connected.
        patience: seconds that somebody waits for an answer.
        fenced: called when a write is refused: the instance has another owner.
    """

    def __init__(
        self,
        *,
        store: Store,
        mailbox: Mailbox,
        epoch: int,
        settings: ContactSettings,
        chats: ChatIds,
        online: asyncio.Event,
        connection: Callable[[], Connection],
        patience: float,
        fenced: Callable[[], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._mailbox = mailbox
        self._epoch = epoch
        self._settings = settings
        self._chats = chats
        self._patience = patience
        self._fenced = fenced
        self._clock = clock
        self._names = Names()
        self._cache = ContactCache(store, mailbox.instance_id, settings)
        self._notes = Notes(self._cache, epoch, clock)
        self._looked_at: OrderedDict[str, float] = OrderedDict()
        self._learning: dict[Subject, Fact] = {}
        self._overtaken: set[Subject] = set()
        self._desk = Desk(
            instance_id=mailbox.instance_id,
            settings=settings,
            online=online,
            connection=connection,
            known=self._fresh,
            learn=self._learn,
            clock=clock,
        )

    async def run(self) -> None:
        """Ask and write down, until cancelled. What fails is begun anew: the instance does not end for it.

        Raises:
            StaleEpoch: the instance has another owner.
        """
        while True:
            try:
                await self._work()
            except StaleEpoch:
                raise
            except Exception:
                log.exception("contacts failed")
                await asyncio.sleep(AGAIN)

    async def _work(self) -> None:
        tasks = [asyncio.create_task(work) for work in (self._load(), self._notes.run(), self._desk.run())]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _load(self) -> None:
        try:
            found = await self._cache.latest_names(NAMES)
        except StoreUnavailable as error:
            log.info("names are learned anew", extra={"error": str(error)})
            return
        for id_, name in reversed(found.items()):
            if self._names.get(id_) is None:
                self._names.learn(id_, name)

    # ---- events ----

    def told(self, draft: EventDraft) -> EventDraft:
        """The event with the names that are known already, or come with it."""
        try:
            for lesson in lessons(draft, self._chats):
                if lesson.kind is Kind.NAME:
                    self._note(lesson)
            return with_names(draft, self._names, self._chats)
        except Exception:
            # Raised, the event would be refused, delivered again and refused for ever.
            log.exception("names were not found for an event", extra={"type": draft.type.value})
            return draft

    def heed(self, draft: EventDraft) -> None:
        """Learn from an event that is stored, and think of asking about its chat."""
        try:
            self._desk.busy()
            for lesson in lessons(draft, self._chats):
                if lesson.kind is not Kind.NAME:
                    self._note(lesson)
            if self._settings.prefetch:
                self._think_of(draft.data.get("chat"))
        except Exception:
            log.exception("nothing was learned from an event", extra={"type": draft.type.value})

    def _note(self, lesson: Lesson) -> None:
        if lesson.kind is Kind.NAME and lesson.data and not self._names.learn(lesson.id, lesson.data["name"]):
            return
        subject = (lesson.kind, lesson.id)
        if self._desk.asks_about(subject) or subject in self._learning:
            # Its answer may be of before.
            self._overtaken.add(subject)
        self._notes.add(lesson)

    def _think_of(self, chat: Any) -> None:
        if not isinstance(chat, dict) or chat.get("kind") not in ("direct", "group"):
            return
        id_, now = chat["id"], self._clock()
        before = self._looked_at.get(id_)
        if before is not None and 0 <= now - before < self._settings.ttl_absent:
            return
        self._looked_at[id_] = now
        self._looked_at.move_to_end(id_)
        if len(self._looked_at) > PREFETCHED:
            self._looked_at.popitem(last=False)
        kind = Kind.GROUP if chat["kind"] == "group" else Kind.PERSON
        phone = chat.get("phone")
        jid = f"{phone[1:]}@s.whatsapp.net" if phone else id_
        self._desk.want((kind, id_), jid, Priority.PREFETCH)

    # ---- questions ----

    async def get(self, kind: Kind, jid: str, *, refresh: bool = False) -> Fact:
        """What is known, at once if it is not too old; what is old is asked for again meanwhile.

        Args:
            jid: of a person or group, by any of its addresses.
            refresh: have WhatsApp asked, and wait for it.

        Raises:
            CallFailed
        """
        subject = (kind, self._chats.known(jid))
        fact = None if refresh else await self._kept(subject)
        age = age_of(fact, kind, self._settings, self._clock())
        if fact is None or age is Age.GONE:
            return await self._desk.answer(subject, jid, self._patience)
        if age is Age.STALE:
            self._desk.want(subject, jid, Priority.STALE)
        return fact

    async def changed(self, jid: str) -> None:
        """The account changed something of a group, or of itself: what was known holds no more."""
        for kind in (Kind.PERSON, Kind.GROUP, Kind.PICTURE, Kind.PREVIEW):
            self._note(Lesson(kind, self._chats.known(jid), None))
        try:
            # Whoever asks next shall see it.
            await self._notes.write()
        except StoreUnavailable as error:
            log.info("a change waits to be written", extra={"error": str(error)})
        except StaleEpoch:
            self._fenced()

    async def name(self, jid: str) -> str | None:
        """The name of a person or group, as far as it is known."""
        id_ = self._chats.known(jid)
        known = self._names.get(id_)
        if known is None:
            fact = await self._kept((Kind.NAME, id_))
            known = fact.data["name"] if fact and fact.data else None
        return known

    def sample(self) -> None:
        """Set the gauges."""
        self._desk.sample()

    def describe(self) -> dict[str, object]:
        """What is going on."""
        return {**self._desk.describe(), "names": len(self._names), "lessons_lost": self._notes.lost}

    async def _kept(self, subject: Subject) -> Fact | None:
        if subject in self._learning and subject not in self._overtaken:
            # It came just now, and is being written.
            return self._learning[subject]
        try:
            return (await self._cache.read([subject]))[0]
        except StoreUnavailable:
            return None

    async def _fresh(self, subject: Subject) -> Fact | None:
        fact = await self._kept(subject)
        fresh = age_of(fact, subject[0], self._settings, self._clock()) is Age.FRESH
        return fact if fresh else None

    # ---- answers ----

    async def _learn(self, subject: Subject, fact: Fact) -> None:
        kind, id_ = subject
        self._learning[subject] = fact
        try:
            # What events told before the answer came is older than it.
            await self._notes.write()
            if subject in self._overtaken:
                return
            (before,) = await self._cache.read([subject])
            if changed := changes(before, fact, kind):
                await self._mailbox.append(self._epoch, self._change(subject, fact, changed))
            await self._cache.keep(self._epoch, {subject: fact})
        except (MailboxFull, StoreUnavailable) as error:
            # Not kept: the change is found again by the next query.
            log.info("an answer about a contact is not kept", extra={"error": str(error)})
        except StaleEpoch:
            self._fenced()
        finally:
            self._learning.pop(subject, None)
            self._overtaken.discard(subject)
        if kind is Kind.GROUP and fact.data:
            self._note(Lesson(Kind.NAME, id_, {"name": fact.data["name"]}))

    def _change(self, subject: Subject, fact: Fact, changed: dict[str, str]) -> EventDraft:
        kind, id_ = subject
        moment = datetime.fromtimestamp(fact.at, UTC)
        person = fact.data or {}
        chat = Chat(
            id=id_,
            kind=kind_of(id_),
            phone=person.get("phone"),
            lid=person.get("lid"),
            name=changed.get("name") or self._names.get(id_),
        )
        return EventDraft(
            type=EventType.GROUP_CHANGED if kind is Kind.GROUP else EventType.CONTACT_CHANGED,
            dedupe_key=f"looked_up:{kind}:{id_}:{fact.at}:{digest(*changed.values())}",
            occurred_at=moment,
            received_at=moment,
            chat_id=id_,
            data={"kind": "looked_up", "event": {}, "chat": chat.model_dump(), "changes": changed},
        )
