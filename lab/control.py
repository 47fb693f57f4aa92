"""The lab's control interface: HTTP and JSON on loopback, described by itself at ``/openapi.json``."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from lab.accounts import Account, Counters, Device, LabError
from lab.contacts import Arrival, ContactView, Written
from lab.faults import Fault

if TYPE_CHECKING:
    from lab.network import Lab

_MAX_BODY = 4 << 20
_MAX_BURST = 100_000
_MAX_PAGE = 10_000


class NewAccount(BaseModel):
    """An account to create."""

    phone: str = Field(description="Digits with country code", examples=["5511900000001"])
    name: str = Field("", description="What its messages are signed with (push name)")


class Code(BaseModel):
    """A code that a client shows."""

    code: str = Field(min_length=8, max_length=2000, description="The QR code's text, or ABCD-1234")


class BanOrder(BaseModel):
    """A temporary ban."""

    seconds: float = Field(gt=0, le=86_400 * 365)
    code: int = Field(101, description="WhatsApp's reason: 101 to 106")


class NewContact(BaseModel):
    """A contact to create."""

    phone: str
    name: str = ""


class Message(BaseModel):
    """What a contact shall write."""

    to: str = Field(description="Digits with country code, or an address such as 123@lid")
    text: str = Field("message {n}", max_length=60_000, description="{n} stands for the message's number")
    count: int = Field(1, ge=1, le=_MAX_BURST)
    interval: float = Field(0.0, ge=0, le=3600, description="Seconds between two messages")
    id_prefix: str = Field("", pattern="^[0-9A-Za-z_-]{0,40}$", description="Ids are this and the number")
    wait: bool = Field(True, description="Answer when all are sent; else at once")


class Seen(BaseModel):
    """Messages that a contact shall show as read."""

    chat: str
    ids: list[str] = Field(min_length=1, max_length=1000)


class Typing(BaseModel):
    """What a contact shall show in a chat."""

    chat: str
    state: str = Field("composing", pattern="^(composing|recording|paused)$")


class DeviceView(BaseModel):
    """A companion device."""

    phone: str
    number: int
    name: str = Field(description="What the client calls itself")
    lid: str
    online: bool
    linked_at: int = Field(description="Seconds since 1970")
    prekeys: int = Field(description="One-time keys left")
    queue: int = Field(description="Stanzas it has not acknowledged")
    queued: dict[str, int] = Field(description="The same by kind")
    counters: Counters


class AccountView(BaseModel):
    """An account."""

    phone: str
    lid: str
    name: str
    banned: bool
    picture: str | None = Field(description="Where its profile picture can be fetched")
    privacy: dict[str, str]
    phone_received: int = Field(description="Copies of messages that came for the phone itself")
    devices: list[DeviceView]


class FaultView(BaseModel):
    """A fault in force."""

    id: int
    fault: Fault


class Overview(BaseModel):
    """The network at a glance."""

    address: str
    accounts: int
    devices: int
    online: int
    contacts: int
    faults: int
    unknown_queries: dict[str, int] = Field(description="Queries answered with 'not implemented'")
    errors: list[str] = Field(description="Stanzas that the lab itself failed on")


class Done(BaseModel):
    """Whether there was something to do."""

    done: bool


Handler = Callable[["Lab", web.Request, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation."""

    method: str
    path: str
    summary: str
    handler: Handler
    body: TypeAdapter[Any] | None
    result: TypeAdapter[Any] | None
    status: int


_ROUTES: list[Route] = []


def _route(
    method: str, path: str, *, body: Any = None, result: Any = None, status: int = 200
) -> Callable[[Handler], Handler]:
    def keep(handler: Handler) -> Handler:
        summary = (handler.__doc__ or "").strip().splitlines()[0]
        adapters = [TypeAdapter(kind) if kind else None for kind in (body, result)]
        _ROUTES.append(Route(method, path, summary, handler, adapters[0], adapters[1], status))
        return handler

    return keep


def application(lab: Lab) -> web.Application:
    """The control interface of a lab."""
    app = web.Application(client_max_size=_MAX_BODY, middlewares=[_problems])
    for route in _ROUTES:
        app.router.add_route(route.method, route.path, _serve(lab, route))
    app.router.add_get("/openapi.json", _serve_openapi)
    return app


