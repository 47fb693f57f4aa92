"""Noise XX over X25519, AES-GCM and SHA-256, as WhatsApp speaks it: handshake and transport."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from google.protobuf.message import DecodeError

from lab import wa_pb2 as wa

PATTERN = b"Noise_XX_25519_AESGCM_SHA256\0\0\0\0"
PREFIX_SIZE = 4
"""A client's first bytes: WA, the protocol's number, the version of the dictionary."""
MAX_FRAME = 1 << 24


class NoiseError(Exception):
    """The peer's bytes don't fit the handshake, or don't decrypt."""


def public_bytes(key: X25519PrivateKey) -> bytes:
    """The 32 bytes of a private key's public key."""
    return key.public_key().public_bytes_raw()


def _nonce(counter: int) -> bytes:
    return counter.to_bytes(12, "big")


class SymmetricState:
    """Noise's running hash, chaining key and cipher."""

    def __init__(self, prologue: bytes) -> None:
        self._hash = PATTERN
        self._salt = PATTERN
        self._cipher = AESGCM(PATTERN)
        self._counter = 0
        self.mix_hash(prologue)

    def mix_hash(self, data: bytes) -> None:
        """Bind the transcript to some public data."""
        self._hash = hashlib.sha256(self._hash + data).digest()

    def mix_key(self, secret: bytes) -> None:
        """Bind the cipher to a shared secret."""
        self._salt, key = self._expand(secret)
        self._cipher, self._counter = AESGCM(key), 0

    def encrypt(self, plain: bytes) -> bytes:
        """Encrypt and bind the transcript to the result."""
        sealed = self._cipher.encrypt(_nonce(self._counter), plain, self._hash)
        self._counter += 1
        self.mix_hash(sealed)
        return sealed

    def decrypt(self, sealed: bytes) -> bytes:
        """The inverse of ``encrypt``. Raises NoiseError."""
        try:
            plain = self._cipher.decrypt(_nonce(self._counter), sealed, self._hash)
        except (InvalidTag, ValueError) as error:
            raise NoiseError("a handshake message does not decrypt") from error
        self._counter += 1
        self.mix_hash(sealed)
        return plain

    def split(self) -> tuple[bytes, bytes]:
        """The keys of the transport: initiator to responder, responder to initiator."""
        return self._expand(b"")

    def _expand(self, secret: bytes) -> tuple[bytes, bytes]:
        out = HKDF(hashes.SHA256(), 64, self._salt, b"").derive(secret)
        return out[:32], out[32:]


class Transport:
    """The encrypted frames after a handshake; each direction counts its own."""

    def __init__(self, send_key: bytes, receive_key: bytes) -> None:
        self._send, self._receive = AESGCM(send_key), AESGCM(receive_key)
        self._sent = self._received = 0

    def seal(self, plain: bytes) -> bytes:
        """Encrypt the next frame to send."""
        sealed = self._send.encrypt(_nonce(self._sent), plain, None)
        self._sent += 1
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Decrypt the next received frame. Raises NoiseError."""
        try:
            plain = self._receive.decrypt(_nonce(self._received), sealed, None)
        except (InvalidTag, ValueError) as error:
            raise NoiseError("a frame does not decrypt") from error
        self._received += 1
        return plain


@dataclass(frozen=True, slots=True)
class Login:
    """What a handshake ends with: who speaks and what it says first."""

    transport: Transport
    static_key: bytes
    payload: bytes


class Responder:
    """The server's side of one handshake."""

    def __init__(self, static: X25519PrivateKey, certificate: bytes, prologue: bytes) -> None:
        self._static, self._certificate = static, certificate
        self._ephemeral = X25519PrivateKey.generate()
        self._state = SymmetricState(prologue)

    def hello(self, message: bytes) -> bytes:
        """Answer a ClientHello with a ServerHello. Raises NoiseError."""
        client = _point(_parse(message).client_hello.ephemeral)
        state = self._state
        state.mix_hash(client.public_bytes_raw())
        state.mix_hash(public_bytes(self._ephemeral))
        state.mix_key(_exchange(self._ephemeral, client))
        static = state.encrypt(public_bytes(self._static))
        state.mix_key(_exchange(self._static, client))
        payload = state.encrypt(self._certificate)
        hello = wa.HandshakeMessage.ServerHello(
            ephemeral=public_bytes(self._ephemeral), static=static, payload=payload
        )
        return wa.HandshakeMessage(server_hello=hello).SerializeToString()

    def finish(self, message: bytes) -> Login:
        """Take a ClientFinish. Raises NoiseError."""
        finish = _parse(message).client_finish
        state = self._state
        static = _point(state.decrypt(finish.static))
        state.mix_key(_exchange(self._ephemeral, static))
        payload = state.decrypt(finish.payload)
        receive, send = state.split()
        return Login(Transport(send, receive), static.public_bytes_raw(), payload)


