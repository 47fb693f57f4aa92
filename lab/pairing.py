"""How a client becomes a companion device: by a scanned code, or by a code typed on the phone."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from typing import TYPE_CHECKING, TypeVar

from google.protobuf.message import DecodeError

from lab import phone as handset
from lab import wa_pb2 as wa
from lab.accounts import KEY_TYPE, MAX_COMPANIONS, Account, Device, LabError
from lab.trust import verify
from lab.wire import LIDS, SERVER, USERS, Attrs, Jid, Node, node

if TYPE_CHECKING:
    from lab.connection import Connection

T = TypeVar("T")

_REFS = 6
_LIFETIME = 60.0 + (_REFS - 1) * 20.0
"""Seconds: clients show the first code for 60 s and the others for 20 s."""
_ANSWER_TIMEOUT = 20.0
_RESTART_TIMEOUT = 3.0


def acceptable(data: wa.ClientPayload.PairingData) -> bool:
    """True if a client that wants to be linked has sent all its keys, rightly signed."""
    try:
        wa.DeviceProps.FromString(data.device_props)
    except DecodeError:
        return False
    sizes = (len(data.registration_id), len(data.identity), len(data.signed_key_id), len(data.signed_key))
    signed = bytes((KEY_TYPE,)) + data.signed_key
    return sizes == (4, 32, 3, 32) and verify(data.identity, signed, data.signed_key_signature)


class Pairing:
    """The state of one client that wants to be linked."""

    def __init__(self, connection: Connection, data: wa.ClientPayload.PairingData) -> None:
        self.data = data
        self.link_phone = ""
        self._connection = connection
        self._refs: list[str] = []
        self._request = ""
        self._account: Account | None = None
        self._done: asyncio.Future[Device] | None = None
        self._wrapped_key = b""
        self._link_ref = ""
        self._bundle: asyncio.Future[bytes] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Offer the codes."""
        self._refs = ["2@" + base64.b64encode(os.urandom(24)).decode() for _ in range(_REFS)]
        board = self._connection.board
        for ref in self._refs:
            board.offer(ref, self._connection)
        refs = [node("ref", {}, ref) for ref in self._refs]
        self._connection.post(
            node(
                "iq",
                {"from": SERVER, "type": "set", "id": board.new_id(), "xmlns": "md"},
                node("pair-device", {}, refs),
            )
        )
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_LIFETIME, self._connection.close)

    def end(self) -> None:
        """Withdraw the codes: the client is gone or linked."""
        self._connection.board.withdraw([*self._refs, self._link_ref])
        if self._timer:
            self._timer.cancel()
        gone = LabError("client_gone", "the client left before it was linked", 410)
        for future in (self._done, self._bundle):
            if future and not future.done():
                future.set_exception(gone)

    # ---- the phone's side ---------------------------------------------------------------------------

    async def scan(self, account: Account, code: handset.QrCode) -> Device:
        """Link the client to the account whose phone scanned its code. Raises LabError."""
        if code.noise != self._connection.static_key or code.identity != self.data.identity:
            raise LabError("bad_code", "the keys in the code are not those of the client that shows it", 422)
        return await self._link(account, code.secret)

    async def confirm(self, account: Account, code: str) -> Device:
        """Link the client after its code was typed on the account's phone. Raises LabError."""
        link = await asyncio.to_thread(handset.LinkCode, account, code, self._wrapped_key)
        self._bundle = asyncio.get_running_loop().create_future()
        board = self._connection.board
        content = node(
            "link_code_companion_reg",
            {"stage": "primary_hello"},
            [
                node("link_code_pairing_ref", {}, self._link_ref),
                node("link_code_pairing_wrapped_primary_ephemeral_pub", {}, link.wrapped_key),
                node("primary_identity_pub", {}, account.identity_public),
            ],
        )
        notice: Attrs = {"from": SERVER, "type": "link_code_companion_reg", "id": board.new_id()}
        self._connection.post(node("notification", {**notice, "t": int(time.time())}, content))
        bundle = await self._in_time(self._bundle)
        return await self._link(account, link.secret(bundle, self.data.identity))

    async def _link(self, account: Account, secret: bytes) -> Device:
        async with account.linking:
            if len(account.devices) >= MAX_COMPANIONS:
                raise LabError("device_limit", f"{account.phone} has linked {MAX_COMPANIONS} devices already")
            self._account = account
            self._done = asyncio.get_running_loop().create_future()
            self._post_success(account, secret)
            device = await self._in_time(self._done)
        self._connection.board.devices_changed(device, "add")
        return device

    def _post_success(self, account: Account, secret: bytes) -> None:
        number = account.record.next_device
        self._request = self._connection.board.new_id()
        proof = handset.endorse(account, number, self.data.identity, secret)
        device = {"jid": Jid(account.phone, USERS, number), "lid": Jid(account.lid, LIDS, number)}
        content = [
            node("device-identity", {}, proof),
            node("device", device),
            node("platform", {"name": "android"}),
        ]
        self._connection.post(
            node(
                "iq",
                {"from": SERVER, "type": "set", "id": self._request, "xmlns": "md", "t": int(time.time())},
                node("pair-success", {}, content),
            )
        )

    @staticmethod
    async def _in_time(future: asyncio.Future[T]) -> T:
        try:
            async with asyncio.timeout(_ANSWER_TIMEOUT):
                return await future
        except TimeoutError as error:
            raise LabError("client_silent", "the client did not answer in time", 504) from error

    # ---- the client's side --------------------------------------------------------------------------

    def answered(self, answer: Node) -> None:
        """Take the client's answer to one of the server's requests."""
        done, account = self._done, self._account
        if answer.text("id") != self._request or not done or done.done() or not account:
            return
        signed = answer.child("pair-device-sign", "device-identity")
        if answer.text("type") != "result" or signed is None:
            error = answer.child("error")
            text = error.text("text", "no reason given") if error else "no reason given"
            done.set_exception(LabError("client_refused", f"the client refused to be linked: {text}", 502))
            return
        try:
            valid = handset.accepts(account, self.data.identity, signed.data())
        except DecodeError:
            valid = False
        if not valid:
            done.set_exception(LabError("bad_signature", "the client's signature is not valid", 502))
            self._connection.close(node("stream:error", {"code": 500}))
            return
        connection = self._connection
        device = connection.board.directory.link(account, self.data, connection.static_key, signed.data())
        done.set_result(device)
        # The client comes back as the device it now is.
        connection.post(node("stream:error", {"code": 515}))
        asyncio.get_running_loop().call_later(_RESTART_TIMEOUT, connection.close)

    def hello(self, request: Node) -> Node | None:
        """The client asks to be linked by code: a reference, None if the number has no account."""
        jid, key = request.jid("jid"), request.child("link_code_pairing_wrapped_companion_ephemeral_pub")
        if self._connection.board.directory.at(jid) is None or jid is None or key is None:
            return None
        board = self._connection.board
        board.withdraw([self._link_ref])
        self._wrapped_key, self._link_ref = key.data(), board.new_id()
        self.link_phone = jid.user
        board.offer(self._link_ref, self._connection)
        ref = node("link_code_pairing_ref", {}, self._link_ref)
        return node("link_code_companion_reg", {"stage": "companion_hello"}, ref)

    def finish(self, request: Node) -> bool:
        """The client's keys, after the phone's; False if nobody typed a code."""
        ref, bundle = (
            request.child("link_code_pairing_ref"),
            request.child("link_code_pairing_wrapped_key_bundle"),
        )
        waits = self._bundle is not None and not self._bundle.done()
        if not waits or not self._bundle or not ref or not bundle or ref.words() != self._link_ref:
            return False
        self._bundle.set_result(bundle.data())
        return True
