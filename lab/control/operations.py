"""The operations of the control interface."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiohttp import web

from lab.accounts import Device, LabError
from lab.arrivals import Arrival
from lab.contact import ContactView
from lab.control.http import route
from lab.control.models import (
    AccountView,
    BanOrder,
    Code,
    DeviceView,
    Done,
    FaultView,
    Message,
    NewAccount,
    NewContact,
    Overview,
    Seen,
    Typing,
    account_view,
    device_view,
)
from lab.faults import Fault
from lab.writing import Written

if TYPE_CHECKING:
    from lab.network import Lab

_MAX_PAGE = 10_000


def phone_of(request: web.Request) -> str:
    """The number in the path, as digits."""
    return request.match_info["phone"].lstrip("+")


def device_of(lab: Lab, request: web.Request) -> Device:
    """The linked device in the path. Raises LabError."""
    number = request.match_info["number"]
    if not number.isascii() or not number.isdigit():
        raise LabError("no_such_device", f"{number!r} is not the number of a device", 404)
    return lab.device(phone_of(request), int(number))


def _count(request: web.Request, name: str, default: int, most: int) -> int:
    text = request.query.get(name, str(default))
    if not re.fullmatch("[0-9]{1,18}", text) or int(text) > most:
        raise LabError("bad_input", f"{name}: not a number from 0 to {most}", 422)
    return int(text)


# ---- what there is ---------------------------------------------------------------------------------------


@route("GET", "/", result=Overview)
async def overview(lab: Lab, request: web.Request, body: None) -> Overview:
    """The network at a glance."""
    accounts = lab.board.directory.all()
    return Overview(
        address=lab.board.address,
        accounts=len(accounts),
        devices=sum(len(account.devices) for account in accounts),
        online=len(lab.board.connections()),
        contacts=len(lab.contacts.all()),
        groups=len(lab.board.groups.all()),
        faults=len(lab.faults.all()),
        unknown_queries=lab.board.unknown_queries,
        errors=list(lab.board.errors),
    )


@route("GET", "/accounts", result=list[AccountView])
async def list_accounts(lab: Lab, request: web.Request, body: None) -> list[AccountView]:
    """All accounts with their devices and counters."""
    return [account_view(lab, account) for account in lab.board.directory.all()]


@route("GET", "/accounts/{phone}", result=AccountView)
async def show_account(lab: Lab, request: web.Request, body: None) -> AccountView:
    """One account."""
    return account_view(lab, lab.board.directory.get(phone_of(request)))


@route("GET", "/accounts/{phone}/devices/{number}", result=DeviceView)
async def show_device(lab: Lab, request: web.Request, body: None) -> DeviceView:
    """One companion device."""
    return device_view(lab, device_of(lab, request))


# ---- what a person does with the phone -------------------------------------------------------------------


@route("POST", "/accounts", body=NewAccount, result=AccountView, status=201)
async def create_account(lab: Lab, request: web.Request, body: NewAccount) -> AccountView:
    """Create an account with a phone."""
    account = lab.board.directory.create(body.phone.lstrip("+"), body.name, body.verified_name)
    return account_view(lab, account)


@route("POST", "/accounts/{phone}/scan", body=Code, result=DeviceView, status=201)
async def scan(lab: Lab, request: web.Request, body: Code) -> DeviceView:
    """Scan the QR code that a client shows; the client becomes a linked device."""
    return device_view(lab, await lab.scan(phone_of(request), body.code))


@route("POST", "/accounts/{phone}/confirm", body=Code, result=DeviceView, status=201)
async def confirm(lab: Lab, request: web.Request, body: Code) -> DeviceView:
    """Type the pairing code that a client shows; the client becomes a linked device."""
    return device_view(lab, await lab.confirm(phone_of(request), body.code))


@route("DELETE", "/accounts/{phone}/devices/{number}")
async def log_out(lab: Lab, request: web.Request, body: None) -> None:
    """Unlink a device from the phone: the client is logged out."""
    device = device_of(lab, request)
    lab.log_out(device.account.phone, device.number)


@route("PUT", "/accounts/{phone}/picture", result=AccountView)
async def set_picture(lab: Lab, request: web.Request, body: None) -> AccountView:
    """Set the profile picture: the body is the JPEG."""
    image = await request.read()
    if not image.startswith(b"\xff\xd8\xff"):
        raise LabError("bad_input", "the body is not a JPEG image", 422)
    lab.set_picture(phone_of(request), image)
    return account_view(lab, lab.board.directory.get(phone_of(request)))


@route("DELETE", "/accounts/{phone}/picture")
async def remove_picture(lab: Lab, request: web.Request, body: None) -> None:
    """Remove the profile picture."""
    lab.set_picture(phone_of(request), None)


@route("PATCH", "/accounts/{phone}/privacy", body=dict[str, str], result=AccountView)
async def set_privacy(lab: Lab, request: web.Request, body: dict[str, str]) -> AccountView:
    """Change privacy settings: profile, readreceipts, last …, each to all, contacts or none."""
    for name, value in body.items():
        lab.set_privacy(phone_of(request), name, value)
    return account_view(lab, lab.board.directory.get(phone_of(request)))


# ---- what goes wrong -------------------------------------------------------------------------------------


@route("POST", "/accounts/{phone}/devices/{number}/drop", result=Done)
async def drop(lab: Lab, request: web.Request, body: None) -> Done:
    """Cut a device's connection without a word."""
    device = device_of(lab, request)
    return Done(done=lab.drop(device.account.phone, device.number))


