"""The mailbox: an instance's durable, ordered, gapless log of events.

One Redis stream per instance. An entry's id is ``<seq>-0``, so that the sequence number is the position, and
an append whose reply was lost can be repeated: the event's dedupe key says that it is there already.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from actors import traces
from actors.events import Event, EventDraft, new_event_id, utc
from actors.instance import measured
from actors.settings import MailboxSettings
from actors.store import StaleEpoch, Store

LUA = Path(__file__).parent / "lua"
APPEND = LUA / "append.lua"
KNOWN = LUA / "known.lua"


class MailboxFull(Exception):
    """The hard bound is reached: the instance has to park.

    Args:
        depth: events that no endpoint has finished with.
    """

    def __init__(self, depth: int) -> None:
        super().__init__(f"{depth} events are undelivered")
        self.depth = depth


class Mailbox:
    """Reads and appends. Appending needs an epoch, reading does not."""

    def __init__(self, store: Store, instance_id: str, settings: MailboxSettings) -> None:
        self.store = store
        self.instance_id = instance_id
        self.settings = settings

    def key(self, *parts: str) -> str:
        """A key of this instance."""
        return self.store.keys.instance(self.instance_id, *parts)

    def append_keys(self) -> list[str]:
        """The keys that every script with an append begins with."""
        return [self.key(name) for name in ("owner", "meta", "mailbox", "seen", "floors", "chats")]

    def append_args(self, epoch: int, draft: EventDraft, *, force: bool) -> list[str | int | float | bytes]:
        """The arguments that every script with an append begins with, after its keys."""
        event_id = new_event_id()
        bounds = self.settings
        return [
            epoch,
            draft.dedupe_key,
            event_id,
            draft.type.value,
            draft.chat_id or "",
            _encode(self.instance_id, epoch, event_id, draft),
            int(draft.ephemeral),
            int(force),
            bounds.soft_bound,
            bounds.hard_bound,
            bounds.dedupe_window,
            bounds.keep,
            self.store.keys.ring,
            self.instance_id,
        ]

    def teaching_keys(self) -> list[str]:
        """The keys that follow those of an append where it also teaches of chats and messages."""
        return [self.key("known"), self.key("known_ages")]

    def teaching_args(self, draft: EventDraft, aliases: Mapping[str, str] | None) -> list[str | int]:
        """The arguments that follow those of an append where it also teaches of chats and messages."""
        memory = draft.memory.model_dump_json() if draft.memory else "null"
        return [
            json.dumps(dict(aliases or {})),
            json.dumps(list(draft.status_of.values())),
            memory,
            self.settings.known,
            self.settings.known_ttl,
        ]

    async def append(
        self,
        epoch: int,
        draft: EventDraft,
        *,
        aliases: Mapping[str, str] | None = None,
        force: bool = False,
    ) -> int | None:
        """Store an event. When this returns, it is durable.

        Args:
            epoch: the writer's; refused if it is not the current one.
            draft: what happened.
            aliases: identities of chats that became known with this event, to the stable chat id.
            force: store it also above the hard bound: the gateway's own news, which nobody holds for us.

        Returns:
            Its sequence number, also when it was there already; None if it was an ephemeral one that the
            soft bound turned away.

        Raises:
            StaleEpoch: the writer is no longer the owner.
            MailboxFull: the hard bound is reached.
            StoreUnavailable: Redis did not answer in time. Append it again later: it is not stored twice.
        """
        head = self.append_args(epoch, draft, force=force)
        outcome, value = await self.store.script(
            APPEND,
            KNOWN,
            LUA / "mailbox_append.lua",
            keys=[
                *self.append_keys(),
                *self.teaching_keys(),
                self.key(draft.waiting.work if draft.waiting else "downloads"),
                *(self.key("message", message_id) for message_id in draft.status_of),
            ],
            args=[
                *head,
                *self.teaching_args(draft, aliases),
                *((draft.waiting.key, draft.waiting.job) if draft.waiting else ("", "")),
            ],
            timeout=self.settings.append_timeout,
        )
        return self.appended(epoch, outcome, value, draft, head)

    def appended(
        self,
        epoch: int,
        outcome: str,
        value: str,
        draft: EventDraft,
        head: Sequence[str | int | float | bytes],
    ) -> int | None:
        """Turn the answer of an append into its result or its exception.

        Args:
            head: what `append_args` gave.
        """
        measured.appended(draft.type.value, outcome)
        if outcome == "stale":
            raise StaleEpoch(epoch, int(value) or None)
        if outcome == "full":
            raise MailboxFull(int(value))
        if outcome == "dropped":
            return None
        seq = int(float(value))
        if outcome == "ok":
            traces.stored(
                str(head[2]),
                draft.type.value,
                instance=self.instance_id,
                seq=seq,
                since=draft.received_at,
                now=time.time(),
            )
        return seq

    async def read(self, *, after: int = 0, limit: int = 100) -> list[Event]:
        """Events with a sequence number above ``after``, at most ``limit``, in order."""
        redis = self.store.redis
        entries = await self.store.run(
            lambda: redis.xrange(self.key("mailbox"), min=f"{after + 1}-0", count=limit), timeout=5
        )
        return [decode(entry_id, fields) for entry_id, fields in entries]

    async def extent(self) -> tuple[int, int]:
        """Sequence numbers of the oldest event kept (one past the last if none) and of the last one."""
        redis = self.store.redis
        last = int(await self.store.run(lambda: redis.hget(self.key("meta"), "seq"), timeout=5) or 0)
        first = await self.store.run(lambda: redis.xrange(self.key("mailbox"), count=1), timeout=5)
        return (int(first[0][0].partition("-")[0]) if first else last + 1), last

    async def depth(self) -> int:
        """How many events some endpoint has not finished with."""
        redis = self.store.redis

        async def look() -> tuple[str | None, list[str]]:
            pipe = redis.pipeline(transaction=False)
            pipe.hget(self.key("meta"), "seq")
            pipe.hvals(self.key("floors"))
            seq, floors = await pipe.execute()
            return seq, floors

        seq, floors = await self.store.run(look, timeout=5)
        return int(seq or 0) - min((int(floor) for floor in floors), default=int(seq or 0))

    async def chat_id(self, jid: str) -> str:
        """The stable id of the chat with this address; the address itself, if it is not known yet."""
        redis = self.store.redis
        return str(await self.store.run(lambda: redis.hget(self.key("chats"), jid), timeout=5) or jid)

    async def chats(self) -> dict[str, str]:
        """Every identity of a chat that was ever seen, to the stable chat id."""
        redis = self.store.redis
        return dict(await self.store.run(lambda: redis.hgetall(self.key("chats")), timeout=10))


def decode(entry_id: str, fields: Mapping[str, str]) -> Event:
    """The event in a stream's entry."""
    body: dict[str, Any] = json.loads(fields["e"])
    body["seq"] = int(entry_id.partition("-")[0])
    return Event.model_validate(body)


def _encode(instance_id: str, epoch: int, event_id: str, draft: EventDraft) -> str:
    return json.dumps(
        {
            "id": event_id,
            "instance_id": instance_id,
            "epoch": epoch,
            "type": draft.type.value,
            "occurred_at": utc(draft.occurred_at),
            "received_at": utc(draft.received_at),
            "chat_id": draft.chat_id,
            "data": draft.data,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
