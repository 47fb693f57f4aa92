"""What the control interface takes and gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Base64Bytes, BaseModel, Field

from lab.accounts import Account, Counters, Device
from lab.faults import Fault

if TYPE_CHECKING:
    from lab.network import Lab

_MAX_BURST = 100_000
_ID = "^[0-9A-Za-z_-]{0,60}$"


class NewAccount(BaseModel):
    """An account to create."""

    phone: str = Field(description="Digits with country code", examples=["5511900000001"])
    name: str = Field("", description="What its messages are signed with (push name)")
    verified_name: str = Field("", description="Makes it a business with this name")


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

    to: str = Field(description="Digits with country code, or an address such as 123@lid or 120363…@g.us")
    text: str = Field("message {n}", max_length=60_000, description="{n} stands for the message's number")
    count: int = Field(1, ge=1, le=_MAX_BURST)
    interval: float = Field(0.0, ge=0, le=3600, description="Seconds between two messages")
    id_prefix: str = Field("", pattern="^[0-9A-Za-z_-]{0,40}$", description="Ids are this and the number")
    wait: bool = Field(True, description="Answer when all are sent; else at once")


class AnyMessage(BaseModel):
    """A message of any kind that a contact shall write."""

    to: str = Field(description="Digits with country code, or an address such as 123@lid")
    message: Base64Bytes = Field(description="A serialized waE2E.Message")
    id: str = Field("", pattern=_ID, description="A fresh one if empty")


class Ballot(BaseModel):
    """A contact's vote in a poll."""

    chat: str = Field(description="Where the poll is: digits, or an address")
    poll_id: str = Field(min_length=1)
    options: list[str] = Field([], max_length=100, description="By name; none takes the vote back")
    sender: str = Field("", description="Who sent the poll: digits or an address; nobody: the contact")
    id: str = Field("", pattern=_ID, description="Of the vote; a fresh one if empty")


class BlobView(BaseModel):
    """An encrypted file on the network's servers."""

    name: str
    kind: str
    phone: str = Field(description="The account that uploaded it")
    size: int
    direct_path: str


class Seen(BaseModel):
    """Messages that a contact shall show as read."""

    chat: str
    ids: list[str] = Field(min_length=1, max_length=1000)
    sender: str = Field("", description="In a group: who wrote them, digits or an address")


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
    verified_name: str = Field(description="Of a business, empty for everybody else")
    about: str
    picture: str | None = Field(description="Where its profile picture can be fetched")
    privacy: dict[str, str]
    blocked: list[str] = Field(description="Numbers it has blocked")
    disappearing_s: int = Field(description="After how long messages disappear in its new chats, 0: never")
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
    groups: int
    faults: int
    unknown_queries: dict[str, int] = Field(description="Queries answered with 'not implemented'")
    errors: list[str] = Field(description="Stanzas that the lab itself failed on")


class Done(BaseModel):
    """Whether there was something to do."""

    done: bool


def account_view(lab: Lab, account: Account) -> AccountView:
    """An account as it is now."""
    return AccountView(
        phone=account.phone,
        lid=account.lid,
        name=account.record.push_name,
        banned=account.banned,
        verified_name=account.record.verified_name,
        about=account.record.about,
        picture=lab.picture_url(account),
        privacy=account.record.privacy,
        blocked=account.record.blocked,
        disappearing_s=account.record.disappearing,
        phone_received=account.phone_received,
        devices=[device_view(lab, device) for device in account.devices.values()],
    )


def device_view(lab: Lab, device: Device) -> DeviceView:
    """A companion device as it is now."""
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
