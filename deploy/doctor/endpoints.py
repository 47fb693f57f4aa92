"""Whether the customers' endpoints can be reached from here. Nothing is posted to them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterable
from typing import NamedTuple

from yarl import URL

from actors.courier.addresses import Guard
from actors.courier.endpoints import Endpoints
from actors.registry import Registry
from actors.settings import Settings
from actors.store import Store, StoreUnavailable
from deploy.doctor.finding import Area, Finding

area = Area("endpoints")
MOST = 200
AT_A_TIME = 10


class Place(NamedTuple):
    """Where endpoints are; several may be at one."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


async def examine(settings: Settings, redis_url: str) -> list[Finding]:
    """Connect to every place that has endpoints, at most `MOST`."""
    store = Store(redis_url, settings.prefix)
    urls: list[str] = []
    off = 0
    try:
        for instance in await Registry(store).list():
            for endpoint in await Endpoints(store, instance.id, settings).list():
                off += not endpoint.enabled
                if endpoint.enabled:
                    urls.append(endpoint.url)
    except StoreUnavailable as error:
        return [area.skipped("all", str(error))]
    finally:
        await store.close()
    found = []
    if off:
        remedy = "Each says why: GET /v1/instances/{instance_id}/webhooks. Repair, then PATCH `enabled`."
        found.append(area.warning("switched off", f"{off} endpoints get nothing", remedy))
    if settings.courier.proxy is not None:
        proxy = URL(settings.courier.proxy.get_secret_value())
        places = [Place("http", proxy.host or "", proxy.port or 80)]
        guard = Guard(allow_private=True)
    else:
        places = sorted(places_of(urls))
        guard = Guard(allow_private=settings.courier.allow_private, allow=settings.allow_hosts)
    turn = asyncio.Semaphore(AT_A_TIME)

    async def one(place: Place) -> Finding:
        async with turn:
            return await reach(place, guard, settings.courier.connect_timeout)

    found += await asyncio.gather(*(one(place) for place in places[:MOST]))
    if len(places) > MOST:
        found.append(area.skipped("others", f"{len(places) - MOST} more places were not tried"))
    return found or [area.skipped("all", "there are none")]


def places_of(urls: Iterable[str]) -> set[Place]:
    """Where these are. Paths and queries are left out: they may hold secrets."""
    parsed = [URL(url) for url in urls]
    return {Place(url.scheme, url.host or "", url.port or 0) for url in parsed}


async def reach(place: Place, guard: Guard, timeout: float) -> Finding:
    """Resolve, judge the addresses, connect, greet by TLS."""
    subject = str(place)
    loop = asyncio.get_running_loop()
    if refusal := guard.host_refusal(place.host):
        return _forbidden(subject, refusal)
    try:
        async with asyncio.timeout(timeout):
            found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
            addresses = [str(entry[4][0]) for entry in found]
            trusted = guard.trusts(place.host)
            good = [one for one in addresses if trusted or guard.refusal(one) is None]
            if not good:
                return _forbidden(subject, f"{addresses[0]}: {guard.refusal(addresses[0])}")
            context = ssl.create_default_context() if place.scheme == "https" else None
            _, writer = await asyncio.open_connection(
                good[0], place.port, ssl=context, server_hostname=place.host if context else None
            )
    except socket.gaierror as error:
        return area.problem(
            subject, f"its name has no address: {error.strerror}", "See its name, and this DNS."
        )
    except ssl.SSLCertVerificationError as error:
        remedy = "Its owner has to renew or complete the certificate."
        return area.problem(subject, f"its certificate is not good: {error.verify_message}", remedy)
    except TimeoutError:
        remedy = "A firewall on the way drops it, or it is down."
        return area.problem(subject, f"no connection within {timeout:g} s", remedy)
    except OSError as error:
        return area.problem(subject, f"no connection: {error.strerror or error}", "See that it runs there.")
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return area.ok(subject, "it can be reached")


def _forbidden(subject: str, why: str) -> Finding:
    remedy = "If that is meant, name the host or its network in MALOTE_ALLOW_HOSTS."
    return area.problem(subject, f"deliveries are refused: {why}", remedy)
