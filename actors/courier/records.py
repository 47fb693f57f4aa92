"""What is kept of an endpoint: its configuration, its attempts, its dead letters."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo

from actors.courier.signature import secret_key
from actors.courier.tls import ClientTls, UsableTls
from actors.courier.url import check_url
from actors.events import Event, EventType

HEADERS_MAX = 20
HEADER_VALUE_MAX = 1024
RESERVED = frozenset(
    {
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "cookie",
        "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer",
        "traceparent", "transfer-encoding", "upgrade", "user-agent",
    }
)  # fmt: skip
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
VALUE = re.compile(r"[\x20-\x7e\t]*")
KNOWN = frozenset(event.value for event in EventType)
REMOVABLE = frozenset({"tls"})
"""Fields of an endpoint that a change can take away, by null."""


STORED = "stored"
"""Context in which a record is read that was accepted once, maybe by another version of this code: what this
one does not know is no reason to deliver nothing."""


def set_by_malote(name: str) -> bool:
    """True if an endpoint cannot have a header of this name of its own."""
    return name.lower() in RESERVED or name.lower().startswith(("webhook-", "malote-"))


def _check_headers(headers: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    if len(headers) > HEADERS_MAX:
        raise ValueError(f"at most {HEADERS_MAX} headers")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is given twice")
    for name, value in headers.items():
        if not TOKEN.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a header")
        if set_by_malote(name) and info.context != STORED:
            raise ValueError(f"the header {name} is set by Malote")
        if len(value) > HEADER_VALUE_MAX or not VALUE.fullmatch(value):
            raise ValueError(
                f"the value of {name} must be at most {HEADER_VALUE_MAX} printable ASCII characters"
            )
    return headers


def _check_patterns(patterns: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    for pattern in () if info.context == STORED else patterns:
        family = pattern.endswith(".*") and any(name.startswith(pattern[:-1]) for name in KNOWN)
        if not (pattern == "*" or pattern in KNOWN or family):
            known = ", ".join(sorted(KNOWN))
            raise ValueError(f'{pattern!r} is no event type; known are {known}, and "message.*" or "*"')
    return patterns


def _check_secret(secret: str) -> str:
    secret_key(secret)
    return secret


Url = Annotated[str, AfterValidator(check_url)]
Headers = Annotated[dict[str, str], AfterValidator(_check_headers)]
Patterns = Annotated[tuple[str, ...], Field(min_length=1, max_length=50), AfterValidator(_check_patterns)]
SecretValue = Annotated[str, AfterValidator(_check_secret)]
Description = Annotated[str, Field(max_length=500)]
Delay = Annotated[float, Field(gt=0, le=86_400)]


class Ordering(StrEnum):
    """Which events wait for each other."""

    CHAT = "chat"
    NONE = "none"


class Secret(BaseModel):
    """A secret that signs."""

    model_config = ConfigDict(frozen=True)

    value: SecretValue
    expires_at: datetime | None = Field(None, description="It was rotated and signs until then")


class DeliveryOptions(BaseModel):
    """How one endpoint is treated; what is not set is as configured for all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout: float | None = Field(None, gt=0, le=60, description="Seconds for an attempt, in all")
    connect_timeout: float | None = Field(None, gt=0, le=15, description="Seconds to connect")
    concurrency: int | None = Field(None, ge=1, le=100, description="Attempts at a time, at most")
    rate: float | None = Field(None, ge=0.001, le=1000, description="Attempts per second, at most")
    schedule: tuple[Delay, ...] | None = Field(
        None, max_length=20, description="Seconds before each retry; `[]` for none", examples=[[5, 60, 600]]
    )
    poison_attempts: int | None = Field(
        None, ge=1, le=100, description="Attempts after which an event is given up if others are taken"
    )
    disable_after: float | None = Field(
        None, gt=0, le=30 * 86_400, description="Seconds of nothing but failures until it is switched off"
    )
    media: Literal["later", "wait"] = Field(
        "later",
        description="`wait`: a message whose file is `pending` is delivered, and later events of its chat "
        "after it, once the file is `ready` or `failed`, with that in `content.media`, or as it is when "
        "`media_wait` is over. `media.ready` and `media.failed` are sent all the same, and repeat it",
    )
    media_wait: float | None = Field(
        None, gt=0, le=600, description="Seconds from `received_at` that a message waits for its file"
    )


