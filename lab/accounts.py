"""Accounts, their companion devices, and the directory of both."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from typing import Literal

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from pydantic import BaseModel, ConfigDict, Field

from lab import wa_pb2 as wa
from lab.noise import public_bytes
from lab.queue import DeviceQueue
from lab.state import State
from lab.trust import sign
from lab.wire import LIDS, USERS, Jid, Node, encode

MAX_COMPANIONS = 4
"""Devices that one phone can link."""
KEY_TYPE = 5
"""WhatsApp's number for X25519."""

DEFAULT_PRIVACY = {
    "groupadd": "all",
    "last": "all",
    "status": "all",
    "profile": "all",
    "readreceipts": "all",
    "online": "all",
    "calladd": "all",
    "messages": "all",
    "defense": "off",
    "stickers": "contacts",
}
_WHO = ("all", "contacts", "contact_blacklist", "none")
PRIVACY_VALUES = {
    "groupadd": _WHO,
    "last": _WHO,
    "status": _WHO,
    "profile": _WHO,
    "readreceipts": ("all", "none"),
    "online": ("all", "match_last_seen"),
    "calladd": ("all", "known"),
    "messages": ("all", "contacts"),
    "defense": ("on_standard", "off"),
    "stickers": ("contacts", "contact_allowlist", "none"),
}
"""What each privacy setting can be."""
StatusAudience = Literal["contacts", "whitelist", "blacklist"]
_PHONE = re.compile(r"[1-9][0-9]{6,14}")
_KEY_LIST_PREFIX = b"\x06\x02"


class LabError(Exception):
    """Something the lab was asked for can't be done.

    Args:
        code: stable, for programs.
        detail: for people.
        status: the HTTP status that fits.
    """

    def __init__(self, code: str, detail: str, status: int = 409) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status = status


class Counters(BaseModel):
    """What happened on one device since the lab started."""

    connections: int = Field(0, description="Sockets that named this device")
    logins: int = Field(0, description="Of these, the ones that were let in")
    refused: int = Field(0, description="Of these, the ones that were not")
    conflicts: int = Field(0, description="Logins that ended an older connection of the device")
    received: int = Field(0, description="Messages this device sent into the network")
    sent: int = Field(0, description="Stanzas delivered to it for the first time")
    redelivered: int = Field(0, description="Deliveries of a stanza that was delivered before")
    acked: int = Field(0, description="Stanzas it acknowledged")
    acks_lost: int = Field(0, description="Acknowledgements dropped by a fault")
    retries: int = Field(0, description="Retry receipts it sent: messages it could not decrypt")


class Ban(BaseModel):
    """A temporary ban: every login is refused until it ends."""

    code: int = Field(
        101, description="WhatsApp's reason: 101 sent to too many people, 102 blocked by users …"
    )
    until: float = Field(description="Seconds since 1970")


class SignedKey(BaseModel):
    """A signed prekey. Its id has 3 bytes."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    id: bytes
    public: bytes
    signature: bytes


class _AccountRecord(BaseModel):
    """What is remembered of an account besides its addresses."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    identity: bytes
    registration_id: int
    signed_key: SignedKey
    signed_private: bytes = b""
    push_name: str = ""
    about: str = "Hey there! I am using WhatsApp."
    verified_name: str = ""
    disappearing: int = 0
    status_audience: StatusAudience = "contacts"
    status_people: list[str] = []
    privacy: dict[str, str] = Field(default_factory=lambda: dict(DEFAULT_PRIVACY))
    blocked: list[str] = []
    next_device: int = 1
    ban: Ban | None = None
    last_seen: int = 0


class _DeviceRecord(BaseModel):
    """What is remembered of a companion device besides its number."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    noise: bytes
    identity: bytes
    registration_id: int
    signed_key: SignedKey
    proof: bytes
    name: str = ""
    full_history: bool = False
    linked_at: int = Field(default_factory=lambda: int(time.time()))


class Device:
    """One companion device: a client that an account's phone has linked."""

    def __init__(self, account: Account, number: int, record: _DeviceRecord) -> None:
        self.account = account
        self.number = number
        self.record = record
        self.prekeys: dict[bytes, bytes] = {}
        self.queue = DeviceQueue()
        self.counters = Counters()
        self.low_prekeys_notice: str | None = None

    def jid(self, server: str) -> Jid:
        """Its address by phone number or by LID."""
        return Jid(self.account.lid if server == LIDS else self.account.phone, server, self.number)

    def full_proof(self) -> bytes:
        """The signed device identity with the account's key in it, as peers need it."""
        proof = wa.SignedDeviceIdentity.FromString(self.record.proof)
        proof.account_signature_key = self.account.identity_public
        return proof.SerializeToString()


