"""One attempt, against endpoints that hang, drip, reset, redirect, lie, or stand where nobody may go."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from actors.courier.addresses import Guard
from actors.courier.delivery import attempt
from actors.courier.egress import Egress
from actors.courier.retry import Failure, Outcome
from actors.courier.signature import new_secret
from tests.courier.receiver import Got, Receiver

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OPEN = Guard(allow_private=True)
SECRET = new_secret()


@asynccontextmanager
async def raw_server(talk: Talk) -> AsyncIterator[int]:
    """A server that speaks bytes; yields its port."""
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


@asynccontextmanager
async def egress(guard: Guard = OPEN, resolver: AbstractResolver | None = None) -> AsyncIterator[Egress]:
    out = Egress(guard, connect_timeout=0.5, resolver=resolver)
    try:
        yield out
    finally:
        await out.close()


async def post(out: Egress, url: str, *, timeout: float = 5.0, body: bytes = b'{"a":1}') -> Outcome:
    return await attempt(
        out, url=url, body=body, event_id="evt_1", instance_id="i", seq=1, number=1, secrets=[SECRET],
        headers={}, timestamp=1, timeout=timeout, answer_bytes=16_384,
    )  # fmt: skip


class Names(AbstractResolver):
    """Resolves every name to what the test says, a new answer each time."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in answer
        ]

    async def close(self) -> None:
        pass


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
    assert (outcome.failure, outcome.status) == (Failure.CONNECT, None)


@pytest.mark.parametrize(
    ("answer", "failure", "status"),
    [
        (b"", Failure.CONNECT, None),
        (b"SSH-2.0-OpenSSH\r\n\r\n", Failure.PROTOCOL, None),
        (b"HTTP/1.1 2000 OK\r\n\r\n", Failure.PROTOCOL, None),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", Failure.PROTOCOL, None),
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
            outcome = await post(out, f"http://127.0.0.1:{sock.getsockname()[1]}/", timeout=20)
    assert outcome.failure is Failure.CONNECT_TIMEOUT


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
        outcome = await post(out, "http://slow.example/", timeout=20)
    assert outcome.failure is Failure.CONNECT_TIMEOUT


async def test_plain_http_behind_https_is_a_tls_failure(receiver: Receiver) -> None:
    async with egress() as out:
        outcome = await post(out, f"https://127.0.0.1:{receiver.port}/")
    assert outcome.failure is Failure.TLS
    assert ssl.OPENSSL_VERSION


# ---- where nobody may go ----

LITERALS = [
    "127.0.0.1", "127.1", "0x7f.1", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01", "0", "0.0.0.0", "localhost",
    "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
    "10.0.0.1", "192.168.0.1", "172.16.0.1", "169.254.169.254", "[fe80::1]", "[fd00:ec2::254]",
    "100.100.100.200", "2130706433", "0x7f000001", "017700000001", "127.0.0.1.",
]  # fmt: skip


@pytest.mark.parametrize("host", LITERALS)
async def test_no_literal_reaches_a_private_address(receiver: Receiver, host: str) -> None:
    async with egress(Guard()) as out:
        outcome = await post(out, f"http://{host}:{receiver.port}/", timeout=3)
    assert not outcome.ok
    assert receiver.got == []
    # Some forms are no URL, or no address to this system: all that counts is that nothing was connected to.
    assert outcome.failure in (Failure.FORBIDDEN, Failure.NAME, Failure.PROTOCOL)


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["::1"],
        ["10.0.0.1", "127.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["169.254.169.254"],
        ["fe80::1"],
    ],
)
async def test_no_name_leads_to_a_private_address(receiver: Receiver, addresses: list[str]) -> None:
    async with egress(Guard(), Names(addresses)) as out:
        outcome = await post(out, f"http://hook.example:{receiver.port}/")
    assert outcome.failure is Failure.FORBIDDEN
    assert "not allowed" in (outcome.error or "")
    assert receiver.got == []


async def test_a_name_that_changes_between_check_and_connect_leads_nowhere(receiver: Receiver) -> None:
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    checked = await names.resolve("hook.example")
    assert Guard().refusal(checked[0]["host"]) is None
    async with egress(Guard(), names) as out:
        outcome = await post(out, f"http://hook.example:{receiver.port}/")
    assert names.asked == 2
    assert outcome.failure is Failure.FORBIDDEN
    assert receiver.got == []


async def test_allowed_hosts_and_networks_are_reached(receiver: Receiver) -> None:
    for allow, host in (("hook.example", "hook.example"), ("127.0.0.0/8", "127.0.0.1")):
        async with egress(Guard(allow=[allow]), Names(["127.0.0.1"])) as out:
            assert (await post(out, f"http://{host}:{receiver.port}/")).ok
            assert (await post(out, f"http://other.example:{receiver.port}/")).ok is ("/" in allow)
