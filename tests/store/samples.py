"""Small, valid pieces that the tests of the store are made of."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from actors.events import EventDraft, EventType
from actors.instance.mailbox import Mailbox
from actors.instance.outbox import SendRequest
from actors.messages.content import Text
from actors.registry import InstanceRecord, Registry, now
from actors.store import Store

INSTANCE = "inst_1"
REQUEST = SendRequest(to="5511999999999@s.whatsapp.net", content=Text(text="olá, 世界 👋"))

_numbers = itertools.count()


def draft(
    key: str | None = None,
    *,
    type: EventType = EventType.MESSAGE_RECEIVED,
    data: dict[str, Any] | None = None,
    chat_id: str | None = "chat-1",
    status_of: Mapping[str, str] | None = None,
) -> EventDraft:
    """An event that nothing else equals, unless ``key`` says so."""
    moment = now()
    return EventDraft(
        type=type,
        dedupe_key=key or f"key-{next(_numbers)}",
        occurred_at=moment,
        received_at=moment,
        data=data or {"text": "oi"},
        chat_id=chat_id,
        status_of=dict(status_of or {}),
    )


def presence(key: str | None = None) -> EventDraft:
    """An event that a crowded mailbox may refuse."""
    return draft(key, type=EventType.CHAT_PRESENCE)


def record(instance_id: str = INSTANCE, **changes: Any) -> InstanceRecord:
    """An instance as a customer asked for it."""
    return InstanceRecord(**{"id": instance_id, "name": "loja", "created_at": now(), **changes})


async def grant(registry: Registry, after: int = 0, instance_id: str = INSTANCE, **changes: Any) -> int:
    """Make an actor of the usual name the owner."""
    arguments: dict[str, Any] = {
        "after": after,
        "leader": 1,
        "actor": f"{instance_id}:{after + 1}",
        "node": "node-a",
        "known_dead": True,
        **changes,
    }
    epoch, _ = await registry.fence(instance_id, **arguments)
    return epoch


async def snapshot(store: Store) -> dict[str, bytes]:
    """Everything under the store's prefix, as Redis would serialise it: equal snapshots, nothing written."""
    keys = [key async for key in store.redis.scan_iter(match=f"*{store.keys.prefix}*", count=1000)]
    pipe = store.redis.pipeline(transaction=False)
    for key in sorted(keys):
        # Script effects are compared by content, not by DUMP: its bytes depend on encodings.
        pipe.type(key)
    kinds = await pipe.execute()
    found: dict[str, bytes] = {}
    for key, kind in zip(sorted(keys), kinds, strict=True):
        found[key] = repr(await _content(store, key, kind)).encode()
    return found


async def _content(store: Store, key: str, kind: str) -> Any:
    redis = store.redis
    match kind:
        case "string":
            return await redis.get(key)
        case "hash":
            return sorted((await redis.hgetall(key)).items())
        case "set":
            return sorted(await redis.smembers(key))
        case "zset":
            return await redis.zrange(key, 0, -1, withscores=True)
        case "stream":
            return await redis.xrange(key)
        case _:
            raise AssertionError(f"{key} is of a kind nobody expects: {kind}")


async def raise_floor(mailbox: Mailbox, floor: int, endpoint: str = "ep_1") -> None:
    """An endpoint has finished with every event up to ``floor``."""
    await mailbox.store.redis.hset(mailbox.key("floors"), endpoint, floor)
