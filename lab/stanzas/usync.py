"""User sync: who is on WhatsApp, under which addresses, with which devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import wa_pb2 as wa
from lab.stanzas.errors import bad_request
from lab.wire import LIDS, USERS, Attrs, Jid, Node, node

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.connection import Connection


def answer(connection: Connection, device: Device, query: Node) -> list[Node]:
    """For each listed user what each listed protocol asks for."""
    usync = query.child("usync")
    asked, users = (usync.child("query"), usync.child("list")) if usync else (None, None)
    if usync is None or asked is None or users is None:
        raise bad_request()
    protocols = {protocol.tag: protocol for protocol in asked.children()}
    found = [_user(connection, device, user, protocols) for user in users.children("user")]
    results = [node(tag) for tag in protocols]
    attrs = {name: usync.attrs.get(name) for name in ("sid", "index", "last", "mode", "context")}
    content = [node("result", {}, results), node("list", {}, [user for user in found if user])]
    return [node("usync", attrs, content)]


def _user(connection: Connection, asking: Device, user: Node, protocols: dict[str, Node]) -> Node | None:
    jid, contact = user.jid("jid"), user.child("contact")
    attrs: dict[str, Jid] = {}
    if jid is None and contact:
        number = contact.words().partition("@")[0].lstrip("+")
        account = connection.board.directory.find(number)
        by_lid = protocols.get("contact", contact).text("addressing_mode") == "lid"
        attrs["jid"] = account.jid(LIDS) if account and by_lid else Jid(number, USERS)
        if account and by_lid:
            attrs["pn_jid"] = account.jid(USERS)
    elif jid:
        account = connection.board.directory.at(jid)
        attrs["jid"] = jid.bare()
    else:
        return None
    content: list[Node] = []
    if "contact" in protocols:
        typed = contact.data() if contact else str(attrs["jid"]).encode()
        content.append(node("contact", {"type": "in" if account else "out"}, typed))
    if account:
        content += _facts(asking, account, attrs["jid"], protocols)
    return node("user", attrs, content)


def _facts(asking: Device, account: Account, jid: Jid, protocols: dict[str, Node]) -> list[Node]:
    facts: list[Node] = []
    if "devices" in protocols:
        account.watchers.add((asking.account.phone, jid.server))
        facts.append(_devices(account))
    if "lid" in protocols:
        facts.append(node("lid", {"val": account.jid(LIDS)}))
    if "status" in protocols and _visible(asking, account, "status"):
        facts.append(node("status", {"t": account.record.last_seen}, account.record.about))
    if "picture" in protocols and account.picture and _visible(asking, account, "profile"):
        facts.append(node("picture", {"id": account.picture[0]}))
    if "business" in protocols and account.record.verified_name:
        facts.append(node("business", {}, _verified_name(account)))
    if "disappearing_mode" in protocols:
        facts.append(node("disappearing_mode", {"duration": account.record.disappearing, "t": 0}))
    return facts


def _verified_name(account: Account) -> Node:
    details = wa.VerifiedName.Details(serial=1, issuer="smb:wa", verified_name=account.record.verified_name)
    certificate = wa.VerifiedName(details=details.SerializeToString())
    attrs: Attrs = {
        "v": 2,
        "verified_level": "unknown",
        "host_storage": 1,
        "actual_actors": 1,
        "privacy_mode_ts": 0,
    }
    return node("verified_name", attrs, certificate.SerializeToString())


def _devices(account: Account) -> Node:
    listed = [node("device", {"id": number, "key-index": number or None}) for number in (0, *account.devices)]
    stamp = {"ts": max((d.record.linked_at for d in account.devices.values()), default=0)}
    index = node("key-index-list", stamp, account.key_index_list())
    return node("devices", {}, [node("device-list", {}, listed), index])


def _visible(asking: Device, account: Account, setting: str) -> bool:
    if asking.account is account:
        return True
    return (
        account.record.privacy.get(setting) != "none" and asking.account.phone not in account.record.blocked
    )
