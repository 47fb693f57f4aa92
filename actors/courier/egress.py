"""The way out: HTTP clients that connect only to addresses the guard lets pass."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from actors.courier.addresses import Guard

RESOLVER_THREADS = 32


class ForbiddenAddress(OSError):
    """The host has an address nobody may connect to."""


class Resolver(AbstractResolver):
    """Looks names up in threads of its own, so that a slow name server holds nothing else up."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVER_THREADS, thread_name_prefix="resolve")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of a host.

        Raises:
            OSError: it has none, or nobody knows.
        """
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads,
            lambda: socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG
            ),
        )
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=kind,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, proto, _, address in found
        ]

    async def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Egress:
    """HTTP clients for deliveries. Close it.

    Args:
        guard: decides about addresses.
        connect_timeout: seconds for name, TCP and TLS together.
        resolver: how names are looked up, by default as the system does.
    """

    def __init__(
        self, guard: Guard, *, connect_timeout: float, resolver: AbstractResolver | None = None
    ) -> None:
        self._guard = guard
        self._resolver = resolver or Resolver()
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=connect_timeout, sock_connect=connect_timeout
        )
        self._guarded = self._session(guarded=True)
        self._trusted = self._session(guarded=False)

    def client(self, url: URL) -> aiohttp.ClientSession:
        """The client for a URL. It has a deadline for connecting and none for the rest."""
        return self._trusted if self._guard.trusts(url.host or "") else self._guarded

    async def close(self) -> None:
        """Drop every connection."""
        await self._guarded.close()
        await self._trusted.close()
        await self._resolver.close()

    def _session(self, *, guarded: bool) -> aiohttp.ClientSession:
        # Permits limit the requests, so the pool need not: its queue would run on the clock of a request.
        connector = aiohttp.TCPConnector(
            limit=0,
            limit_per_host=0,
            resolver=self._resolver,
            socket_factory=self._guarded_socket if guarded else None,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=8190,
            max_field_size=8190,
        )

    def _guarded_socket(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        # Called with the address that is connected to, whatever the name resolved to before.
        family, kind, proto, _, address = info
        reason = self._guard.refusal(str(address[0]))
        if reason is not None:
            raise ForbiddenAddress(f"{address[0]} is not allowed: {reason}")
        return socket.socket(family, kind, proto)
