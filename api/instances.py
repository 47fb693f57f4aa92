"""Instances: the WhatsApp accounts and what is wanted of them."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field

from actors.courier.endpoints import Endpoints
from actors.registry import (
    CallPolicy,
    ConnectionState,
    Desired,
    History,
    InstanceExists,
    InstanceRecord,
    InstanceRemoving,
    InstanceState,
    RevisionConflict,
    new_token,
    now,
)
from api import problems as p
from api.auth import Access
from api.fields import EXAMPLE_INSTANCE, Body, Query
from api.problems import Problem
from api.routing import Answer, Call, Reply, Routes
from api.services import Services

routes = Routes("Instances", "WhatsApp accounts: create, show, change, connect, disconnect, log out, delete.")

PROXY_SCHEMES = ("http", "https", "socks5")
CHANGE_ATTEMPTS = 5


def _proxy_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from error
    if parts.scheme not in PROXY_SCHEMES or not parts.hostname or port == 0:
        raise ValueError("a proxy is a URL such as socks5://user:password@host:1080 (http, https or socks5)")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("a URL has no spaces or control characters")
    return text


Name = Annotated[
    str, Field(min_length=1, max_length=100, description="For people", examples=["Support desk"])
]
Proxy = Annotated[
    str,
    AfterValidator(_proxy_url),
    Field(
        max_length=2000,
        description="URL of a proxy (http, https or socks5) for the connection to WhatsApp; admin key only",
        examples=["socks5://user:password@proxy.example.com:1080"],
    ),
]
Tenant = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$",
        description="Whose instance it is: deliveries are shared out fairly between tenants; admin key only",
        examples=["acme"],
    ),
]
Download = Annotated[bool, Field(description="Whether the files of its messages are fetched")]
DownloadBytes = Annotated[
    int, Field(ge=1, le=2 * 1024**3, description="Largest file of a message that is fetched")
]
HistoryWanted = Annotated[
    History,
    Field(
        description="What is read of the history that the phone offers: nothing, the last months, or all of "
        "it. A phone offers all of it only to a device that is paired while this says `full`: set it before "
        "the instance connects"
    ),
]
ShowOnline = Annotated[
    bool,
    Field(
        description="Others see the account as online while it is connected. Only then does WhatsApp tell it "
        "who is typing; its phone keeps quiet about new messages meanwhile"
    ),
]
ADMIN_ONLY = ("proxy", "tenant")


class CreateInstance(Body):
    """A new instance."""

    name: Name
    id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="Unset: one is made. Your own makes creation repeatable: the second is a 409",
    )
    proxy: Proxy | None = None
    tenant: Tenant | None = None
    calls: CallPolicy = CallPolicy()
    download: Download | None = None
    download_bytes: DownloadBytes | None = None
    history: HistoryWanted = History.OFF
    show_online: ShowOnline = False
    desired: Desired = Field(Desired.CONNECTED, description="`disconnected`: do not connect yet")


class ChangeInstance(Body):
    """What to change; what is not mentioned stays."""

    name: Name | None = None
    proxy: Proxy | None = Field(None, description="null removes it")
    tenant: Tenant | None = Field(None, description="null: it is its own tenant")
    calls: CallPolicy | None = Field(None, description="null: calls just ring")
    download: Download | None = Field(None, description="null: as the settings say")
    download_bytes: DownloadBytes | None = Field(None, description="null: as the settings say")
    history: HistoryWanted | None = Field(None, description="Of what is offered from now on; null: nothing")
    show_online: ShowOnline | None = Field(None, description="null: it is not")
    revision: int | None = Field(
        None, ge=0, description="Change only if the instance still has this revision, else 409"
    )


class State(BaseModel):
    """Where an instance's connection stands."""

    connection: ConnectionState
    since: datetime
    reason: str | None = Field(None, description="Why it is not connected, for people")
    phone: str | None = Field(None, description="Of the paired account, as far as known")
    lid: str | None = None
    device: str | None = Field(None, description="JID of the paired device")
    push_name: str | None = Field(None, description="The name the account shows to others")
    epoch: int = Field(description="Grows whenever the instance moves or restarts")
    node: str | None = Field(None, description="Where it runs")


class Instance(BaseModel):
    """A WhatsApp account."""

    id: str = Field(examples=[EXAMPLE_INSTANCE])
    name: str
    desired: Desired
    created_at: datetime
    proxy: str | None = Field(None, description="Without its password")
    tenant: str | None = Field(None, description="null: it is its own tenant")
    calls: CallPolicy
    download: bool | None = Field(None, description="Whether files are fetched; null: as the settings say")
    download_bytes: int | None = Field(None, description="Largest file that is; null: as the settings say")
    history: HistoryWanted
    show_online: ShowOnline
    revision: int = Field(description="Grows with every change")
    state: State


