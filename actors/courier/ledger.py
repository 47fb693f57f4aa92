"""The steps of a delivery in Redis: atomic, safe to repeat, refused to a courier that lost its claim."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from pydantic_core import to_json

from actors import metrics
from actors.courier.bodies import Parcel
from actors.courier.breaker import Memory
from actors.courier.endpoints import COMMON, PARTS, endpoint_keys, endpoints_channel
from actors.courier.news import NEWS, News
from actors.courier.queue import Retry
from actors.courier.records import EndpointRecord
from actors.instance.mailbox import APPEND, Mailbox
from actors.settings import Settings
from actors.store import Store

LUA = Path(__file__).parent / "lua"
Words = list[str | int | float | bytes]
"""Arguments of a script."""


class Lost(Exception):
    """Another courier has claimed the endpoint, or it is gone."""


class Changed(Exception):
    """Redis no longer holds what was read from it: everything has to be read again."""


class Lane(StrEnum):
    """Where an event waits."""

    MAILBOX = "mailbox"
    REPLAY = "replay"


class Entry(NamedTuple):
    """An event as it stands in a lane."""

    position: int
    chat: str
    test: bool
    about: str | None
    """The endpoint that it tells of, for events about webhooks."""
    parcel: Parcel


@dataclass(frozen=True, slots=True)
class Claim:
    """A courier's right to an endpoint, and where the endpoint stood when it was taken."""

    token: str
    floor: int
    finished: tuple[int, ...]
    retries: Mapping[int, Retry]
    replay_retries: Mapping[int, Retry]
    last_success: float
    circuit: Memory | None
    told: str
    """The last news of the endpoint that was announced, "" if there was none."""


class LogEntry(NamedTuple):
    """An attempt as it is written into the delivery log, to be read as `actors.courier.records.Attempt`.

    Args:
        attempt: from 1.
        at: seconds since 1970, as is ``next_attempt_at``.
    """

    event_id: str
    seq: int
    type: str
    attempt: int
    kind: str
    at: float
    duration_ms: int
    result: str
    next_attempt_at: float | None = None
    status: int | None = None
    failure: str | None = None
    error: str | None = None
    answer: str = ""

    def json(self) -> str:
        """What is written."""
        fields = zip(self._fields, self, strict=True)
        # Faster than `json`, which took as long as a signature.
        return to_json({name: value for name, value in fields if value is not None}).decode()


class Settlement(NamedTuple):
    """What became of an event, to be written down.

    Args:
        verdict: ``done``, ``retry``, ``dead`` or ``drop``.
        at: seconds since 1970.
        log: the attempt; None if it is given up without one.
        retry: for ``retry``.
        letter: for ``dead``, what the dead letter says besides the event.
    """

    position: int
    event_id: str
    verdict: str
    at: float
    log: LogEntry | None
    retry: Retry | None = None
    letter: Mapping[str, Any] | None = None
    fault: bool = True
    """A failure speaks against the endpoint."""


