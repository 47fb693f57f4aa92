"""One attempt, against endpoints that hang, drip, reset, redirect or lie."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult

from actors.courier.retry import Failure
from tests.courier.outside import Names, egress, post, raw_server
from tests.courier.receiver import Got, Receiver


async def test_a_good_answer(receiver: Receiver) -> None:
    async with egress() as out:
        outcome = await post(out, receiver.url())
    assert outcome.ok
    assert (outcome.status, outcome.answer, outcome.error) == (200, "thanks", None)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_not_followed(receiver: Receiver, status: int) -> None:
    async def elsewhere(got: Got, request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"location": "/secret"})

    receiver.answer(elsewhere)
    async with egress() as out:
        outcome = await post(out, receiver.url())
    assert (outcome.failure, outcome.status) == (Failure.STATUS, status)
    assert [got.path for got in receiver.got] == ["/"]


async def test_no_cookie_is_kept(receiver: Receiver) -> None:
    async def cookie(got: Got, request: web.Request) -> web.Response:
        return web.Response(headers={"set-cookie": "a=b"})

    receiver.answer(cookie)
    async with egress() as out:
        await post(out, receiver.url())
        await post(out, receiver.url())
    assert all("cookie" not in got.headers for got in receiver.got)


async def test_a_hanging_endpoint_is_cut_at_the_deadline() -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    async with raw_server(hang) as port, egress() as out:
        outcome = await post(out, f"http://127.0.0.1:{port}/", timeout=0.3)
    assert (outcome.failure, outcome.status) == (Failure.TIMEOUT, None)


async def test_headers_that_drip_are_cut_at_the_deadline() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with raw_server(drip) as port, egress() as out:
        outcome = await post(out, f"http://127.0.0.1:{port}/", timeout=0.4)
    assert (outcome.failure, outcome.status) == (Failure.TIMEOUT, None)


@pytest.mark.parametrize(("line", "failure"), [(b"200 OK", None), (b"500 No", Failure.STATUS)])
async def test_a_body_that_drips_is_cut_and_its_status_stands(line: bytes, failure: Failure | None) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 " + line + b"\r\ncontent-length: 100000\r\n\r\n")
        while True:
            writer.write(b"z")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with raw_server(drip) as port, egress() as out:
        outcome = await post(out, f"http://127.0.0.1:{port}/", timeout=0.4)
    assert outcome.failure is failure
    assert "broken off" in (outcome.error or "")


async def test_an_endless_answer_is_read_up_to_the_cap() -> None:
    sent = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2000000000\r\n\r\n")
        while True:
            writer.write(b"z" * 65_536)
            await writer.drain()
            sent += 65_536

    async with raw_server(flood) as port, egress() as out:
        outcome = await post(out, f"http://127.0.0.1:{port}/", timeout=30)
    assert outcome.ok
    assert outcome.answer == "z" * 1024
    assert sent < 100_000_000


async def test_a_compressed_bomb_is_not_unpacked() -> None:
    async def bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nnogzi")
        await writer.drain()

    async with raw_server(bomb) as port, egress() as out:
        outcome = await post(out, f"http://127.0.0.1:{port}/")
    assert (outcome.ok, outcome.answer) == (True, "nogzi")


async def test_a_reset_connection() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with raw_server(reset) as port, egress() as out:
        outcome = await post(out, f"http://127.0.0.1:{port}/")
    assert (outcome.failure, outcome.status) == (Failure.DISCONNECTED, None)


@pytest.mark.parametrize(
    ("answer", "failure", "status"),
    [
        (b"", Failure.DISCONNECTED, None),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Failure.PROTOCOL, None),
        (b"HTTP/1.1 2000 OK\r\n\r\n", Failure.PROTOCOL, None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", Failure.PROTOCOL, None),
        (b"HTTP/1.1 \xff\xfe OK\r\n\r\n", Failure.PROTOCOL, None),
        (b"HTTP/1.1 200 OK\r\n\xff\xfe: x\r\n\r\n", Failure.PROTOCOL, None),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 20_000 + b"\r\n\r\n", Failure.PROTOCOL, None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", None, 200),
        (b"HTTP/1.1 503 Busy\r\ncontent-length: 100\r\nretry-after: 7\r\n\r\nshort", Failure.STATUS, 503),
        (b"HTTP/1.1 204 No\r\n\r\n", None, 204),
    ],
)
async def test_endpoints_that_lie(answer: bytes, failure: Failure | None, status: int | None) -> None:
    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    async with raw_server(lie) as port, egress() as out:
        outcome = await post(out, f"http://127.0.0.1:{port}/")
    assert (outcome.failure, outcome.status) == (failure, status)
    (outcome.error or "").encode()  # can be written down
    if status == 503:
        assert outcome.retry_after == "7"


async def test_nobody_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        async with egress() as out:
            outcome = await post(out, f"http://127.0.0.1:{sock.getsockname()[1]}/")
    assert outcome.failure is Failure.CONNECT


async def test_a_listener_that_never_accepts_is_a_connect_timeout() -> None:
    with socket.socket() as sock, socket.socket() as first, socket.socket() as second:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(sock.getsockname())
        async with egress() as out:
            outcome = await post(
                out, f"http://127.0.0.1:{sock.getsockname()[1]}/", timeout=20, connect_timeout=0.3
            )
    assert outcome.failure is Failure.CONNECT_TIMEOUT


async def test_each_attempt_has_its_own_deadline_for_connecting(receiver: Receiver) -> None:
    class Slow(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            await asyncio.sleep(0.5)
            return await super().resolve(host, port, family)

    async with egress(resolver=Slow(["127.0.0.1"])) as out:
        hurried = await post(out, f"http://a.example:{receiver.port}/", connect_timeout=0.05)
        patient = await post(out, f"http://b.example:{receiver.port}/", connect_timeout=30, timeout=60)
        # The connection is there already: nothing is left that the deadline could be for.
        reused = await post(out, f"http://b.example:{receiver.port}/", connect_timeout=0.05)
    assert hurried.failure is Failure.CONNECT_TIMEOUT
    assert patient.ok
    assert reused.ok


async def test_a_name_that_does_not_exist() -> None:
    class Nowhere(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async with egress(resolver=Nowhere()) as out:
        outcome = await post(out, "http://no.example/")
    assert outcome.failure is Failure.NAME


async def test_a_name_server_that_hangs_is_a_connect_timeout() -> None:
    class Slow(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            await asyncio.sleep(2)
            return []

    async with egress(resolver=Slow()) as out:
        outcome = await post(out, "http://slow.example/", timeout=20, connect_timeout=0.3)
    assert outcome.failure is Failure.CONNECT_TIMEOUT


async def test_plain_http_behind_https_is_a_tls_failure(receiver: Receiver) -> None:
    async with egress() as out:
        outcome = await post(out, f"https://127.0.0.1:{receiver.port}/")
    assert outcome.failure is Failure.TLS
