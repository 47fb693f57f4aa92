"""A phone that uploads a file again, which its account's devices find on the network no longer."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from lab import wa_pb2 as wa
from lab.accounts import LabError
from lab.attachments import file_in
from lab.wire import USERS, Node, node

if TYPE_CHECKING:
    from lab.accounts import Device
    from lab.past import PastMessage, Pasts
    from lab.switchboard import Switchboard

_INFO = b"WhatsApp Media Retry Notification"
_NOT_THERE = 2
"""What a phone says that has the message no longer, or not its file."""


class Files:
    """The files of the past that phones have, by the names under which the network had them."""

    def __init__(self, board: Switchboard, pasts: Pasts) -> None:
        self._board = board
        self._pasts = pasts
        self._kept: dict[str, bytes] = {}

    def keep(self, phone: str) -> None:
        """Let a phone have the files of its past, as the network has them now. Raises LabError."""
        for chat in self._pasts.of(phone).values():
            for message in chat.messages:
                if message.message is None:
                    continue
                name = _name(str(file_in(message.message)["direct_path"]))
                blob = self._board.media.find(name)
                if blob is not None:
                    self._kept[name] = self._board.media.path(blob).read_bytes()

    def asked(self, device: Device, receipt: Node) -> None:
        """A device asks its phone for the file of a message; answer where it is from now on."""
        where, id_ = receipt.child("rmr"), receipt.text("id")
        nonce, sealed = receipt.child("encrypt", "enc_iv"), receipt.child("encrypt", "enc_p")
        if where is None or nonce is None or sealed is None:
            return
        message = self._message(device.account.phone, id_)
        file = file_in(message.message) if message and message.message else None
        kept = self._kept.get(_name(str(file["direct_path"]))) if file else None
        answer: Node = node("error", {"code": _NOT_THERE})
        if file is not None and kept is not None:
            try:
                answer = self._uploaded(device, id_, file["media_key"], nonce.data(), sealed.data(), kept)
            except InvalidTag:
                raise LabError("undecryptable", f"{device.account.phone}: the key is another", 502) from None
        own = device.account.jid(USERS)
        self._board.notify(device, "mediaretry", own, [where, answer], id=id_)

    def _uploaded(
        self, device: Device, id_: str, media_key: bytes, nonce: bytes, sealed: bytes, kept: bytes
    ) -> Node:
        cipher = AESGCM(HKDF(hashes.SHA256(), 32, None, _INFO).derive(media_key))
        # Nobody is given a file who does not have its key.
        cipher.decrypt(nonce, sealed, id_.encode())
        with self._board.media.draft() as draft:
            draft.write(kept)
            draft.digest()
            blob = self._board.media.keep(draft, "renewed", device.account.phone, 0)
        said = wa.MediaRetry(message_id=id_, direct_path=blob.direct_path, result=wa.MediaRetry.SUCCESS)
        iv = os.urandom(12)
        body = cipher.encrypt(iv, said.SerializeToString(), id_.encode())
        return node("encrypt", {}, [node("enc_p", {}, body), node("enc_iv", {}, iv)])

    def _message(self, phone: str, id_: str) -> PastMessage | None:
        chats = self._pasts.of(phone).values()
        return next((message for chat in chats for message in chat.messages if message.id == id_), None)


def _name(direct_path: str) -> str:
    return PurePosixPath(direct_path.partition("?")[0]).name
