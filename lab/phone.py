"""What an account's phone does when its owner links a device: read the code, sign for the device."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import time
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lab import wa_pb2 as wa
from lab.accounts import Account, LabError
from lab.noise import public_bytes
from lab.trust import sign, verify

_ACCOUNT_PREFIX = b"\x06\x00"
_DEVICE_PREFIX = b"\x06\x01"
_CODE_ITERATIONS = 2 << 16
_WRAPPED_KEY_SIZE = 80
_BUNDLE_INFO = b"link_code_pairing_key_bundle_encryption_key"
_CODE_ALPHABET = frozenset("123456789ABCDEFGHJKLMNPQRSTVWXYZ")


@dataclass(frozen=True, slots=True)
class QrCode:
    """What a client shows as a QR code."""

    ref: str
    noise: bytes
    identity: bytes
    secret: bytes

    @staticmethod
    def parse(text: str) -> QrCode:
        """Read a code, with or without the link before it. Raises LabError."""
        parts = text.strip().rpartition("#")[2].split(",")
        try:
            ref, noise, identity, secret = parts[:4]
            code = QrCode(ref, *(base64.b64decode(part, validate=True) for part in (noise, identity, secret)))
        except (ValueError, binascii.Error):
            code = None
        if (
            code is None
            or not code.ref
            or any(len(k) != 32 for k in (code.noise, code.identity, code.secret))
        ):
            raise LabError("bad_code", "this is not a code that WhatsApp clients show", 422)
        return code


def endorse(account: Account, device: int, identity: bytes, secret: bytes) -> bytes:
    """The phone's signed word that a key is its device's, sealed with the secret that both share."""
    details = wa.DeviceIdentity(
        raw_id=account.record.registration_id, timestamp=int(time.time()), key_index=device
    ).SerializeToString()
    signed = wa.SignedDeviceIdentity(
        details=details,
        account_signature_key=account.identity_public,
        account_signature=sign(account.record.identity, _ACCOUNT_PREFIX + details + identity),
    ).SerializeToString()
    seal = hmac.digest(secret, signed, hashlib.sha256)
    return wa.SignedDeviceIdentityHmac(details=signed, hmac=seal).SerializeToString()


def accepts(account: Account, identity: bytes, proof: bytes) -> bool:
    """True if the device signed the phone's word in turn."""
    signed = wa.SignedDeviceIdentity.FromString(proof)
    return verify(
        account.identity_public, _ACCOUNT_PREFIX + signed.details + identity, signed.account_signature
    ) and verify(
        identity,
        _DEVICE_PREFIX + signed.details + identity + account.identity_public,
        signed.device_signature,
    )


def read_link_code(text: str) -> str:
    """A pairing code as typed by a person, in the form it is computed with. Raises LabError."""
    code = text.replace("-", "").replace(" ", "").upper()
    if len(code) != 8 or not _CODE_ALPHABET.issuperset(code):
        raise LabError("bad_code", "a pairing code has 8 letters and digits, as in ABCD-1234", 422)
    return code


class LinkCode:
    """The phone's side of pairing by code, once its owner has typed the code."""

    def __init__(self, account: Account, code: str, wrapped_companion_key: bytes) -> None:
        if len(wrapped_companion_key) != _WRAPPED_KEY_SIZE:
            raise LabError("bad_client", "the client's wrapped key has the wrong size", 502)
        self._account = account
        self._ephemeral = X25519PrivateKey.generate()
        salt, nonce, sealed = _cut(wrapped_companion_key, 32, 16)
        self._companion = _cipher(code, salt, nonce, sealed)
        salt, nonce = os.urandom(32), os.urandom(16)
        self.wrapped_key = salt + nonce + _cipher(code, salt, nonce, public_bytes(self._ephemeral))

    def secret(self, bundle: bytes, identity: bytes) -> bytes:
        """The secret shared with the device, from its key bundle. Raises LabError if the code was wrong."""
        salt, nonce, sealed = _cut(bundle, 32, 12)
        shared = self._ephemeral.exchange(X25519PublicKey.from_public_bytes(self._companion))
        key = HKDF(hashes.SHA256(), 32, salt, _BUNDLE_INFO).derive(shared)
        try:
            plain = AESGCM(key).decrypt(nonce, sealed, None)
        except (InvalidTag, ValueError):
            plain = b""
        companion, primary, random = _cut(plain, 32, 32)
        if companion != identity or primary != self._account.identity_public or len(random) != 32:
            raise LabError("wrong_code", "the code typed on the phone is not the one the client shows", 422)
        own = self._account.identity.exchange(X25519PublicKey.from_public_bytes(identity))
        return HKDF(hashes.SHA256(), 32, None, b"adv_secret").derive(shared + own + random)


def _cut(data: bytes, first: int, second: int) -> tuple[bytes, bytes, bytes]:
    return data[:first], data[first : first + second], data[first + second :]


def _cipher(code: str, salt: bytes, nonce: bytes, data: bytes) -> bytes:
    key = hashlib.pbkdf2_hmac("sha256", code.encode(), salt, _CODE_ITERATIONS, 32)
    return Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor().update(data)
