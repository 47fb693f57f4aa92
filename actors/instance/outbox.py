"""The outbox: an instance's durable queue of messages to send.

A message's WhatsApp id is chosen when it is queued and stored before the first attempt. An entry without a
result is sent again under the same id after a crash, which receivers recognise.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import to_json

from actors.events import EventDraft
from actors.instance.mailbox import APPEND, KNOWN, Mailbox
from actors.messages.content import AnyContent, Poll
from actors.messages.files import MessageFile, Upload
from actors.registry import InstanceUnknown, now
from actors.settings import OutboxSettings
from actors.store import StaleEpoch, Store

LUA = Path(__file__).parent / "lua"

PAGE = 500
"""Messages that are looked up at a time."""

KEY_TTL_WAITING = 90 * 86_400
"""Seconds for which the key of a message is remembered that waits to be sent."""

KEY_TTL_LEAST = 3600
"""Seconds for which it is remembered behind the message's result, however long that took."""

Status = Literal["queued", "sending", "sent", "delivered", "read", "played", "failed"]


class SendRequest(BaseModel):
    """What a customer wants sent.

    Args:
        to: recipient as WhatsApp addresses it, a JID.
        delay: seconds to wait before it is sent.
        typing: seconds of typing, or of recording, that are shown before that.

    It is written and read flat, ``{"to": …, "type": "text", "text": …}``: the content's members beside these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: str
    content: AnyContent
    delay: float = 0.0
    typing: float = 0.0

    @model_validator(mode="before")
    @classmethod
    def _from_flat(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "content" in value:
            return value
        own = {name: value[name] for name in cls.model_fields if name in value}
        content = {name: part for name, part in value.items() if name not in own}
        return {**own, "content": {"type": "text", **content}}

    def flat(self) -> str:
        """As JSON. What is as it always is, is left out: equal requests are equal in every version."""
        content = self.content.model_dump(mode="json", exclude_defaults=True, exclude={"type"})
        waits = {name: value for name, value in (("delay", self.delay), ("typing", self.typing)) if value}
        return to_json({"to": self.to, "type": self.content.type, **content, **waits}).decode()

    def fingerprint(self) -> str:
        """Equal for equal requests."""
        return hashlib.sha256(self.flat().encode()).hexdigest()


class QueuedMessage(BaseModel):
    """A message in the outbox, or one that went through it."""

    id: str
    request: SendRequest
    status: Status
    created_at: datetime
    entry: str = Field(description="Its place in the queue")
    attempts: int = 0
    secret: str = Field("", description="32 bytes as hexadecimal digits, if the content needs them")
    result: dict[str, Any] | None = None
    file: MessageFile | None = Field(None, description="Of a content with one, until there is a result")
    upload: Upload | None = Field(None, description="Where WhatsApp has the file already")
    idempotency: str = Field("", description="Redis's name of its Idempotency-Key, if it has one")
    account: str = Field("", description="Phone number of the only account it is for; empty: any")


class UnreadableMessage(Exception):
    """A message in the queue that another version has put there, and this one does not understand.

    Args:
        entry: its place in the queue.
        to: its recipient.
        kind: of its content.
    """

    def __init__(self, message_id: str, entry: str, to: str, kind: str) -> None:
        super().__init__(message_id)
        self.id = message_id
        self.entry = entry
        self.to = to
        self.kind = kind


class OutboxFull(Exception):
    """Too many messages wait already.

    Args:
        depth: how many.
    """

    def __init__(self, depth: int) -> None:
        super().__init__(f"{depth} messages wait to be sent")
        self.depth = depth


class IdempotencyMismatch(Exception):
    """The key was used before, for another request.

    Args:
        message_id: of the message it was used for.
    """

    def __init__(self, message_id: str) -> None:
        super().__init__(message_id)
        self.message_id = message_id


def new_message_id() -> str:
    """A message id in the form WhatsApp's own web clients use."""
    return "3EB0" + secrets.token_hex(9).upper()


