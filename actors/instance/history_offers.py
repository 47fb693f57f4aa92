"""What a phone offers of the account's history: which of it is read, and what waits to be."""

from __future__ import annotations

import base64

from actors.events import EventDraft
from actors.instance.connection import engine_pb2 as pb
from actors.instance.jobs import WaitingJob, waiting
from actors.registry import History

ON_DEMAND = "on_demand"
"""What somebody asked for: it is read whatever the instance wants otherwise."""

READ: dict[History, frozenset[str]] = {
    History.OFF: frozenset({ON_DEMAND}),
    History.RECENT: frozenset({ON_DEMAND, "initial_bootstrap", "recent"}),
    History.FULL: frozenset({ON_DEMAND, "initial_bootstrap", "recent", "full"}),
}
"""Other kinds bring no messages."""


class Part(WaitingJob):
    """A part of the history that waits to be read, or for the rest of it to be.

    Args:
        id: of the message that offered it.
        sync: its kind, as ``recent``.
        request_id: of the request that it answers.
        notification: what it is read with, a serialized HistorySyncNotification as base64: a secret.
        offered_at: seconds since 1970.
        account: whose history it is, a phone number (E.164); None: not known.
        start: where the next page begins.
        pages: how many were told of.
    """

    id: str
    sync: str
    chunk: int | None
    request_id: str | None
    notification: str
    offered_at: float
    account: str | None = None
    start: int = 0
    pages: int = 0

    @property
    def key(self) -> str:
        """The offer's id."""
        return self.id

    @property
    def order(self) -> float:
        """As they were offered."""
        return self.offered_at

    @property
    def offer(self) -> bytes:
        """The notification."""
        return base64.b64decode(self.notification)


def with_part(
    draft: EventDraft, event: pb.Message, history: History, *, room: bool, account: str | None
) -> EventDraft:
    """The event of an offer, saying what becomes of it; the part waits from the append on.

    Args:
        draft: of the offer.
        event: the offer.
        history: what the instance wants.
        room: fewer parts wait than may.
        account: that is paired, if that is known.
    """
    if draft.data["sync"] not in READ[history]:
        return _saying(draft, state="off")
    if not room:
        return _saying(draft, state="failed", reason="busy")
    part = Part(
        id=draft.data["id"],
        sync=draft.data["sync"],
        chunk=draft.data["chunk"],
        request_id=draft.data["request_id"],
        notification=base64.b64encode(event.history).decode(),
        offered_at=draft.received_at.timestamp(),
        account=account,
    )
    return _saying(draft, state="pending").model_copy(update={"waiting": waiting("history", part)})


def _saying(draft: EventDraft, **more: str) -> EventDraft:
    return draft.model_copy(update={"data": {**draft.data, **more}})
