"""Profile pictures: where they are, and the change of one's own."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

from lab.stanzas.errors import StanzaError, not_found
from lab.wire import USERS, Node, node

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.connection import Connection
    from lab.switchboard import Switchboard

PATH = "/v/t61"
"""Where the lab serves pictures over HTTPS: PATH/<phone>/<picture id>.jpg."""


def answer(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Find the picture of a user, or set the account's own."""
    picture = query.child("picture")
    if query.text("type") == "set":
        image = picture.data() if picture else b""
        change(connection.board, device.account, image or None)
        return [node("picture", {"id": device.account.picture[0]})] if device.account.picture else []
    account = connection.board.directory.at(query.jid("target"))
    if account is None:
        raise not_found()
    if account.record.privacy.get("profile") == "none" and account is not device.account:
        raise StanzaError(401, "not-authorized")
    if account.picture is None:
        raise not_found()
    id_, image = account.picture
    kind = picture.text("type", "image") if picture else "image"
    if picture and picture.text("id") == id_:
        return [node("picture", {"status": 304, "id": id_, "type": kind})]
    attrs = {
        "id": id_,
        "type": kind,
        "url": url(connection.board, account),
        "direct_path": _path(account),
        "hash": base64.b64encode(hashlib.sha256(image).digest()).decode(),
    }
    return [node("picture", attrs)]


def url(board: Switchboard, account: Account) -> str | None:
    """Where the account's picture can be fetched, None if it has none."""
    return f"https://{board.address}{_path(account)}" if account.picture else None


def _path(account: Account) -> str | None:
    return f"{PATH}/{account.phone}/{account.picture[0]}.jpg" if account.picture else None


def change(board: Switchboard, account: Account, image: bytes | None) -> None:
    """Set or remove an account's picture; everybody who wrote with it hears of it."""
    board.directory.set_picture(account, image)
    watchers = {board.directory.find(phone) for phone, _ in account.watchers} | {account}
    jid = account.jid(USERS)
    content = (
        node("set", {"jid": jid, "id": account.picture[0], "author": jid})
        if account.picture
        else node("delete", {"jid": jid, "author": jid})
    )
    for watcher in watchers:
        for target in watcher.devices.values() if watcher else ():
            board.notify(target, "picture", jid, [content])