@route("POST", "/accounts/{phone}/devices/{number}/freeze", result=Done)
async def freeze(lab: Lab, request: web.Request, body: None) -> Done:
    """Let a device's connection stay open with nothing passing any more; a new one is served as ever."""
    device = device_of(lab, request)
    return Done(done=lab.freeze(device.account.phone, device.number))


@route("POST", "/accounts/{phone}/devices/{number}/conflict", result=Done)
async def conflict(lab: Lab, request: web.Request, body: None) -> Done:
    """End a device's connection as if another one had taken its place."""
    device = device_of(lab, request)
    return Done(done=lab.conflict(device.account.phone, device.number))


@route("POST", "/accounts/{phone}/ban", body=BanOrder, result=AccountView)
async def ban(lab: Lab, request: web.Request, body: BanOrder) -> AccountView:
    """Ban an account for a while: its connections end and its logins are refused."""
    lab.ban(phone_of(request), body.seconds, body.code)
    return account_view(lab, lab.board.directory.get(phone_of(request)))


@route("DELETE", "/accounts/{phone}/ban")
async def unban(lab: Lab, request: web.Request, body: None) -> None:
    """End a ban."""
    lab.unban(phone_of(request))


@route("GET", "/faults", result=list[FaultView])
async def list_faults(lab: Lab, request: web.Request, body: None) -> list[FaultView]:
    """The faults in force."""
    return [FaultView(id=number, fault=fault) for number, fault in lab.faults.all().items()]


@route("POST", "/faults", body=Fault, result=FaultView, status=201)
async def add_fault(lab: Lab, request: web.Request, body: Fault) -> FaultView:
    """Put a fault in force."""
    return FaultView(id=lab.faults.add(body), fault=body)


@route("DELETE", "/faults")
async def clear_faults(lab: Lab, request: web.Request, body: None) -> None:
    """Lift all faults."""
    lab.faults.clear()


@route("DELETE", "/faults/{id}")
async def remove_fault(lab: Lab, request: web.Request, body: None) -> None:
    """Lift a fault."""
    number = request.match_info["id"]
    if not number.isdigit() or not lab.faults.remove(int(number)):
        raise LabError("no_such_fault", f"no fault in force has the id {number}", 404)


# ---- contacts --------------------------------------------------------------------------------------------


@route("GET", "/contacts", result=list[ContactView])
async def list_contacts(lab: Lab, request: web.Request, body: None) -> list[ContactView]:
    """All contacts."""
    return [contact.view() for contact in lab.contacts.all()]


@route("POST", "/contacts", body=NewContact, result=ContactView, status=201)
async def create_contact(lab: Lab, request: web.Request, body: NewContact) -> ContactView:
    """Create a contact: an account whose linked device is a real client; answered when it is connected."""
    return (await lab.contacts.create(body.phone.lstrip("+"), body.name)).view()


@route("GET", "/contacts/{phone}", result=ContactView)
async def show_contact(lab: Lab, request: web.Request, body: None) -> ContactView:
    """One contact."""
    return lab.contacts.get(phone_of(request)).view()


@route("DELETE", "/contacts/{phone}")
async def delete_contact(lab: Lab, request: web.Request, body: None) -> None:
    """End a contact's client and forget what arrived; the account stays."""
    await lab.contacts.delete(phone_of(request))


@route("POST", "/contacts/{phone}/messages", body=Message, result=Written, status=201)
async def write(lab: Lab, request: web.Request, body: Message) -> Written:
    """Let a contact write one message or many, in order."""
    return await lab.contacts.get(phone_of(request)).write(
        body.to,
        body.text,
        count=body.count,
        interval=body.interval,
        id_prefix=body.id_prefix,
        wait=body.wait,
    )


@route("GET", "/contacts/{phone}/messages", result=list[Arrival])
async def read(lab: Lab, request: web.Request, body: None) -> list[Arrival]:
    """What arrived at a contact, in order: ?after=position&limit=1000."""
    after, limit = _count(request, "after", 0, 1 << 62), _count(request, "limit", 1000, _MAX_PAGE)
    return lab.contacts.get(phone_of(request)).arrivals(after, limit)


@route("GET", "/contacts/{phone}/receipts", result=dict[str, dict[str, int]])
async def receipts(lab: Lab, request: web.Request, body: None) -> dict[str, dict[str, int]]:
    """Receipts for what a contact wrote, counted by message and type: ?id=A&id=B for some only."""
    return lab.contacts.get(phone_of(request)).receipts(request.query.getall("id", None))


@route("POST", "/contacts/{phone}/read", body=Seen)
async def mark_read(lab: Lab, request: web.Request, body: Seen) -> None:
    """Let a contact show messages as read."""
    await lab.contacts.get(phone_of(request)).mark_read(body.chat, body.ids, body.sender)


@route("POST", "/contacts/{phone}/typing", body=Typing)
async def typing(lab: Lab, request: web.Request, body: Typing) -> None:
    """Let a contact show that it is typing."""
    await lab.contacts.get(phone_of(request)).typing(body.chat, body.state)
