"""Sends what is in the outbox: in order, paced, each result recorded with its event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from actors.events import EventDraft, EventType
from actors.instance.composer import Composed, Composer
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.connection.mapping import ChatIds, chat_of
from actors.instance.outbox import Outbox, QueuedMessage
from actors.instance.refusals import NOT_AN_ATTEMPT, refusal_of
from actors.instance.uploads import Uploads
from actors.media.errors import MediaError
from actors.messages.content import Audio, Voice, Vote
from actors.messages.rules import Unsendable
from actors.registry import now
from actors.settings import OutboxSettings
from actors.store import StoreUnavailable

T = TypeVar("T")

log = logging.getLogger(__name__)

TYPING_SHOWN = 10.0
"""Seconds for which phones show that somebody types."""

TYPING_TIMEOUT = 3.0

UNREADABLE_MAX = 300.0
"""Seconds for which a message waits for its file while the store of files is away."""

SWEEP = 2.0
"""Seconds after which the outbox is looked at although nobody rang."""


class _Leaving(Exception):
    """`quiesce` cut it short."""


class Sender:
    """One message at a time, the oldest first.

    Args:
        online: set while messages can be sent.
        connection: the engine; only used while online.
        composer: makes of a message what goes to WhatsApp.
        uploads: uploads its file.
    """

    def __init__(
        self,
        *,
        epoch: int,
        outbox: Outbox,
        settings: OutboxSettings,
        online: asyncio.Event,
        connection: Callable[[], Connection],
        composer: Composer,
        uploads: Uploads,
        chats: ChatIds,
    ) -> None:
        self._epoch = epoch
        self._outbox = outbox
        self._settings = settings
        self._online = online
        self._connection = connection
        self._composer = composer
        self._uploads = uploads
        self._unreadable = ("", 0.0)
        self._chats = chats
        self._refused = ("", 0)
        self._waited = ""
        self._leaving = asyncio.Event()
        self._ring = asyncio.Event()
        self._going = asyncio.Event()
        self._going.set()
        self._idle = asyncio.Event()
        self._idle.set()

    def ring(self) -> None:
        """A message was queued."""
        self._ring.set()

    async def quiesce(self) -> None:
        """Take no further message, and wait for the one in flight."""
        self._going.clear()
        self._leaving.set()
        await self._idle.wait()

    def resume(self) -> None:
        """Go on after `quiesce`."""
        self._leaving.clear()
        self._going.set()
        self._ring.set()

    async def run(self) -> None:
        """Send for ever.

        Raises:
            StaleEpoch: the instance has another owner.
        """
        failures = 0
        while True:
            await self._online.wait()
            if not self._going.is_set():
                await self._going.wait()
                continue
            self._ring.clear()
            self._idle.clear()
            try:
                message = await self._outbox.head()
                done = await self._send(message) if message is not None else None
            except StoreUnavailable:
                done = False
            finally:
                self._idle.set()
            if done is None:
                await self._rung(SWEEP)
            elif done:
                failures = 0
                await asyncio.sleep(self._settings.interval)
            else:
                failures += 1
                await asyncio.sleep(min(10.0, 0.1 * 2 ** min(failures, 10)))

    async def _rung(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._ring.wait()
        except TimeoutError:
            pass

    async def _send(self, message: QueuedMessage) -> bool | None:
        """Make one attempt.

        Returns:
            True if the message has its result, False if it has to be tried again, None if it has not been
            tried: it waited to be sent, and was left to a successor.
        """
        if not await self._wait(message):
            return None
        try:
            media = await self._unless_leaving(self._uploads.of(message)) if message.file else None
            await self._outbox.begin(self._epoch, message)
            composed = await self._composer.compose(message, media)
        except _Leaving:
            return None
        except Unsendable as error:
            return await self._refuse(message, {"code": error.code, "message": error.message}, 0)
        except MediaError as error:
            return await self._unread(message, error)
        except ConnectionError as error:
            return await self._failed(message, error)
        try:
            async with asyncio.timeout(self._settings.send_timeout):
                result = await self._put(message, composed)
        except (ConnectionError, TimeoutError) as error:
            return await self._failed(message, error)
        await self._sent(message, composed, result)
        return True

    async def _put(self, message: QueuedMessage, composed: Composed) -> pb.SendResult:
        content, target, to = composed.content, composed.target, message.request.to
        if isinstance(content, Vote):
            author = target.sender if target and not target.from_me else ""
            return await self._connection().vote(
                to, content.message_id, content.options, message.id, sender=author
            )
        return await self._connection().send(to, message.id, composed.message.SerializeToString())

    # ---- before it is sent ----

    async def _wait(self, message: QueuedMessage) -> bool:
        """Wait for as long as asked, with typing shown. False if this was cut short by `quiesce`."""
        request = message.request
        if message.id == self._waited or not (request.delay or request.typing):
            return True
        if not await self._rest(request.delay):
            return False
        state = "recording" if isinstance(request.content, Audio | Voice) else "composing"
        left = request.typing
        while left > 0:
            await self._show(request.to, state)
            if not await self._rest(min(left, TYPING_SHOWN)):
                await self._show(request.to, "paused")
                return False
            left -= TYPING_SHOWN
        self._waited = message.id
        return True

    async def _rest(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._leaving.wait()
        except TimeoutError:
            return True
        return False

    async def _unless_leaving(self, work: Coroutine[Any, Any, T]) -> T:
        """What the work returns; `_Leaving` if `quiesce` is asked for first. It is cancelled then."""
        task, leaving = asyncio.create_task(work), asyncio.create_task(self._leaving.wait())
        try:
            await asyncio.wait({task, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise _Leaving
            return task.result()
        finally:
            for one in (task, leaving):
                one.cancel()
            await asyncio.gather(task, leaving, return_exceptions=True)

    async def _show(self, chat: str, state: str) -> None:
        # Never a reason not to send.
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(TYPING_TIMEOUT):
                await self._connection().chat_presence(chat, state)

    # ---- what became of it ----

    async def _failed(self, message: QueuedMessage, error: ConnectionError | TimeoutError) -> bool:
        refusal = refusal_of(error, message.request.to)
        if refusal.code in NOT_AN_ATTEMPT:
            return False
        # Only answers about the message count, not attempts that the end of a connection cut short.
        before = self._refused[1] if self._refused[0] == message.id else 0
        attempt = before + 1
        self._refused = (message.id, attempt)
        log.warning("send failed", extra={"message_id": message.id, "attempt": attempt, "code": refusal.code})
        if not refusal.final and attempt < self._settings.attempts:
            return False
        reason = {"code": refusal.code, "message": refusal.message, "server_code": refusal.server_code}
        return await self._refuse(message, reason, attempt)

    async def _unread(self, message: QueuedMessage, error: MediaError) -> bool:
        """The store of files is away: that passes, but those behind the message do not wait for ever."""
        moment = asyncio.get_running_loop().time()
        if self._unreadable[0] != message.id:
            self._unreadable = (message.id, moment)
        log.warning("file unreadable", extra={"message_id": message.id, "error": str(error)})
        if moment - self._unreadable[1] < UNREADABLE_MAX:
            return False
        return await self._refuse(message, {"code": error.code.value, "message": error.message}, 0)

    async def _refuse(self, message: QueuedMessage, reason: dict[str, Any], attempts: int) -> bool:
        draft = self._draft(
            EventType.MESSAGE_FAILED,
            message,
            now(),
            {
                "id": message.id,
                "to": message.request.to,
                "type": message.request.content.type,
                "error": reason,
                "attempts": attempts,
            },
        )
        await self._outbox.finish(self._epoch, message, "failed", {"error": reason}, draft)
        return True

    async def _sent(self, message: QueuedMessage, composed: Composed, result: pb.SendResult) -> None:
        moment = datetime.fromtimestamp(result.timestamp_ms / 1000, UTC) if result.timestamp_ms else now()
        chat = chat_of(result.chat, self._chats)
        draft = self._draft(
            EventType.MESSAGE_SENT,
            message,
            moment,
            {
                "id": message.id,
                "chat": chat.model_dump(),
                "from_me": True,
                "source": "api",
                **composed.shown(),
            },
            chat.id,
        )
        draft = draft.model_copy(update={"memory": composed.memory(message.id, result, chat.id, moment)})
        aliases = self._chats.unsaved()
        result_of = {"timestamp": moment.isoformat(), "chat_id": chat.id}
        await self._outbox.finish(self._epoch, message, "sent", result_of, draft, aliases)
        self._chats.saved(aliases)

    def _draft(
        self,
        kind: EventType,
        message: QueuedMessage,
        moment: datetime,
        data: dict[str, Any],
        chat_id: str | None = None,
    ) -> EventDraft:
        return EventDraft(
            type=kind,
            dedupe_key=f"result:{message.id}",
            occurred_at=moment,
            received_at=now(),
            chat_id=chat_id,
            data=data,
        )