def _serve(lab: Lab, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        body = route.body.validate_json(await request.read()) if route.body else None
        result = await route.handler(lab, request, body)
        if route.result is None:
            return web.Response(status=204)
        return web.Response(
            body=route.result.dump_json(result), status=route.status, content_type="application/json"
        )

    return serve


@web.middleware
async def _problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except LabError as error:
        return _problem(error.status, error.code, error.detail)
    except ValidationError as error:
        details = [
            {"where": ".".join(map(str, part["loc"])) or "body", "what": part["msg"]}
            for part in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        return _problem(422, "bad_input", "; ".join(f"{d['where']}: {d['what']}" for d in details), details)
    except web.HTTPException as error:
        return _problem(error.status, error.reason.lower().replace(" ", "_"), error.text or error.reason)


def _problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> web.Response:
    problem: dict[str, Any] = {"type": "about:blank", "status": status, "code": code, "detail": detail}
    if errors:
        problem["errors"] = errors
    return web.json_response(problem, status=status, content_type="application/problem+json")


def _phone(request: web.Request) -> str:
    return request.match_info["phone"].lstrip("+")


def _device(lab: Lab, request: web.Request) -> Device:
    number = request.match_info["number"]
    if not number.isascii() or not number.isdigit():
        raise LabError("no_such_device", f"{number!r} is not the number of a device", 404)
    return lab.device(_phone(request), int(number))


def _count(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not re.fullmatch("[0-9]{1,18}", text) or int(text) > most:
        raise LabError("bad_input", f"{name}: not a number from 0 to {most}", 422)
    return int(text)


# ---- what there is ---------------------------------------------------------------------------------------


@_route("GET", "/", result=Overview)
async def overview(lab: Lab, request: web.Request, body: None) -> Overview:
    """The network at a glance."""
    accounts = lab.board.directory.all()
    return Overview(
        address=lab.board.address,
        accounts=len(accounts),
        devices=sum(len(account.devices) for account in accounts),
        online=len(lab.board.connections()),
        contacts=len(lab.contacts.all()),
        faults=len(lab.faults.all()),
        unknown_queries=lab.board.unknown_queries,
        errors=list(lab.board.errors),
    )


@_route("GET", "/accounts", result=list[AccountView])
async def list_accounts(lab: Lab, request: web.Request, body: None) -> list[AccountView]:
    """All accounts with their devices and counters."""
    return [_view(lab, account) for account in lab.board.directory.all()]


@_route("GET", "/accounts/{phone}", result=AccountView)
async def show_account(lab: Lab, request: web.Request, body: None) -> AccountView:
    """One account."""
    return _view(lab, lab.board.directory.get(_phone(request)))


@_route("GET", "/accounts/{phone}/devices/{number}", result=DeviceView)
async def show_device(lab: Lab, request: web.Request, body: None) -> DeviceView:
    """One companion device."""
    return _device_view(lab, _device(lab, request))


# ---- what a person does with the phone -------------------------------------------------------------------


@_route("POST", "/accounts", body=NewAccount, result=AccountView, status=201)
async def create_account(lab: Lab, request: web.Request, body: NewAccount) -> AccountView:
    """Create an account with a phone."""
    return _view(lab, lab.board.directory.create(body.phone.lstrip("+"), body.name))


@_route("POST", "/accounts/{phone}/scan", body=Code, result=DeviceView, status=201)
async def scan(lab: Lab, request: web.Request, body: Code) -> DeviceView:
    """Scan the QR code that a client shows; the client becomes a linked device."""
    return _device_view(lab, await lab.scan(_phone(request), body.code))


@_route("POST", "/accounts/{phone}/confirm", body=Code, result=DeviceView, status=201)
async def confirm(lab: Lab, request: web.Request, body: Code) -> DeviceView:
    """Type the pairing code that a client shows; the client becomes a linked device."""
    return _device_view(lab, await lab.confirm(_phone(request), body.code))


@_route("DELETE", "/accounts/{phone}/devices/{number}")
async def log_out(lab: Lab, request: web.Request, body: None) -> None:
    """Unlink a device from the phone: the client is logged out."""
    device = _device(lab, request)
    lab.log_out(device.account.phone, device.number)


@_route("PUT", "/accounts/{phone}/picture", result=AccountView)
async def set_picture(lab: Lab, request: web.Request, body: None) -> AccountView:
    """Set the profile picture: the body is the JPEG."""
    image = await request.read()
    if not image.startswith(b"\xff\xd8\xff"):
        raise LabError("bad_input", "the body is not a JPEG image", 422)
    lab.set_picture(_phone(request), image)
    return _view(lab, lab.board.directory.get(_phone(request)))


@_route("DELETE", "/accounts/{phone}/picture")
async def remove_picture(lab: Lab, request: web.Request, body: None) -> None:
    """Remove the profile picture."""
    lab.set_picture(_phone(request), None)


@_route("PATCH", "/accounts/{phone}/privacy", body=dict[str, str], result=AccountView)
async def set_privacy(lab: Lab, request: web.Request, body: dict[str, str]) -> AccountView:
    """Change privacy settings: profile, readreceipts, last …, each to all, contacts or none."""
    for name, value in body.items():
        lab.set_privacy(_phone(request), name, value)
    return _view(lab, lab.board.directory.get(_phone(request)))


# ---- what goes wrong -------------------------------------------------------------------------------------


@_route("POST", "/accounts/{phone}/devices/{number}/drop", result=Done)
async def drop(lab: Lab, request: web.Request, body: None) -> Done:
    """Cut a device's connection without a word."""
    device = _device(lab, request)
    return Done(done=lab.drop(device.account.phone, device.number))


@_route("POST", "/accounts/{phone}/devices/{number}/conflict", result=Done)
async def conflict(lab: Lab, request: web.Request, body: None) -> Done:
    """End a device's connection as if another one had taken its place."""
    device = _device(lab, request)
    return Done(done=lab.conflict(device.account.phone, device.number))


@_route("POST", "/accounts/{phone}/ban", body=BanOrder, result=AccountView)
async def ban(lab: Lab, request: web.Request, body: BanOrder) -> AccountView:
    """Ban an account for a while: its connections end and its logins are refused."""
    lab.ban(_phone(request), body.seconds, body.code)
    return _view(lab, lab.board.directory.get(_phone(request)))


@_route("DELETE", "/accounts/{phone}/ban")
async def unban(lab: Lab, request: web.Request, body: None) -> None:
    """End a ban."""
    lab.unban(_phone(request))


@_route("GET", "/faults", result=list[FaultView])
async def list_faults(lab: Lab, request: web.Request, body: None) -> list[FaultView]:
    """The faults in force."""
    return [FaultView(id=number, fault=fault) for number, fault in lab.faults.all().items()]


@_route("POST", "/faults", body=Fault, result=FaultView, status=201)
async def add_fault(lab: Lab, request: web.Request, body: Fault) -> FaultView:
    """Put a fault in force."""
    return FaultView(id=lab.faults.add(body), fault=body)


@_route("DELETE", "/faults")
async def clear_faults(lab: Lab, request: web.Request, body: None) -> None:
    """Lift all faults."""
    lab.faults.clear()


@_route("DELETE", "/faults/{id}")
async def remove_fault(lab: Lab, request: web.Request, body: None) -> None:
    """Lift a fault."""
    number = request.match_info["id"]
    if not number.isdigit() or not lab.faults.remove(int(number)):
        raise LabError("no_such_fault", f"no fault in force has the id {number}", 404)


# ---- contacts --------------------------------------------------------------------------------------------


@_route("GET", "/contacts", result=list[ContactView])
async def list_contacts(lab: Lab, request: web.Request, body: None) -> list[ContactView]:
    """All contacts."""
    return [contact.view() for contact in lab.contacts.all()]


@_route("POST", "/contacts", body=NewContact, result=ContactView, status=201)
async def create_contact(lab: Lab, request: web.Request, body: NewContact) -> ContactView:
    """Create a contact: an account whose linked device is a real client; answered when it is connected."""
    return (await lab.contacts.create(body.phone.lstrip("+"), body.name)).view()


@_route("GET", "/contacts/{phone}", result=ContactView)
async def show_contact(lab: Lab, request: web.Request, body: None) -> ContactView:
    """One contact."""
    return lab.contacts.get(_phone(request)).view()


@_route("DELETE", "/contacts/{phone}")
async def delete_contact(lab: Lab, request: web.Request, body: None) -> None:
    """End a contact's client and forget what arrived; the account stays."""
    await lab.contacts.delete(_phone(request))


@_route("POST", "/contacts/{phone}/messages", body=Message, result=Written, status=201)
async def write(lab: Lab, request: web.Request, body: Message) -> Written:
    """Let a contact write one message or many, in order."""
    return await lab.contacts.get(_phone(request)).write(
        body.to,
        body.text,
        count=body.count,
        interval=body.interval,
        id_prefix=body.id_prefix,
        wait=body.wait,
    )


@_route("GET", "/contacts/{phone}/messages", result=list[Arrival])
async def read(lab: Lab, request: web.Request, body: None) -> list[Arrival]:
    """What arrived at a contact, in order: ?after=position&limit=1000."""
    after, limit = _count(request, "after", 0, 1 << 62), _count(request, "limit", 1000, _MAX_PAGE)
    return lab.contacts.get(_phone(request)).arrivals(after, limit)


@_route("GET", "/contacts/{phone}/receipts", result=dict[str, dict[str, int]])
async def receipts(lab: Lab, request: web.Request, body: None) -> dict[str, dict[str, int]]:
    """Receipts for what a contact wrote, counted by message and type: ?id=A&id=B for some only."""
    return lab.contacts.get(_phone(request)).receipts(request.query.getall("id", None))


@_route("POST", "/contacts/{phone}/read", body=Seen)
async def mark_read(lab: Lab, request: web.Request, body: Seen) -> None:
    """Let a contact show messages as read."""
    await lab.contacts.get(_phone(request)).mark_read(body.chat, body.ids)


@_route("POST", "/contacts/{phone}/typing", body=Typing)
async def typing(lab: Lab, request: web.Request, body: Typing) -> None:
    """Let a contact show that it is typing."""
    await lab.contacts.get(_phone(request)).typing(body.chat, body.state)


# ---- views -----------------------------------------------------------------------------------------------


def _view(lab: Lab, account: Account) -> AccountView:
    return AccountView(
        phone=account.phone,
        lid=account.lid,
        name=account.record.push_name,
        banned=account.banned,
        picture=lab.picture_url(account),
        privacy=account.record.privacy,
        phone_received=account.phone_received,
        devices=[_device_view(lab, device) for device in account.devices.values()],
    )


def _device_view(lab: Lab, device: Device) -> DeviceView:
    return DeviceView(
        phone=device.account.phone,
        number=device.number,
        name=device.record.name,
        lid=str(device.jid("lid")),
        online=lab.board.connection(device) is not None,
        linked_at=device.record.linked_at,
        prekeys=len(device.prekeys),
        queue=len(device.queue),
        queued=device.queue.kinds(),
        counters=device.counters,
    )


async def _serve_openapi(request: web.Request) -> web.Response:
    return web.json_response(openapi())


def openapi() -> dict[str, Any]:
    """The description of this interface, OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}

    def schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
        made = adapter.json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(made.pop("$defs", {}))
        return made

    for route in _ROUTES:
        operation: dict[str, Any] = {
            "operationId": route.handler.__name__,
            "summary": route.summary,
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in re.findall(r"{(\w+)}", route.path)
            ],
            "responses": {
                "default": {"description": "A problem (RFC 9457) that says what is wrong."},
            },
        }
        if route.body:
            content = {"application/json": {"schema": schema(route.body)}}
            operation["requestBody"] = {"required": True, "content": content}
        answer: dict[str, Any] = {"description": "Done."}
        if route.result:
            answer["content"] = {"application/json": {"schema": schema(route.result)}}
        operation["responses"][str(route.status if route.result else 204)] = answer
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Malote lab", "version": "1", "description": "A WhatsApp network on this machine."},
        "paths": paths,
        "components": {"schemas": schemas},
    }
