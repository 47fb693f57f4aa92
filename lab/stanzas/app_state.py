"""Shared settings of an account's devices: patches to them, and what a device has missed."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from lab import wa_pb2 as wa
from lab.accounts import LabError
from lab.app_state import MAX_PATCH
from lab.history import seal
from lab.stanzas.errors import bad_request
from lab.wire import Attrs, Node, node

if TYPE_CHECKING:
    from lab.accounts import Device
    from lab.connection import Connection

_KEYS_INFO = b"WhatsApp App State Keys"
_MEDIA_KIND = "md-app-state"
_SHORT = 1
"""Patches that are told as they are also to a device that knows nothing: no file is made for so little."""
_CONFLICT = 409
_BAD_PATCH = 400


def answer(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Take a patch if its maker knew all patches before, and tell what is missing."""
    sync = query.child("sync")
    if sync is None:
        raise bad_request()
    return [node("sync", {}, [_collection(connection, device, one) for one in sync.children("collection")])]


def _collection(connection: Connection, device: Device, asked: Node) -> Node:
    states, account = connection.board.app_states, device.account
    name, version = asked.text("name"), asked.text("version", "0")
    if not name or not version.isdigit():
        raise bad_request()
    known, patch = int(version), asked.child("patch")
    if patch is not None:
        if known != states.version(account, name):
            return _refused(name, _CONFLICT, states.patches(account, name, known))
        try:
            if len(patch.data()) > MAX_PATCH:
                raise bad_request()
            return node(
                "collection", {"name": name, "version": states.add(account, name, patch.data(), device)}
            )
        except (LabError, DecodeError, ValueError):
            return _refused(name, _BAD_PATCH, [])
    now = states.version(account, name)
    attrs: Attrs = {"name": name, "version": now}
    if asked.text("return_snapshot") == "true" and now > _SHORT:
        file = _upload(connection, account.phone, states.snapshot(account, name).SerializeToString())
        return node("collection", attrs, [node("snapshot", {}, file.SerializeToString())])
    return node("collection", attrs, _patches(states.patches(account, name, known)))


def _upload(connection: Connection, phone: str, snapshot: bytes) -> wa.SyncFile:
    key = os.urandom(32)
    sealed = seal(snapshot, key, _KEYS_INFO)
    with connection.board.media.draft() as draft:
        draft.write(sealed)
        blob = connection.board.media.keep(draft, _MEDIA_KIND, phone, 0)
    return wa.SyncFile(
        media_key=key,
        direct_path=blob.direct_path,
        file_length=len(snapshot),
        file_sha256=hashlib.sha256(snapshot).digest(),
        file_enc_sha256=hashlib.sha256(sealed).digest(),
    )


def _patches(bodies: list[bytes]) -> list[Node]:
    return [node("patches", {}, [node("patch", {}, body) for body in bodies])] if bodies else []


def _refused(name: str, code: int, missed: list[bytes]) -> Node:
    error = node("error", {"code": code, "text": "conflict" if code == _CONFLICT else "bad-request"})
    return node("collection", {"name": name, "type": "error"}, [error, *_patches(missed)])
