"""Webhooks: endpoints that get an instance's events, how they are doing, and what they never took."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from actors.courier.endpoints import Endpoints, EndpointUnknown, TooManyEndpoints
from actors.courier.records import (
    REMOVABLE,
    Attempt,
    DeadLetter,
    DeliveryOptions,
    Description,
    EndpointChange,
    EndpointRecord,
    EndpointStatus,
    Headers,
    Ordering,
    Patterns,
    SecretValue,
    Url,
)
from actors.courier.tls import UsableTls
from api import problems as p
from api.fields import Body, Query, Time
from api.instances import page_limit
from api.problems import Problem
from api.routing import Answer, Call, Reply, Routes

B = TypeVar("B")
Q = TypeVar("Q")

routes = Routes(
    "Webhooks",
    "Endpoints that get an instance's events, signed by Standard Webhooks and in order per chat; "
    "what they answered; dead letters and their replay.",
)

BASE = "/v1/instances/{instance_id}/webhooks"
ONE = f"{BASE}/{{webhook_id}}"


class CreateWebhook(Body):
    """A new endpoint."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: Url = Field(examples=["https://example.com/hooks/malote"])
    events: Patterns = Field(
        ("*",), description='Event types, families as in "message.*", or "*"', examples=[["message.*"]]
    )
    ordering: Ordering = Field(Ordering.CHAT, description="`chat`: events of a chat wait for each other")
    description: Description = ""
    headers: Headers = Field(default_factory=dict, description="Sent with every request; never shown again")
    delivery: DeliveryOptions = Field(
        default_factory=DeliveryOptions, description="What is to be other than configured for all endpoints"
    )
    tls: UsableTls | None = Field(None, description="Mutual TLS: the certificate to show to the endpoint")
    secret: SecretValue | None = Field(None, description="`whsec_…` to sign with; unset: a fresh one is made")
    enabled: bool = True


class ChangeWebhook(EndpointChange):
    """What to change; what is not mentioned stays.

    A new filter holds for events to come, and for most that wait.
    """

    revision: int | None = Field(
        None, ge=0, description="Change only if the endpoint still has this revision, else 409"
    )


class RotateSecret(Body):
    """How to replace the secret."""

    secret: SecretValue | None = Field(None, description="`whsec_…`; unset: a fresh one is made")
    overlap: float | None = Field(
        None,
        ge=0,
        le=30 * 86_400,
        description="Seconds for which the old ones sign too, by default as configured",
    )


class Replay(Body):
    """Which dead letters."""

    since: Time | None = Field(None, description="Those that died then or later; unset: all")


class ShownTls(BaseModel):
    """The client certificate of an endpoint. Its key is never shown."""

    fingerprint: str = Field(description="SHA-256 of the certificate, in hex")
    own_ca: bool = Field(description="The endpoint's certificate is checked with `ca`, not the system's CAs")


class Webhook(BaseModel):
    """An endpoint."""

    id: str = Field(examples=["ep_0a1b2c3d4e5f6a7b8c9d0e1f"])
    url: str
    events: tuple[str, ...]
    ordering: Ordering
    enabled: bool
    disabled_reason: str | None = Field(None, description="Why it is not enabled, for people")
    description: str
    header_names: list[str] = Field(description="Headers sent with every request; their values are not shown")
    delivery: DeliveryOptions
    tls: ShownTls | None = Field(None, description="Mutual TLS; null: the endpoint is shown no certificate")
    created_at: datetime
    revision: int = Field(description="Grows with every change")
    status: EndpointStatus


class SecretWebhook(Webhook):
    """An endpoint, with the secret it signs with from now on."""

    secret: str = Field(description="Shown this once", examples=["whsec_…"])


class WebhookList(BaseModel):
    """All endpoints of the instance, oldest first."""

    items: list[Webhook]


class TestEvent(BaseModel):
    """The event that is on its way."""

    event_id: str = Field(description="Look for it in the attempts")


class AttemptPage(BaseModel):
    """Attempts, newest first."""

    items: list[Attempt]
    next: str | None = Field(None, description="Value of `before` for the next page; null: this is the last")


class DeadLetterPage(BaseModel):
    """Dead letters, oldest first."""

    items: list[DeadLetter]
    next: int | None = Field(None, description="Value of `offset` for the next page; null: this is the last")


class Replayed(BaseModel):
    """What is delivered again."""

    count: int


class AttemptListing(Query):
    """A page of attempts."""

    before: str | None = Field(
        None, pattern=r"^[0-9]{1,19}(-[0-9]{1,19})?$", description="`next` of the page before"
    )
    limit: int | None = Field(None, ge=1, description="Entries of a page")


