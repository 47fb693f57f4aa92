"""The way out: HTTP clients that connect only to addresses the guard lets pass."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Awaitable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from actors.courier.addressee import Addressee
from actors.courier.addresses import Guard, literal
from actors.courier.tls import ClientTls
from actors.courier.wire import FIELD, LINE, Wire, was_idle
from actors.courier.wire import Answer as WireAnswer

RESOLVER_THREADS = 32
CONTEXTS = 128
"""TLS contexts that are kept. One with the system's CAs has about 1 MB."""


Answer = WireAnswer | aiohttp.ClientResponse
"""Has a status, headers and a stream of content, and is released as a context."""


class ForbiddenAddress(OSError):
    """The host has an address nobody may connect to."""


class NameUnknown(OSError):
    """The host's name has no address that we know of."""


class Unreachable(OSError):
    """The egress proxy works, but the endpoint cannot be reached from it."""


class ProxyFailure(Exception):
    """The egress proxy did not do its part. Says nothing of where it is: customers read this."""


class Resolver(AbstractResolver):
    """Looks names up in threads of its own, so that a slow name server holds nothing else up.

    Args:
        reachable: only addresses of the kinds (IPv4, IPv6) that this machine has itself.
    """

    def __init__(self, *, reachable: bool = True) -> None:
        self._flags = socket.AI_ADDRCONFIG if reachable else 0
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
            lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family, flags=self._flags),
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


