"""Client certificates, against servers that demand them."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from actors.courier import egress as module
from actors.courier.records import EndpointChange
from actors.courier.retry import Failure
from actors.courier.tls import ClientTls
from tests.courier.authority import Authority
from tests.courier.conftest import Account, StartCourier
from tests.courier.outside import egress, post
from tests.courier.receiver import Got, Receiver

OURS, THEIRS, NOBODYS = Authority("clients"), Authority("servers"), Authority("somebody else")
MALOTE = OURS.client("malote", ca=THEIRS.pem)


@pytest.fixture
async def vault() -> AsyncIterator[Receiver]:
    """An endpoint with a certificate of THEIRS, for clients with one of OURS; answers with their name."""
    server = Receiver(tls=THEIRS.server(demands=OURS))

    async def name(got: Got, request: web.Request) -> web.Response:
        assert request.transport is not None
        subject = request.transport.get_extra_info("peercert")["subject"]
        return web.Response(text=str(subject[0][0][1]))

    server.answer(name)
    await server.start()
    yield server
    await server.stop()


async def test_the_certificate_that_is_demanded_is_given(vault: Receiver) -> None:
    async with egress() as out:
        outcome = await post(out, vault.url(), tls=MALOTE)
    assert (outcome.failure, outcome.error, outcome.answer) == (None, None, "malote")


@pytest.mark.parametrize(
    "tls", [OURS.client(ca=NOBODYS.pem), None], ids=["a server of another CA", "not one of the system's"]
)
async def test_a_server_that_nobody_vouches_for_gets_nothing(vault: Receiver, tls: ClientTls | None) -> None:
    async with egress() as out:
        outcome = await post(out, vault.url(), tls=tls)
    assert outcome.failure is Failure.TLS
    assert outcome.error in (
        "TLS failed: unable to get local issuer certificate",
        "TLS failed: self-signed certificate in certificate chain",
    )
    assert vault.got == []


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("given", "alert"), [(NOBODYS, "UNKNOWN_CA"), (None, "REQUIRED|HANDSHAKE_FAILURE")])
async def test_a_certificate_that_does_not_suffice_is_a_tls_failure(
    version: ssl.TLSVersion, given: Authority | None, alert: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TLS 1.3 a client hears that after its handshake, when the request is on its way."""
    tls = (given or OURS).client(ca=THEIRS.pem)
    if given is None:
        # The server's CA is trusted here as if it were one of the system's.
        monkeypatch.setattr(ClientTls, "context", lambda self: self._verifying())
    async with demanding(version) as port, egress() as out:
        outcome = await post(out, f"https://127.0.0.1:{port}/", tls=tls)
    assert outcome.failure is Failure.TLS
    assert re.search(alert, outcome.error or "")


@contextlib.asynccontextmanager
async def demanding(version: ssl.TLSVersion) -> AsyncIterator[int]:
    """A server that refuses a handshake and then reads on, so that no reset overtakes its word; its port."""
    context = THEIRS.server(demands=OURS)
    context.minimum_version = context.maximum_version = version

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        connection = context.wrap_bio(incoming, outgoing, server_side=True)
        with contextlib.suppress(ssl.SSLError):
            while True:
                try:
                    connection.do_handshake()
                    raise AssertionError("the certificate was taken")
                except ssl.SSLWantReadError:
                    writer.write(outgoing.read())
                    incoming.write(await reader.readexactly(1))
        writer.write(outgoing.read())
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


async def test_a_server_is_verified_by_its_name_too(vault: Receiver) -> None:
    async with egress() as out:
        outcome = await post(out, f"https://localhost:{vault.port}/", tls=MALOTE)
    assert outcome.failure is Failure.TLS
    assert "Hostname mismatch" in (outcome.error or "")


async def test_certificates_do_not_share_connections(vault: Receiver) -> None:
    other = OURS.client("other", ca=THEIRS.pem)
    async with egress() as out:
        answers = [(await post(out, vault.url(), tls=tls)).answer for tls in (MALOTE, other, MALOTE, other)]
        assert answers == ["malote", "other", "malote", "other"]
        # One without any must not find a connection of somebody who has one.
        assert (await post(out, vault.url())).failure is Failure.TLS


async def test_a_used_connection_that_breaks_is_no_failure(vault: Receiver) -> None:
    ports: list[int] = []

    async def once(got: Got, request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.append(request.transport.get_extra_info("peername")[1])
        if ports.count(ports[-1]) > 1:
            request.transport.abort()
        return web.Response(text="thanks")

    vault.answer(once)
    async with egress() as out:
        for _ in range(2):
            outcome = await post(out, vault.url(), tls=MALOTE)
            assert outcome.ok, outcome.error
    first, again, other = ports
    assert first == again != other


async def test_contexts_are_made_once_and_their_number_is_bounded(
    vault: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    make = ClientTls.context
    monkeypatch.setattr(module, "CONTEXTS", 2)
    monkeypatch.setattr(ClientTls, "context", lambda self: made.append(self.fingerprint) or make(self))
    first, second, third = (OURS.client(ca=THEIRS.pem) for _ in range(3))
    async with egress() as out:
        for tls in (first, second, first, first.model_copy(), third, first):
            assert (await post(out, vault.url(), tls=tls)).ok
        assert made == [tls.fingerprint for tls in (first, second, third)]
        assert (await post(out, vault.url(), tls=second)).ok
    assert made[3:] == [second.fingerprint]


async def test_a_certificate_that_became_unusable_is_a_tls_failure(vault: Receiver) -> None:
    """As one that an older OpenSSL took and this one does not."""
    broken = MALOTE.model_copy(update={"key": OURS.client().key})
    async with egress() as out:
        outcome = await post(out, vault.url(), tls=broken)
    assert outcome.failure is Failure.TLS
    assert "does not belong to the certificate" in (outcome.error or "")


async def test_an_endpoint_with_a_certificate(
    account: Account, vault: Receiver, start_courier: StartCourier
) -> None:
    endpoint = await account.endpoints.create(vault.url(), tls=MALOTE)
    assert (await account.endpoints.get(endpoint.id)).tls == MALOTE
    await start_courier()
    await account.append()
    await vault.wait_taken(1)
    await account.endpoints.change(endpoint.id, EndpointChange(description="x"))
    assert (await account.endpoints.get(endpoint.id)).tls == MALOTE
    await account.endpoints.change(endpoint.id, EndpointChange(tls=None))
    assert (await account.endpoints.get(endpoint.id)).tls is None


async def test_a_certificate_needs_https(account: Account) -> None:
    with pytest.raises(ValueError, match="https://"):
        await account.endpoints.create("http://hooks.example.com/", tls=MALOTE)
    endpoint = await account.endpoints.create("https://hooks.example.com/", tls=MALOTE)
    with pytest.raises(ValueError, match="https://"):
        await account.endpoints.change(endpoint.id, EndpointChange(url="http://hooks.example.com/"))
    both = EndpointChange(url="http://hooks.example.com/", tls=None)
    assert (await account.endpoints.change(endpoint.id, both)).tls is None


async def test_a_certificate_is_tried_before_it_is_kept(account: Account) -> None:
    with pytest.raises(ValueError, match="does not belong"):
        await account.endpoints.create(
            "https://hooks.example.com/", tls=MALOTE.model_copy(update={"key": OURS.client().key})
        )
    assert await account.endpoints.list() == []
