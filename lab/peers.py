"""What a phone and its linked devices tell each other, end-to-end encrypted: the phone's Signal sessions."""

from __future__ import annotations

import copy
import json
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lab.accounts import LabError
from lab.wire import Node, node

with warnings.catch_warnings():
    # Its word that nobody has audited it: here it protects nothing.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pywhats.messaging.padding import pad_random_max16, unpad_random_max16
    from pywhats.signal.experimental.keys import (
        IdentityKeyPair,
        PreKeyBundle,
        SignalCryptoError,
        SignedPreKey,
    )
    from pywhats.signal.experimental.ratchet import (
        RatchetState,
        ratchet_decrypt,
        ratchet_encrypt,
        ratchet_init_alice,
        ratchet_init_bob,
    )
    from pywhats.signal.experimental.types import PreKeySignalMessage, SignalMessage
    from pywhats.signal.experimental.x3dh import x3dh_initiator, x3dh_responder

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.state import State

_KEPT = 3
"""Sessions of a device that are kept: both sides may begin one at the same time."""


@dataclass(slots=True)
class _Session:
    """A session with a device.

    Args:
        base_key: the key it was begun with, which tells it from others.
        start: what goes with every message until the device has answered; None once it has.
    """

    ratchet: RatchetState
    base_key: bytes
    start: dict[str, int | None] | None


class Peers:
    """The sessions of all phones, kept over restarts."""

    def __init__(self, state: State) -> None:
        self._state = state

    def met(self, device: Device) -> bool:
        """True if the phone has ever told this device anything, or heard of it."""
        return bool(self._load(device))

    def seal(self, device: Device, body: bytes, prekey: tuple[bytes, bytes] | None) -> Node:
        """A serialized message from the phone, encrypted for a device.

        Args:
            prekey: a one-time key of the device, if it has one left, to begin a session with.

        Raises:
            LabError: the keys that the device has left are no keys.
        """
        try:
            sessions = self._load(device) or [_begun(device, prekey)]
        except SignalCryptoError as error:
            raise LabError("bad_client", f"{device.account.phone}: {error}", 502) from error
        session, account = sessions[0], device.account
        header, sealed, mac_key = ratchet_encrypt(session.ratchet, pad_random_max16(body), b"")
        message = SignalMessage(header, sealed)
        ends = (account.identity_public, device.record.identity)
        if session.start is None:
            kind, data = "msg", message.encode(*ends, mac_key)
        else:
            first = PreKeySignalMessage(
                registration_id=account.record.registration_id,
                one_time_pre_key_id=session.start["one_time"],
                signed_pre_key_id=session.start["signed"] or 0,
                base_key=session.base_key,
                identity_key=account.identity_public,
                message=message,
            )
            kind, data = "pkmsg", first.encode(*ends, mac_key)
        self._save(device, sessions)
        return node("enc", {"v": "2", "type": kind}, data)

    def open(self, device: Device, enc: Node) -> bytes:
        """The serialized message that a device has encrypted for its phone. Raises LabError."""
        sessions, data = self._load(device), enc.data()
        try:
            if enc.text("type") == "pkmsg":
                first = PreKeySignalMessage.decode(data)
                if all(session.base_key != first.base_key for session in sessions):
                    sessions.insert(0, _answered(device, first))
                message = first.message
            else:
                message = SignalMessage.decode(data)
        except SignalCryptoError as error:
            raise LabError("undecryptable", f"{device.account.phone}: {error}", 502) from error
        for session in sessions:
            plain = _try(session, device, message)
            if plain is not None:
                session.start = None
                sessions.remove(session)
                self._save(device, [session, *sessions][:_KEPT])
                return plain
        raise LabError("undecryptable", f"{device.account.phone} has no session for this message", 502)

    def _load(self, device: Device) -> list[_Session]:
        query = "SELECT json FROM phone_session WHERE phone = ? AND number = ?"
        rows = self._state.rows(query, device.account.phone, device.number)
        return [_read(one) for one in json.loads(rows[0][0])] if rows else []

    def _save(self, device: Device, sessions: list[_Session]) -> None:
        self._state.run(
            "INSERT OR REPLACE INTO phone_session VALUES (?, ?, ?)",
            device.account.phone,
            device.number,
            json.dumps([_written(session) for session in sessions]),
        )


def _identity(account: Account) -> IdentityKeyPair:
    return IdentityKeyPair(account.record.identity, account.identity_public)


def _begun(device: Device, prekey: tuple[bytes, bytes] | None) -> _Session:
    signed = device.record.signed_key
    signed_id = int.from_bytes(signed.id, "big")
    one_time = int.from_bytes(prekey[0], "big") if prekey else None
    bundle = PreKeyBundle(
        identity_key=device.record.identity,
        signed_pre_key_id=signed_id,
        signed_pre_key_public=signed.public,
        signed_pre_key_signature=signed.signature,
        one_time_pre_key_id=one_time,
        one_time_pre_key_public=prekey[1] if prekey else None,
    )
    agreed = x3dh_initiator(_identity(device.account), bundle)
    ratchet = ratchet_init_alice(agreed.shared_secret, signed.public)
    return _Session(ratchet, agreed.ephemeral_public, {"signed": signed_id, "one_time": one_time})


def _answered(device: Device, first: PreKeySignalMessage) -> _Session:
    record = device.account.record
    key = SignedPreKey(
        int.from_bytes(record.signed_key.id, "big"),
        record.signed_private,
        record.signed_key.public,
        record.signed_key.signature,
    )
    agreed = x3dh_responder(_identity(device.account), key, None, first.identity_key, first.base_key)
    return _Session(
        ratchet_init_bob(agreed.shared_secret, key.private, key.public), first.base_key, start=None
    )


def _try(session: _Session, device: Device, message: SignalMessage) -> bytes | None:
    """Read a message within a session, which is as before if it is not one of it."""
    ratchet = copy.deepcopy(session.ratchet)
    ends = (device.record.identity, device.account.identity_public)
    try:
        padded = ratchet_decrypt(
            ratchet, message.header, message.ciphertext, b"", lambda key: message.verify_mac(*ends, key)
        )
        plain: bytes = unpad_random_max16(padded)
    except (SignalCryptoError, ValueError):
        return None
    session.ratchet = ratchet
    return plain


def _written(session: _Session) -> dict[str, Any]:
    ratchet: dict[str, Any] = {
        name: value.hex() if isinstance(value, bytes) else value
        for name, value in asdict(session.ratchet).items()
    }
    ratchet["mkskipped"] = [[dh.hex(), n, key.hex()] for (dh, n), key in session.ratchet.mkskipped.items()]
    return {"ratchet": ratchet, "base_key": session.base_key.hex(), "start": session.start}


def _read(written: dict[str, Any]) -> _Session:
    ratchet = {
        name: bytes.fromhex(value) if isinstance(value, str) else value
        for name, value in written["ratchet"].items()
    }
    ratchet["mkskipped"] = {
        (bytes.fromhex(dh), n): bytes.fromhex(key) for dh, n, key in written["ratchet"]["mkskipped"]
    }
    return _Session(RatchetState(**ratchet), bytes.fromhex(written["base_key"]), written["start"])
