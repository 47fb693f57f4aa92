"""An instance's own news: its published state, and the events about its connection."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from datetime import datetime
from typing import Any

from actors.events import EventDraft, EventType
from actors.instance.mailbox import Mailbox
from actors.registry import ConnectionState, InstanceState, Registry, now
from actors.store import StoreUnavailable

log = logging.getLogger(__name__)

BACKLOG = 1_000
"""News kept while Redis is away. Beyond that the oldest goes, with a warning."""


class Announcer:
    """Publishes the newest state and appends every change, in order, however long Redis is away."""

    def __init__(
        self, registry: Registry, mailbox: Mailbox, instance_id: str, epoch: int, node: str | None
    ) -> None:
        self._registry = registry
        self._mailbox = mailbox
        self._instance_id = instance_id
        self._epoch = epoch
        self._drafts: deque[EventDraft] = deque(maxlen=BACKLOG)
        self._dirty = asyncio.Event()
        self._idle = asyncio.Event()
        self._count = 0
        self._announced: tuple[ConnectionState, str | None] | None = None
        self.state = InstanceState(since=now(), epoch=epoch, node=node)

    async def restore(self) -> None:
        """Take over what the predecessor knew of the account."""
        before = await self._registry.state(self._instance_id)
        if before is not None:
            known = before.model_dump(include={"device", "lid", "phone", "push_name"})
            self.state = self.state.model_copy(update=known)
            self._announced = (before.connection, before.reason)
        self._mark()

    def learn(self, **facts: Any) -> None:
        """Publish facts about the account, such as its device or its QR code, without an event."""
        self.state = self.state.model_copy(update=facts)
        self._mark()

    def connecting(self) -> None:
        """Publish that a connection is attempted.

        No event if the last one said connected: customers need not see that their instance was moved.
        """
        if self._announced == (ConnectionState.CONNECTED, None):
            self._show(ConnectionState.CONNECTING, None)
        else:
            self.change(ConnectionState.CONNECTING)

    def change(self, connection: ConnectionState, reason: str | None = None, **facts: Any) -> None:
        """Publish where the connection stands; what differs from the last event said is an event too."""
        self._show(connection, reason, **facts)
        if (connection, reason) != self._announced:
            self._announced = (connection, reason)
            state = self.state
            self._add(
                EventType.CONNECTION_CHANGED,
                {"state": connection, "reason": reason, "phone": state.phone, "lid": state.lid},
            )

    def _show(self, connection: ConnectionState, reason: str | None, **facts: Any) -> None:
        if connection is not ConnectionState.PAIRING:
            facts.update(qr=None, qr_expires_at=None)
        if (connection, reason) != (self.state.connection, self.state.reason):
            facts.update(since=now())
        self.learn(connection=connection, reason=reason, **facts)

    def qr(self, code: str, expires_at: datetime) -> None:
        """Publish a QR code to scan."""
        self.change(ConnectionState.PAIRING, qr=code, qr_expires_at=expires_at)
        self._add(EventType.CONNECTION_QR, {"code": code, "expires_at": expires_at.isoformat()})

    def _add(self, kind: EventType, data: dict[str, Any]) -> None:
        self._count += 1
        if len(self._drafts) == BACKLOG:
            log.warning("own news overflowed", extra={"instance": self._instance_id, "epoch": self._epoch})
        moment = now()
        self._drafts.append(
            EventDraft(
                type=kind,
                dedupe_key=f"own:{self._epoch}:{self._count}",
                occurred_at=moment,
                received_at=moment,
                data=data,
            )
        )
        self._mark()

    def _mark(self) -> None:
        self._idle.clear()
        self._dirty.set()

    async def flushed(self) -> None:
        """Wait until everything said so far is written."""
        await self._idle.wait()

    async def run(self) -> None:
        """Write what is said, until cancelled.

        Raises:
            StaleEpoch: the instance has another owner.
        """
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            try:
                while self._drafts:
                    await self._mailbox.append(self._epoch, self._drafts[0], force=True)
                    self._drafts.popleft()
                await self._registry.write_state(self._instance_id, self._epoch, self.state)
            except StoreUnavailable:
                self._dirty.set()
                await asyncio.sleep(0.5)
                continue
            if not self._dirty.is_set():
                self._idle.set()