class _Judged(AbstractResolver):
    """Leaves out the addresses that the guard refuses. Nothing depends on it but a clear error."""

    def __init__(self, resolver: AbstractResolver, guard: Guard) -> None:
        self._resolver = resolver
        self._guard = guard

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The addresses of a host that may be connected to.

        Raises:
            ForbiddenAddress: it has others only.
            OSError: it has none, or nobody knows.
        """
        found = await self._resolver.resolve(host, port, family)
        good = [one for one in found if self._guard.refusal(one["host"]) is None]
        if found and not good:
            raise _forbidden(found[0]["host"], self._guard.refusal(found[0]["host"]))
        return good

    async def close(self) -> None:
        """Its resolver is closed by whoever made that."""


@dataclass(slots=True)
class _Trail:
    """How far a request got.

    Args:
        connected: there is a connection to the endpoint.
        used: it served before.
    """

    connected: bool = False
    used: bool = False


class Egress:
    """HTTP clients for deliveries, and for files that customers name by URL. Close it.

    With a proxy, the hosts and networks that the guard was told to allow are still connected to directly.
    What goes through the proxy is judged before each request, by the addresses that its name has for us. The
    proxy looks the name up again, and nothing holds it to our answer: it has to have rules of its own.

    Args:
        guard: decides about addresses.
        proxy: ``http://[user:password@]host[:port]``. Its own address is not judged.
        resolver: how names are looked up, by default as the system does.
    """

    def __init__(
        self, guard: Guard, *, proxy: str | None = None, resolver: AbstractResolver | None = None
    ) -> None:
        self._guard = guard
        self._proxy = URL(proxy) if proxy else None
        # A proxy may have IPv6 where this machine has none, so all addresses of a name are looked at.
        self._resolver = resolver or Resolver(reachable=proxy is None)
        self._contexts: OrderedDict[ClientTls, ssl.SSLContext] = OrderedDict()
        self._making = asyncio.Lock()
        self._wire = Wire()
        self._sessions = {
            (guarded, new): self._session(guarded=guarded, new=new)
            for guarded in (True, False)
            for new in (True, False)
        }

    async def post(self, to: Addressee, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post once. There is a deadline for connecting and none for the rest; no redirect is followed.

        Whoever gets the answer has to read it to its end or close it. Connections are shared only under the
        same certificate.

        Args:
            headers: what this request has beside the addressee's.

        Raises:
            ForbiddenAddress: before or (in an aiohttp.ClientConnectorError) while connecting.
            ProxyFailure, Unreachable, UnusableTls
            aiohttp.ClientError, OSError: anything else; aiohttp.ServerTimeoutError is the deadline's.
        """
        if self._proxy is None and to.tls is None:
            return await self._post_directly(to, headers, body)
        return await self._post_by_session(to, CIMultiDict(to.headers, **headers), body)

    async def _post_directly(self, to: Addressee, headers: Mapping[str, str], body: bytes) -> Answer:
        session = self._clients(to.url.raw_host or "", new=False)
        assert session.connector is not None
        head = "".join([f"{name}: {value}\r\n" for name, value in headers.items()]).encode()
        connecting = _connect_within(to.connect_timeout)
        return await self._wire.post(session.connector, to.target, head, body, connecting)

    async def _post_by_session(
        self, to: Addressee, headers: CIMultiDict[str], body: bytes
    ) -> aiohttp.ClientResponse:
        def send(trail: _Trail, *, new: bool) -> Awaitable[aiohttp.ClientResponse]:
            return self._send(
                "POST",
                to.url,
                body=body,
                headers=headers,
                connect_timeout=to.connect_timeout,
                tls=to.tls,
                trail=trail,
                new=new,
            )

        trail, began = _Trail(), time.monotonic()
        try:
            return await send(trail, new=False)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            if not trail.used or not was_idle(error, began):
                raise
        return await send(_Trail(), new=True)  # as `Wire.post` does, for the same reason

    async def get(
        self, url: URL, *, headers: Mapping[str, str], connect_timeout: float
    ) -> aiohttp.ClientResponse:
        """Get once, like `post`. Nothing is decompressed; redirects are the caller's to follow."""
        return await self._send(
            "GET",
            url,
            body=None,
            headers=headers,
            connect_timeout=connect_timeout,
            tls=None,
            trail=_Trail(),
            new=False,
        )

    async def _send(
        self,
        method: str,
        url: URL,
        *,
        body: bytes | None,
        headers: Mapping[str, str],
        connect_timeout: float,
        tls: ClientTls | None,
        trail: _Trail,
        new: bool,
    ) -> aiohttp.ClientResponse:
        host = url.raw_host or ""
        session = self._clients(host, new=new)
        began = time.monotonic()
        context = True if tls is None else await self._context(tls)
        proxy = None if self._proxy is None else await self._proxy_for(host, connect_timeout)
        left = connect_timeout
        if tls is not None or self._proxy is not None:
            left = max(0.001, left - (time.monotonic() - began))  # 0 would be no deadline
        if proxy is not None:
            session = self._sessions[False, new]
        try:
            response = await session.request(
                method,
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                ssl=context,
                proxy=proxy,
                timeout=_connect_within(left),
                trace_request_ctx=trail,
            )
        except aiohttp.ClientHttpProxyError as error:
            if error.status >= 500:
                raise Unreachable(f"the egress proxy did not reach it: HTTP {error.status}") from error
            raise ProxyFailure(f"the egress proxy opened no way to it: HTTP {error.status}") from error
        except aiohttp.ClientError as error:
            failure = None if proxy is None else _proxy_failure(error, trail)
            if failure is None:
                raise
            raise ProxyFailure(failure) from error
        # An endpoint has no reason to ask for a proxy's password; other statuses may be either's.
        if proxy is not None and url.scheme == "http" and response.status == 407:
            response.close()
            raise ProxyFailure("the egress proxy refused: HTTP 407")
        return response

    async def close(self) -> None:
        """Drop every connection."""
        for session in self._sessions.values():
            await session.close()
        await self._resolver.close()

    def _clients(self, host: str, *, new: bool) -> aiohttp.ClientSession:
        """The clients that may connect to a host directly.

        Args:
            new: those that make a connection for each request.
        """
        if (reason := self._guard.host_refusal(host)) is not None:
            raise _forbidden(host, reason)
        return self._sessions[not self._guard.trusts(host), new]

    async def _proxy_for(self, host: str, seconds: float) -> URL | None:
        if self._proxy is None or self._guard.allows(host):
            return None
        if literal(host) is not None:
            return self._proxy
        try:
            async with asyncio.timeout(seconds):
                found = await self._resolver.resolve(host, 0, socket.AF_UNSPEC)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("the host's name was not resolved in time") from error
        except OSError as error:
            raise NameUnknown(error.strerror or str(error)) from error
        if not found:
            raise NameUnknown("it has no address")
        addresses = [one["host"] for one in found]
        if all(self._guard.allows(address) for address in addresses):
            return None  # the guard sees to it again, when connecting
        for address in addresses:
            if (reason := self._guard.refusal(address)) is not None:
                raise _forbidden(address, reason)
        return self._proxy

    async def _context(self, tls: ClientTls) -> ssl.SSLContext:
        if tls not in self._contexts:
            async with self._making:
                if tls not in self._contexts:
                    self._contexts[tls] = await asyncio.to_thread(tls.context)
                    while len(self._contexts) > CONTEXTS:
                        self._contexts.popitem(last=False)
        self._contexts.move_to_end(tls)
        return self._contexts[tls]

    def _session(self, *, guarded: bool, new: bool) -> aiohttp.ClientSession:
        # Permits limit the requests, so the pool need not: its queue would run on the clock of a request.
        connector = aiohttp.TCPConnector(
            limit=0,
            limit_per_host=0,
            force_close=new,
            resolver=_Judged(self._resolver, self._guard) if guarded else self._resolver,
            socket_factory=self._guarded_socket if guarded else None,
        )
        trace = aiohttp.TraceConfig()
        trace.on_connection_create_end.append(_connected)
        trace.on_connection_reuseconn.append(_reused)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            max_line_size=LINE,
            max_field_size=FIELD,
            trace_configs=[trace],
        )

    def _guarded_socket(self, info: tuple[Any, Any, int, str, tuple[Any, ...]]) -> socket.socket:
        # Called with the address that is connected to, whatever the name resolved to before.
        family, kind, proto, _, address = info
        reason = self._guard.refusal(str(address[0]))
        if reason is not None:
            raise _forbidden(address[0], reason)
        return socket.socket(family, kind, proto)


@lru_cache(maxsize=64)
def _connect_within(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=None, connect=seconds, sock_connect=seconds)


def _forbidden(address: str, reason: str | None) -> ForbiddenAddress:
    return ForbiddenAddress(f"{address} is not allowed: {reason}")


async def _connected(session: aiohttp.ClientSession, trace: SimpleNamespace, details: object) -> None:
    trail = trace.trace_request_ctx
    assert isinstance(trail, _Trail)
    trail.connected = True


async def _reused(session: aiohttp.ClientSession, trace: SimpleNamespace, details: object) -> None:
    trail = trace.trace_request_ctx
    assert isinstance(trail, _Trail)
    trail.connected = trail.used = True


def _proxy_failure(error: aiohttp.ClientError, trail: _Trail) -> str | None:
    # What has no word about the proxy in it is the endpoint's, as far as can be told from here.
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "the egress proxy's name cannot be resolved"
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        number = error.os_error.errno
        return "no connection to the egress proxy" + (f": {os.strerror(number)}" if number else "")
    if not trail.connected and not isinstance(
        error, aiohttp.ClientConnectorError | aiohttp.ServerTimeoutError
    ):
        return "the egress proxy broke off before there was a way to the endpoint"
    return None
