"""Pictures of users and groups: where they are, and how they are changed."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from lab.groups import Group
from lab.stanzas import group_settings
from lab.stanzas.errors import StanzaError, not_acceptable, not_found
from lab.wire import USERS, Jid, Node, node

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.connection import Connection
    from lab.switchboard import Switchboard

PATH = "/v/t61"
"""Where the lab serves pictures over HTTPS: PATH/<phone or group>/<picture id>.jpg."""
_JPEG = b"\xff\xd8\xff"


def answer(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Find the picture of a user or group, or set a group's or the account's own."""
    board, target, picture = connection.board, query.jid("target"), query.child("picture")
    if query.text("type") == "set":
        return _set(board, device.account, target, picture)
    shown = _visible(board, device.account, target)
    if shown.picture is None:
        raise not_found()
    id_, image = shown.picture
    kind = picture.text("type", "image") if picture else "image"
    if picture and picture.text("id") == id_:
        return [node("picture", {"status": 304, "id": id_, "type": kind})]
    attrs = {
        "id": id_,
        "type": kind,
        "url": url(board, shown),
        "direct_path": _path(shown),
        "hash": base64.b64encode(hashlib.sha256(image).digest()).decode(),
    }
    return [node("picture", attrs)]


def _set(board: Switchboard, actor: Account, target: Jid | None, picture: Node | None) -> list[Node]:
    image = picture.data() if picture else b""
    if image and not image.startswith(_JPEG):
        raise not_acceptable()
    if target is None or board.directory.at(target) is actor:
        change(board, actor, image or None)
        return [node("picture", {"id": actor.picture[0]})] if actor.picture else []
    group = board.groups.at(target)
    if group is None:
        raise not_found()
    group_settings.set_picture(board, group, actor, image or None)
    return [node("picture", {"id": group.picture[0]})] if group.picture else []


def _visible(board: Switchboard, asking: Account, target: Jid | None) -> Account | Group:
    group, account = board.groups.at(target), board.directory.at(target)
    if group:
        if not group.rank(asking):
            raise StanzaError(401, "not-authorized")
        return group
    if account is None:
        raise not_found()
    hidden = account.record.privacy.get("profile") == "none" or asking.phone in account.record.blocked
    if hidden and account is not asking:
        raise StanzaError(401, "not-authorized")
    return account


def url(board: Switchboard, shown: Account | Group) -> str | None:
    """Where an account's or a group's picture can be fetched, None if it has none."""
    return f"https://{board.address}{_path(shown)}" if shown.picture else None


def image_at(board: Switchboard, owner: str, name: str) -> bytes | None:
    """The picture with this path: ``owner`` is a number or a group's id."""
    shown = board.directory.find(owner) or board.groups.find(owner)
    if shown is None or shown.picture is None or name != f"{shown.picture[0]}.jpg":
        return None
    return shown.picture[1]


def _path(shown: Account | Group) -> str | None:
    owner = shown.id if isinstance(shown, Group) else shown.phone
    return f"{PATH}/{owner}/{shown.picture[0]}.jpg" if shown.picture else None


def change(board: Switchboard, account: Account, image: bytes | None) -> None:
    """Set or remove an account's picture; everybody who wrote with it hears of it."""
    board.directory.set_picture(account, image)
    jid = account.jid(USERS)
    content = (
        node("set", {"jid": jid, "id": account.picture[0], "author": jid})
        if account.picture
        else node("delete", {"jid": jid, "author": jid})
    )
    for watcher in board.watchers(account):
        for target in watcher.devices.values():
            board.notify(target, "picture", jid, [content])
