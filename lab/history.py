"""A phone that offers its past to the devices it has linked, and gives more of it when it is asked."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from google.protobuf.message import DecodeError
from pydantic import BaseModel, Field

from lab import wa_pb2 as wa
from lab.accounts import LabError
from lab.past import PastChat, PastMessage, Pasts
from lab.peers import Peers
from lab.renewal import Files
from lab.wire import USERS, Attrs, Jid, node

if TYPE_CHECKING:
    from lab.accounts import Device
    from lab.state import State
    from lab.switchboard import Switchboard
    from lab.wire import Node

log = logging.getLogger(__name__)

MEDIA_KIND = "md-msg-hist"
_KEYS_INFO = b"WhatsApp History Keys"
_MAC_SIZE = 10
_RECENT = 90 * 86_400
"""Seconds before the newest message that a device hears of which has not asked for all of the history."""
_MAX_ON_DEMAND = 1_000

Sync = Literal["initial_bootstrap", "recent", "full"]


class Part(BaseModel):
    """A part of the history as it was offered."""

    message_id: str = Field(description="Of the message that offers it")
    sync: str
    chunk: int
    progress: int
    messages: int
    media: str | None = Field(description="Name of its file; nothing: it is in the offer itself")


class Phones:
    """What the phones of all accounts do about their past."""

    def __init__(self, board: Switchboard, state: State) -> None:
        self._board = board
        self._peers = Peers(state)
        self.pasts = Pasts(state, board.directory)
        self.files = Files(board, self.pasts)

    def linked(self, device: Device) -> None:
        """A device has left keys. The first time, it gets the key of shared settings and the past."""
        if self._peers.met(device):
            return
        try:
            self._share_key(device)
        except LabError as error:
            log.warning("%s: %s", error.code, error.detail)
            return
        if self.pasts.of(device.account.phone):
            self.offer(device, "initial_bootstrap")
            self.offer(device, "full" if device.record.full_history else "recent")

    def offer(
        self, device: Device, sync: Sync, per_part: int = 500, *, inline: bool | None = None
    ) -> list[Part]:
        """Offer the past to a device in parts of so many messages.

        Args:
            inline: put the parts into the offers; None: as phones do, the first one only.
        """
        bootstrap = sync == "initial_bootstrap"
        pieces = list(self._pieces(device, per_part, newest=bootstrap, recent=sync != "full"))
        inline = bootstrap if inline is None else inline
        return [
            self._offer(device, _TYPES[sync], piece, chunk, round(100 * chunk / len(pieces)), inline=inline)
            for chunk, piece in enumerate(pieces, 1)
        ]

    def _pieces(
        self, device: Device, per_part: int, *, newest: bool, recent: bool
    ) -> Iterator[list[wa.Conversation]]:
        """The past cut into parts: with ``newest`` the last message of every chat, else all of them."""
        piece: list[wa.Conversation] = []
        room = per_part
        for address, chat in self.pasts.of(device.account.phone).items():
            left = chat.messages[-1:] if newest else _since(chat, _RECENT if recent else None)
            more = len(left) < len(chat.messages)
            while True:
                left, taken = left[:-room], left[-room:]
                piece.append(self.pasts.conversation(address, chat, taken, more=more or bool(left)))
                room -= len(taken)
                if room <= 0:
                    yield piece
                    piece, room = [], per_part
                if not left:
                    break
        if piece:
            yield piece

    def received(self, device: Device, message: Node) -> None:
        """Read what a device told its phone alone; answer if it asks for older messages. Raises LabError."""
        enc = message.child("enc")
        if enc is None:
            return
        try:
            body = wa.PeerMessage.FromString(self._peers.open(device, enc))
        except DecodeError as error:
            raise LabError("undecryptable", f"{device.account.phone}: {error}", 502) from error
        if body.protocol_message.type == wa.ProtocolMessage.APP_STATE_SYNC_KEY_REQUEST:
            self._share_key(device)
        request = body.protocol_message.peer_data_operation_request
        if request.HasField("history_on_demand"):
            self._answer(device, request.history_on_demand, message.text("id"))

    def _answer(
        self, device: Device, wanted: wa.PeerDataOperationRequest.HistoryOnDemand, request_id: str
    ) -> None:
        found = self._chat(device, wanted.chat)
        if found is None:
            return
        address, chat = found
        older = _older_than(chat, wanted)
        taken = older[-min(max(wanted.count, 0), _MAX_ON_DEMAND) :] if wanted.count > 0 else []
        piece = [self.pasts.conversation(address, chat, taken, more=len(taken) < len(older))]
        self._offer(device, wa.ON_DEMAND, piece, 1, 100, inline=False, request_id=request_id)

    def _chat(self, device: Device, name: str) -> tuple[Jid, PastChat] | None:
        wanted = self.pasts.address(name)
        person = self._board.directory.at(wanted)
        for address, chat in self.pasts.of(device.account.phone).items():
            if address == wanted or (person and self._board.directory.at(address) is person):
                return address, chat
        return None

    def _offer(
        self,
        device: Device,
        sync: wa.HistorySyncType,
        piece: Sequence[wa.Conversation],
        chunk: int,
        progress: int,
        *,
        inline: bool,
        request_id: str = "",
    ) -> Part:
        part = wa.HistorySync(
            sync_type=sync,
            conversations=piece,
            chunk_order=chunk,
            progress=progress,
            mappings=self.pasts.mappings(piece),
        )
        packed = zlib.compress(part.SerializeToString())
        notice = wa.HistorySyncNotification(sync_type=sync, chunk_order=chunk, progress=progress)
        if request_id:
            notice.peer_data_request_session_id = request_id
        name = None
        if inline:
            notice.inline_payload = packed
        else:
            name = self._upload(device, packed, notice)
        return Part(
            message_id=self._tell(device, notice),
            sync=wa.HistorySyncType.Name(sync).lower(),
            chunk=chunk,
            progress=progress,
            messages=sum(len(chat.messages) for chat in piece),
            media=name,
        )

    def _upload(self, device: Device, packed: bytes, notice: wa.HistorySyncNotification) -> str:
        key = os.urandom(32)
        sealed = seal(packed, key, _KEYS_INFO)
        with self._board.media.draft() as draft:
            draft.write(sealed)
            draft.digest()
            blob = self._board.media.keep(draft, MEDIA_KIND, device.account.phone, 0)
        notice.file_sha256 = hashlib.sha256(packed).digest()
        notice.file_enc_sha256 = hashlib.sha256(sealed).digest()
        notice.file_length, notice.media_key, notice.direct_path = len(packed), key, blob.direct_path
        return blob.name

    def _tell(self, device: Device, notice: wa.HistorySyncNotification) -> str:
        """Tell a device alone, as a message of the phone's."""
        kind = wa.ProtocolMessage.HISTORY_SYNC_NOTIFICATION
        return self._send(device, wa.ProtocolMessage(type=kind, history_sync_notification=notice))

    def _share_key(self, device: Device) -> None:
        share = wa.AppStateKeyShare(keys=[self._board.app_states.key(device.account)])
        kind = wa.ProtocolMessage.APP_STATE_SYNC_KEY_SHARE
        self._send(device, wa.ProtocolMessage(type=kind, app_state_key_share=share))

    def _send(self, device: Device, message: wa.ProtocolMessage) -> str:
        body = wa.PeerMessage(protocol_message=message)
        begins = not self._peers.met(device)
        prekey = self._board.directory.take_prekey(device) if begins else None
        enc = self._peers.seal(device, body.SerializeToString(), prekey)
        id_ = secrets.token_hex(10).upper()
        attrs: Attrs = {"from": device.account.jid(USERS), "id": id_, "type": "protocol", "category": "peer"}
        told: Attrs = {**attrs, "push_priority": "high", "t": int(time.time())}
        self._board.deliver(device, node("message", told, [node("meta", {"appdata": "default"}), enc]))
        return id_


