"""Many attempts on one connection: each gets its own answer, whatever an endpoint says besides."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp.connector
import pytest
from aiohttp import web

from actors.courier.retry import Failure
from tests.courier.authority import Authority
from tests.courier.outside import egress, post, raw_server
from tests.courier.receiver import Got, Receiver

AUTHORITY = Authority()
TAKEN = b"HTTP/1.1 204 So\r\n\r\n"
FAILED = b"HTTP/1.1 500 So\r\ncontent-length: 0\r\n\r\n"

Piece = bytes | asyncio.Event
"""Something that is said, or waited for."""


@dataclass
class Endpoint:
    """Answers one request after another as it was told, on whichever connection they come.

    Args:
        answers: to each request, in pieces; a connection ends after an empty one.
        asked: the connection of each request, in order.
    """

    answers: list[list[Piece]]
    asked: list[int] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = writer.get_extra_info("peername")[1]
        while True:
            await reader.readuntil(b"}")  # the end of the body
            self.asked.append(connection)
            for piece in self.answers[len(self.asked) - 1]:
                if isinstance(piece, asyncio.Event):
                    await piece.wait()
                elif piece:
                    writer.write(piece)
                    await writer.drain()
                else:
                    return


@asynccontextmanager
async def endpoint(*answers: list[Piece]) -> AsyncIterator[Endpoint]:
    said = Endpoint(list(answers))
    async with raw_server(said.talk, first=True) as said.port:
        yield said


async def settle() -> None:
    """Give what was sent on loopback the time to arrive."""
    await asyncio.sleep(0.2)


async def test_a_connection_serves_one_attempt_after_another(receiver: Receiver) -> None:
    answers = [
        web.Response(status=500, text="no"),
        web.Response(text="thanks"),
        web.Response(status=204),
        web.Response(status=404, body=b"z" * 5_000),
    ]
    ports: set[int] = set()

    async def one_each(got: Got, request: web.Request) -> web.Response:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return answers[len(receiver.got) - 1]

    receiver.answer(one_each)
    async with egress() as out:
        outcomes = [await post(out, receiver.url()) for _ in answers]
    assert [outcome.status for outcome in outcomes] == [500, 200, 204, 404]
    assert [outcome.answer for outcome in outcomes] == ["no", "thanks", "", "z" * 1024]
    assert len(ports) == 1


async def test_attempts_that_start_together_all_arrive(receiver: Receiver) -> None:
    bodies = [b'{"a":%d}' % number for number in range(50)]
    async with egress() as out:
        for _ in range(2):  # on connections that are new, and on those that there are then
            outcomes = await asyncio.gather(*(post(out, receiver.url(), body=body) for body in bodies))
            assert all(outcome.ok for outcome in outcomes)
    assert sorted(got.body for got in receiver.got) == sorted(2 * bodies)


# ---- what nobody asked for ----


@pytest.mark.parametrize(
    "unasked",
    [TAKEN, TAKEN + TAKEN, b"HTTP/1.1 204 So\r\nx", b"HTTP/1.1 103 So\r\n\r\n", b"HTTP/1.1 200 So\r\nconte"],
)
async def test_what_is_said_while_idle_is_not_the_next_answer(unasked: bytes) -> None:
    idle = asyncio.Event()
    async with endpoint([TAKEN, idle, unasked], [FAILED], [FAILED]) as said, egress() as out:
        assert (await post(out, said.url)).status == 204
        idle.set()
        await settle()
        assert not (await post(out, said.url)).ok


async def test_what_is_said_as_a_request_is_on_its_way_out_is_not_its_answer() -> None:
    idle, said, connections = asyncio.Event(), asyncio.Event(), 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"}")
        if connections == 1:
            writer.write(TAKEN)
            await idle.wait()
            writer.write(TAKEN)
            said.set()  # the next attempt begins before this end has looked at what came
            await reader.readuntil(b"}")
        writer.write(FAILED)
        await reader.read()

    async with raw_server(talk, first=True) as port, egress() as out:
        url = f"http://127.0.0.1:{port}/"
        assert (await post(out, url)).status == 204
        idle.set()
        await said.wait()
        assert (await post(out, url)).status == 500


async def test_a_trailer_is_no_header_of_the_next_answer() -> None:
    trailer = b"HTTP/1.1 200 So\r\ntransfer-encoding: chunked\r\n\r\n0\r\nretry-after: 4242\r\n\r\n"
    busy = b"HTTP/1.1 503 So\r\ncontent-length: 0\r\n\r\n"
    async with endpoint([trailer], [busy]) as said, egress() as out:
        assert (await post(out, said.url)).status == 200
        outcome = await post(out, said.url)
    assert (outcome.status, outcome.retry_after) == (503, None)
    assert len(set(said.asked)) == 1, "on the same connection, or nothing is shown"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_server_that_speaks_first_is_heard_once(
    version: ssl.TLSVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = 0

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write(b"HTTP/1.1 503 So\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        with contextlib.suppress(OSError):
            await reader.read()

    server = AUTHORITY.server()
    server.minimum_version = server.maximum_version = version
    ours = ssl.create_default_context(cadata=AUTHORITY.pem)
    monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", ours)
    async with raw_server(speak, tls=server, first=True) as port, egress() as out:
        for attempts in (1, 2):
            outcome = await post(out, f"https://127.0.0.1:{port}/")
            assert (outcome.status, connections) == (503, attempts), outcome.error


# ---- connections that break ----


async def test_a_used_connection_that_breaks_is_no_failure_if_a_new_one_serves() -> None:
    # As with a server that closes what is idle, at the moment when it is used again.
    async with endpoint([TAKEN], [b""], [TAKEN]) as said, egress() as out:
        assert (await post(out, said.url)).status == 204
        assert (await post(out, said.url)).status == 204
    first, again, other = said.asked
    assert first == again != other


async def test_nothing_is_repeated_more_than_once() -> None:
    async with endpoint([TAKEN], [b""], [b""], [TAKEN]) as said, egress() as out:
        assert (await post(out, said.url)).status == 204
        assert (await post(out, said.url)).failure is Failure.DISCONNECTED
        assert len(said.asked) == 3


async def test_of_many_that_are_stale_only_one_is_tried() -> None:
    together = asyncio.Event()
    answers: list[list[Piece]] = [[together, TAKEN] for _ in range(5)]
    async with endpoint(*answers, [b""], [TAKEN]) as said, egress() as out:
        attempts = asyncio.gather(*(post(out, said.url) for _ in range(5)))
        await settle()
        together.set()
        assert all(outcome.ok for outcome in await attempts)
        assert (await post(out, said.url)).ok
        assert len(said.asked) == 7
        assert said.asked[-1] not in said.asked[:-1]


async def test_a_new_connection_that_breaks_is_not_tried_again() -> None:
    async with endpoint([b""], [TAKEN]) as said, egress() as out:
        assert (await post(out, said.url)).failure is Failure.DISCONNECTED
        assert len(said.asked) == 1


async def test_what_was_being_answered_is_not_repeated() -> None:
    async with endpoint([TAKEN], [b"HTTP/1.1 200 So\r\nx: y\r\n", b""], [TAKEN]) as said, egress() as out:
        assert (await post(out, said.url)).status == 204
        assert (await post(out, said.url)).failure is Failure.DISCONNECTED
        assert len(said.asked) == 2


async def test_what_was_worked_on_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.courier.wire.PROMPT", 0.0)  # so that whatever breaks, breaks late
    async with endpoint([TAKEN], [b""], [TAKEN]) as said, egress() as out:
        assert (await post(out, said.url)).status == 204
        assert (await post(out, said.url)).failure is Failure.DISCONNECTED
        assert len(said.asked) == 2
