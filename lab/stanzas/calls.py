"""Calls: offered to every device of who is called, turned down by any of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lab.wire import LIDS, USERS, Node, Value, node

if TYPE_CHECKING:
    from lab.accounts import Account, Device
    from lab.calls import Call
    from lab.connection import Connection
    from lab.switchboard import Switchboard


def ring(board: Switchboard, caller: Account, callee: Account, *, video: bool) -> Call:
    """Call somebody from a phone. Whoever has blocked the caller hears nothing."""
    call = board.calls.start(caller.phone, callee.phone, video=video)
    media = [node("audio", {"enc": "opus", "rate": rate}) for rate in (8000, 16000)]
    if video:
        media.append(node("video", {"enc": "vp8", "dec": "vp8", "orientation": 0}))
    if caller.phone not in callee.record.blocked:
        offer = node("offer", {**_about(board, call), "caller_pn": caller.jid(USERS)}, media)
        for device in callee.devices.values():
            board.deliver(device, _stanza(board, caller, offer))
    return call


def hang_up(board: Switchboard, call: Call) -> bool:
    """End a call that rings, by the caller; False if it rings no longer."""
    if call.state != "ringing":
        return False
    call.state = "ended"
    caller, callee = board.directory.get(call.caller), board.directory.get(call.callee)
    end = node("terminate", {**_about(board, call), "reason": "timeout"})
    if caller.phone not in callee.record.blocked:
        for device in callee.devices.values():
            board.deliver(device, _stanza(board, caller, end))
    return True


def handle(connection: Connection, device: Device, stanza: Node) -> None:
    """A client turns a call down. Its account's other devices stop ringing, the caller's learn of it."""
    board, reject = connection.board, stanza.child("reject")
    ack: dict[str, Value | None] = {
        "class": "call",
        "id": stanza.text("id"),
        "from": stanza.attrs.get("to"),
        "type": "reject" if reject else None,
    }
    connection.post(node("ack", ack))
    call = board.calls.find(reject.text("call-id")) if reject else None
    caller = board.directory.at(stanza.jid("to"))
    if call is None or caller is None or call.state != "ringing":
        return
    if (call.caller, call.callee) != (caller.phone, device.account.phone):
        return
    call.state, call.rejected_by = "rejected", device.number
    end = node("terminate", {**_about(board, call), "reason": "rejected_elsewhere"})
    for other in device.account.devices.values():
        if other is not device:
            board.deliver(other, _stanza(board, caller, end))
    for target in caller.devices.values():
        board.deliver(target, _stanza(board, device.account, node("reject", _about(board, call))))


def _about(board: Switchboard, call: Call) -> dict[str, Value]:
    return {"call-id": call.id, "call-creator": board.directory.get(call.caller).jid(LIDS)}


def _stanza(board: Switchboard, sender: Account, content: Node) -> Node:
    attrs: dict[str, Value | None] = {
        "from": sender.jid(LIDS),
        "id": board.new_id(),
        "t": int(time.time()),
        "platform": "android",
        "version": "2.26.1.1",
        "notify": sender.record.push_name or None,
    }
    return node("call", attrs, content)
