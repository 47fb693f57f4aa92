"""Sends what is in the outbox: in the order of each chat, paced, each result recorded with its event."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from actors import metrics
from actors.instance.composer import Composed, Composer, unshown
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import Connection, ConnectionError
from actors.instance.connection.mapping import ChatIds
from actors.instance.outbox import Outbox, QueuedMessage, UnreadableMessage
from actors.instance.refusals import NOT_AN_ATTEMPT, RATE_LIMITED, UNREACHABLE, refusal_of
from actors.instance.results import ARRIVED, Results
from actors.instance.uploads import Uploads
from actors.media.errors import MediaError
from actors.messages.content import Audio, Voice, Vote
from actors.messages.rules import Unsendable
from actors.registry import now
from actors.settings import OutboxSettings
from actors.store import StaleEpoch, StoreUnavailable

log = logging.getLogger(__name__)

TYPING_SHOWN = 10.0
"""Seconds for which phones show that somebody types."""

TYPING_TIMEOUT = 3.0

UNREADABLE_MAX = 300.0
"""Seconds for which a message waits for its file while the store of files is away."""

UNREACHABLE_MAX = 40
"""Attempts at a file that WhatsApp's media servers were out of reach for: with the pauses, some minutes."""

SWEEP = 2.0
"""Seconds after which the outbox is looked at although nobody rang."""


PAUSE, LONGEST = 0.1, 10.0
"""Seconds before the attempt after a failed one: doubled each time, up to the longest."""

LIMITED_MAX, LIMITED_LONGEST = 40, 60.0
"""Attempts at a message while WhatsApp wants less of the account, and the longest pause after one. It is not
the message that is at fault, so this goes on for half an hour."""

AHEAD = 50
"""Waiting messages that are looked at while the oldest one's file is uploaded."""


@dataclass(slots=True)
class _Attempts:
    """What a message went through that has no result yet.

    Args:
        refused: how often it, or its file, was answered with an error.
        limited: how often the account was told to do less.
        unreachable: how often there was nobody to take its file.
        unreadable: since when its file cannot be read, in seconds of the loop's clock.
        due: not before this, by the same clock: its file is waited for, and others need not.
        waited: it waited as long as it asked for.
    """

    refused: int = 0
    limited: int = 0
    unreachable: int = 0
    unreadable: float | None = None
    due: float = 0.0
    waited: bool = False