_TYPES: dict[str, wa.HistorySyncType] = {
    "initial_bootstrap": wa.INITIAL_BOOTSTRAP,
    "recent": wa.RECENT,
    "full": wa.FULL,
}


def _since(chat: PastChat, seconds: int | None) -> list[PastMessage]:
    if seconds is None or not chat.messages:
        return chat.messages
    return [one for one in chat.messages if one.timestamp > chat.messages[-1].timestamp - seconds]


def _older_than(chat: PastChat, wanted: wa.PeerDataOperationRequest.HistoryOnDemand) -> Sequence[PastMessage]:
    for place, message in enumerate(chat.messages):
        if message.id == wanted.oldest_id:
            return chat.messages[:place]
    return [one for one in chat.messages if one.timestamp < wanted.oldest_timestamp]


def seal(plain: bytes, key: bytes, info: bytes) -> bytes:
    """A file as its readers download it.

    Args:
        info: for which kind of file the key is.
    """
    keys = HKDF(hashes.SHA256(), 112, None, info).derive(key)
    iv, cipher_key, mac_key = keys[:16], keys[16:48], keys[48:80]
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(cipher_key), modes.CBC(iv)).encryptor()
    sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    return sealed + hmac.digest(mac_key, iv + sealed, "sha256")[:_MAC_SIZE]
