"""Keeps the chats of an instance up to date by reading its mailbox, beside the way of the events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from actors.events import Event
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
        concerned = [(chat_id, event) for event in events if (chat_id := chat_in(event)) is not None]
        chats = await self._shelf.get(list({chat_id for chat_id, _ in concerned}))
        for chat_id, event in concerned:
            try:
                chats[chat_id] = applied(chats.get(chat_id), event)
            except (KeyError, TypeError, ValueError):
                # Written by another version. A chat that is a little off is better than none of the rest.
                log.warning("an event was not understood", extra={"event": event.id})
        await self._shelf.save(self._epoch, before, events[-1].seq, chats)

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