class Sender:
    """One message at a time, the oldest first. While its file is uploaded, those to other chats go on.

    Args:
        online: set while messages can be sent.
        connection: the engine; only used while online.
        composer: makes of a message what goes to WhatsApp.
        uploads: uploads its file.
        account: phone number (E.164) of the account that is paired, None if that is not known.
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
        account: Callable[[], str | None],
    ) -> None:
        self._epoch = epoch
        self._outbox = outbox
        self._settings = settings
        self._online = online
        self._connection = connection
        self._composer = composer
        self._uploads = uploads
        self._chats = chats
        self._account = account
        self._results = Results(epoch, outbox, chats, account)
        self._attempts: defaultdict[str, _Attempts] = defaultdict(_Attempts)
        self._failures = 0
        """Attempts that failed since a message had its result."""
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
        while True:
            await self._online.wait()
            if not self._going.is_set():
                await self._going.wait()
                continue
            self._ring.clear()
            self._idle.clear()
            message: QueuedMessage | None = None
            pause = SWEEP
            try:
                message, pause = await self._next()
                done = await self._tried(message) if message is not None else None
            except StoreUnavailable:
                done = False
            except UnreadableMessage as error:
                # It would stand in the way for ever.
                done = await self._left_behind(error)
            finally:
                self._idle.set()
            if done is None:
                await self._rung(pause)
            elif done:
                await asyncio.sleep(self._settings.interval)
            else:
                self._failures += 1
                # Others that succeed in between must not hurry this one through its attempts.
                refused = self._attempts[message.id].refused if message is not None else 0
                await asyncio.sleep(min(LONGEST, PAUSE * 2 ** min(max(self._failures, refused), 10)))

    async def _rung(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._ring.wait()
        except TimeoutError:
            pass

    async def _next(self) -> tuple[QueuedMessage | None, float]:
        """The oldest message that can be sent now, and is the oldest of its chat; seconds to wait for one."""
        head = await self._outbox.head()
        if head is None:
            return None, SWEEP
        if not self._pause(head) and self._uploads.ready(head):
            return head, 0.0
        held: set[str] = set()
        chosen: QueuedMessage | None = None
        wait = SWEEP
        for message in await self._outbox.waiting(AHEAD):
            pause = self._pause(message)
            wait = min(wait, pause) if pause else wait
            if not pause:
                self._uploads.begin(message, self.ring)
            # A chat goes by several addresses.
            chat = self._chats.known(message.request.to)
            if chosen is None and chat not in held and not pause and self._uploads.ready(message):
                chosen = message
            held.add(chat)
        return chosen, wait

    def _pause(self, message: QueuedMessage) -> float:
        """Seconds for which the message is left alone."""
        known = self._attempts.get(message.id)
        return max(0.0, known.due - asyncio.get_running_loop().time()) if known else 0.0

    async def _tried(self, message: QueuedMessage) -> bool | None:
        """As `_send`. Whatever is wrong with one message, the instance goes on."""
        try:
            return await self._send(message)
        except (StaleEpoch, StoreUnavailable):
            raise
        except Exception as error:
            log.exception("a message cannot be sent", extra={"message_id": message.id})
            return await self._failed(message, ConnectionError("internal", type(error).__name__))

    async def _send(self, message: QueuedMessage) -> bool | None:
        """Make one attempt.

        Returns:
            True if the message has its result, False if it has to be tried again, None if it has not been
            tried: it waited to be sent, and was left to a successor; or for its file.
        """
        if message.status not in ARRIVED:
            if (reason := self._of_another(message)) is not None:
                return await self._refuse(message, reason, message.attempts)
            if not await self._wait(message):
                return None
        try:
            media = self._uploads.take(message)
            await self._outbox.begin(self._epoch, message)
            composed = await self._composer.compose(message, media)
        except (Unsendable, MediaError) as error:
            if message.status in ARRIVED:
                return await self._arrived(message)
            if isinstance(error, MediaError):
                return await self._unread(message, error)
            reason = {"code": error.code, "message": error.message}
            return await self._refuse(message, reason, message.attempts)
        except ConnectionError as error:
            return await self._failed(message, error)
        # Before it is sent: what cannot be told of must not be sent over and over.
        shown = composed.shown()
        if message.status in ARRIVED:
            return await self._sent(message, composed, shown, self._results.arrived(message))
        # Again, for there may be another account by now, and after this nothing comes in between.
        if (reason := self._of_another(message)) is not None:
            return await self._refuse(message, reason, message.attempts)
        if message.attempts == 0:
            waited = (now() - message.created_at).total_seconds() - message.request.delay
            metrics.OUTBOX_WAIT.observe(max(0.0, waited))
        try:
            with metrics.SEND_SECONDS.time():
                async with asyncio.timeout(self._settings.send_timeout):
                    result = await self._put(message, composed)
        except (ConnectionError, TimeoutError) as error:
            latest = await self._outbox.get(message.id)
            if latest is not None and latest.status in ARRIVED:
                return await self._sent(message, composed, shown, self._results.arrived(message))
            return await self._failed(message, error)
        return await self._sent(message, composed, shown, result)

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

    def _of_another(self, message: QueuedMessage) -> dict[str, Any] | None:
        """Why it must not be sent, if it was queued for another account than the one that is paired."""
        paired = self._account()
        if not message.account or not paired or paired == message.account:
            return None
        text = f"It was queued for {message.account}, and the instance is paired with another account now"
        return {"code": "other_account", "message": text}

    async def _wait(self, message: QueuedMessage) -> bool:
        """Wait for as long as asked, with typing shown. False if this was cut short by `quiesce`."""
        request = message.request
        if not (request.delay or request.typing) or self._attempts[message.id].waited:
            return True
        if not await self._rest(request.delay):
            return False
        state = "recording" if isinstance(request.content, Audio | Voice) else "composing"
        left = request.typing
        while left > 0 and self._of_another(message) is None:
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

    async def _failed(self, message: QueuedMessage, error: ConnectionError | TimeoutError) -> bool | None:
        refusal = refusal_of(error, message.request.to)
        if refusal.code == "timeout":
            metrics.TIMEOUTS.labels("send").inc()
        if refusal.code in NOT_AN_ATTEMPT:
            return False
        if refusal.code == UNREACHABLE:
            return await self._unreached(message, refusal.message)
        known = self._attempts[message.id]
        if refusal.code == RATE_LIMITED:
            known.limited += 1
            log.warning("told to send less", extra={"message_id": message.id, "attempt": known.limited})
            if known.limited < LIMITED_MAX:
                # To other chats it may be allowed: that is found out meanwhile, slowly.
                self._later(known, known.limited, LIMITED_LONGEST)
                return False
            reason = {"code": refusal.code, "message": refusal.message, "server_code": refusal.server_code}
            return await self._refuse(message, reason, message.attempts + 1)
        # Only answers about the message count, not attempts that the end of a connection cut short.
        known.refused = attempt = known.refused + 1
        log.warning("send failed", extra={"message_id": message.id, "attempt": attempt, "code": refusal.code})
        if not refusal.final and attempt < self._settings.attempts:
            return False
        reason = {"code": refusal.code, "message": refusal.message, "server_code": refusal.server_code}
        return await self._refuse(message, reason, attempt)

    async def _unreached(self, message: QueuedMessage, reason: str) -> bool | None:
        """WhatsApp's media servers are out of reach, the connection is not: that need not pass."""
        known = self._attempts[message.id]
        known.unreachable += 1
        log.warning("file not taken", extra={"message_id": message.id, "attempt": known.unreachable})
        if known.unreachable < UNREACHABLE_MAX:
            self._later(known, known.unreachable)
            return None
        return await self._refuse(message, {"code": "upload_failed", "message": reason}, 0)

    def _later(self, known: _Attempts, failures: int, longest: float | None = None) -> None:
        """Leave a message alone for a while, and not those to other chats with it."""
        pause = min(longest or LONGEST, PAUSE * 2 ** min(failures, 10))
        known.due = asyncio.get_running_loop().time() + pause

    async def _unread(self, message: QueuedMessage, error: MediaError) -> bool:
        """The store of files is away: that passes, but those behind the message do not wait for ever."""
        moment = asyncio.get_running_loop().time()
        known = self._attempts[message.id]
        if known.unreadable is None:
            known.unreadable = moment
        log.warning("file unreadable", extra={"message_id": message.id, "error": str(error)})
        if moment - known.unreadable < UNREADABLE_MAX:
            return False
        reason = {"code": error.code.value, "message": error.message}
        return await self._refuse(message, reason, message.attempts)

    async def _refuse(self, message: QueuedMessage, reason: dict[str, Any], attempts: int) -> bool:
        latest = await self._outbox.get(message.id)
        if latest is not None and latest.status in ARRIVED:
            return await self._arrived(latest)
        await self._results.failed(message, reason, attempts)
        if not self._attempts.pop(message.id, _Attempts()).limited:
            self._failures = 0
        return True

    async def _arrived(self, message: QueuedMessage) -> bool:
        """A receipt says that it was sent, and what it was made of is not at hand."""
        return await self._sent(message, None, unshown(message), self._results.arrived(message))

    async def _sent(
        self, message: QueuedMessage, composed: Composed | None, shown: dict[str, Any], result: pb.SendResult
    ) -> bool:
        await self._results.sent(message, composed, shown, result)
        self._attempts.pop(message.id, None)
        self._failures = 0
        return True

    async def _left_behind(self, message: UnreadableMessage) -> bool:
        try:
            await self._results.unreadable(message)
        except StoreUnavailable:
            return False
        return True
