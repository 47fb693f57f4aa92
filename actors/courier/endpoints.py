"""The endpoints of an instance: what the API does with them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

from yarl import URL

from actors.courier.addresses import Guard
from actors.courier.records import (
    REMOVABLE,
    Attempt,
    DeadLetter,
    DeliveryOptions,
    EndpointChange,
    EndpointRecord,
    EndpointStatus,
    Ordering,
    Secret,
    moment,
)
from actors.courier.signature import new_secret
from actors.courier.tls import ClientTls
from actors.events import Event, EventType, new_event_id, utc
from actors.registry import RevisionConflict, now
from actors.settings import Settings
from actors.store import Store

LUA = Path(__file__).parent / "lua"
COMMON = LUA / "common.lua"
SECRETS_MAX = 5
REPLAY_PAGE = 200
CHANGE_TRIES = 20
# The method `list` would be taken for the type in the annotations of its class.
Records = list[EndpointRecord]
Attempts = list[Attempt]
DeadLetters = list[DeadLetter]
Ids = list[str]
PARTS = ("state", "done", "retries", "replay", "replay_retries", "attempts", "dead", "dead_index")


class EndpointUnknown(Exception):
    """The instance has no endpoint with this id."""


class DeadLetterUnknown(Exception):
    """The endpoint has no dead letter with this id; it may be replayed already."""


class EndpointDisabled(Exception):
    """The endpoint is switched off: nothing is posted to it, no test either."""


class TooManyEndpoints(Exception):
    """The instance has as many endpoints as it may have.

    Args:
        bound: how many these are.
    """

    def __init__(self, bound: int) -> None:
        super().__init__(f"an instance may have {bound} endpoints")
        self.bound = bound


def endpoints_channel(store: Store) -> str:
    """The channel on which a change of an instance's endpoints is announced."""
    return store.keys.shared("endpoints")


def endpoint_keys(store: Store, instance_id: str, endpoint_id: str) -> dict[str, str]:
    """Keys of what an endpoint has to itself, by part."""
    return {part: store.keys.instance(instance_id, "ep", endpoint_id, part) for part in PARTS}


