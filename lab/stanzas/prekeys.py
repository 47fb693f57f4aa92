"""One-time keys: clients leave theirs with the network, and take those of others to start a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.accounts import KEY_TYPE, Account, Device, SignedKey
from lab.stanzas.errors import bad_request
from lab.wire import Jid, Node, node

if TYPE_CHECKING:
    from lab.connection import Connection


def answer(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Upload, count, rotate or fetch keys."""
    if query.text("type") == "set":
        rotated = query.child("rotate", "skey")
        if rotated:
            _set_signed_key(connection, device, rotated)
        else:
            _upload(connection, device, query)
        return []
    if query.child("count"):
        return [node("count", {"value": len(device.prekeys)})]
    wanted = query.child("key")
    if wanted is None:
        raise bad_request()
    jids = [jid for user in wanted.children("user") if (jid := user.jid("jid"))]
    return [node("list", {}, [_bundle(connection, jid) for jid in jids])]


def _upload(connection: Connection, device: Device, query: Node) -> None:
    listed, signed = query.child("list"), query.child("skey")
    if listed is None or signed is None:
        raise bad_request()
    keys = {_data(key, "id"): _data(key, "value") for key in listed.children("key")}
    connection.board.directory.add_prekeys(device, keys)
    _set_signed_key(connection, device, signed)
    connection.board.phones.linked(device)


def _set_signed_key(connection: Connection, device: Device, signed: Node) -> None:
    device.record.signed_key = SignedKey(
        id=_data(signed, "id"), public=_data(signed, "value"), signature=_data(signed, "signature")
    )
    connection.board.directory.save_device(device)


def _bundle(connection: Connection, jid: Jid) -> Node:
    account = connection.board.directory.at(jid)
    if account and jid.device == 0:
        return node("user", {"jid": jid}, _phone_bundle(account))
    device = account.devices.get(jid.device) if account else None
    if device is None:
        return node("user", {"jid": jid}, node("error", {"code": 404, "text": "item-not-found"}))
    record = device.record
    content = _keys(record.registration_id, record.identity, record.signed_key)
    taken = connection.board.directory.take_prekey(device)
    if taken:
        content.append(node("key", {}, [node("id", {}, taken[0]), node("value", {}, taken[1])]))
    connection.board.ask_for_prekeys(device)
    content.append(node("device-identity", {}, device.full_proof()))
    return node("user", {"jid": jid}, content)


def _phone_bundle(account: Account) -> list[Node]:
    record = account.record
    return _keys(record.registration_id, account.identity_public, record.signed_key)


def _keys(registration_id: int, identity: bytes, signed: SignedKey) -> list[Node]:
    signed_parts = [
        node("id", {}, signed.id),
        node("value", {}, signed.public),
        node("signature", {}, signed.signature),
    ]
    return [
        node("registration", {}, registration_id.to_bytes(4, "big")),
        node("type", {}, bytes((KEY_TYPE,))),
        node("identity", {}, identity),
        node("skey", {}, signed_parts),
    ]


def _data(key: Node, name: str) -> bytes:
    part = key.child(name)
    if part is None or not part.data():
        raise bad_request()
    return part.data()