class Initiator:
    """The client's side of one handshake."""

    def __init__(self, static: X25519PrivateKey, prologue: bytes) -> None:
        self._static = static
        self._ephemeral = X25519PrivateKey.generate()
        self._state = SymmetricState(prologue)
        self._server: X25519PublicKey | None = None

    def hello(self) -> bytes:
        """The ClientHello."""
        self._state.mix_hash(public_bytes(self._ephemeral))
        hello = wa.HandshakeMessage.ClientHello(ephemeral=public_bytes(self._ephemeral))
        return wa.HandshakeMessage(client_hello=hello).SerializeToString()

    def certificate(self, message: bytes) -> tuple[bytes, bytes]:
        """Take the ServerHello: the server's static key and its certificate, still to be verified."""
        hello = _parse(message).server_hello
        self._server = _point(hello.ephemeral)
        state = self._state
        state.mix_hash(hello.ephemeral)
        state.mix_key(_exchange(self._ephemeral, self._server))
        static = state.decrypt(hello.static)
        state.mix_key(_exchange(self._ephemeral, _point(static)))
        return static, state.decrypt(hello.payload)

    def finish(self, payload: bytes) -> tuple[bytes, Transport]:
        """The ClientFinish, and the transport that follows it."""
        if self._server is None:
            raise NoiseError("finish before the server's hello")
        state = self._state
        static = state.encrypt(public_bytes(self._static))
        state.mix_key(_exchange(self._static, self._server))
        finish = wa.HandshakeMessage.ClientFinish(static=static, payload=state.encrypt(payload))
        send, receive = state.split()
        return wa.HandshakeMessage(client_finish=finish).SerializeToString(), Transport(send, receive)


class Frames:
    """Cuts a stream of bytes into frames: 3 bytes of length, then the frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add received bytes; the frames that are now whole."""
        self._buffer += data
        frames: list[bytes] = []
        while len(self._buffer) >= 3:
            end = 3 + int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < end:
                break
            frames.append(bytes(self._buffer[3:end]))
            del self._buffer[:end]
        return frames


def frame(data: bytes) -> bytes:
    """One frame with its length before it."""
    if len(data) >= MAX_FRAME:
        raise NoiseError(f"a frame of {len(data)} bytes is too long")
    return len(data).to_bytes(3, "big") + data


def _parse(message: bytes) -> wa.HandshakeMessage:
    try:
        return wa.HandshakeMessage.FromString(message)
    except DecodeError as error:
        raise NoiseError("not a handshake message") from error


def _point(data: bytes) -> X25519PublicKey:
    try:
        return X25519PublicKey.from_public_bytes(data)
    except ValueError as error:
        raise NoiseError("not a public key") from error


def _exchange(private: X25519PrivateKey, public: X25519PublicKey) -> bytes:
    try:
        return private.exchange(public)
    except ValueError as error:
        raise NoiseError("a weak public key") from error