class Account:
    """One WhatsApp user: a phone, and the devices it has linked."""

    def __init__(self, phone: str, lid: str, record: _AccountRecord) -> None:
        self.phone = phone
        self.lid = lid
        self.record = record
        self.devices: dict[int, Device] = {}
        self.picture: tuple[str, bytes] | None = None
        self.watchers: set[tuple[str, str]] = set()
        """Who asked for this account's devices, by which kind of address: they hear of changes."""
        self.linking = asyncio.Lock()
        self.phone_received = 0
        """Copies of messages that came for the phone itself."""

    @property
    def identity(self) -> X25519PrivateKey:
        """The phone's identity key, which signs for linked devices."""
        return X25519PrivateKey.from_private_bytes(self.record.identity)

    @property
    def identity_public(self) -> bytes:
        """Its public half."""
        return public_bytes(self.identity)

    @property
    def banned(self) -> bool:
        """True while a temporary ban lasts."""
        return self.record.ban is not None and self.record.ban.until > time.time()

    def jid(self, server: str) -> Jid:
        """Its address by phone number or by LID."""
        return Jid(self.lid if server == LIDS else self.phone, server)

    def device_jids(self, server: str) -> list[Jid]:
        """All its devices, the phone (0) first."""
        user = self.lid if server == LIDS else self.phone
        return [Jid(user, server, number) for number in (0, *self.devices)]

    def key_index_list(self) -> bytes:
        """The phone's signed statement of which devices it has linked."""
        details = wa.KeyIndexList(
            raw_id=self.record.registration_id,
            timestamp=max((d.record.linked_at for d in self.devices.values()), default=int(time.time())),
            current_index=self.record.next_device - 1,
            valid_indexes=list(self.devices),
        ).SerializeToString()
        signature = sign(self.record.identity, _KEY_LIST_PREFIX + details)
        return wa.SignedKeyIndexList(details=details, account_signature=signature).SerializeToString()


