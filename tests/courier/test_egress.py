"""Where no delivery may go: a table of targets, with a receiver on loopback that must never hear of one.

Each row goes through a real attempt, directly and with an egress proxy. 127.0.0.2 plays an address of the
public internet here (the guard is told to allow it), so that what is good can be reached without a network.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import cast

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult

from actors.courier.addresses import Guard
from actors.courier.retry import Failure
from tests.courier.forward_proxy import forward_proxy
from tests.courier.outside import Names, Zone, egress, post, result
from tests.courier.receiver import Got, Receiver

GOOD = "127.0.0.2"
LITERALS = {
    # IPv4: loopback, private, and everything else that is not the public internet
    "127.0.0.1": "loopback",
    "127.255.255.254": "end of loopback",
    "0.0.0.0": "this host",
    "0.1.2.3": "this network",
    "10.0.0.1": "private, class A",
    "172.16.0.1": "private, class B",
    "172.31.255.255": "end of private, class B",
    "192.168.0.1": "private, class C",
    "100.64.0.1": "carrier-grade NAT",
    "169.254.0.1": "link-local",
    "192.0.0.1": "protocol assignments",
    "192.0.2.1": "documentation 1",
    "198.51.100.1": "documentation 2",
    "203.0.113.1": "documentation 3",
    "192.31.196.1": "AS112",
    "192.52.193.1": "AMT relay",
    "192.88.99.1": "6to4 relay",
    "192.175.48.1": "AS112, direct delegation",
    "198.18.0.1": "benchmarks",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast of SSDP",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
    # addresses at which clouds hand out credentials
    "169.254.169.254": "metadata of AWS, GCP, Azure and others",
    "169.254.170.2": "credentials of AWS tasks",
    "169.254.170.23": "credentials of AWS pods",
    "100.100.100.200": "metadata of Alibaba",
    "168.63.129.16": "wire server of Azure",
    "192.0.0.192": "metadata of Oracle",
    "[fd00:ec2::254]": "metadata of AWS by IPv6",
    "[fd20:ce::254]": "metadata of GCP by IPv6",
    # other forms of 127.0.0.1
    "2130706433": "one decimal number",
    "0x7f000001": "one hexadecimal number",
    "017700000001": "one octal number",
    "127.1": "two parts",
    "127.0.1": "three parts",
    "0": "0.0.0.0 in short",
    "0x7f.1": "hexadecimal, two parts",
    "0x7f.0.0.0x1": "hexadecimal parts",
    "0177.0.0.1": "octal part",
    "0177.0.0.01": "octal parts",
    "127.0.0.01": "leading zero",
    "127.0.0.1.": "trailing dot",
    "2130706433.": "one number, trailing dot",
    "127.0.0.257": "part that is too large",
    "%31%32%37.0.0.1": "percent-encoded digits",
    "127%2e0%2e0%2e1": "percent-encoded dots",
    "127.0.0.1%00.example": "percent-encoded end of text",
    "１２７.０.０.１": "full-width digits",
    "①②⑦.⓪.⓪.①": "digits in circles",
    "127。0。0。1": "ideographic full stops",
    # IPv6
    "[::1]": "loopback",
    "[0:0:0:0:0:0:0:1]": "loopback in full",
    "[::]": "this host",
    "[::ffff:127.0.0.1]": "IPv4-mapped",
    "[::ffff:7f00:1]": "IPv4-mapped, in hexadecimal",
    "[::ffff:169.254.169.254]": "IPv4-mapped metadata",
    "[::127.0.0.1]": "IPv4-compatible",
    "[::ffff:0:127.0.0.1]": "IPv4-translated",
    "[64:ff9b::127.0.0.1]": "NAT64",
    "[64:ff9b::a9fe:a9fe]": "NAT64 of metadata",
    "[64:ff9b:1::7f00:1]": "NAT64, local use",
    "[2002:7f00:1::]": "6to4 of loopback",
    "[2002:a00:1::1]": "6to4 of a private address",
    "[2001:0:4136:e378:8000:63bf:80ff:fffe]": "Teredo of 127.0.0.1",
    "[2a00:1450::5efe:127.0.0.1]": "ISATAP of loopback",
    "[2a00:1450::200:5efe:10.0.0.1]": "ISATAP of a private address",
    "[fc00::1]": "unique local",
    "[fd12:3456::1]": "unique local, assigned",
    "[fe80::1]": "link-local",
    "[fe80::1%25lo]": "link-local with an encoded zone",
    "[fe80::1%lo]": "link-local with a zone",
    "[fec0::1]": "site-local",
    "[ff02::1]": "multicast",
    "[ff0e::1]": "global multicast",
    "[100::1]": "discard only",
    "[2001:db8::1]": "documentation",
    "[3fff::1]": "documentation, the newer one",
    "[2001:20::1]": "ORCHID",
    "[5f00::1]": "segment routing",
    "[2620:4f:8000::1]": "AS112",
}
"""What stands in a URL, and what it is."""

NAMES = {
    "localhost": ["127.0.0.1"],
    "localhost.": ["127.0.0.1"],
    "LocalHost": ["127.0.0.1"],
    "localhost.localdomain": ["127.0.0.1"],
    "sub.localhost": ["127.0.0.1"],
    "ip6-localhost": ["::1"],
    "127.0.0.1.nip.example": ["127.0.0.1"],
    "loopback6.example": ["::1"],
    "private.example": ["10.0.0.1"],
    "unspecified.example": ["0.0.0.0"],
    "mapped.example": ["::ffff:127.0.0.1"],
    "nat64.example": ["64:ff9b::7f00:1"],
    "zone.example": ["fe80::1%lo"],
    "metadata.google.internal": ["169.254.169.254"],
    "instance-data.ec2.internal": ["169.254.169.254"],
    "metadata.azure.internal": ["169.254.169.254"],
    "two-bad.example": ["10.0.0.1", "127.0.0.1"],
    "two-kinds.example": ["::1", "127.0.0.1"],
    # names that stand for others (CNAME)
    "alias.example": ["localhost"],
    "long.example": ["longer.example"],
    "longer.example": ["longest.example"],
    "longest.example": ["metadata.google.internal"],
    "odd-alias.example": ["0x7f.1"],
}
"""Names with what a name server says of them: addresses, or another name. None may be called."""
ZONE = Zone({name.rstrip(".").lower(): values for name, values in NAMES.items()})
HOSTS = [*LITERALS, *NAMES]
STRICT = Guard(allow=[GOOD])


@dataclass
class Trap:
    """Listens at every loopback address that a forbidden target can mean, and counts who connects."""

    port: int = 0
    connections: int = 0
    _servers: list[asyncio.Server] = field(default_factory=list)

    async def start(self) -> None:
        first = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(first.sockets[0].getsockname()[1])
        self._servers = [first, await asyncio.start_server(self._serve, "::1", self.port)]

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
            await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
        writer.close()


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    found = Trap()
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def public(trap: Trap) -> AsyncIterator[Receiver]:
    """A good endpoint with the same port as the trap, at another address."""
    server = Receiver(port=trap.port, host=GOOD)
    await server.start()
    yield server
    await server.stop()


def test_the_table_is_large_enough() -> None:
    assert len(HOSTS) == len(set(HOSTS)) >= 60


@pytest.mark.parametrize("host", HOSTS, ids=[f"{LITERALS.get(host, 'name')}: {host}" for host in HOSTS])
async def test_nobody_is_reached_who_may_not_be(trap: Trap, host: str) -> None:
    async with egress(STRICT, ZONE) as out:
        outcome = await post(out, f"http://{host}:{trap.port}/")
    assert outcome.failure is Failure.FORBIDDEN
    assert "not allowed" in (outcome.error or "")
    assert trap.connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_is_asked_for_none_of_them(trap: Trap, scheme: str) -> None:
    async with forward_proxy() as proxy, egress(STRICT, ZONE, proxy=proxy.url) as out:
        for host in HOSTS:
            outcome = await post(out, f"{scheme}://{host}:{trap.port}/")
            assert (host, outcome.failure) == (host, Failure.FORBIDDEN)
        assert proxy.asked == []
    assert trap.connections == 0


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "localhost", "two-kinds.example"]
)
async def test_the_trap_would_be_reached(trap: Trap, host: str) -> None:
    """The table means something: without the guard the same targets lead to the trap."""
    async with egress(Guard(allow_private=True), ZONE) as out:
        assert (await post(out, f"http://{host}:{trap.port}/")).ok
    assert trap.connections == 1


async def test_a_public_address_is_reached(trap: Trap, public: Receiver) -> None:
    async with egress(STRICT, Zone({"hook.example": [GOOD]})) as out:
        for host in (GOOD, "hook.example", "hook.example."):
            assert (await post(out, f"http://{host}:{public.port}/")).ok
    assert (len(public.got), trap.connections) == (3, 0)


@pytest.mark.parametrize("allowed", ["localhost", "LOCALHOST.", "127.0.0.0/8", "127.0.0.1"])
async def test_what_the_settings_allow_is_reached(trap: Trap, allowed: str) -> None:
    async with egress(Guard(allow=[allowed]), ZONE) as out:
        assert (await post(out, f"http://localhost:{trap.port}/")).ok
        others = await post(out, f"http://two-bad.example:{trap.port}/")
        assert others.ok is allowed.startswith("127")
    assert trap.connections == 1 + others.ok


@pytest.mark.parametrize("addresses", [["127.0.0.1", GOOD], [GOOD, "127.0.0.1"], ["::1", GOOD, "10.0.0.1"]])
async def test_of_good_and_bad_addresses_only_the_good_are_connected_to(
    trap: Trap, public: Receiver, addresses: list[str]
) -> None:
    zone = Zone({"mixed.example": addresses})
    async with egress(STRICT, zone) as out:
        assert (await post(out, f"http://mixed.example:{trap.port}/")).ok
    # Through a proxy nobody knows which one it would take.
    async with forward_proxy() as proxy, egress(STRICT, zone, proxy=proxy.url) as out:
        outcome = await post(out, f"http://mixed.example:{trap.port}/")
        assert (outcome.failure, proxy.asked) == (Failure.FORBIDDEN, [])
    assert (len(public.got), trap.connections) == (1, 0)


async def test_a_name_that_turns_bad_between_two_requests_is_refused(trap: Trap, public: Receiver) -> None:
    names = Names([GOOD], ["127.0.0.1"])
    for expected in (None, Failure.FORBIDDEN, Failure.FORBIDDEN):
        async with egress(STRICT, names) as out:  # anew: otherwise the first answer is remembered
            assert (await post(out, f"http://rebind.example:{trap.port}/")).failure is expected
    assert (len(public.got), trap.connections) == (1, 0)


async def test_a_name_that_turns_bad_between_check_and_connect_is_refused(trap: Trap) -> None:
    names = Names(["93.184.216.34"], ["127.0.0.1"])
    checked = await names.resolve("rebind.example")
    assert STRICT.refusal(checked[0]["host"]) is None
    async with egress(STRICT, names) as out:
        outcome = await post(out, f"http://rebind.example:{trap.port}/")
    assert (names.asked, outcome.failure, trap.connections) == (2, Failure.FORBIDDEN, 0)


async def test_an_address_that_turns_bad_between_look_up_and_connect_is_refused(trap: Trap) -> None:
    """What the name server's answer was does not matter: the address that is connected to does."""

    class Fickle(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            return [cast("ResolveResult", Turning(result(host, GOOD, port)))]

    class Turning(dict[str, object]):
        looks = 0

        def __getitem__(self, key: str) -> object:
            self.looks += key == "host"
            return "127.0.0.1" if key == "host" and self.looks > 1 else super().__getitem__(key)

    async with egress(STRICT, Fickle()) as out:
        outcome = await post(out, f"http://rebind.example:{trap.port}/")
    assert (outcome.failure, trap.connections) == (Failure.FORBIDDEN, 0)


async def test_a_name_that_turns_bad_on_its_way_past_the_proxy_is_refused(
    trap: Trap, public: Receiver
) -> None:
    """Allowed addresses go past the proxy; the name is looked up again then, and judged again."""
    names = Names([GOOD], ["127.0.0.1"])
    async with forward_proxy() as proxy, egress(STRICT, names, proxy=proxy.url) as out:
        outcome = await post(out, f"http://rebind.example:{trap.port}/")
    assert (names.asked, outcome.failure, trap.connections) == (2, Failure.FORBIDDEN, 0)
    assert (proxy.asked, public.got) == ([], [])


async def test_a_chain_of_names_without_an_end_is_no_name(trap: Trap) -> None:
    zone = Zone({"a.example": ["b.example"], "b.example": ["a.example"]})
    async with egress(STRICT, zone) as out:
        assert (await post(out, f"http://a.example:{trap.port}/")).failure is Failure.NAME
    async with egress(STRICT, zone, proxy="http://127.0.0.1:1") as out:
        assert (await post(out, f"http://a.example:{trap.port}/")).failure is Failure.NAME


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["http://127.0.0.1:{port}/", "//[::1]:{port}/", "http://localhost:{port}/"]
)
async def test_no_redirect_leads_there(trap: Trap, public: Receiver, status: int, location: str) -> None:
    async def elsewhere(got: Got, request: web.Request) -> web.Response:
        return web.Response(status=status, headers={"location": location.format(port=trap.port)})

    public.answer(elsewhere)
    async with egress(STRICT, ZONE) as out:
        outcome = await post(out, f"http://{GOOD}:{public.port}/")
    assert (outcome.failure, outcome.status) == (Failure.STATUS, status)
    assert (len(public.got), trap.connections) == (1, 0)
