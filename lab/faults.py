"""What goes wrong on purpose: rules that a test or a person sets, and the places that ask them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field

ANY = "*"


class _Rule(BaseModel):
    phone: str = Field(ANY, description="The account it hits, * for all")
    device: int | None = Field(None, description="The companion device it hits, nothing for all")
    times: int | None = Field(
        None, ge=1, description="How often it strikes before it is gone; nothing: until removed"
    )


class RefuseLogin(_Rule):
    """Logins are refused with a code."""

    kind: Literal["refuse_login"] = "refuse_login"
    code: int = Field(
        503,
        ge=400,
        le=599,
        description="401 logged out, 403 banned, 405 client too old, 500 or 503 for now …",
    )


class IgnoreQuery(_Rule):
    """A kind of query is never answered."""

    kind: Literal["ignore_query"] = "ignore_query"
    query: str = Field(ANY, description="The query's namespace: usync, encrypt, w:profile:picture, w:p …")


class DelayQuery(_Rule):
    """A kind of query is answered late."""

    kind: Literal["delay_query"] = "delay_query"
    query: str = Field(ANY, description="The query's namespace")
    seconds: float = Field(gt=0, le=3600)


class FailQuery(_Rule):
    """A kind of query is answered with an error."""

    kind: Literal["fail_query"] = "fail_query"
    query: str = Field(ANY, description="The query's namespace")
    code: int = Field(500, ge=400, le=599)


class StopReading(_Rule):
    """The network no longer reads what the client writes; it still delivers."""

    kind: Literal["stop_reading"] = "stop_reading"


class StopWriting(_Rule):
    """The network no longer writes to the client; it still reads and accepts."""

    kind: Literal["stop_writing"] = "stop_writing"


class LoseAcks(_Rule):
    """What the client acknowledges (by ack or receipt) is not heard: it will come again."""

    kind: Literal["lose_acks"] = "lose_acks"


class LoseSendAcks(_Rule):
    """A message that the client sends is accepted and delivered, but the client is not told."""

    kind: Literal["lose_send_acks"] = "lose_send_acks"


class RefuseUpload(_Rule):
    """Uploads are refused with an HTTP status."""

    kind: Literal["refuse_upload"] = "refuse_upload"
    code: int = Field(
        500, ge=400, le=599, description="401 permission has ended, 413 too large, 429 too often …"
    )


class LoseMedia(_Rule):
    """What the account uploaded cannot be downloaded."""

    kind: Literal["lose_media"] = "lose_media"
    code: int = Field(410, ge=400, le=599, description="404 or 410 gone, 403 no longer for this link …")


class CorruptMedia(_Rule):
    """What the account uploaded arrives with other bytes."""

    kind: Literal["corrupt_media"] = "corrupt_media"


class BreakMedia(_Rule):
    """Downloads of what the account uploaded break off half-way."""

    kind: Literal["break_media"] = "break_media"


class SlowMedia(_Rule):
    """Uploads of the account, and downloads of what it uploaded, are slow."""

    kind: Literal["slow_media"] = "slow_media"
    bytes_per_second: int = Field(ge=1)


Fault = Annotated[
    RefuseLogin
    | IgnoreQuery
    | DelayQuery
    | FailQuery
    | StopReading
    | StopWriting
    | LoseAcks
    | LoseSendAcks
    | RefuseUpload
    | LoseMedia
    | CorruptMedia
    | BreakMedia
    | SlowMedia,
    Field(discriminator="kind"),
]


R = TypeVar("R", bound=_Rule)


class Faults:
    """The rules in force."""

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._rules: dict[int, Fault] = {}
        self._changed = asyncio.Event()

    def add(self, fault: Fault) -> int:
        """Put a rule in force; its id."""
        number = next(self._ids)
        self._rules[number] = fault
        self.wake()
        return number

    def remove(self, number: int) -> bool:
        """Lift a rule; False if there is none with this id."""
        found = self._rules.pop(number, None) is not None
        self.wake()
        return found

    def clear(self) -> None:
        """Lift all rules."""
        self._rules.clear()
        self.wake()

    def all(self) -> dict[int, Fault]:
        """The rules in force, by id."""
        return dict(self._rules)

    def login_code(self, phone: str, device: int) -> int | None:
        """The code to refuse this login with, None to let it in."""
        rule = self._strike(RefuseLogin, phone, device)
        return rule.code if rule else None

    def on_query(
        self, phone: str, device: int, namespace: str
    ) -> IgnoreQuery | DelayQuery | FailQuery | None:
        """What should happen to a query instead of an answer."""
        for number, rule in self._rules.items():
            if (
                isinstance(rule, IgnoreQuery | DelayQuery | FailQuery)
                and _hits(rule, phone, device)
                and rule.query in (ANY, namespace)
            ):
                self._use(number, rule)
                return rule
        return None

    def loses_ack(self, phone: str, device: int) -> bool:
        """True if this acknowledgement is to be lost."""
        return self._strike(LoseAcks, phone, device) is not None

    def loses_send_ack(self, phone: str, device: int) -> bool:
        """True if the sender is not to be told that its message was accepted."""
        return self._strike(LoseSendAcks, phone, device) is not None

    def refuses_upload(self, phone: str, device: int) -> int | None:
        """The HTTP status to refuse this upload with, None to take it."""
        rule = self._strike(RefuseUpload, phone, device)
        return rule.code if rule else None

    def loses_media(self, phone: str, device: int) -> int | None:
        """The HTTP status to answer a download with instead of the file, None to give it."""
        rule = self._strike(LoseMedia, phone, device)
        return rule.code if rule else None

    def corrupts_media(self, phone: str, device: int) -> bool:
        """True if a download is to have other bytes."""
        return self._strike(CorruptMedia, phone, device) is not None

    def breaks_media(self, phone: str, device: int) -> bool:
        """True if a download is to break off."""
        return self._strike(BreakMedia, phone, device) is not None

    def media_pace(self, phone: str, device: int) -> int | None:
        """Bytes a second that may pass, None for any number."""
        rule = self._strike(SlowMedia, phone, device)
        return rule.bytes_per_second if rule else None

    async def readable(self, phone: str, device: int, gone: Callable[[], bool]) -> None:
        """Return when nothing forbids to read from this device, or when it is gone."""
        while self._find(StopReading, phone, device) and not gone():
            await self._changed.wait()

    async def writable(self, phone: str, device: int, gone: Callable[[], bool]) -> None:
        """Return when nothing forbids to write to this device, or when it is gone."""
        while self._find(StopWriting, phone, device) and not gone():
            await self._changed.wait()

    def wake(self) -> None:
        """Let everybody look again: a rule changed, or a connection ended."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _find(self, kind: type[R], phone: str, device: int) -> tuple[int, R] | None:
        for number, rule in self._rules.items():
            if isinstance(rule, kind) and _hits(rule, phone, device):
                return number, rule
        return None

    def _strike(self, kind: type[R], phone: str, device: int) -> R | None:
        found = self._find(kind, phone, device) if self._rules else None
        if found is None:
            return None
        self._use(*found)
        return found[1]

    def _use(self, number: int, rule: _Rule) -> None:
        if rule.times is not None:
            rule.times -= 1
            if rule.times == 0:
                del self._rules[number]


def _hits(rule: _Rule, phone: str, device: int) -> bool:
    return rule.phone in (ANY, phone) and rule.device in (None, device)
