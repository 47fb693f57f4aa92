"""How settings that an account's devices share are encrypted and sealed: the network has no key to them."""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lab import wa_pb2 as wa
from lab.accounts import LabError

_KEYS_INFO = b"WhatsApp Mutation Keys"
_HASH_INFO = b"WhatsApp Patch Integrity"
_HASH_SIZE = 128
_MAC_SIZE = 32


@dataclass(frozen=True, slots=True)
class Keys:
    """What is derived from one shared key.

    Args:
        id: by which patches name the key.
    """

    id: bytes
    index: bytes
    cipher: bytes
    value_mac: bytes
    snapshot_mac: bytes
    patch_mac: bytes

    @staticmethod
    def derive(id_: bytes, key: bytes) -> Keys:
        """From the 32 bytes that the phone shares."""
        expanded = HKDF(hashes.SHA256(), 160, None, _KEYS_INFO).derive(key)
        return Keys(id_, *(expanded[start : start + 32] for start in range(0, 160, 32)))


@dataclass(frozen=True, slots=True)
class Collection:
    """Where a collection of settings stands.

    Args:
        values: the MAC of the newest value of each setting, by the MAC of its index.
    """

    name: str
    version: int
    values: Mapping[bytes, bytes]

    def after(self, patch: wa.SyncPatch) -> Collection:
        """The collection with a patch applied."""
        values = dict(self.values)
        for mutation in patch.mutations:
            index = mutation.record.index.blob
            if mutation.operation == wa.SyncMutation.SET:
                values[index] = mutation.record.value.blob[-_MAC_SIZE:]
            else:
                values.pop(index, None)
        return Collection(self.name, self.version + 1, values)

    def seal(self, keys: Keys) -> bytes:
        """The MAC of all that is in it."""
        total = [0] * (_HASH_SIZE // 2)
        for value in self.values.values():
            item = HKDF(hashes.SHA256(), _HASH_SIZE, None, _HASH_INFO).derive(value)
            total = [(a + b) & 0xFFFF for a, b in zip(total, struct.unpack("<64H", item), strict=True)]
        state = struct.pack("<64H", *total) + self.version.to_bytes(8, "big") + self.name.encode()
        return hmac.digest(keys.snapshot_mac, state, hashlib.sha256)


def write(collection: Collection, keys: Keys, actions: Sequence[wa.SyncAction]) -> wa.SyncPatch:
    """The patch that sets these settings in a collection."""
    patch = wa.SyncPatch(key_id=wa.SyncBlob(blob=keys.id))
    for action in actions:
        padder = padding.PKCS7(128).padder()
        iv = os.urandom(16)
        encryptor = Cipher(algorithms.AES(keys.cipher), modes.CBC(iv)).encryptor()
        plain = padder.update(action.SerializeToString()) + padder.finalize()
        sealed = iv + encryptor.update(plain) + encryptor.finalize()
        record = wa.SyncRecord(key_id=wa.SyncBlob(blob=keys.id))
        record.index.blob = hmac.digest(keys.index, action.index, hashlib.sha256)
        record.value.blob = sealed + _value_mac(keys, wa.SyncMutation.SET, sealed)
        patch.mutations.append(wa.SyncMutation(operation=wa.SyncMutation.SET, record=record))
    patch.snapshot_mac = collection.after(patch).seal(keys)
    patch.patch_mac = _patch_mac(keys, patch, collection)
    return patch


def read(collection: Collection, keys: Keys, patch: wa.SyncPatch) -> list[wa.SyncAction]:
    """The settings that a patch of a device sets, all its MACs checked. Raises LabError."""
    if patch.key_id.blob != keys.id:
        raise _refused("names a key that the phone has not shared")
    if not hmac.compare_digest(patch.snapshot_mac, collection.after(patch).seal(keys)):
        raise _refused("was made for another state of the collection")
    if not hmac.compare_digest(patch.patch_mac, _patch_mac(keys, patch, collection)):
        raise _refused("has the wrong MAC")
    return [
        _open(keys, mutation) for mutation in patch.mutations if mutation.operation == wa.SyncMutation.SET
    ]


def _open(keys: Keys, mutation: wa.SyncMutation) -> wa.SyncAction:
    sealed, mac = mutation.record.value.blob[:-_MAC_SIZE], mutation.record.value.blob[-_MAC_SIZE:]
    if not hmac.compare_digest(mac, _value_mac(keys, mutation.operation, sealed)):
        raise _refused("holds a value with the wrong MAC")
    decryptor = Cipher(algorithms.AES(keys.cipher), modes.CBC(sealed[:16])).decryptor()
    unpadder = padding.PKCS7(128).unpadder()
    plain = unpadder.update(decryptor.update(sealed[16:]) + decryptor.finalize()) + unpadder.finalize()
    action = wa.SyncAction.FromString(plain)
    if hmac.digest(keys.index, action.index, hashlib.sha256) != mutation.record.index.blob:
        raise _refused("holds a value under the index of another one")
    return action


def _value_mac(keys: Keys, operation: int, sealed: bytes) -> bytes:
    named = bytes((operation + 1,)) + keys.id
    body = named + sealed + len(named).to_bytes(8, "big")
    return hmac.digest(keys.value_mac, body, hashlib.sha512)[:_MAC_SIZE]


def _patch_mac(keys: Keys, patch: wa.SyncPatch, before: Collection) -> bytes:
    macs = b"".join(mutation.record.value.blob[-_MAC_SIZE:] for mutation in patch.mutations)
    version = (before.version + 1).to_bytes(8, "big")
    return hmac.digest(
        keys.patch_mac, patch.snapshot_mac + macs + version + before.name.encode(), hashlib.sha256
    )


def _refused(problem: str) -> LabError:
    return LabError("bad_patch", f"a device's patch of shared settings {problem}", 502)
