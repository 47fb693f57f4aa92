"""Sends what is in the outbox: in order, paced, each result recorded with its event."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from actors.events import EventDraft, EventType
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.connection.mapping import ChatIds, chat_of, text_message
from actors.instance.outbox import Outbox, QueuedMessage
from actors.registry import now
from actors.settings import OutboxSettings
from actors.store import StoreUnavailable

log = logging.getLogger(__name__)

REFUSALS = frozenset({"not_on_whatsapp", "bad_request", "unsupported"})
"""Errors that another attempt would meet again."""

NOT_AN_ATTEMPT = frozenset(
    {"not_connected", "not_open", "not_paired", "engine_gone", "parked", "store_failed"}
)
"""Errors of the connection, not of the message: it waits, however often."""

SWEEP = 2.0
"""Seconds after which the outbox is looked at although nobody rang."""


class Sender:
    """One message at a time, the oldest first.

    Args:
        online: set while messages can be sent.
        connection: the engine; only used while online.
    """

    def __init__(
        self,
        *,
        epoch: int,
        outbox: Outbox,
        settings: OutboxSettings,
        online: asyncio.Event,
        connection: Callable[[], Connection],
        chats: ChatIds,
    ) -> None:
        self._epoch = epoch
        self._outbox = outbox
        self._settings = settings
        self._online = online
        self._connection = connection
        self._chats = chats
        self._refused = ("", 0)
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
        await self._idle.wait()

    def resume(self) -> None:
        """Go on after `quiesce`."""
        self._going.set()

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

    async def _send(self, message: QueuedMessage) -> bool:
        """Make one attempt.

        Returns:
            True if the message has its result, False if it has to be tried again.
        """
        await self._outbox.begin(self._epoch, message)
        try:
            async with asyncio.timeout(self._settings.send_timeout):
                result = await self._connection().send(
                    message.request.to, message.id, text_message(message.request.text)
                )
        except (ConnectionError, TimeoutError) as error:
            return await self._failed(message, error)
        await self._sent(message, result)
        return True

    async def _failed(self, message: QueuedMessage, error: ConnectionError | TimeoutError) -> bool:
        code, text, server = "timeout", "WhatsApp did not answer in time", 0
        if isinstance(error, ConnectionError):
            code, text, server = error.code, error.message, error.server_code
        if code in NOT_AN_ATTEMPT:
            return False
        # Only answers about the message count, not attempts that the end of a connection cut short.
        before = self._refused[1] if self._refused[0] == message.id else 0
        attempt = before + 1
        self._refused = (message.id, attempt)
        log.warning("send failed", extra={"message_id": message.id, "attempt": attempt, "code": code})
        if code not in REFUSALS and attempt < self._settings.attempts:
            return False
        reason = {"code": code, "message": text, "server_code": server}
        draft = self._draft(
            EventType.MESSAGE_FAILED,
            message,
            now(),
            {"id": message.id, "to": message.request.to, "error": reason, "attempts": attempt},
        )
        await self._outbox.finish(self._epoch, message, "failed", {"error": reason}, draft)
        return True

    async def _sent(self, message: QueuedMessage, result: pb.SendResult) -> None:
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
                "kind": "conversation",
                "text": message.request.text,
            },
            chat.id,
        )
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
