"""Sends what is in the outbox: in the order of each chat, paced, each result recorded with its event."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from actors import metrics
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

log = logging.getLogger(__name__)

TYPING_SHOWN = 10.0
"""Seconds for which phones show that somebody types."""

TYPING_TIMEOUT = 3.0

UNREADABLE_MAX = 300.0
"""Seconds for which a message waits for its file while the store of files is away."""

SWEEP = 2.0
"""Seconds after which the outbox is looked at although nobody rang."""


PAUSE, LONGEST = 0.1, 10.0
"""Seconds before the attempt after a failed one: doubled each time, up to the longest."""

AHEAD = 50
"""Waiting messages that are looked at while the oldest one's file is uploaded."""


@dataclass(slots=True)
class _Attempts:
    """What a message went through that has no result yet.

    Args:
        refused: how often it, or its file, was answered with an error.
        unreadable: since when its file cannot be read, in seconds of the loop's clock.
        waited: it waited as long as it asked for.
    """

    refused: int = 0
    unreadable: float | None = None
    waited: bool = False


class Sender:
    """One message at a time, the oldest first. While its file is uploaded, those to other chats go on.

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
        self._chats = chats
        self._attempts: defaultdict[str, _Attempts] = defaultdict(_Attempts)
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
        """Take no further message, wait for the one in flight, and break uploads off."""
        self._going.clear()
        self._leaving.set()
        await self._idle.wait()
        await self._uploads.stop()

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
        try:
            await self._run()
        finally:
            await self._uploads.stop()

    async def _run(self) -> None:
        failures = 0
        while True:
            await self._online.wait()
            if not self._going.is_set():
                await self._going.wait()
                continue
            self._ring.clear()
            self._idle.clear()
            message: QueuedMessage | None = None
            try:
                message = await self._next()
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
                # Others that succeed in between must not hurry this one through its attempts.
                refused = self._attempts[message.id].refused if message is not None else 0
                await asyncio.sleep(min(LONGEST, PAUSE * 2 ** min(max(failures, refused), 10)))

    async def _rung(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._ring.wait()
        except TimeoutError:
            pass

    async def _next(self) -> QueuedMessage | None:
        """The oldest message that can be sent now, and is the oldest of its chat."""
        head = await self._outbox.head()
        if head is None or self._uploads.ready(head):
            return head
        held: set[str] = set()
        chosen: QueuedMessage | None = None
        for message in await self._outbox.waiting(AHEAD):
            self._uploads.begin(message, self.ring)
            chat = message.request.to
            if chosen is None and chat not in held and self._uploads.ready(message):
                chosen = message
            held.add(chat)
        return chosen

    async def _send(self, message: QueuedMessage) -> bool | None:
        """Make one attempt.

        Returns:
            True if the message has its result, False if it has to be tried again, None if it has not been
            tried: it waited to be sent, and was left to a successor.
        """
        if not await self._wait(message):
            return None
        try:
            media = self._uploads.take(message)
            await self._outbox.begin(self._epoch, message)
            composed = await self._composer.compose(message, media)
        except Unsendable as error:
            return await self._refuse(message, {"code": error.code, "message": error.message}, 0)
        except MediaError as error:
            return await self._unread(message, error)
        except ConnectionError as error:
            return await self._failed(message, error)
        if message.attempts == 0:
            waited = (now() - message.created_at).total_seconds() - message.request.delay
            metrics.OUTBOX_WAIT.observe(max(0.0, waited))
        try:
            with metrics.SEND_SECONDS.time():
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
        body = composed.message.SerializeToString()
        return await self._connection().send(to, message.id, body, media_handle=composed.media_handle)

    # ---- before it is sent ----

    async def _wait(self, message: QueuedMessage) -> bool:
        """Wait for as long as asked, with typing shown. False if this was cut short by `quiesce`."""
        request = message.request
        if not (request.delay or request.typing) or self._attempts[message.id].waited:
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
        self._attempts[message.id].waited = True
        return True

    async def _rest(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._leaving.wait()
        except TimeoutError:
            return True
        return False

    async def _show(self, chat: str, state: str) -> None:
        # Never a reason not to send.
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(TYPING_TIMEOUT):
                await self._connection().chat_presence(chat, state)

    # ---- what became of it ----

    async def _failed(self, message: QueuedMessage, error: ConnectionError | TimeoutError) -> bool:
        refusal = refusal_of(error, message.request.to)
        if refusal.code == "timeout":
            metrics.TIMEOUTS.labels("send").inc()
        if refusal.code in NOT_AN_ATTEMPT:
            return False
        # Only answers about the message count, not attempts that the end of a connection cut short.
        known = self._attempts[message.id]
        known.refused = attempt = known.refused + 1
        log.warning("send failed", extra={"message_id": message.id, "attempt": attempt, "code": refusal.code})
        if not refusal.final and attempt < self._settings.attempts:
            return False
        reason = {"code": refusal.code, "message": refusal.message, "server_code": refusal.server_code}
        return await self._refuse(message, reason, attempt)

    async def _unread(self, message: QueuedMessage, error: MediaError) -> bool:
        """The store of files is away: that passes, but those behind the message do not wait for ever."""
        moment = asyncio.get_running_loop().time()
        known = self._attempts[message.id]
        if known.unreadable is None:
            known.unreadable = moment
        log.warning("file unreadable", extra={"message_id": message.id, "error": str(error)})
        if moment - known.unreadable < UNREADABLE_MAX:
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
        metrics.SENT.labels("failed").inc()
        self._attempts.pop(message.id, None)
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
        metrics.SENT.labels("sent").inc()
        self._chats.saved(aliases)
        self._attempts.pop(message.id, None)

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
