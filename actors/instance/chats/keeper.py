"""Keeps the chats of an instance up to date by reading its mailbox, beside the way of the events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from actors.events import Event, EventType
from actors.instance.chats.record import applied, chat_in
from actors.instance.chats.shelf import ChatShelf
from actors.instance.mailbox import Mailbox
from actors.store import StaleEpoch, StoreUnavailable

log = logging.getLogger(__name__)

_BATCH = 500
_SWEEP = 5.0
_RETRY = 1.0


class ChatKeeper:
    """Reads what is new in the mailbox and changes the chats by it.

    How far it came is written down in the same step: a crash or a handoff neither leaves out an event nor
    counts one twice.
    """

    def __init__(self, mailbox: Mailbox, epoch: int) -> None:
        self._mailbox = mailbox
        self._shelf = ChatShelf(mailbox)
        self._epoch = epoch
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()

    def ring(self) -> None:
        """There is something new in the mailbox."""
        self._news.set()

    async def run(self) -> None:
        """Keep up with the mailbox, for ever.

        Raises:
            StaleEpoch
        """
        while True:
            self._news.clear()
            try:
                while await self.step():
                    pass
            except StoreUnavailable as error:
                log.warning("chats are behind", extra={"error": str(error)})
                await asyncio.sleep(_RETRY)
                continue
            # What the outbox and the downloads append does not ring.
            try:
                async with asyncio.timeout(_SWEEP):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def step(self) -> bool:
        """Take the next events into account; False if there are none.

        Raises:
            StaleEpoch, StoreUnavailable
        """
        async with self._writing:
            before = await self._shelf.cursor()
            events = await self._mailbox.read(after=before, limit=_BATCH)
            if events:
                await self._take(before, events)
            return bool(events)

    async def _take(self, before: int, events: Sequence[Event]) -> None:
        seen = [(event, chat_in(event), _account_of(event)) for event in events]
        chats = await self._shelf.get(list({chat_id for _, chat_id, _ in seen if chat_id is not None}))
        paired = any(phone is not None for _, _, phone in seen)
        account, fresh = await self._shelf.account() if paired else None, False
        for event, chat_id, phone in seen:
            if phone is not None:
                if account not in (None, phone):
                    # What one account wrote and read is not the next one's.
                    chats, fresh = {}, True
                account = phone
            if chat_id is None:
                continue
            try:
                chats[chat_id] = applied(chats.get(chat_id), event)
            except (KeyError, TypeError, ValueError):
                # Written by another version. A chat that is a little off is better than none of the rest.
                log.warning("an event was not understood", extra={"event": event.id})
        await self._shelf.save(self._epoch, before, events[-1].seq, chats, account=account, fresh=fresh)

    async def read(self, chat_id: str, count: int) -> None:
        """Messages of a chat were read through the API. Never fails: WhatsApp knows it already."""
        try:
            await self._read(chat_id, count)
        except (StaleEpoch, StoreUnavailable) as error:
            log.warning("a chat has more unread messages than it should", extra={"error": str(error)})

    async def _read(self, chat_id: str, count: int) -> None:
        while await self.step():
            pass
        async with self._writing:
            cursor = await self._shelf.cursor()
            chats = await self._shelf.get([chat_id])
            if chat_id in chats:
                await self._shelf.save(self._epoch, cursor, cursor, [chats[chat_id].read(count)])


def _account_of(event: Event) -> str | None:
    """Phone number (E.164) of the account that is paired, of an event that tells of it."""
    phone = event.data.get("phone") if event.type is EventType.CONNECTION_CHANGED else None
    return phone if isinstance(phone, str) else None