class DeadLetterListing(Query):
    """A page of dead letters."""

    offset: int = Field(0, ge=0, lt=2**31, description="`next` of the page before")
    since: Time | None = Field(None, description="Only those that died then or later")
    limit: int | None = Field(None, ge=1, description="Entries of a page")


@routes.add(
    "POST",
    BASE,
    "Create an endpoint",
    (201, Answer("The endpoint and its secret, which is not shown again", SecretWebhook)),
    body=CreateWebhook,
    examples={
        "messages only": {"url": "https://example.com/hooks/malote", "events": ["message.*"]},
        "everything": {"url": "https://example.com/hooks/malote"},
    },
    problems=(p.LIMIT_REACHED,),
)
async def create(call: Call[CreateWebhook, None]) -> Reply:
    """It gets what happens from now on. An instance can have several."""
    endpoints = _endpoints(call)
    body = call.body
    try:
        record = await endpoints.create(
            body.url,
            events=body.events,
            ordering=body.ordering,
            description=body.description,
            headers=body.headers,
            delivery=body.delivery,
            tls=body.tls,
            secret=body.secret,
            enabled=body.enabled,
        )
    except TooManyEndpoints as error:
        raise Problem(
            p.LIMIT_REACHED,
            f"An instance may have {error.bound} endpoints; delete one that is not needed.",
            bound=error.bound,
        ) from error
    except ValueError as error:
        raise _bad_url(error) from error
    return Reply(
        await _with_secret(endpoints, record),
        201,
        {"Location": f"/v1/instances/{call.instance_id}/webhooks/{record.id}", "Cache-Control": "no-store"},
    )


@routes.add("GET", BASE, "List endpoints", (200, Answer("All endpoints", WebhookList)))
async def list_all(call: Call[None, None]) -> WebhookList:
    """Oldest first, with how they are doing."""
    endpoints = _endpoints(call)
    shown = await asyncio.gather(*(_if_there(endpoints, record) for record in await endpoints.list()))
    return WebhookList(items=[webhook for webhook in shown if webhook is not None])


@routes.add("GET", ONE, "Show an endpoint", (200, Answer("The endpoint", Webhook)))
async def show(call: Call[None, None]) -> Webhook:
    """Its configuration, and how it is doing."""
    endpoints = _endpoints(call)
    return await _shown(endpoints, await endpoints.get(call.path("webhook_id")))


@routes.add(
    "PATCH",
    ONE,
    "Change an endpoint",
    (200, Answer("The endpoint as it is now", Webhook)),
    body=ChangeWebhook,
    examples={"another filter": {"events": ["message.received"]}, "switch off": {"enabled": False}},
    problems=(p.CHANGED,),
)
async def change(call: Call[ChangeWebhook, None]) -> Webhook:
    """`headers` and `delivery` replace all of them, null takes `tls` away. Events wait while not enabled."""
    endpoints = _endpoints(call)
    values = call.body.model_dump(exclude_unset=True, exclude={"revision"})
    if missing := [name for name, value in values.items() if value is None and name not in REMOVABLE]:
        raise p.invalid("leave it out, or give a value", pointer=f"#/{missing[0]}")
    try:
        record = await endpoints.change(
            call.path("webhook_id"), EndpointChange.model_validate(values), revision=call.body.revision
        )
    except ValueError as error:
        raise _bad_url(error) from error
    return await _shown(endpoints, record)


@routes.add("DELETE", ONE, "Delete an endpoint", (204, Answer("It is gone")))
async def delete(call: Call[None, None]) -> None:
    """Its attempts and dead letters go with it."""
    if not await _endpoints(call).delete(call.path("webhook_id")):
        raise EndpointUnknown(call.path("webhook_id"))


@routes.add("POST", f"{ONE}/enable", "Enable an endpoint", (200, Answer("The endpoint", Webhook)))
async def enable(call: Call[None, None]) -> Webhook:
    """Delivery goes on where it stopped: what happened meanwhile has waited."""
    endpoints = _endpoints(call)
    return await _shown(endpoints, await endpoints.enable(call.path("webhook_id")))


@routes.add(
    "POST",
    f"{ONE}/secret",
    "Replace the secret",
    (200, Answer("The endpoint and its new secret, which is not shown again", SecretWebhook)),
    body=RotateSecret,
    examples={"a fresh one": {}},
)
async def rotate_secret(call: Call[RotateSecret, None]) -> Reply:
    """For a while requests are signed with the old one too, so that nothing is refused meanwhile."""
    endpoints = _endpoints(call)
    record = await endpoints.rotate_secret(
        call.path("webhook_id"), secret=call.body.secret, overlap=call.body.overlap
    )
    return Reply(await _with_secret(endpoints, record), 200, {"Cache-Control": "no-store"})