class Directory:
    """Every account and device of the lab, written through to its state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._accounts: dict[str, Account] = {}
        self._by_lid: dict[str, Account] = {}
        self._load()

    def all(self) -> list[Account]:
        """Every account, oldest first."""
        return list(self._accounts.values())

    def find(self, phone: str) -> Account | None:
        """The account with this number (digits)."""
        return self._accounts.get(phone)

    def get(self, phone: str) -> Account:
        """The account with this number. Raises LabError."""
        account = self._accounts.get(phone)
        if account is None:
            raise LabError("no_such_account", f"no account has the number {phone}; create it first", 404)
        return account

    def at(self, jid: Jid | None) -> Account | None:
        """The account an address belongs to."""
        if jid is None:
            return None
        if jid.server == LIDS:
            return self._by_lid.get(jid.user)
        return self._accounts.get(jid.user) if jid.server in (USERS, "c.us") else None

    def device_at(self, jid: Jid | None) -> Device | None:
        """The companion device an address names; None for a phone."""
        account = self.at(jid)
        return account.devices.get(jid.device) if account and jid else None

    def create(self, phone: str, name: str = "", verified_name: str = "") -> Account:
        """A new account with a phone, a business if it has a verified name. Raises LabError."""
        if not _PHONE.fullmatch(phone):
            raise LabError(
                "bad_phone", f"{phone!r} is not a number: 7 to 15 digits with country code, no plus sign", 422
            )
        if phone in self._accounts:
            raise LabError("account_exists", f"the number {phone} has an account already")
        lid = _random_lid()
        while lid in self._by_lid:
            lid = _random_lid()
        identity, signed = X25519PrivateKey.generate(), X25519PrivateKey.generate()
        signed_public = public_bytes(signed)
        record = _AccountRecord(
            identity=identity.private_bytes_raw(),
            registration_id=secrets.randbelow(16_380) + 1,
            signed_key=SignedKey(
                id=b"\0\0\1",
                public=signed_public,
                signature=sign(identity.private_bytes_raw(), bytes((KEY_TYPE,)) + signed_public),
            ),
            signed_private=signed.private_bytes_raw(),
            push_name=name,
            verified_name=verified_name,
        )
        account = Account(phone, lid, record)
        self._state.run("INSERT INTO account VALUES (?, ?, ?)", phone, lid, record.model_dump_json())
        self._accounts[phone] = self._by_lid[lid] = account
        return account

    def save(self, account: Account) -> None:
        """Remember an account's changed record."""
        self._state.run(
            "UPDATE account SET json = ? WHERE phone = ?", account.record.model_dump_json(), account.phone
        )

    def set_picture(self, account: Account, image: bytes | None) -> None:
        """Change an account's profile picture; None removes it."""
        if image is None:
            account.picture = None
            self._state.run("DELETE FROM picture WHERE phone = ?", account.phone)
            return
        account.picture = (str(int(time.time() * 1000)), image)
        self._state.run("INSERT OR REPLACE INTO picture VALUES (?, ?, ?)", account.phone, *account.picture)

    def link(
        self, account: Account, data: wa.ClientPayload.PairingData, noise: bytes, proof: bytes
    ) -> Device:
        """Add the companion device that an account's phone has signed."""
        props = wa.DeviceProps.FromString(data.device_props)
        record = _DeviceRecord(
            noise=noise,
            identity=data.identity,
            registration_id=int.from_bytes(data.registration_id, "big"),
            signed_key=SignedKey(
                id=data.signed_key_id, public=data.signed_key, signature=data.signed_key_signature
            ),
            proof=proof,
            name=props.os,
            full_history=props.require_full_sync,
        )
        device = Device(account, account.record.next_device, record)
        with self._state.transaction():
            account.record.next_device += 1
            self.save(account)
            self._state.run(
                "INSERT INTO device VALUES (?, ?, ?)", account.phone, device.number, record.model_dump_json()
            )
        account.devices[device.number] = device
        return device

    def unlink(self, device: Device) -> None:
        """Forget a companion device and all that waits for it."""
        del device.account.devices[device.number]
        self._state.run(
            "DELETE FROM device WHERE phone = ? AND number = ?", device.account.phone, device.number
        )

    def save_device(self, device: Device) -> None:
        """Remember a device's changed record."""
        self._state.run(
            "UPDATE device SET json = ? WHERE phone = ? AND number = ?",
            device.record.model_dump_json(),
            device.account.phone,
            device.number,
        )

    def add_prekeys(self, device: Device, keys: dict[bytes, bytes]) -> None:
        """Add one-time keys to those that peers can take."""
        device.prekeys.update(keys)
        self._state.run_many(
            "INSERT OR REPLACE INTO prekey VALUES (?, ?, ?, ?)",
            [(device.account.phone, device.number, id_, value) for id_, value in keys.items()],
        )

    def take_prekey(self, device: Device) -> tuple[bytes, bytes] | None:
        """A one-time key of a device, never given out before; None if there is none left."""
        if not device.prekeys:
            return None
        id_ = next(iter(device.prekeys))
        self._state.run(
            "DELETE FROM prekey WHERE phone = ? AND number = ? AND id = ?",
            device.account.phone,
            device.number,
            id_,
        )
        return id_, device.prekeys.pop(id_)

    def enqueue(self, device: Device, stanza: Node) -> int:
        """Keep a stanza for a device until it acknowledges it; its place in the queue."""
        body = encode(stanza)
        seq = self._state.run(
            "INSERT INTO stanza (phone, number, body) VALUES (?, ?, ?)",
            device.account.phone,
            device.number,
            body,
        )
        device.queue.add(seq, stanza, body)
        return seq

    def forget(self, seq: int) -> None:
        """Delete an acknowledged stanza."""
        self._state.run("DELETE FROM stanza WHERE seq = ?", seq)

    def _load(self) -> None:
        for phone, lid, record in self._state.rows("SELECT * FROM account ORDER BY phone"):
            account = Account(phone, lid, _AccountRecord.model_validate_json(record))
            self._accounts[phone] = self._by_lid[lid] = account
        for phone, id_, image in self._state.rows("SELECT * FROM picture"):
            self._accounts[phone].picture = (id_, bytes(image))
        for phone, number, record in self._state.rows("SELECT * FROM device ORDER BY phone, number"):
            account = self._accounts[phone]
            account.devices[number] = Device(account, number, _DeviceRecord.model_validate_json(record))
        for phone, number, id_, value in self._state.rows("SELECT * FROM prekey"):
            self._accounts[phone].devices[number].prekeys[bytes(id_)] = bytes(value)
        for seq, phone, number, body in self._state.rows("SELECT * FROM stanza ORDER BY seq"):
            self._accounts[phone].devices[number].queue.restore(seq, bytes(body))


def _random_lid() -> str:
    return str(secrets.randbelow(9 * 10**14) + 10**14)
