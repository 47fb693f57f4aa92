"""Reads what the phone offers of the account's history, beside the events: page by page, each an event."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from actors.events import EventDraft
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.connection.chats import ChatIds
from actors.instance.history_offers import Part, with_part
from actors.instance.history_pages import failure_of, page_of
from actors.instance.jobs import Jobs
from actors.instance.mailbox import Mailbox, MailboxFull
from actors.instance.old_files import OldFiles
from actors.instance.refusals import NOT_AN_ATTEMPT
from actors.instance.work import Work
from actors.registry import History, now
from actors.settings import HistorySettings
from actors.store import StaleEpoch, StoreUnavailable

log = logging.getLogger(__name__)

OTHER_ACCOUNT = "other_account"
REASONS = {
    "media_gone": "gone",
    "media_corrupt": "corrupt",
    "media_too_large": "too_large",
    OTHER_ACCOUNT: OTHER_ACCOUNT,
}
"""Errors, most of the engine, that are the part's own."""

FINAL = frozenset({"gone", "too_large", OTHER_ACCOUNT})
"""Reasons that another attempt would meet again."""

CORRUPT_ATTEMPTS = 2
"""Attempts at a part that arrives damaged: once, it may have been the way."""


class HistoryReader:
    """The parts that wait, one read at a time.

    Args:
        old_files: remembers the files of what is read.
        room: has room for files that end with the engine.
        online: set while the connection stands.
        connection: the engine; only used while online.
        wanted: how much of the history the instance wants now.
        account: phone number (E.164) of the account that is paired, None if that is not known.
    """

    def __init__(
        self,
        *,
        instance_id: str,
        epoch: int,
        mailbox: Mailbox,
        old_files: OldFiles,
        chats: ChatIds,
        room: Path,
        settings: HistorySettings,
        online: asyncio.Event,
        connection: Callable[[], Connection],
        wanted: Callable[[], History],
        account: Callable[[], str | None],
    ) -> None:
        self._instance_id = instance_id
        self._mailbox = mailbox
        self._chats = chats
        self._folder = room
        self._settings = settings
        self._connection = connection
        self._wanted = wanted
        self._account = account
        self._old_files = old_files
        self._parts = Jobs(mailbox, epoch, "history", Part)
        self._work = Work(
            instance_id=instance_id, jobs=self._parts, online=online, attempt=self._attempt, concurrency=1
        )

    def offered(self, draft: EventDraft, event: pb.Message) -> EventDraft:
        """The event of an offer, saying what becomes of it."""
        room = len(self._work) < self._settings.bound
        return with_part(draft, event, self._wanted(), room=room, account=self._account())

    def take(self, record: str) -> None:
        """A part waits from now on: its offer's event is appended. Again is harmless."""
        part = self._parts.read(record)
        if part is not None:
            self._work.add(part)

    async def pause(self) -> None:
        """Begin nothing, and leave what is being read to a successor, or to `resume`."""
        await self._work.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        self._work.resume()

    async def run(self) -> None:
        """Read for ever.

        Raises:
            StaleEpoch: the instance has another owner.
        """
        await self._work.run()

    # ---- one part -----------------------------------------------------------------------------------

    async def _attempt(self, part: Part) -> None:
        try:
            while (rest := await self._page(part)) is not None:
                part = rest
            self._work.finished(part)
            await self._close(part)
        except (StoreUnavailable, MailboxFull):
            # A page that was stored all the same is recognised when it is read again.
            self._work.again(part)
        except ConnectionError as error:
            if error.code in NOT_AN_ATTEMPT:
                self._work.again(part)
            else:
                await self._failed(part, REASONS.get(error.code), error.message)
        except StaleEpoch:
            raise
        except Exception as error:
            # Whatever is wrong with one part, the instance goes on.
            log.exception("history not read", extra={"instance": self._instance_id, "part": part.id})
            await self._failed(part, None, type(error).__name__)

    def _check_whose(self, part: Part) -> None:
        # Neither is what one account said told as another one's, nor does the engine learn from it for that.
        account = self._account()
        if part.account is not None and account is not None and part.account != account:
            raise ConnectionError(OTHER_ACCOUNT, f"It is of {part.account}, which was paired before")

    async def _page(self, part: Part) -> Part | None:
        """Read and store a page; the part as it waits then, None if this was its last."""
        await self._mailbox_has_room()
        self._check_whose(part)
        page = await self._connection().history.read(
            part.offer,
            start=part.start,
            max_bytes=self._settings.page_bytes,
            max_part_bytes=self._settings.part_bytes,
            folder=self._folder,
        )
        self._check_whose(part)
        draft, files = page_of(self._instance_id, part, page, self._chats, now())
        # Before the page: who reads that can ask for them.
        await self._old_files.keep(files)
        aliases = self._chats.unsaved()
        step = {"start": page.next, "pages": part.pages + 1, "attempts": 0, "due": 0.0}
        rest = None if page.done else part.model_copy(update=step)
        waits = await self._parts.finish(part, draft, rest=rest, aliases=aliases, force=False)
        self._chats.saved(aliases)
        if rest is None or not waits:
            return None
        self._work.note(rest)
        return rest

    async def _mailbox_has_room(self) -> None:
        # What happens now goes first, and there is room kept for it: nobody waits for the past.
        while True:
            if await self._mailbox.depth() < self._mailbox.settings.soft_bound:
                return
            await asyncio.sleep(self._settings.pause)

    async def _close(self, part: Part) -> None:
        try:
            await self._connection().history.finish(part.offer, part.id)
        except ConnectionError as error:
            # All of it is stored. WhatsApp removes the file by itself, later.
            extra = {"instance": self._instance_id, "part": part.id, "error": str(error)}
            log.info("the phone was not told that a part was read", extra=extra)

    async def _failed(self, part: Part, reason: str | None, message: str) -> None:
        before, attempts = part, part.attempts + 1
        part = part.model_copy(update={"attempts": attempts})
        final = reason in FINAL or (reason == "corrupt" and attempts >= CORRUPT_ATTEMPTS)
        log.warning(
            "history not read",
            extra={"instance": self._instance_id, "part": part.id, "attempt": attempts, "error": message},
        )
        try:
            if final or attempts > len(self._settings.schedule):
                await self._parts.finish(part, failure_of(part, reason or "unavailable", message, now()))
                self._work.finished(part)
                return
            pause = self._settings.schedule[attempts - 1]
            await self._parts.delay(part.model_copy(update={"due": time.time() + pause}))
            self._work.again(part, pause)
        except StoreUnavailable:
            self._work.again(before)
