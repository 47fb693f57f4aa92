from __future__ import annotations

import ssl
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from lab import wa_pb2 as wa
from lab.noise import Frames, Initiator, Login, NoiseError, Responder, Transport, frame, public_bytes
from lab.trust import NoiseIdentity, Roots, server_context, sign, verify, verify_chain
from tests.lab.client import PROLOGUE

ROOTS = Roots.create()
IDENTITY = NoiseIdentity.issue(ROOTS)


def shake(client: Initiator, server: Responder) -> tuple[Transport, Login]:
    static, chain = client.certificate(server.hello(client.hello()))
    assert verify_chain(ROOTS.noise_public, chain, static, time.time())
    finish, transport = client.finish(b"payload")
    return transport, server.finish(finish)


def test_both_sides_agree_and_the_server_knows_the_client() -> None:
    key = X25519PrivateKey.generate()
    transport, login = shake(Initiator(key, PROLOGUE), Responder(IDENTITY.static, IDENTITY.chain, PROLOGUE))
    assert login.static_key == public_bytes(key)
    assert login.payload == b"payload"
    for number in range(3):
        assert login.transport.open(transport.seal(b"up %d" % number)) == b"up %d" % number
        assert transport.open(login.transport.seal(b"down %d" % number)) == b"down %d" % number


def test_frames_out_of_order_do_not_decrypt() -> None:
    transport, login = shake(
        Initiator(X25519PrivateKey.generate(), PROLOGUE),
        Responder(IDENTITY.static, IDENTITY.chain, PROLOGUE),
    )
    transport.seal(b"first")
    with pytest.raises(NoiseError):
        login.transport.open(transport.seal(b"second"))


def test_another_prologue_breaks_the_handshake() -> None:
    client = Initiator(X25519PrivateKey.generate(), PROLOGUE)
    server = Responder(IDENTITY.static, IDENTITY.chain, b"WA\x05\x02")
    with pytest.raises(NoiseError):
        client.certificate(server.hello(client.hello()))


def test_a_tampered_finish_is_refused() -> None:
    client = Initiator(X25519PrivateKey.generate(), PROLOGUE)
    server = Responder(IDENTITY.static, IDENTITY.chain, PROLOGUE)
    client.certificate(server.hello(client.hello()))
    finish = wa.HandshakeMessage.FromString(client.finish(b"payload")[0])
    finish.client_finish.payload = finish.client_finish.payload[:-1] + b"\0"
    with pytest.raises(NoiseError):
        server.finish(finish.SerializeToString())


@pytest.mark.parametrize("hello", [b"", b"\xff\xff", wa.HandshakeMessage().SerializeToString()])
def test_nonsense_instead_of_a_hello_is_refused(hello: bytes) -> None:
    with pytest.raises(NoiseError):
        Responder(IDENTITY.static, IDENTITY.chain, PROLOGUE).hello(hello)


def test_an_all_zero_key_is_refused() -> None:
    hello = wa.HandshakeMessage(client_hello=wa.HandshakeMessage.ClientHello(ephemeral=bytes(32)))
    with pytest.raises(NoiseError):
        Responder(IDENTITY.static, IDENTITY.chain, PROLOGUE).hello(hello.SerializeToString())


def test_a_finish_before_the_servers_hello_is_an_error() -> None:
    with pytest.raises(NoiseError):
        Initiator(X25519PrivateKey.generate(), PROLOGUE).finish(b"")


@given(st.lists(st.binary(max_size=60), max_size=8), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_frames_survive_any_cutting(bodies: list[bytes], cuts: list[int]) -> None:
    stream, frames, got = b"".join(map(frame, bodies)), Frames(), []
    position = 0
    for cut in cuts:
        got += frames.feed(stream[position : position + cut])
        position += cut
    got += frames.feed(stream[position:])
    assert got == bodies


def test_a_frame_that_is_too_long_is_refused() -> None:
    with pytest.raises(NoiseError):
        frame(bytes(1 << 24))


def test_the_chain_holds_for_its_root_key_and_time_only() -> None:
    static, now = public_bytes(IDENTITY.static), time.time()
    root = ROOTS.noise_public
    assert verify_chain(root, IDENTITY.chain, static, now)
    assert not verify_chain(Roots.create().noise_public, IDENTITY.chain, static, now)
    assert not verify_chain(root, IDENTITY.chain, root, now)
    assert not verify_chain(root, IDENTITY.chain, static, now + 365 * 86_400)
    assert not verify_chain(root, NoiseIdentity.issue(ROOTS).chain, static, now)


@given(st.binary(max_size=100), st.integers(0, 63), st.integers(1, 255))
def test_a_signature_is_of_one_key_and_one_message(message: bytes, place: int, flip: int) -> None:
    private = X25519PrivateKey.generate()
    public = public_bytes(private)
    signature = sign(private.private_bytes_raw(), message)
    assert verify(public, message, signature)
    assert not verify(public, message + b"x", signature)
    assert not verify(public_bytes(X25519PrivateKey.generate()), message, signature)
    changed = bytearray(signature)
    changed[place] ^= flip
    assert not verify(public, message, bytes(changed))
    assert not verify(public, message, signature[:63])


@pytest.mark.parametrize("name", ["web.whatsapp.com", "mmg.whatsapp.net", "localhost", "127.0.0.1"])
def test_tls_is_valid_for_whatsapps_names_under_the_labs_authority(name: str) -> None:
    assert _greet(ROOTS, name) == "TLSv1.3"


def test_tls_is_not_valid_under_another_authority_or_name() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _greet(Roots.create(), "web.whatsapp.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        _greet(ROOTS, "example.com")


def _greet(trusted: Roots, name: str) -> str | None:
    """A TLS handshake in memory, under strict checking of certificates."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context(cadata=trusted.tls_ca_pem.decode())
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    client = context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context(ROOTS, "127.0.0.1").wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return client.version()