class CreatedInstance(Instance):
    """A new instance, with its token."""

    token: str = Field(description="Shown this once: only its hash is kept", examples=["mlt_…"])


class Token(BaseModel):
    """A new token."""

    token: str = Field(description="Shown this once; the one before is no longer valid", examples=["mlt_…"])


class InstancePage(BaseModel):
    """Instances, oldest first."""

    items: list[Instance]
    next: str | None = Field(None, description="Value of `after` for the next page; null: this is the last")


class InstanceListing(Query):
    """A page of instances."""

    after: str | None = Field(None, max_length=64, description="`next` of the page before")
    limit: int | None = Field(None, ge=1, description="Entries of a page")


@routes.add(
    "POST",
    "/v1/instances",
    "Create an instance",
    (201, Answer("The instance and its token, which is not shown again", CreatedInstance)),
    access=Access.ADMIN,
    body=CreateInstance,
    examples={"an instance": {"name": "Support desk"}},
    problems=(p.EXISTS,),
)
async def create(call: Call[CreateInstance, None]) -> Reply:
    """It starts at once. Fetch its QR code and scan it with the phone, or ask for a pairing code."""
    token = new_token()
    record = InstanceRecord(
        id=call.body.id or f"inst_{secrets.token_hex(10)}",
        name=call.body.name,
        desired=call.body.desired,
        created_at=now(),
        proxy=call.body.proxy,
        tenant=call.body.tenant,
        calls=call.body.calls,
        download=call.body.download,
        download_bytes=call.body.download_bytes,
        history=call.body.history,
        show_online=call.body.show_online,
    )
    try:
        await call.services.registry.create(record, token)
    except InstanceRemoving as error:
        raise Problem(
            p.EXISTS,
            "An instance with this id was deleted, and is still being removed. Repeat this in some seconds, "
            "or choose another id.",
            headers={"Retry-After": "5"},
        ) from error
    except InstanceExists as error:
        raise Problem(p.EXISTS, "An instance with this id exists. Use it, or choose another id.") from error
    shown = await show_instance(call.services, record)
    return Reply(
        CreatedInstance(**shown.model_dump(), token=token),
        201,
        {"Location": f"/v1/instances/{record.id}", "Cache-Control": "no-store"},
    )


@routes.add(
    "GET",
    "/v1/instances",
    "List instances",
    (200, Answer("A page of instances", InstancePage)),
    access=Access.ADMIN,
    query=InstanceListing,
)
async def list_all(call: Call[None, InstanceListing]) -> InstancePage:
    """Oldest first, a page at a time."""
    limit = page_limit(call.services, call.query.limit)
    records = await call.services.registry.list()
    after = call.query.after
    if after is not None:
        place = next((i for i, record in enumerate(records) if record.id == after), None)
        if place is None:
            raise p.invalid("this instance is gone: start from the first page", parameter="after")
        records = records[place + 1 :]
    page = records[:limit]
    items = await asyncio.gather(*(show_instance(call.services, record) for record in page))
    return InstancePage(items=list(items), next=page[-1].id if len(records) > limit else None)


@routes.add("GET", "/v1/instances/{instance_id}", "Show an instance", (200, Answer("The instance", Instance)))
async def show(call: Call[None, None]) -> Instance:
    """What is wanted of it, and where its connection stands."""
    return await show_instance(call.services, call.record)


@routes.add(
    "PATCH",
    "/v1/instances/{instance_id}",
    "Change an instance",
    (200, Answer("The instance as it is now", Instance)),
    body=ChangeInstance,
    examples={
        "rename": {"name": "Sales"},
        "no calls": {"calls": {"reject": True, "reply": "Please write instead."}},
    },
    problems=(p.CHANGED, p.FORBIDDEN),
)
async def change(call: Call[ChangeInstance, None]) -> Instance:
    """A changed proxy is used at once: the instance disconnects, and connects again through the new one."""
    body = call.body
    sent = body.model_fields_set
    for name in ADMIN_ONLY:
        if name in sent and (call.caller is None or not call.caller.admin):
            raise Problem(p.FORBIDDEN, f"A {name} is set with the admin key.")
    if "name" in sent and body.name is None:
        raise p.invalid("an instance has a name", pointer="#/name")
    changes: dict[str, Any] = {name: getattr(body, name) for name in sent - {"revision"}}
    if "calls" in sent:
        changes["calls"] = body.calls or CallPolicy()
    if "history" in sent:
        changes["history"] = body.history or History.OFF
    if "show_online" in sent:
        changes["show_online"] = bool(body.show_online)
    record = await change_record(call.services, call.record, changes, revision=body.revision)
    if "tenant" in sent:
        await Endpoints(call.services.store, record.id, call.services.settings).announce()
    return await show_instance(call.services, record)