class Ledger:
    """One endpoint's books.

    Args:
        steps: bounds the steps that a courier takes at a time.
    """

    def __init__(
        self, store: Store, settings: Settings, instance_id: str, endpoint_id: str, steps: asyncio.Semaphore
    ) -> None:
        self.store = store
        self.settings = settings
        self.instance_id = instance_id
        self.endpoint_id = endpoint_id
        self._steps = steps
        self._mailbox = Mailbox(store, instance_id, settings.mailbox)
        self._keys = {
            **{
                name: store.keys.instance(instance_id, name)
                for name in ("mailbox", "meta", "floors", "endpoints")
            },
            **endpoint_keys(store, instance_id, endpoint_id),
        }
        assert len(self._keys) == 4 + len(PARTS)

    async def claim(self, courier: str) -> Claim:
        """Become the only courier that may write for this endpoint, and learn where it stands.

        Raises:
            Lost: there is no such endpoint.
        """
        answer = await self._script(
            "claim",
            ["state", "floors", "done", "retries", "endpoints", "replay_retries"],
            [self.endpoint_id, courier, secrets.token_hex(8)],
        )
        if answer[0] == "gone":
            raise Lost(self.endpoint_id)
        _, token, floor, finished, retries, replay_retries, state = answer
        last_success, circuit, told = state
        return Claim(
            token=token,
            floor=int(floor),
            finished=tuple(int(seq) for seq in finished),
            retries=_retries(retries),
            replay_retries=_retries(replay_retries),
            last_success=float(last_success or 0),
            circuit=Memory(**json.loads(circuit)) if circuit else None,
            told=told or "",
        )

    async def record(self) -> EndpointRecord:
        """The endpoint's configuration.

        Raises:
            Lost: there is none.
        """
        redis = self.store.redis
        async with self._steps:
            raw = await self.store.run(
                lambda: redis.hget(self._keys["endpoints"], self.endpoint_id), timeout=5
            )
        if raw is None:
            raise Lost(self.endpoint_id)
        return EndpointRecord.stored(raw)

    async def read(self, lane: Lane, *, after: int, count: int) -> list[Entry]:
        """What stands in a lane past a position, in order, at most ``count``."""
        redis = self.store.redis
        async with self._steps:
            found = await self.store.run(
                lambda: redis.xrange(self._keys[lane], min=f"{after + 1}-0", count=count), timeout=5
            )
        return [_entry(entry_id, fields) for entry_id, fields in found]

    async def told(self, media_ids: Sequence[str]) -> dict[str, int]:
        """Where the mailbox tells what became of files: position by id, of those that it tells of."""
        redis, key = self.store.redis, self._mailbox.key("seen")
        members = [f"media:{media_id}" for media_id in media_ids]
        async with self._steps:
            found = await self.store.run(lambda: redis.zmscore(key, members), timeout=5)
        return {media_id: int(seq) for media_id, seq in zip(media_ids, found, strict=True) if seq is not None}

    async def skip(self, claim: Claim, ranges: Iterable[tuple[int, int]], witness: Entry) -> None:
        """Finish positions of the mailbox that are not for this endpoint.

        Args:
            ranges: first and last, inclusive.
            witness: the last entry that was read.

        Raises:
            Lost, Changed
        """
        _judge(
            await self._script(
                "skip",
                ["state", "floors", "done", "mailbox", "meta", "retries"],
                [
                    claim.token,
                    self.endpoint_id,
                    witness.position,
                    witness.parcel.event_id,
                    self.settings.mailbox.keep,
                    *(number for pair in ranges for number in pair),
                ],
            )
        )

    async def settle(
        self, lane: Lane, claim: Claim, results: Sequence[Settlement], circuit: Memory | None = None
    ) -> float | None:
        """Write down the results of attempts, in one step.

        Args:
            circuit: what the endpoint's gate has to remember after them, None if it stands open.

        Returns:
            Since when there were only failures (seconds since 1970), None if the last attempt succeeded.

        Raises:
            Lost
            Changed: what was still the same is written down, the rest has to be read again.
        """
        bounds = self.settings.courier
        kept: Words = [
            bounds.attempts_kept,
            bounds.dead_kept,
            json.dumps({"until": circuit.until, "trips": circuit.trips}) if circuit else "",
        ]
        lines = [_words(result) for result in results]
        if lane is Lane.MAILBOX:
            keys = ["state", "floors", "done", "retries", "mailbox", "meta", "attempts", "dead", "dead_index"]
            args = [claim.token, self.endpoint_id, self.settings.mailbox.keep, *kept, *lines]
            answer = await self._script("settle", keys, args)
        else:
            keys = ["state", "replay", "replay_retries", "attempts", "dead", "dead_index"]
            answer = await self._script("settle_replay", keys, [claim.token, *kept, *lines])
        if len(answer) > 2:
            metrics.LETTERS_DROPPED.inc(int(answer[2]))
        _judge(answer)
        return float(answer[1]) if answer[1] else None

    async def announce(self, claim: Claim, news: News) -> None:
        """Put news of the endpoint into the instance's mailbox, once.

        Raises:
            Lost
        """
        answer = await self._script("announce", ["state"], [claim.token], news)
        if answer == "stale":
            raise Lost(self.endpoint_id)

    async def disable(
        self,
        claim: Claim,
        before: EndpointRecord,
        after: EndpointRecord,
        log: LogEntry | None,
        at: float,
        news: News,
    ) -> bool:
        """Replace the endpoint's record by one that is switched off.

        Args:
            log: the attempt that is the cause, None if it is written down already.
            at: seconds since 1970.
            news: what is announced of it.

        Returns:
            False if it was changed since it was read.

        Raises:
            Lost
        """
        answer = await self._script(
            "disable",
            ["state", "endpoints", "attempts"],
            [
                claim.token,
                self.endpoint_id,
                before.revision,
                after.model_dump_json(),
                log.json() if log else "",
                self.settings.courier.attempts_kept,
                f"{at:.3f}",
                endpoints_channel(self.store),
            ],
            news,
        )
        if answer == "stale":
            raise Lost(self.endpoint_id)
        return bool(answer == "ok")

    def _news_args(self, news: News) -> Words:
        bounds = self.settings.mailbox
        return [
            news.told,
            news.dedupe_key,
            news.event_id,
            news.type.value,
            *news.json(self.instance_id),
            bounds.dedupe_window,
            bounds.keep,
            self.store.keys.ring,
            self.instance_id,
        ]

    async def _script(self, name: str, keys: list[str], args: Words, news: News | None = None) -> Any:
        # A script that puts news into the mailbox gets what an append needs before all that is its own.
        parts = [COMMON, LUA / f"{name}.lua"]
        full = [self._keys[key] for key in keys]
        if news is not None:
            parts = [APPEND, *parts]
            full = [*self._mailbox.append_keys(), *full]
            args = [*self._news_args(news), *args]
        async with self._steps:
            return await self.store.script(*parts, keys=full, args=args)