class EndpointRecord(BaseModel):
    """A webhook URL that is subscribed to an instance's events."""

    # What is not valid is logged, and it can hold secrets.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    id: str
    url: Url
    events: Patterns = Field(("*",), description='Event types, families as in "message.*", or "*"')
    ordering: Ordering = Ordering.CHAT
    enabled: bool = True
    disabled_reason: str | None = Field(None, description="Why it is not enabled, for people")
    description: Description = ""
    headers: Headers = Field(default_factory=dict, description="Sent with every request")
    delivery: DeliveryOptions = DeliveryOptions()
    tls: ClientTls | None = Field(None, description="Shown to the endpoint: mutual TLS")
    secrets: tuple[Secret, ...] = Field(description="The current one first; never shown after creation")
    created_at: datetime
    revision: int = Field(0, description="Grows with every change")

    @classmethod
    def stored(cls, raw: str) -> EndpointRecord:
        """The record that was stored as this JSON, by this version or by another.

        Raises:
            pydantic.ValidationError: it cannot be read.
        """
        return cls.model_validate_json(raw, extra="ignore", context=STORED)

    def wants(self, event_type: str) -> bool:
        """True if it is subscribed to events of this type."""
        return any(
            pattern in ("*", event_type) or (pattern.endswith(".*") and event_type.startswith(pattern[:-1]))
            for pattern in self.events
        )

    def active_secrets(self, now: float) -> list[str]:
        """Secrets that sign at a time (seconds since 1970), the current one first."""
        return [s.value for s in self.secrets if s.expires_at is None or s.expires_at.timestamp() > now]


class EndpointChange(BaseModel):
    """What may be changed of an endpoint; what is not set stays.

    A new filter holds for events to come, and for most that wait.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: Url | None = None
    events: Patterns | None = None
    ordering: Ordering | None = None
    enabled: bool | None = None
    description: Description | None = None
    headers: Headers | None = None
    delivery: DeliveryOptions | None = None
    tls: UsableTls | None = Field(None, description="Mutual TLS; null takes it away")


class EndpointStatus(BaseModel):
    """How an endpoint is doing."""

    waiting: int = Field(description="Events past the last one up to which all are finished")
    retrying: int = Field(description="Events that were refused and will be tried again")
    dead_letters: int
    dead_letters_dropped: int = Field(description="Dead letters that had to make room for newer ones")
    replaying: int = Field(description="Replays and tests that are not finished")
    delivered: int
    failed_attempts: int
    last_success_at: datetime | None
    failing_since: datetime | None = Field(
        description="First failure after the last success, or after a day without attempts"
    )
    circuit: Literal["closed", "open"] = Field(
        description="`open`: it is down or asked for a pause, and only probes are sent now and then"
    )
    probe_at: datetime | None = Field(description="When the next probe may be sent, if the circuit is open")


class Attempt(BaseModel):
    """One HTTP request, as the delivery log keeps it."""

    id: str = Field("", description="Its place in the log: newer ones are greater")
    event_id: str
    seq: int
    type: str
    attempt: int = Field(description="From 1")
    kind: Literal["delivery", "replay", "test"]
    at: datetime
    duration_ms: int
    result: Literal["delivered", "retry", "dead", "dropped", "disabled"]
    next_attempt_at: datetime | None = None
    status: int | None = None
    failure: str | None = None
    error: str | None = None
    answer: str = Field("", description="Beginning of the answer's body")


class DeadLetter(BaseModel):
    """An event that its endpoint never took, kept whole."""

    id: str = Field(description="The event's id")
    seq: int
    type: str
    chat_id: str | None
    attempts: int
    first_attempt_at: datetime
    died_at: datetime
    status: int | None
    error: str | None
    event: Event


def moment(seconds: float) -> datetime:
    """A time of seconds since 1970, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
