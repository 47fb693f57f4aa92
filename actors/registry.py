"""What should exist, and who owns it: instances, their owners' epochs and leases, keys of access."""

from __future__ import annotations

import contextlib
import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from actors.store import Keys, StaleEpoch, Store, StoreUnavailable

LUA = Path(__file__).parent / "lua"

EPOCH_KEPT = 7 * 86_400
"""Seconds that the epoch of a deleted instance is remembered."""


class Desired(StrEnum):
    """What the customer wants of an instance."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


class CallPolicy(BaseModel):
    """What is done with calls to an account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reject: bool = Field(False, description="Turn down every call as it comes")
    reply: str | None = Field(
        None, min_length=1, max_length=4_096, description="Text that callers are sent, once for each call"
    )

    @model_validator(mode="after")
    def _reply_to_what(self) -> CallPolicy:
        if self.reply is not None and not self.reject:
            raise ValueError("a reply is sent to calls that are rejected: set reject, too")
        return self


class History(StrEnum):
    """How much of the account's history is read when its phone offers it."""

    OFF = "off"
    RECENT = "recent"
    FULL = "full"


class InstanceRecord(BaseModel):
    """One WhatsApp account as its customer configured it."""

    model_config = ConfigDict(frozen=True)

    id: str
    name: str
    desired: Desired = Desired.CONNECTED
    created_at: datetime
    proxy: str | None = None
    tenant: str | None = Field(None, description="Whose it is; unset: nobody else's")
    calls: CallPolicy = CallPolicy()
    download: bool | None = Field(None, description="Whether its messages' files are fetched; unset: as set")
    download_bytes: int | None = Field(None, description="Largest of them; unset: as set")
    history: History = Field(History.OFF, description="What is read of what the phone has of before")
    show_online: bool = Field(False, description="Others see the account as online while it is connected")
    revision: int = Field(0, description="Grows with every change; a change based on an old one is refused")

    @classmethod
    def stored(cls, raw: str) -> InstanceRecord:
        """As it stands in Redis, without what a newer version has put there.

        Raises:
            pydantic.ValidationError
        """
        return cls.model_validate_json(raw, extra="ignore")


class ConnectionState(StrEnum):
    """Where an instance's connection stands."""

    STARTING = "starting"
    PAIRING = "pairing"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    PARKED = "parked"
    CONFLICT = "conflict"
    LOGGED_OUT = "logged_out"
    BANNED = "banned"


class InstanceState(BaseModel):
    """What is true of an instance, as its owner last wrote it."""

    connection: ConnectionState = ConnectionState.STARTING
    since: datetime
    reason: str | None = Field(None, description="Why it is not connected, for people")
    device: str | None = Field(None, description="JID of the paired device")
    lid: str | None = None
    phone: str | None = None
    push_name: str | None = None
    qr: str | None = Field(None, description="Text of the QR code to scan, while pairing")
    qr_expires_at: datetime | None = None
    epoch: int = 0
    node: str | None = None


class Owner(BaseModel):
    """Who may write for an instance."""

    epoch: int
    actor: str
    node: str
    leader: int
    version: str = Field("", description="Of the code that the actor was made with")


class InstanceExists(Exception):
    """An instance with this id already exists."""


class InstanceRemoving(InstanceExists):
    """An instance with this id was deleted, and something of it is still there."""


class InstanceUnknown(Exception):
    """No instance has this id."""


class RevisionConflict(Exception):
    """The record was changed by somebody else in between: read it again."""


class Deposed(Exception):
    """A newer supervisor leads. This one has to end itself."""


class Superseded(Exception):
    """Somebody else is the owner.

    Args:
        epoch: the current one.
        actor: who owns the instance in it, None if nobody does.
    """

    def __init__(self, epoch: int, actor: str | None) -> None:
        super().__init__(f"epoch {epoch} is current, owned by {actor}")
        self.epoch = epoch
        self.actor = actor


def new_token() -> str:
    """A fresh key of access, shown once and stored only as its hash."""
    return f"mlt_{secrets.token_urlsafe(32)}"


def hash_token(token: str) -> str:
    """What is stored of a key: SHA-256 is enough, since keys are random and long."""
    return hashlib.sha256(token.encode()).hexdigest()


def literal(text: str) -> str:
    """A pattern for Redis's MATCH that only this text matches."""
    return re.sub(r"([\\*?\[\]^-])", r"\\\1", text)


def _instance_keys(keys: Keys) -> list[str]:
    return [keys.shared(name) for name in ("instances", "tokens", "removals")]