@routes.add(
    "POST",
    f"{ONE}/test",
    "Send a test event",
    (202, Answer("It is on its way", TestEvent)),
    problems=(p.NOT_READY,),
)
async def send_test(call: Call[None, None]) -> TestEvent:
    """A `webhook.test` event, posted once, besides all others. Its result stands in the attempts."""
    return TestEvent(event_id=await _endpoints(call).send_test(call.path("webhook_id")))


@routes.add(
    "GET",
    f"{ONE}/attempts",
    "List attempts",
    (200, Answer("A page of attempts", AttemptPage)),
    query=AttemptListing,
)
async def attempts(call: Call[None, AttemptListing]) -> AttemptPage:
    """What was posted, when, and what the answer was. Newest first; the latest are kept."""
    limit = page_limit(call.services, call.query.limit)
    items = await _endpoints(call).attempts(call.path("webhook_id"), limit=limit, before=call.query.before)
    return AttemptPage(items=items, next=items[-1].id if len(items) == limit else None)


@routes.add(
    "GET",
    f"{ONE}/dead-letters",
    "List dead letters",
    (200, Answer("A page of dead letters", DeadLetterPage)),
    query=DeadLetterListing,
)
async def dead_letters(call: Call[None, DeadLetterListing]) -> DeadLetterPage:
    """Events that the endpoint did not take in all their attempts, whole."""
    query = call.query
    limit = page_limit(call.services, query.limit)
    items = await _endpoints(call).dead_letters(
        call.path("webhook_id"), limit=limit, offset=query.offset, since=query.since
    )
    return DeadLetterPage(items=items, next=query.offset + limit if len(items) == limit else None)


@routes.add(
    "GET",
    f"{ONE}/dead-letters/{{event_id}}",
    "Show a dead letter",
    (200, Answer("The dead letter", DeadLetter)),
)
async def dead_letter(call: Call[None, None]) -> DeadLetter:
    """The event, and why it was not taken."""
    return await _endpoints(call).dead_letter(call.path("webhook_id"), call.path("event_id"))


@routes.add(
    "POST",
    f"{ONE}/dead-letters/{{event_id}}/replay",
    "Replay a dead letter",
    (202, Answer("It is delivered again", Replayed)),
)
async def replay_one(call: Call[None, None]) -> Replayed:
    """It leaves the dead letters, and comes back to them if it is not taken this time either."""
    await _endpoints(call).replay(call.path("webhook_id"), call.path("event_id"))
    return Replayed(count=1)


@routes.add(
    "POST",
    f"{ONE}/dead-letters/replay",
    "Replay dead letters",
    (202, Answer("They are delivered again", Replayed)),
    body=Replay,
    examples={"all": {}, "of a bad day": {"since": "2026-01-31T00:00:00Z"}},
)
async def replay_since(call: Call[Replay, None]) -> Replayed:
    """Oldest first, in order per chat."""
    count = await _endpoints(call).replay_since(call.path("webhook_id"), call.body.since)
    return Replayed(count=count)


def _endpoints(call: Call[B, Q]) -> Endpoints:
    return Endpoints(call.services.store, call.instance_id, call.services.settings)


async def _shown(endpoints: Endpoints, record: EndpointRecord) -> Webhook:
    tls = record.tls
    return Webhook(
        **record.model_dump(exclude={"secrets", "headers", "tls"}),
        header_names=sorted(record.headers),
        tls=ShownTls(fingerprint=tls.fingerprint, own_ca=tls.ca is not None) if tls else None,
        status=await endpoints.status(record.id),
    )


async def _if_there(endpoints: Endpoints, record: EndpointRecord) -> Webhook | None:
    try:
        return await _shown(endpoints, record)
    except EndpointUnknown:
        return None


async def _with_secret(endpoints: Endpoints, record: EndpointRecord) -> SecretWebhook:
    shown = await _shown(endpoints, record)
    return SecretWebhook(**shown.model_dump(), secret=record.secrets[0].value)


def _bad_url(error: ValueError) -> Problem:
    # A validation error repeats its input, which can be a secret.
    if isinstance(error, ValidationError):
        return p.invalid("; ".join(item["msg"] for item in error.errors()))
    return p.invalid(str(error), pointer="#/url")