class Outbox:
    """Queue, attempt, finish. Queueing needs no epoch: a customer may do it while the instance moves."""

    def __init__(self, store: Store, mailbox: Mailbox, settings: OutboxSettings) -> None:
        self.store = store
        self.mailbox = mailbox
        self.settings = settings
        self.key = mailbox.key

    async def enqueue(
        self,
        request: SendRequest,
        idempotency_key: str | None = None,
        *,
        file: MessageFile | None = None,
        fingerprint: str | None = None,
        account: str | None = None,
    ) -> tuple[str, bool]:
        """Queue a message durably.

        Args:
            file: of a content with one.
            account: phone number (E.164) of the account that it is for: no other that is paired later.
            fingerprint: of the request as it was made, if this one names a file that was stored for it.

        Returns:
            Its id, and True if this call queued it (False: an earlier one with the same key did).

        Raises:
            InstanceUnknown: it was deleted, and is not at work again.
            OutboxFull, IdempotencyMismatch, StoreUnavailable
        """
        message_id = new_message_id()
        body = request.flat()
        outcome, value = await self.store.script(
            LUA / "outbox_enqueue.lua",
            keys=[
                self.key("outbox"),
                self.key("meta"),
                self.key("message", message_id),
                self._idempotency(idempotency_key or ""),
                self.key("owner"),
            ],
            args=[
                message_id,
                body,
                now().isoformat(),
                fingerprint or request.fingerprint(),
                self.settings.bound,
                max(self.settings.idempotency_ttl, KEY_TTL_WAITING),
                int(idempotency_key is not None),
                # Sent again after a crash, a poll has to be the same one: votes are encrypted with this.
                secrets.token_hex(32) if isinstance(request.content, Poll) else "",
                file.model_dump_json() if file is not None else "",
                account or "",
            ],
        )
        if outcome == "gone":
            raise InstanceUnknown(self.mailbox.instance_id)
        if outcome == "full":
            raise OutboxFull(int(value))
        if outcome == "mismatch":
            raise IdempotencyMismatch(value)
        return value, value == message_id

    async def find(self, idempotency_key: str, fingerprint: str) -> str | None:
        """The message that was queued under this key not long ago, None if there is none.

        Raises:
            IdempotencyMismatch, StoreUnavailable
        """
        redis = self.store.redis
        key = self._idempotency(idempotency_key)
        known = await self.store.run(lambda: redis.hgetall(key), timeout=5)
        if known and known["fingerprint"] != fingerprint:
            raise IdempotencyMismatch(known["id"])
        return known["id"] if known else None

    def _idempotency(self, key: str) -> str:
        return self.key("idempotency", hashlib.sha256(key.encode()).hexdigest())

    async def get(self, message_id: str) -> QueuedMessage | None:
        """A message by its id, None if it is unknown or too old.

        Raises:
            UnreadableMessage, StoreUnavailable
        """
        redis = self.store.redis
        raw = await self.store.run(lambda: redis.hgetall(self.key("message", message_id)), timeout=5)
        return _message(raw) if raw else None

    async def head(self) -> QueuedMessage | None:
        """The message whose turn it is, None if nothing waits.

        Raises:
            UnreadableMessage, StoreUnavailable
        """
        redis = self.store.redis
        entries = await self.store.run(lambda: redis.xrange(self.key("outbox"), count=1), timeout=5)
        return await self.get(entries[0][1]["id"]) if entries else None

    async def waiting(self, count: int) -> list[QueuedMessage]:
        """The messages that wait and can be read, oldest first.

        Args:
            count: of them, at most.
        """
        redis = self.store.redis
        entries = await self.store.run(lambda: redis.xrange(self.key("outbox"), count=count), timeout=5)

        async def look() -> list[dict[str, str]]:
            pipe = redis.pipeline(transaction=False)
            for _, fields in entries:
                pipe.hgetall(self.key("message", fields["id"]))
            return list(await pipe.execute())

        found: list[QueuedMessage] = []
        for raw in await self.store.run(look, timeout=5) if entries else []:
            with suppress(UnreadableMessage):
                found += [_message(raw)] if raw else []
        return found

    async def depth(self) -> int:
        """How many messages wait."""
        redis = self.store.redis
        return int(await self.store.run(lambda: redis.xlen(self.key("outbox")), timeout=5))

    async def files(self) -> set[str]:
        """Ids of the stored files of messages that wait."""
        redis = self.store.redis
        entries = await self.store.run(lambda: redis.xrange(self.key("outbox")), timeout=10)
        ids = [fields["id"] for _, fields in entries]
        found: set[str] = set()
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]

            async def look(page: list[str] = page) -> list[str | None]:
                pipe = redis.pipeline(transaction=False)
                for message_id in page:
                    pipe.hget(self.key("message", message_id), "file")
                return list(await pipe.execute())

            for file in await self.store.run(look, timeout=10):
                if file:
                    found.add(MessageFile.model_validate_json(file).id)
        return found

    async def uploaded(self, epoch: int, message: QueuedMessage, upload: Upload) -> None:
        """Remember where the file of a waiting message was uploaded to.

        Raises:
            StaleEpoch, StoreUnavailable
        """
        current = await self.store.script(
            LUA / "outbox_uploaded.lua",
            keys=[self.key("owner"), self.key("message", message.id)],
            args=[epoch, upload.model_dump_json()],
        )
        if int(current) != epoch:
            raise StaleEpoch(epoch, int(current) or None)

    async def begin(self, epoch: int, message: QueuedMessage) -> int:
        """Record an attempt before it is made.

        Returns:
            Which attempt this is, from 1; 0 if there is no such message any more.

        Raises:
            StaleEpoch, StoreUnavailable
        """
        outcome, value = await self.store.script(
            LUA / "outbox_begin.lua",
            keys=[self.key("owner"), self.key("message", message.id)],
            args=[epoch],
        )
        if outcome == "stale":
            raise StaleEpoch(epoch, int(value) or None)
        return int(value)

    async def finish(
        self,
        epoch: int,
        message: QueuedMessage | UnreadableMessage,
        status: Literal["sent", "failed"],
        result: dict[str, Any],
        draft: EventDraft,
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        """Record a message's result, append its event and remember new chat aliases, in one step.

        Raises:
            StaleEpoch, StoreUnavailable
        """
        head = self.mailbox.append_args(epoch, draft, force=True)
        outcome, value = await self.store.script(
            APPEND,
            KNOWN,
            LUA / "outbox_finish.lua",
            keys=[
                *self.mailbox.append_keys(),
                *self.mailbox.teaching_keys(),
                self.key("outbox"),
                self.key("message", message.id),
                self._key_of(message) or self.key("message", message.id),
            ],
            args=[
                *head,
                *self.mailbox.teaching_args(draft, aliases),
                message.entry,
                status,
                json.dumps(result),
                self.settings.result_ttl,
                self._key_left(message),
            ],
            timeout=self.mailbox.settings.append_timeout,
        )
        self.mailbox.appended(epoch, outcome, value, draft, head)

    @staticmethod
    def _key_of(message: QueuedMessage | UnreadableMessage) -> str:
        return message.idempotency if isinstance(message, QueuedMessage) else ""

    def _key_left(self, message: QueuedMessage | UnreadableMessage) -> int:
        """Seconds for which a message's key is remembered behind its result."""
        if not isinstance(message, QueuedMessage):
            return 0
        passed = (now() - message.created_at).total_seconds()
        return max(KEY_TTL_LEAST, round(self.settings.idempotency_ttl - passed))


def _message(raw: dict[str, str]) -> QueuedMessage:
    request = json.loads(raw["request"])
    try:
        return QueuedMessage.model_validate(
            {
                **raw,
                "request": request,
                "result": json.loads(raw["result"]) if "result" in raw else None,
                "file": MessageFile.model_validate_json(raw["file"]) if raw.get("file") else None,
                "upload": Upload.model_validate_json(raw["upload"]) if raw.get("upload") else None,
            }
        )
    except ValidationError as error:
        to, kind = (str(request.get(name, "")) for name in ("to", "type"))
        raise UnreadableMessage(raw["id"], raw["entry"], to, kind) from error
