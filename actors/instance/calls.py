"""Turns calls down by itself, and tells callers so, if the customer wants that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from actors.events import EventDraft, EventType
from actors.instance.errors import CallFailed
from actors.instance.mailbox import MailboxFull
from actors.instance.outbox import IdempotencyMismatch, Outbox, OutboxFull, SendRequest
from actors.messages.content import Text
from actors.registry import CallPolicy, InstanceUnknown, now
from actors.store import StaleEpoch, StoreUnavailable

log = logging.getLogger(__name__)

RINGS = 120.0
"""Seconds after which a call has surely stopped ringing: one that came while nobody was connected."""


class CallKeeper:
    """Follows the policy for every call that is heard of.

    Args:
        policy: as it is now.
        reject: turns down a call of a caller (a JID), by its id.
        outbox: takes the reply.
        ring: says that a message was queued.
        account: phone number of the account that is called, None if it is not known.
    """

    def __init__(
        self,
        *,
        epoch: int,
        policy: Callable[[], CallPolicy],
        reject: Callable[[str, str], Awaitable[Any]],
        outbox: Outbox,
        ring: Callable[[], None],
        account: Callable[[], str | None],
    ) -> None:
        self._epoch = epoch
        self._policy = policy
        self._reject = reject
        self._outbox = outbox
        self._ring = ring
        self._account = account
        self._rejecting: set[asyncio.Task[None]] = set()

    async def heed(self, draft: EventDraft) -> None:
        """Do what is wanted about an event that was just stored. Again, nobody is written to twice.

        Raises:
            StoreUnavailable: the reply is not queued; WhatsApp will tell of the call again.
        """
        policy, call = self._policy(), draft.data.get("call")
        if draft.type is not EventType.CALL_RECEIVED or not policy.reject or not call:
            return
        caller = _jid(draft.data.get("sender") or {})
        if caller is None:
            return
        if policy.reply is not None and not call["group"]:
            await self._reply(caller, call["id"], policy.reply)
        if (now() - draft.occurred_at).total_seconds() < RINGS:
            # Not awaited: WhatsApp's answer must not hold up the events behind this one.
            task = asyncio.create_task(self._turn_down(caller, draft))
            self._rejecting.add(task)
            task.add_done_callback(self._rejecting.discard)

    def close(self) -> None:
        """Give up what is under way."""
        for task in self._rejecting:
            task.cancel()

    async def _reply(self, caller: str, call_id: str, text: str) -> None:
        request = SendRequest(to=caller, content=Text(text=text))
        try:
            # The call is the key: told of it twice, by whichever owner, the caller is written to once. No
            # customer's key begins with a space.
            await self._outbox.enqueue(request, f" call:{call_id}", account=self._account())
        except IdempotencyMismatch:
            return  # answered before, with a text that was changed since
        except InstanceUnknown:
            return  # deleted
        except OutboxFull as error:
            log.warning("no reply to a call: %s", error)
            return
        self._ring()

    async def _turn_down(self, caller: str, draft: EventDraft) -> None:
        call = draft.data["call"]
        try:
            await self._reject(caller, call["id"])
            moment = now()
            rejected = EventDraft(
                type=EventType.CALL_REJECTED,
                dedupe_key=f"rejected:{call['id']}",
                occurred_at=moment,
                received_at=moment,
                chat_id=draft.chat_id,
                data={
                    **draft.data,
                    "kind": "call_reject",
                    "event": {},
                    "call": {**call, "status": "rejected"},
                    "automatic": True,
                },
            )
            await self._outbox.mailbox.append(self._epoch, rejected, force=True)
        except (CallFailed, MailboxFull, StaleEpoch, StoreUnavailable) as error:
            # It rings until its caller gives up.
            log.warning("a call was not rejected: %s", error)


def _jid(sender: dict[str, Any]) -> str | None:
    if sender.get("lid"):
        return str(sender["lid"])
    return f"{sender['phone'][1:]}@s.whatsapp.net" if sender.get("phone") else None
