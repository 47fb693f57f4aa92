"""Newsletters: queries about them, which name what they ask for by a number, and what is written in them."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lab.newsletters import Post
from lab.stanzas.errors import StanzaError, bad_request
from lab.wire import SERVER, Jid, Node, Value, node

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.connection import Connection
    from lab.newsletters import Newsletter
    from lab.switchboard import Switchboard

_FORBIDDEN, _NOT_FOUND, _BAD_REQUEST = 403, 404, 400
TERMS = "tos"
"""The namespace in which a client accepts terms, as it has to before it creates a newsletter."""


class _Refused(Exception):
    """An answer of the kind that these queries have instead of errors."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


Ask = Callable[["Switchboard", "Account", dict[str, Any]], dict[str, Any]]


def answer(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Read, create, follow or mute newsletters."""
    wanted = query.child("query")
    if wanted is None:
        raise bad_request()
    try:
        variables = json.loads(wanted.data())["variables"]
        told: dict[str, Any] = {
            "data": _QUERIES[wanted.text("query_id")](connection.board, device.account, variables)
        }
    except _Refused as error:
        about = {"error_code": error.code, "is_retryable": False, "severity": "CRITICAL"}
        told = {"data": None, "errors": [{"message": error.message, "path": [], "extensions": about}]}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise bad_request() from None
    return [node("result", {}, json.dumps(told))]


def answer_terms(connection: Connection, device: Device, query: Node) -> list[Node]:
    """Terms are accepted."""
    if query.child("notice") is None:
        raise bad_request()
    return []


def _named(board: Switchboard, name: str) -> Newsletter:
    user, _, server = name.partition("@")
    found = board.newsletters.at(Jid(user, server))
    if found is None:
        raise _Refused(_NOT_FOUND, "Not Found")
    return found


def _show(board: Switchboard, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
    wanted = variables["input"]
    if wanted["type"] == "INVITE":
        found = board.newsletters.by_invite(wanted["key"])
        if found is None:
            raise _Refused(_NOT_FOUND, "Not Found")
    else:
        found = _named(board, wanted["key"])
    viewer = account if variables["fetch_viewer_metadata"] else None
    return {"xwa2_newsletter": _described(found, viewer)}


def _list(board: Switchboard, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
    return {"xwa2_newsletter_subscribed": [_described(one, account) for one in board.newsletters.of(account)]}


def _create(board: Switchboard, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
    wanted = variables["newsletter_input"]
    made = board.newsletters.create(account, wanted["name"], wanted.get("description", ""))
    return {"xwa2_newsletter_create": _described(made, account)}


def _follow(board: Switchboard, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
    found = _named(board, variables["newsletter_id"])
    if found.role(account) == "GUEST":
        found.followers.append(account.phone)
        board.newsletters.save(found)
        _tell(board, account, "xwa2_notify_newsletter_on_join", _described(found, account))
    return {"xwa2_newsletter_join_v2": {"id": str(found.jid)}}


def _unfollow(board: Switchboard, account: Account, variables: dict[str, Any]) -> dict[str, Any]:
    found = _named(board, variables["newsletter_id"])
    if found.role(account) == "OWNER":
        raise _Refused(_FORBIDDEN, "Forbidden")
    if account.phone in found.followers:
        found.followers.remove(account.phone)
        board.newsletters.save(found)
        left = {"id": str(found.jid), "role": "GUEST"}
        _tell(board, account, "xwa2_notify_newsletter_on_leave", left)
    return {"xwa2_newsletter_leave_v2": {"id": str(found.jid)}}


def _mute(board: Switchboard, account: Account, variables: dict[str, Any], *, muted: bool) -> dict[str, Any]:
    found = _named(board, variables["newsletter_id"])
    if (account.phone in found.muted) is not muted:
        (found.muted.append if muted else found.muted.remove)(account.phone)
        board.newsletters.save(found)
        changed = {"id": str(found.jid), "mute": "ON" if muted else "OFF"}
        _tell(board, account, "xwa2_notify_newsletter_on_mute_change", changed)
    return {"xwa2_newsletter_update_user_setting": {"id": str(found.jid)}}


_QUERIES: dict[str, Ask] = {
    "6563316087068696": _show,
    "6388546374527196": _list,
    "6234210096708695": _create,
    "9926858900719341": _follow,
    "6392786840836363": _unfollow,
    "6274038279359549": lambda board, account, variables: _mute(board, account, variables, muted=True),
    "6068417879924485": lambda board, account, variables: _mute(board, account, variables, muted=False),
}
"""WhatsApp's numbers for what can be asked."""

NAMESPACES = tuple(f"w:mex {number}" for number in _QUERIES)


def _tell(board: Switchboard, account: Account, what: str, said: dict[str, Any]) -> None:
    update = node("update", {}, json.dumps({"data": {what: said}}))
    for device in account.devices.values():
        board.notify(device, "mex", SERVER, [update])


def _described(one: Newsletter, viewer: Account | None) -> dict[str, Any]:
    changed = str(one.created_at * 1_000_000)
    told: dict[str, Any] = {
        "id": str(one.jid),
        "state": {"type": "ACTIVE"},
        "thread_metadata": {
            "creation_time": str(one.created_at),
            "invite": one.invite,
            "name": {"text": one.name, "id": "1", "update_time": changed},
            "description": {"text": one.description, "id": "1", "update_time": changed},
            "subscribers_count": str(len(one.followers)),
            "verification": "UNVERIFIED",
            "preview": {"url": "", "id": "", "type": "PREVIEW", "direct_path": ""},
            "settings": {"reaction_codes": {"value": "ALL"}},
        },
        "viewer_metadata": None,
    }
    if viewer is not None:
        muted = "ON" if viewer.phone in one.muted else "OFF"
        told["viewer_metadata"] = {"mute": muted, "role": one.role(viewer)}
    return told


# ---- what is written ------------------------------------------------------------------------------------


def _has_file(board: Switchboard, message: Node, body: Node) -> bool:
    """A file is named by the handle that its upload gave; what is no file needs none."""
    if not body.text("mediatype") or body.text("mediatype") == "url":
        return True
    return board.media.find(message.text("media_id").removeprefix("handle-")) is not None


def handle(connection: Connection, device: Device, message: Node) -> None:
    """Put a message of the owner's into the queues of all who read the newsletter, then acknowledge it."""
    board, to, id_ = connection.board, message.jid("to"), message.text("id")
    if message.text("type") == "reaction":
        _react(connection, device, message)
        return
    now = int(time.time())
    device.counters.received += 1
    found, body = board.newsletters.at(to), message.child("plaintext")
    ack: dict[str, Value | None] = {"class": "message", "id": id_, "from": to, "t": now}
    error = None
    if found is None:
        error = _NOT_FOUND
    elif found.role(device.account) != "OWNER":
        error = _FORBIDDEN
    elif not id_ or body is None or not _has_file(board, message, body):
        error = _BAD_REQUEST
    if error or found is None or body is None:
        connection.post(node("ack", {**ack, "error": error}))
        return
    found.messages += 1
    if not message.text("edit"):
        kind = message.text("type", "text")
        found.posts.append(Post(number=found.messages, id=id_, type=kind, at=now, body=body.data()))
    board.newsletters.save(found)
    told: dict[str, Value | None] = {
        "from": found.jid,
        "id": id_,
        "type": message.text("type", "text"),
        "t": now,
        "server_id": found.messages,
        "edit": message.attrs.get("edit"),
    }
    for phone in found.readers:
        reader = board.directory.find(phone)
        for target in reader.devices.values() if reader else ():
            if target is not device:
                board.deliver(target, node("message", told, message.children("plaintext")))
    if not board.faults.loses_send_ack(device.account.phone, device.number):
        connection.post(node("ack", {**ack, "server_id": found.messages}))


# ---- what is made of it -----------------------------------------------------------------------------------


def _react(connection: Connection, device: Device, message: Node) -> None:
    """Count a reaction to what stands in a newsletter, instead of one of before, or take that back."""
    board, to, me = connection.board, message.jid("to"), device.account
    found = board.newsletters.at(to)
    post = found.post(message.text("server_id")) if found else None
    ack: dict[str, Value | None] = {"class": "message", "id": message.text("id"), "from": to}
    error = None
    if found is None or post is None:
        error = _NOT_FOUND
    elif found.role(me) == "GUEST":
        error = _FORBIDDEN
    if error or found is None or post is None:
        connection.post(node("ack", {**ack, "error": error}))
        return
    reaction = message.child("reaction")
    code = reaction.text("code") if reaction else ""
    post.reactions.pop(me.phone, None)
    if code:
        post.reactions[me.phone] = code
    board.newsletters.save(found)
    connection.post(node("ack", {**ack, "t": int(time.time())}))


def viewed(connection: Connection, device: Device, receipt: Node) -> None:
    """Count an account as one that has seen what stands in a newsletter."""
    found, seen = connection.board.newsletters.at(receipt.jid("to")), receipt.child("list")
    if found is None or seen is None:
        return
    for item in seen.children("item"):
        post = found.post(item.text("server_id"))
        if post is not None and device.account.phone not in post.views:
            post.views.append(device.account.phone)
    connection.board.newsletters.save(found)


def answer_messages(connection: Connection, device: Device, query: Node) -> list[Node]:
    """What stands in a newsletter, with how often it was seen and reacted to."""
    wanted = query.child("messages")
    if wanted is None:
        raise bad_request()
    found = connection.board.newsletters.at(wanted.jid("jid"))
    if found is None:
        raise StanzaError(_NOT_FOUND, "item-not-found")
    count, before = (int(wanted.text(name, "0") or 0) for name in ("count", "before"))
    posts = [post for post in found.posts if not before or post.number < before][-(count or 50) :]
    return [node("messages", {"jid": found.jid}, [_shown(post) for post in posts])]


def _shown(post: Post) -> Node:
    counts = Counter(post.reactions.values())
    told = [
        node("plaintext", {}, post.body),
        node("views_count", {"count": len(post.views)}),
        node("reactions", {}, [node("reaction", {"code": code, "count": n}) for code, n in counts.items()]),
    ]
    attrs: dict[str, Value | None] = {
        "server_id": post.number,
        "id": post.id,
        "type": post.type,
        "t": post.at,
    }
    return node("message", attrs, told)