class Endpoints:
    """The endpoints of one instance.

    Args:
        settings: bounds, and which addresses are allowed.
    """

    def __init__(self, store: Store, instance_id: str, settings: Settings | None = None) -> None:
        self.store = store
        self.instance_id = instance_id
        self._settings = settings or Settings()
        self._guard = Guard(
            allow_private=self._settings.courier.allow_private, allow=self._settings.allow_hosts
        )

    # ---- configuration ----

    async def create(
        self,
        url: str,
        *,
        events: Sequence[str] = ("*",),
        ordering: Ordering = Ordering.CHAT,
        description: str = "",
        headers: dict[str, str] | None = None,
        delivery: DeliveryOptions | None = None,
        tls: ClientTls | None = None,
        secret: str | None = None,
        enabled: bool = True,
    ) -> EndpointRecord:
        """Subscribe a URL to what happens from now on.

        Args:
            tls: the certificate to show to the endpoint, which must be an https:// one.
            secret: ``whsec_…`` to sign with; by default a fresh one.

        Raises:
            ValueError: something about it is not valid (pydantic.ValidationError), or the URL leads to an
                address that is not allowed.
            TooManyEndpoints
        """
        record = EndpointRecord(
            id=f"ep_{secrets.token_hex(12)}",
            url=url,
            events=tuple(events),
            ordering=ordering,
            enabled=enabled,
            disabled_reason=None if enabled else "created disabled",
            description=description,
            headers=headers or {},
            delivery=delivery or DeliveryOptions(),
            tls=tls,
            secrets=(Secret(value=secret or new_secret()),),
            created_at=now(),
        )
        self._check_address(record.url)
        if tls is not None:
            tls.check()
        _check_scheme(record)
        bound = self._settings.courier.endpoints_max
        answer = await self.store.script(
            LUA / "endpoint_create.lua",
            keys=[self._key("endpoints"), self._key("floors"), self._key("meta")],
            args=[
                record.id,
                record.model_dump_json(),
                bound,
                endpoints_channel(self.store),
                self.instance_id,
            ],
        )
        if answer == "full":
            raise TooManyEndpoints(bound)
        return record

    async def list(self) -> Records:
        """All endpoints, oldest first."""
        redis = self.store.redis
        raw = await self.store.run(lambda: redis.hvals(self._key("endpoints")), timeout=5)
        records = [EndpointRecord.stored(value) for value in raw]
        return sorted(records, key=lambda record: (record.created_at, record.id))

    async def get(self, endpoint_id: str) -> EndpointRecord:
        """One endpoint.

        Raises:
            EndpointUnknown
        """
        redis = self.store.redis
        raw = await self.store.run(lambda: redis.hget(self._key("endpoints"), endpoint_id), timeout=5)
        if raw is None:
            raise EndpointUnknown(endpoint_id)
        return EndpointRecord.stored(raw)

    async def change(
        self, endpoint_id: str, change: EndpointChange, *, revision: int | None = None
    ) -> EndpointRecord:
        """Change what is set in ``change``.

        Args:
            revision: change only the record of this revision.

        Raises:
            EndpointUnknown, RevisionConflict
            ValueError: the URL leads to an address that is not allowed, or is no https:// one and a client
                certificate is set.
        """
        values = {name: getattr(change, name) for name in change.model_fields_set}
        values = {name: value for name, value in values.items() if value is not None or name in REMOVABLE}
        if "url" in values:
            self._check_address(values["url"])
        if "enabled" in values:
            values["disabled_reason"] = None if values["enabled"] else "switched off"
        return await self._update(endpoint_id, lambda record: values, revision)

    async def enable(self, endpoint_id: str) -> EndpointRecord:
        """Deliver again, from where it stopped.

        Raises:
            EndpointUnknown
        """
        return await self.change(endpoint_id, EndpointChange(enabled=True))

    async def rotate_secret(
        self, endpoint_id: str, *, secret: str | None = None, overlap: float | None = None
    ) -> EndpointRecord:
        """Sign with a new secret, and for ``overlap`` seconds with the old ones too.

        Raises:
            EndpointUnknown
            ValueError: ``secret`` is none.
        """
        fresh = Secret(value=secret or new_secret())
        seconds = self._settings.courier.secret_overlap if overlap is None else overlap

        def rotated(record: EndpointRecord) -> dict[str, Any]:
            end = now() + timedelta(seconds=seconds)
            old = tuple(
                s.model_copy(update={"expires_at": min(s.expires_at or end, end)})
                for s in record.secrets
                if s.value != fresh.value and (s.expires_at is None or s.expires_at > now())
            )
            return {"secrets": (fresh, *(s for s in old if seconds > 0))[:SECRETS_MAX]}

        return await self._update(endpoint_id, rotated, None)

    async def delete(self, endpoint_id: str) -> bool:
        """Forget an endpoint, its log and its dead letters. False if there was none. Again is harmless."""
        keys = endpoint_keys(self.store, self.instance_id, endpoint_id)
        existed = await self.store.script(
            COMMON,
            LUA / "endpoint_delete.lua",
            keys=[
                *(self._key(name) for name in ("endpoints", "floors", "meta", "mailbox")),
                *(keys[part] for part in PARTS),
            ],
            args=[
                endpoint_id,
                self._settings.mailbox.keep,
                endpoints_channel(self.store),
                self.instance_id,
            ],
        )
        return bool(existed)

    async def announce(self) -> None:
        """Tell the couriers to look at these endpoints anew. A sweep does not do that by itself."""
        redis = self.store.redis
        await self.store.run(
            lambda: redis.publish(endpoints_channel(self.store), self.instance_id), timeout=5
        )

    # ---- how it is doing ----

    async def status(self, endpoint_id: str) -> EndpointStatus:
        """Counts and times.

        Raises:
            EndpointUnknown
        """
        await self.get(endpoint_id)
        redis = self.store.redis
        keys = endpoint_keys(self.store, self.instance_id, endpoint_id)

        async def look() -> list[Any]:
            pipe = redis.pipeline(transaction=False)
            pipe.hgetall(keys["state"])
            pipe.hget(self._key("floors"), endpoint_id)
            pipe.hget(self._key("meta"), "seq")
            pipe.hlen(keys["retries"])
            pipe.zcard(keys["dead_index"])
            pipe.xlen(keys["replay"])
            return list(await pipe.execute())

        state, floor, seq, retrying, dead, replaying = await self.store.run(look, timeout=5)

        circuit = json.loads(state["circuit"]) if "circuit" in state else None

        def at(name: str) -> datetime | None:
            return moment(float(state[name])) if name in state else None

        return EndpointStatus(
            waiting=int(seq or 0) - int(floor or 0),
            retrying=retrying,
            dead_letters=dead,
            dead_letters_dropped=int(state.get("dead_dropped", 0)),
            replaying=replaying,
            delivered=int(state.get("delivered", 0)),
            failed_attempts=int(state.get("failed_attempts", 0)),
            last_success_at=at("last_success"),
            failing_since=at("failing_since"),
            circuit="open" if circuit else "closed",
            probe_at=moment(circuit["until"]) if circuit else None,
        )

    async def attempts(self, endpoint_id: str, *, limit: int = 100, before: str | None = None) -> Attempts:
        """The delivery log, newest first.

        Args:
            before: only attempts older than the one with this id: the last one of the page before.

        Raises:
            EndpointUnknown
            ValueError: ``before`` is no id of an attempt.
        """
        await self.get(endpoint_id)
        if before is not None and not all(part.isdecimal() for part in before.split("-", 1)):
            raise ValueError(f"{before!r} is no id of an attempt")
        if before is not None and not before.strip("0-"):
            return []  # nothing is before the first id; Redis takes the question for an error
        redis = self.store.redis
        key = endpoint_keys(self.store, self.instance_id, endpoint_id)["attempts"]
        entries = await self.store.run(
            lambda: redis.xrevrange(key, max=f"({before}" if before else "+", count=limit), timeout=5
        )
        return [Attempt.model_validate({**json.loads(fields["a"]), "id": id_}) for id_, fields in entries]

    # ---- dead letters ----

    async def dead_letters(
        self, endpoint_id: str, *, limit: int = 100, offset: int = 0, since: datetime | None = None
    ) -> DeadLetters:
        """Dead letters, oldest first.

        Raises:
            EndpointUnknown
        """
        await self.get(endpoint_id)
        ids = await self._dead_ids(endpoint_id, since, offset, limit)
        if not ids:
            return []
        redis = self.store.redis
        key = endpoint_keys(self.store, self.instance_id, endpoint_id)["dead"]
        raw = await self.store.run(lambda: redis.hmget(key, ids), timeout=5)
        return [_letter(value) for value in raw if value is not None]

    async def dead_letter(self, endpoint_id: str, event_id: str) -> DeadLetter:
        """One dead letter.

        Raises:
            EndpointUnknown, DeadLetterUnknown
        """
        await self.get(endpoint_id)
        redis = self.store.redis
        key = endpoint_keys(self.store, self.instance_id, endpoint_id)["dead"]
        raw = await self.store.run(lambda: redis.hget(key, event_id), timeout=5)
        if raw is None:
            raise DeadLetterUnknown(event_id)
        return _letter(raw)

    async def replay(self, endpoint_id: str, event_id: str) -> None:
        """Deliver a dead letter again, now and by the schedule; it becomes one again if all that fails.

        Raises:
            EndpointUnknown, DeadLetterUnknown
        """
        if not await self._replay(endpoint_id, [event_id]):
            raise DeadLetterUnknown(event_id)

    async def replay_since(self, endpoint_id: str, since: datetime | None = None) -> int:
        """Deliver again every letter that died at ``since`` or later, in the order of their events.

        That is not the order in which they died: one that was replayed before may have died again.

        Returns:
            How many these are.

        Raises:
            EndpointUnknown
        """
        await self.get(endpoint_id)
        ids = await self._dead_ids(endpoint_id, since, 0, -1)
        key = endpoint_keys(self.store, self.instance_id, endpoint_id)["dead"]
        seqs: list[int] = []
        for page in _batched(ids, REPLAY_PAGE):
            found = await self.store.script(LUA / "dead_seqs.lua", keys=[key], args=list(page))
            seqs += [int(seq) for seq in found]
        ordered = [event_id for _, event_id in sorted(zip(seqs, ids, strict=True), key=itemgetter(0))]
        return sum([await self._replay(endpoint_id, page) for page in _batched(ordered, REPLAY_PAGE)])

    # ---- test ----

    async def send_test(self, endpoint_id: str) -> str:
        """Have a ``webhook.test`` event posted once, besides all others. Its result is in the attempts.

        Returns:
            The event's id.

        Raises:
            EndpointUnknown, EndpointDisabled
        """
        if not (await self.get(endpoint_id)).enabled:
            raise EndpointDisabled(endpoint_id)
        moment_ = utc(now())
        event_id = new_event_id()
        body = {
            "id": event_id,
            "instance_id": self.instance_id,
            "epoch": 0,
            "type": EventType.WEBHOOK_TEST.value,
            "occurred_at": moment_,
            "received_at": moment_,
            "chat_id": None,
            "data": {"endpoint_id": endpoint_id},
        }
        keys = endpoint_keys(self.store, self.instance_id, endpoint_id)
        answer = await self.store.script(
            COMMON,
            LUA / "test_event.lua",
            keys=[self._key("endpoints"), keys["state"], keys["replay"], self._key("meta")],
            args=[
                endpoint_id,
                event_id,
                EventType.WEBHOOK_TEST.value,
                json.dumps(body, separators=(",", ":")),
                self.store.keys.ring,
                self.instance_id,
            ],
        )
        if answer == "unknown":
            raise EndpointUnknown(endpoint_id)
        return event_id

    # ---- parts ----

    def _key(self, name: str) -> str:
        return self.store.keys.instance(self.instance_id, name)

    def _check_address(self, url: str) -> None:
        host = URL(url).raw_host or ""
        reason = self._guard.host_refusal(host)
        if reason is not None:
            raise ValueError(f"the URL's host {host} is not allowed: {reason}")

    async def _update(self, endpoint_id: str, values: Any, revision: int | None) -> EndpointRecord:
        for _ in range(CHANGE_TRIES):
            record = await self.get(endpoint_id)
            if revision is not None and record.revision != revision:
                raise RevisionConflict(endpoint_id)
            changed = record.model_copy(update={**values(record), "revision": record.revision + 1})
            _check_scheme(changed)
            answer = await self.store.script(
                LUA / "endpoint_change.lua",
                keys=[
                    self._key("endpoints"),
                    self._key("meta"),
                    endpoint_keys(self.store, self.instance_id, endpoint_id)["state"],
                ],
                args=[
                    endpoint_id,
                    record.revision,
                    changed.model_dump_json(),
                    endpoints_channel(self.store),
                    self.instance_id,
                ],
            )
            if answer == "ok":
                return changed
            if answer == "unknown":
                raise EndpointUnknown(endpoint_id)
        raise RevisionConflict(endpoint_id)

    async def _dead_ids(
        self,
        endpoint_id: str,
        since: datetime | None,
        offset: int,
        limit: int,
    ) -> Ids:
        redis = self.store.redis
        key = endpoint_keys(self.store, self.instance_id, endpoint_id)["dead_index"]
        low = since.timestamp() if since else "-inf"
        found = await self.store.run(
            lambda: redis.zrangebyscore(key, low, "+inf", start=offset, num=limit), timeout=5
        )
        return list(found)

    async def _replay(self, endpoint_id: str, event_ids: Sequence[str]) -> int:
        keys = endpoint_keys(self.store, self.instance_id, endpoint_id)
        answer = await self.store.script(
            COMMON,
            LUA / "replay.lua",
            keys=[
                self._key("endpoints"),
                *(keys[part] for part in ("state", "replay", "dead", "dead_index")),
                self._key("meta"),
            ],
            args=[
                endpoint_id,
                self.store.keys.ring,
                self.instance_id,
                secrets.token_hex(8),
                *event_ids,
            ],
        )
        if answer[0] == "unknown":
            raise EndpointUnknown(endpoint_id)
        return int(answer[1])


def _batched(ids: Ids, size: int) -> list[Ids]:
    return [ids[first : first + size] for first in range(0, len(ids), size)]


def _check_scheme(record: EndpointRecord) -> None:
    # Without TLS nobody would be shown the certificate, and its owner would believe that somebody is.
    if record.tls is not None and URL(record.url).scheme != "https":
        raise ValueError("a client certificate (tls) needs a URL that begins with https://")


def _letter(raw: str) -> DeadLetter:
    body = json.loads(raw)
    event = Event.model_validate({**body["event"], "seq": body["seq"]})
    return DeadLetter.model_validate(
        {
            **body["letter"],
            "id": event.id,
            "seq": event.seq,
            "type": event.type,
            "chat_id": event.chat_id,
            "event": event,
        }
    )