@routes.add("DELETE", "/v1/instances/{instance_id}", "Delete an instance", (204, Answer("It is gone")))
async def delete(call: Call[None, None]) -> None:
    """Its session, events, messages, files, webhooks and keys go too.

    Log it out first to unlink it from the phone.
    Its id can be used again once all of that is gone: some seconds later.
    """
    await call.services.registry.delete(call.instance_id)


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/connect",
    "Connect",
    (202, Answer("It connects; its state and `connection.changed` events tell how far it is", Instance)),
    problems=(p.CHANGED,),
)
async def connect(call: Call[None, None]) -> Instance:
    """The instance is kept connected from now on, wherever it runs.

    Again is harmless, and makes an instance that waits for that offer QR codes, or try to connect, once more.
    """
    return await _desire(call, Desired.CONNECTED, again=True)


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/disconnect",
    "Disconnect",
    (202, Answer("It disconnects", Instance)),
    problems=(p.CHANGED,),
)
async def disconnect(call: Call[None, None]) -> Instance:
    """WhatsApp keeps what arrives meanwhile, messages to send wait in the outbox. Again is harmless."""
    return await _desire(call, Desired.DISCONNECTED)


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/logout",
    "Log out",
    (204, Answer("It is unlinked from the phone")),
    problems=(p.NOT_CONNECTED, p.NOT_PAIRED, p.INSTANCE_UNAVAILABLE, p.TIMED_OUT),
)
async def logout(call: Call[None, None]) -> None:
    """The instance has to be paired again before it can be used."""
    await call.services.calls.logout(call.instance_id)


@routes.add(
    "POST", "/v1/instances/{instance_id}/token", "Replace the token", (200, Answer("The new token", Token))
)
async def rotate_token(call: Call[None, None]) -> Reply:
    """The token before is refused from now on."""
    token = new_token()
    await call.services.registry.rotate_token(call.instance_id, token)
    return Reply(Token(token=token), 200, {"Cache-Control": "no-store"})


def page_limit(services: Services, asked: int | None) -> int:
    """How many entries a page has.

    Raises:
        Problem: more than allowed were asked for.
    """
    gateway = services.settings.gateway
    if asked is not None and asked > gateway.page_size_max:
        raise p.invalid(f"a page has at most {gateway.page_size_max} entries", parameter="limit")
    return asked or gateway.page_size


async def show_instance(services: Services, record: InstanceRecord) -> Instance:
    """An instance as the API shows it."""
    return Instance(
        **record.model_dump(exclude={"proxy"}),
        proxy=_without_password(record.proxy),
        state=_state(record, await services.registry.state(record.id)),
    )


async def change_record(
    services: Services,
    record: InstanceRecord,
    changes: dict[str, Any],
    *,
    revision: int | None = None,
    again: bool = False,
) -> InstanceRecord:
    """Change a record, again on what it is then if somebody else was faster, unless a revision is asked for.

    Args:
        changes: fields and what they become.
        revision: the one that the record has to have.
        again: write a new revision even if nothing changes: the instance's owner acts on every new one.

    Raises:
        RevisionConflict: it does not have this revision, or changes all the time.
        InstanceUnknown: it was deleted.
    """
    for _ in range(CHANGE_ATTEMPTS):
        if revision is not None and record.revision != revision:
            raise RevisionConflict(record.id)
        if not again and all(getattr(record, name) == value for name, value in changes.items()):
            return record
        try:
            return await services.registry.change(record.model_copy(update=changes))
        except RevisionConflict:
            record = await services.registry.get(record.id)
    raise RevisionConflict(record.id)


async def _desire(call: Call[None, None], desired: Desired, *, again: bool = False) -> Instance:
    record = await change_record(call.services, call.record, {"desired": desired}, again=again)
    return await show_instance(call.services, record)


def _state(record: InstanceRecord, state: InstanceState | None) -> State:
    if state is not None:
        return State.model_validate(state.model_dump(include=set(State.model_fields)))
    waiting = record.desired is Desired.DISCONNECTED
    return State(
        connection=ConnectionState.DISCONNECTED if waiting else ConnectionState.STARTING,
        since=record.created_at,
        epoch=0,
    )


def _without_password(proxy: str | None) -> str | None:
    if proxy is None:
        return None
    parts = urlsplit(proxy)
    if parts.password is None:
        return proxy
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username or ''}:***@{host}").geturl()
