"""A client that speaks the protocol by hand: all but the encryption that the network never sees."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import os
import ssl
import time
from collections.abc import Callable

import aiohttp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from actors.instance.connection.base import LabTarget
from lab import wa_pb2 as wa
from lab.noise import Frames, Initiator, Transport, frame, public_bytes
from lab.trust import sign, verify_chain
from lab.wire import LIDS, SERVER, USERS, Content, Jid, Node, decode, encode, node

PROLOGUE = b"WA\x06\x03"
PATIENCE = 15.0


class Keys:
    """What a client generates once and keeps."""

    def __init__(self) -> None:
        self.noise = X25519PrivateKey.generate()
        self.identity = X25519PrivateKey.generate()
        self.signed = X25519PrivateKey.generate()
        self.secret = os.urandom(32)
        self.jid: Jid | None = None
        self.lid: Jid | None = None

    def signed_node(self) -> Node:
        public = public_bytes(self.signed)
        signature = sign(self.identity.private_bytes_raw(), b"\x05" + public)
        return node(
            "skey",
            {},
            [node("id", {}, b"\0\0\1"), node("value", {}, public), node("signature", {}, signature)],
        )


class Client:
    """One connection of one device."""

    def __init__(self, target: LabTarget, keys: Keys) -> None:
        self.target, self.keys = target, keys
        self.seen: list[Node] = []
        self.closed = asyncio.Event()
        self._arrived = asyncio.Condition()
        self._ids = itertools.count(1)
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._transport: Transport | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Client:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self, *, passive: bool = True, trust: bytes | None = None) -> None:
        """Connect; log in if the keys belong to a linked device."""
        self._socket = await self.dial()
        frames = Frames()
        handshake = Initiator(self.keys.noise, PROLOGUE)
        await self._socket.send_bytes(PROLOGUE + frame(handshake.hello()))
        received: list[bytes] = []
        while not received:
            received = frames.feed(await self._socket.receive_bytes())
        static, chain = handshake.certificate(received[0])
        assert verify_chain(trust or self.target.noise_root_key, chain, static, time.time())
        finish, self._transport = handshake.finish(self._payload(passive).SerializeToString())
        await self._socket.send_bytes(frame(finish))
        self._reader = asyncio.create_task(self._read(frames))

    async def dial(self) -> aiohttp.ClientWebSocketResponse:
        """Open the socket without a word."""
        context = ssl.create_default_context(cadata=self.target.tls_ca_pem.decode())
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))
        return await self._session.ws_connect(
            f"https://{self.target.address}/ws/chat", server_hostname="web.whatsapp.com"
        )

    async def close(self) -> None:
        if self._socket:
            await self._socket.close()
        if self._reader:
            await self._reader
        if self._session:
            await self._session.close()

    def _payload(self, passive: bool) -> wa.ClientPayload:
        keys = self.keys
        if keys.jid:
            return wa.ClientPayload(username=int(keys.jid.user), device=keys.jid.device, passive=passive)
        public = public_bytes(keys.signed)
        pairing = wa.ClientPayload.PairingData(
            registration_id=b"\0\0\1\2",
            key_type=b"\5",
            identity=public_bytes(keys.identity),
            signed_key_id=b"\0\0\1",
            signed_key=public,
            signed_key_signature=sign(keys.identity.private_bytes_raw(), b"\x05" + public),
            device_props=wa.DeviceProps(os="by hand").SerializeToString(),
        )
        return wa.ClientPayload(passive=False, pairing=pairing)

    # ---- stanzas ------------------------------------------------------------------------------------

    async def send(self, stanza: Node) -> None:
        assert self._socket
        assert self._transport
        await self._socket.send_bytes(frame(self._transport.seal(encode(stanza))))

    async def _read(self, frames: Frames) -> None:
        assert self._socket
        assert self._transport
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.BINARY:
                break
            for sealed in frames.feed(message.data):
                stanza = decode(self._transport.open(sealed))
                async with self._arrived:
                    self.seen.append(stanza)
                    self._arrived.notify_all()
        self.closed.set()
        async with self._arrived:
            self._arrived.notify_all()

    async def wait(self, wanted: Callable[[Node], bool], *, count: int = 1) -> list[Node]:
        """The first stanzas that are wanted, as many as asked for."""
        async with asyncio.timeout(PATIENCE), self._arrived:
            await self._arrived.wait_for(lambda: sum(map(wanted, self.seen)) >= count)
        return [stanza for stanza in self.seen if wanted(stanza)][:count]

    async def first(self, tag: str, *path: str, **attrs: str) -> Node:
        """The first stanza with this tag, these descendants and these attributes."""

        def wanted(stanza: Node) -> bool:
            fits = all(stanza.text(name) == value for name, value in attrs.items())
            return stanza.tag == tag and fits and (not path or stanza.child(*path) is not None)

        return (await self.wait(wanted))[0]

    def all(self, tag: str) -> list[Node]:
        return [stanza for stanza in self.seen if stanza.tag == tag]

    async def query(self, namespace: str, kind: str, content: Content | Node, **attrs: str | Jid) -> Node:
        id_ = f"q{next(self._ids)}"
        await self.send(
            node("iq", {"id": id_, "xmlns": namespace, "type": kind, "to": SERVER, **attrs}, content)
        )
        return (await self.wait(lambda s: s.tag == "iq" and s.text("id") == id_))[0]

    # ---- pairing ------------------------------------------------------------------------------------

    async def code(self) -> str:
        """The QR code this client would show."""
        offer = await self.first("iq", "pair-device")
        await self.send(node("iq", {"id": offer.text("id"), "to": SERVER, "type": "result"}))
        ref = offer.child("pair-device", "ref")
        assert ref
        parts = (public_bytes(self.keys.noise), public_bytes(self.keys.identity), self.keys.secret)
        encoded = (base64.b64encode(part).decode() for part in parts)
        return "https://wa.me/settings/linked_devices#" + ",".join([ref.data().decode(), *encoded, "1"])

    async def accept(self) -> None:
        """Answer the network's word that a phone has linked this client."""
        success = await self.first("iq", "pair-success")
        sealed = success.child("pair-success", "device-identity")
        device = success.child("pair-success", "device")
        assert sealed
        assert device
        container = wa.SignedDeviceIdentityHmac.FromString(sealed.data())
        assert hmac.digest(self.keys.secret, container.details, hashlib.sha256) == container.hmac
        proof = wa.SignedDeviceIdentity.FromString(container.details)
        key = public_bytes(self.keys.identity)
        proof.device_signature = sign(
            self.keys.identity.private_bytes_raw(),
            b"\x06\x01" + proof.details + key + proof.account_signature_key,
        )
        proof.ClearField("account_signature_key")
        signed = node("device-identity", {"key-index": 1}, proof.SerializeToString())
        answer = {"id": success.text("id"), "to": SERVER, "type": "result"}
        await self.send(node("iq", answer, node("pair-device-sign", {}, signed)))
        self.keys.jid, self.keys.lid = device.jid("jid"), device.jid("lid")

    async def ask_to_link(self, phone: str, code: str) -> X25519PrivateKey:
        """The first stage of pairing by code: the client's key, wrapped with the code it shows."""
        ephemeral = X25519PrivateKey.generate()
        salt, nonce = os.urandom(32), os.urandom(16)
        wrapped = salt + nonce + _code_cipher(code, salt, nonce, public_bytes(ephemeral))
        content = [
            node("link_code_pairing_wrapped_companion_ephemeral_pub", {}, wrapped),
            node("companion_server_auth_key_pub", {}, public_bytes(self.keys.noise)),
            node("companion_platform_id", {}, "1"),
            node("companion_platform_display", {}, "Chrome (Linux)"),
            node("link_code_pairing_nonce", {}, b"\0"),
        ]
        attrs = {"jid": Jid(phone), "stage": "companion_hello", "should_show_push_notification": "true"}
        answer = await self.query("md", "set", node("link_code_companion_reg", attrs, content))
        ref = answer.child("link_code_companion_reg", "link_code_pairing_ref")
        assert ref, answer
        return ephemeral

    async def finish_link(self, phone: str, code: str, ephemeral: X25519PrivateKey) -> Node:
        """The last stage of pairing by code: the client's keys for the phone."""
        notice = await self.first("notification", type="link_code_companion_reg")
        wrapped = notice.child("link_code_companion_reg", "link_code_pairing_wrapped_primary_ephemeral_pub")
        primary = notice.child("link_code_companion_reg", "primary_identity_pub")
        ref = notice.child("link_code_companion_reg", "link_code_pairing_ref")
        assert wrapped
        assert primary
        assert ref
        data = wrapped.data()
        phone_key = _code_cipher(code, data[:32], data[32:48], data[48:])
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(phone_key))
        random, salt, nonce = os.urandom(32), os.urandom(32), os.urandom(12)
        key = _hkdf(shared, salt, b"link_code_pairing_key_bundle_encryption_key")
        identity = public_bytes(self.keys.identity)
        bundle = AESGCM(key).encrypt(nonce, identity + primary.data() + random, None)
        own = self.keys.identity.exchange(X25519PublicKey.from_public_bytes(primary.data()))
        self.keys.secret = _hkdf(shared + own + random, None, b"adv_secret")
        content = [
            node("link_code_pairing_wrapped_key_bundle", {}, salt + nonce + bundle),
            node("companion_identity_public", {}, identity),
            node("link_code_pairing_ref", {}, ref.data()),
        ]
        attrs = {"jid": Jid(phone), "stage": "companion_finish"}
        return await self.query("md", "set", node("link_code_companion_reg", attrs, content))

    # ---- what a logged in client does ---------------------------------------------------------------

    async def activate(self) -> None:
        await self.first("success")
        await self.query("passive", "set", node("active"))

    async def upload_prekeys(self, first: int, count: int) -> Node:
        keys = [
            node("key", {}, [node("id", {}, number.to_bytes(3, "big")), node("value", {}, os.urandom(32))])
            for number in range(first, first + count)
        ]
        content = [
            node("registration", {}, b"\0\0\1\2"),
            node("type", {}, b"\5"),
            node("identity", {}, public_bytes(self.keys.identity)),
            node("list", {}, keys),
            self.keys.signed_node(),
        ]
        return await self.query("encrypt", "set", content)

    async def write(self, id_: str, to: Jid, devices: list[Jid], text: bytes = b"sealed") -> None:
        """Send a message with a copy for each of these devices."""
        copies = [
            node("to", {"jid": jid}, node("enc", {"v": "2", "type": "msg"}, text + str(jid).encode()))
            for jid in devices
        ]
        attrs = {"id": id_, "type": "text", "to": to}
        await self.send(node("message", attrs, node("participants", {}, copies)))

    async def ack(self, stanza: Node) -> None:
        attrs = {"class": stanza.tag, "id": stanza.text("id"), "to": stanza.attrs["from"]}
        if stanza.tag != "message" and stanza.text("type"):
            attrs["type"] = stanza.text("type")
        await self.send(node("ack", attrs))

    async def messages(self, count: int) -> list[Node]:
        return await self.wait(lambda stanza: stanza.tag == "message", count=count)

    def own(self, server: str = LIDS) -> Jid:
        jid = self.keys.lid if server == LIDS else self.keys.jid
        assert jid
        return jid


def lid(account_lid: str, device: int = 0) -> Jid:
    return Jid(account_lid, LIDS, device)


def number(phone: str, device: int = 0) -> Jid:
    return Jid(phone, USERS, device)


def _hkdf(secret: bytes, salt: bytes | None, info: bytes) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


def _code_cipher(code: str, salt: bytes, nonce: bytes, data: bytes) -> bytes:
    key = hashlib.pbkdf2_hmac("sha256", code.encode(), salt, 2 << 16, 32)
    return Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor().update(data)
