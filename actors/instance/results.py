"""Results of messages: each recorded once, with its event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from actors import metrics
from actors.events import EventDraft, EventType
from actors.instance.composer import Composed
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.mapping import ChatIds, chat_of
from actors.instance.outbox import Outbox, QueuedMessage, UnreadableMessage
from actors.registry import now

ARRIVED = frozenset({"delivered", "read", "played"})
"""What receipts say of a message: WhatsApp has it, whatever became of its answer."""


class Results:
    """Finishes messages. All raise StaleEpoch and StoreUnavailable.

    Args:
        account: phone number (E.164) of the account that is paired, None if that is not known.
    """

    def __init__(self, epoch: int, outbox: Outbox, chats: ChatIds, account: Callable[[], str | None]) -> None:
        self._epoch = epoch
        self._outbox = outbox
        self._chats = chats
        self._account = account

    async def sent(
        self, message: QueuedMessage, composed: Composed | None, shown: dict[str, Any], result: pb.SendResult
    ) -> None:
        """WhatsApp has it.

        Args:
            composed: None: what it was made of is gone.
            shown: what events tell of it.
        """
        moment = datetime.fromtimestamp(result.timestamp_ms / 1000, UTC) if result.timestamp_ms else now()
        chat = chat_of(result.chat, self._chats)
        told = {"id": message.id, "chat": chat.model_dump(), "from_me": True, "source": "api", **shown}
        draft = _draft(EventType.MESSAGE_SENT, message.id, moment, told, chat.id)
        if composed is not None:
            draft = draft.model_copy(update={"memory": composed.memory(message.id, result, chat.id, moment)})
        aliases = self._chats.unsaved()
        result_of = {"timestamp": moment.isoformat(), "chat_id": chat.id}
        await self._outbox.finish(self._epoch, message, "sent", result_of, draft, aliases)
        metrics.SENT.labels("sent").inc()
        self._chats.saved(aliases)

    def arrived(self, message: QueuedMessage) -> pb.SendResult:
        """What WhatsApp's answer to a message said, as far as it is known without it: the answer was lost."""
        own, (user, _, server) = message.account or self._account(), message.request.to.partition("@")
        chat = pb.Identity(
            jid=message.request.to,
            phone=user if server == "s.whatsapp.net" else "",
            lid=user if server == "lid" else "",
        )
        return pb.SendResult(sender=f"{own[1:]}@s.whatsapp.net" if own else "", chat=chat)

    async def failed(self, message: QueuedMessage, reason: dict[str, Any], attempts: int) -> None:
        """It is not tried again."""
        to, kind = message.request.to, message.request.content.type
        await self._failed(message, to, kind, reason, attempts)

    async def unreadable(self, message: UnreadableMessage) -> None:
        """Another version queued it, and this one does not know what it is."""
        text = "The instance runs a version that does not know this kind of message. Send it again later."
        await self._failed(message, message.to, message.kind, {"code": "unsupported", "message": text}, 0)

    async def _failed(
        self,
        message: QueuedMessage | UnreadableMessage,
        to: str,
        kind: str,
        reason: dict[str, Any],
        attempts: int,
    ) -> None:
        told = {"id": message.id, "to": to, "type": kind, "error": reason, "attempts": attempts}
        # In order with what else happens in the chat.
        draft = _draft(EventType.MESSAGE_FAILED, message.id, now(), told, self._chats.known(to) or None)
        await self._outbox.finish(self._epoch, message, "failed", {"error": reason}, draft)
        metrics.SENT.labels("failed").inc()


def _draft(
    kind: EventType, message_id: str, moment: datetime, data: dict[str, Any], chat_id: str | None = None
) -> EventDraft:
    return EventDraft(
        type=kind,
        dedupe_key=f"result:{message_id}",
        occurred_at=moment,
        received_at=now(),
        chat_id=chat_id,
        data=data,
    )