class Registry:
    """Everything that is desired, in Redis."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.keys = store.keys

    # ---- instances ----

    async def create(self, record: InstanceRecord, token: str) -> InstanceRecord:
        """Record a new instance and its token.

        Raises:
            InstanceExists: the id is taken by an instance that was not created with this token.
            InstanceRemoving: by one that was deleted, and is not gone yet.
        """
        added = await self.store.script(
            LUA / "instance_create.lua",
            keys=_instance_keys(self.keys),
            args=[record.id, record.model_dump_json(), hash_token(token)],
        )
        if added != 1:
            raise (InstanceRemoving if added else InstanceExists)(record.id)
        await self.wake()
        return record

    async def get(self, instance_id: str) -> InstanceRecord:
        """The record of an instance.

        Raises:
            InstanceUnknown: there is none.
        """
        redis = self.store.redis
        raw = await self.store.run(lambda: redis.hget(self.keys.shared("instances"), instance_id), timeout=5)
        if raw is None:
            raise InstanceUnknown(instance_id)
        return InstanceRecord.stored(raw)

    async def list(self) -> list[InstanceRecord]:
        """All instances, oldest first, but for those whose record cannot be read: see `read_all`."""
        records, _ = await self.read_all()
        return [*records]

    async def read_all(self) -> tuple[Sequence[InstanceRecord], frozenset[str]]:
        """All instances, oldest first, and the ids of those whose record cannot be read."""
        redis = self.store.redis
        raw = await self.store.run(lambda: redis.hgetall(self.keys.shared("instances")), timeout=5)
        records = []
        unreadable: set[str] = set()
        for instance_id, value in raw.items():
            try:
                records.append(InstanceRecord.stored(value))
            except ValidationError:
                unreadable.add(instance_id)
        records.sort(key=lambda record: (record.created_at, record.id))
        return records, frozenset(unreadable)

    async def change(self, record: InstanceRecord) -> InstanceRecord:
        """Replace a record by a changed one that was read at ``record.revision``.

        Raises:
            InstanceUnknown, RevisionConflict
        """
        changed = record.model_copy(update={"revision": record.revision + 1})
        result = await self.store.script(
            LUA / "instance_change.lua",
            keys=[self.keys.shared("instances")],
            args=[record.id, record.revision, changed.model_dump_json()],
        )
        if result == "unknown":
            raise InstanceUnknown(record.id)
        if result == "conflict":
            raise RevisionConflict(record.id)
        await self.wake()
        return changed

    async def delete(self, instance_id: str) -> None:
        """Forget an instance: first its record and its tokens, then its data. Again is harmless.

        Its owner, its session and its files are removed by the supervisor: see `removals`.
        """
        await self.store.script(
            LUA / "instance_delete.lua", keys=_instance_keys(self.keys), args=[instance_id]
        )
        await self.wake()
        await self.purge(instance_id)

    async def removals(self) -> frozenset[str]:
        """Ids of deleted instances of which something may still be there."""
        redis, key = self.store.redis, self.keys.shared("removals")
        return frozenset(await self.store.run(lambda: redis.hkeys(key), timeout=5))

    async def removed(self, instance_id: str) -> None:
        """Nothing of a deleted instance is there any more: its id is free."""
        redis = self.store.redis
        await self.store.run(lambda: redis.hdel(self.keys.shared("removals"), instance_id), timeout=5)

    async def purge(self, instance_id: str) -> None:
        """Remove every key of an instance but its epoch, which fences an owner that still lives."""
        redis = self.store.redis
        owner = self.keys.instance(instance_id, "owner")
        await self.store.script(LUA / "owner_retire.lua", keys=[owner], args=[EPOCH_KEPT])
        pattern = literal(self.keys.instance(instance_id)) + ":*"

        async def sweep() -> None:
            # At once and before the rest what couriers write by, or they bring back what is gone already.
            endpoints = self.keys.instance(instance_id, "endpoints")
            states = [
                self.keys.instance(instance_id, "ep", endpoint_id, "state")
                for endpoint_id in await redis.hkeys(endpoints)
            ]
            await redis.unlink(endpoints, self.keys.instance(instance_id, "floors"), *states)
            async for key in redis.scan_iter(match=pattern, count=500):
                if key != owner:
                    await redis.unlink(key)

        await self.store.run(sweep, timeout=30, attempt=30)

    async def wake(self) -> None:
        """Tell the supervisor to look now instead of at its next turn. A lost wake costs only that time."""
        redis = self.store.redis
        with contextlib.suppress(StoreUnavailable):
            await self.store.run(lambda: redis.publish(self.keys.wake, ""), timeout=1)

    # ---- keys of access ----

    async def add_admin_key(self, key: str) -> None:
        """Accept this admin key from now on."""
        redis = self.store.redis
        await self.store.run(lambda: redis.sadd(self.keys.shared("admin"), hash_token(key)), timeout=5)

    async def has_admin_key(self) -> bool:
        """True if any admin key was ever set."""
        redis = self.store.redis
        return bool(await self.store.run(lambda: redis.scard(self.keys.shared("admin")), timeout=5))

    async def who(self, token: str) -> str | None:
        """Whose key this is: ``"*"`` for an admin key, an instance's id, or None."""
        hashed = hash_token(token)
        redis = self.store.redis

        async def look_up() -> tuple[Any, Any]:
            pipe = redis.pipeline(transaction=False)
            pipe.sismember(self.keys.shared("admin"), hashed)
            pipe.hget(self.keys.shared("tokens"), hashed)
            admin, instance_id = await pipe.execute()
            return admin, instance_id

        admin, instance_id = await self.store.run(look_up, timeout=5)
        return "*" if admin else instance_id

    async def rotate_token(self, instance_id: str, token: str) -> None:
        """Replace an instance's tokens by this one.

        Raises:
            InstanceUnknown
        """
        known = await self.store.script(
            LUA / "token_rotate.lua",
            keys=[self.keys.shared("instances"), self.keys.shared("tokens")],
            args=[instance_id, hash_token(token)],
        )
        if not known:
            raise InstanceUnknown(instance_id)

    # ---- ownership ----

    async def lead(self) -> int:
        """Become the leading supervisor: the number returned is greater than any before."""
        redis = self.store.redis
        return int(await self.store.run(lambda: redis.incr(self.keys.shared("leader")), timeout=30))

    async def ensure_leading(self, leader: int) -> None:
        """Raise Deposed if a supervisor with a greater number leads."""
        redis = self.store.redis
        newest = int(await self.store.run(lambda: redis.get(self.keys.shared("leader")), timeout=5) or 0)
        if newest > leader:
            raise Deposed(f"supervisor {leader}, {newest} leads")

    async def owner(self, instance_id: str) -> Owner | None:
        """Who owns an instance now."""
        redis = self.store.redis
        raw = await self.store.run(lambda: redis.hgetall(self.keys.instance(instance_id, "owner")), timeout=5)
        return Owner.model_validate(raw) if raw else None

    async def fence(
        self,
        instance_id: str,
        *,
        after: int,
        leader: int,
        actor: str,
        node: str,
        known_dead: bool,
        version: str = "",
    ) -> tuple[int, float]:
        """Make a successor the owner, whatever its predecessor's lease.

        Args:
            actor: its name, which no other actor ever had.
            known_dead: the predecessor has disconnected or ended, so that its lease means nothing.
            version: of the code that it runs.

        Returns:
            The new epoch, and for how many seconds somebody before it, who can neither write nor renew from
            now on, may still believe in a lease. Asked again for the same actor, the same is answered.

        Raises:
            Superseded: neither ``after`` is current nor ``actor`` the owner.
            Deposed: a newer supervisor has granted here.
        """
        answer, value, more = await self.store.script(
            LUA / "owner_fence.lua",
            keys=[self.keys.instance(instance_id, "owner"), self.keys.instance(instance_id, "lease")],
            args=[after, leader, actor, node, int(known_dead), version],
        )
        if answer == "deposed":
            raise Deposed(f"supervisor {leader}, {value} leads")
        if answer == "refused":
            raise Superseded(int(value), more or None)
        return int(value), int(float(more)) / 1000

    async def renew(self, instance_id: str, epoch: int, ttl: float, *, timeout: float) -> None:
        """Prolong the owner's lease by ``ttl`` seconds from now.

        Raises:
            StaleEpoch: the lease is not ours to renew.
            StoreUnavailable: it could not be renewed in time; it goes on running out.
        """
        current = await self.store.script(
            LUA / "lease_renew.lua",
            keys=[self.keys.instance(instance_id, "owner"), self.keys.instance(instance_id, "lease")],
            args=[epoch, int(ttl * 1000)],
            timeout=timeout,
        )
        if int(current) != epoch:
            raise StaleEpoch(epoch, int(current) or None)

    async def leased(self, instance_id: str, epoch: int) -> bool:
        """True while the owner of this epoch holds its lease."""
        redis, key = self.store.redis, self.keys.instance(instance_id, "lease")
        return bool(await self.store.run(lambda: redis.get(key), timeout=5) == str(epoch))

    async def release(self, instance_id: str, epoch: int) -> None:
        """End the lease early: the owner is done. A stale owner's release changes nothing."""
        await self.store.script(
            LUA / "lease_release.lua",
            keys=[self.keys.instance(instance_id, "owner"), self.keys.instance(instance_id, "lease")],
            args=[epoch],
        )

    # ---- state ----

    async def write_state(self, instance_id: str, epoch: int, state: InstanceState) -> None:
        """Publish what is true of an instance.

        Raises:
            StaleEpoch: the writer is no longer the owner.
        """
        current = await self.store.script(
            LUA / "state_write.lua",
            keys=[self.keys.instance(instance_id, "owner"), self.keys.instance(instance_id, "state")],
            args=[epoch, state.model_dump_json()],
        )
        if int(current) != epoch:
            raise StaleEpoch(epoch, int(current) or None)

    async def state(self, instance_id: str) -> InstanceState | None:
        """What the owner last wrote, None if there never was one."""
        redis = self.store.redis
        raw = await self.store.run(lambda: redis.get(self.keys.instance(instance_id, "state")), timeout=5)
        return InstanceState.model_validate_json(raw) if raw else None


def now() -> datetime:
    """The present, in UTC."""
    return datetime.now(UTC)