def _judge(answer: list[str]) -> None:
    if answer[0] == "stale":
        raise Lost
    if answer[0] == "changed":
        raise Changed


def _entry(entry_id: str, fields: Mapping[str, str]) -> Entry:
    position = int(entry_id.partition("-")[0])
    seq, type_, event = int(fields.get("s", position)), fields["t"], fields["e"]
    return Entry(
        position=position,
        chat=fields["c"],
        test=fields.get("k") == "test",
        about=json.loads(event)["data"].get("endpoint_id") if type_ in NEWS else None,
        # Put in rather than decoded and encoded again: this is done for every event.
        parcel=Parcel(fields["i"], seq, type_, f'{{"seq":{seq},{event[1:]}'.encode()),
    )


def _words(result: Settlement) -> str:
    # One argument a result: each costs the client as much as an attempt's signature. None has a line break.
    log, retry, letter = result.log, result.retry, result.letter
    return "\n".join(
        (
            str(result.position),
            result.event_id,
            result.verdict,
            str(log.attempt) if log else "0",
            _encode(retry) if retry else "",
            f"{result.at:.3f}" if result.fault else "",
            log.json() if log else "",
            json.dumps(dict(letter)) if letter else "",
        )
    )


def _encode(retry: Retry) -> str:
    return json.dumps(
        {"attempts": retry.attempts, "due": retry.due, "first": retry.first, "counted": retry.counted}
    )


def _retries(flat: list[str]) -> dict[int, Retry]:
    return {
        int(position): _decode(json.loads(value))
        for position, value in zip(flat[::2], flat[1::2], strict=True)
    }


def _decode(value: dict[str, Any]) -> Retry:
    # Before attempts could be spared all of them counted.
    return Retry(value["attempts"], value["due"], value["first"], value.get("counted", value["attempts"]))
