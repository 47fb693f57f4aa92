"""What a delivery meets outside: a way out for tests, servers and name servers that say what a test wants."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp.abc import AbstractResolver, ResolveResult

from actors.courier.addressee import addressee
from actors.courier.addresses import Guard
from actors.courier.delivery import attempt
from actors.courier.egress import Egress
from actors.courier.retry import Outcome
from actors.courier.signature import new_secret
from actors.courier.tls import ClientTls

OPEN = Guard(allow_private=True)
SECRET = new_secret()
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def egress(
    guard: Guard = OPEN, resolver: AbstractResolver | None = None, *, proxy: str | None = None
) -> AsyncIterator[Egress]:
    out = Egress(guard, proxy=proxy, resolver=resolver)
    try:
        yield out
    finally:
        await out.close()


async def post(
    out: Egress,
    url: str,
    *,
    timeout: float = 30.0,
    connect_timeout: float = 30.0,
    body: bytes = b'{"a":1}',
    tls: ClientTls | None = None,
) -> Outcome:
    to = addressee(
        url, "i", headers={}, timeout=timeout, connect_timeout=connect_timeout, answer_bytes=16_384, tls=tls
    )
    return await attempt(out, to, body=body, event_id="evt_1", seq=1, number=1, secrets=[SECRET], timestamp=1)


@asynccontextmanager
async def raw_server(
    talk: Talk, *, tls: ssl.SSLContext | None = None, first: bool = False
) -> AsyncIterator[int]:
    """A server that speaks bytes; yields its port.

    Args:
        talk: called for each connection.
        first: before anything is read there; else when a request's head was.
    """
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            if not first:
                await reader.readuntil(b"\r\n\r\n")
            await talk(reader, writer)
        except (OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


class Names(AbstractResolver):
    """Resolves every name to what the test says, a new answer each time; the last one stays."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [result(host, address, port) for address in answer]

    async def close(self) -> None:
        pass


class Zone(AbstractResolver):
    """A name server: names with addresses, or with other names that stand for them (CNAME).

    What it does not know it resolves as the system does without asking anybody: odd forms of addresses.
    """

    def __init__(self, records: dict[str, list[str]]) -> None:
        self.records = records

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [result(host, address, port) for address in self._addresses(host, 8)]

    def _addresses(self, name: str, links: int) -> list[str]:
        if links == 0:
            raise socket.gaierror(socket.EAI_FAIL, "the chain of names has no end")
        if (values := self.records.get(name.rstrip(".").lower())) is not None:
            return [address for value in values for address in self._addresses(value, links - 1)]
        found = socket.getaddrinfo(name, 0, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return [str(address[0]) for *_, address in found]

    async def close(self) -> None:
        pass


def result(host: str, address: str, port: int) -> ResolveResult:
    return ResolveResult(
        hostname=host,
        host=address,
        port=port,
        family=socket.AF_INET6 if ":" in address else socket.AF_INET,
        proto=socket.IPPROTO_TCP,
        flags=socket.AI_NUMERICHOST,
    )
