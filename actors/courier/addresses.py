"""Which addresses an endpoint may have: the guard against requests forged through our server (SSRF). Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from yarl import URL

Network = IPv4Network | IPv6Network

FORBIDDEN_V4 = tuple(
    (IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("100.100.100.200/32", "cloud metadata"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "cloud metadata"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.31.196.0/24", "AS112"),
        ("192.52.193.0/24", "AMT"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "AS112"),
        ("198.18.0.0/15", "benchmarks"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
GLOBAL_V6 = IPv6Network("2000::/3")
FORBIDDEN_V6 = tuple(
    (IPv6Network(network), what)
    for network, what in (
        ("2001::/23", "protocol assignments, Teredo among them"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("2620:4f:8000::/48", "AS112"),
        ("3fff::/20", "documentation"),
    )
)
MAPPED = IPv6Network("::ffff:0:0/96")
NAT64 = IPv6Network("64:ff9b::/96")
ISATAP = frozenset({0x0000_5EFE, 0x0200_5EFE})
"""Bits 64 to 95 of an IPv6 address of any network that is tunnelled to the IPv4 address in its last 32."""
HOSTS_KEPT = 4096
"""Hosts of which it is remembered what they are: the same ones come with every attempt."""
NAME = re.compile(r"[0-9a-z_-]{1,63}(\.[0-9a-z_-]{1,63})*\.?", re.IGNORECASE)
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.IGNORECASE)


class Guard:
    """Decides about addresses, at the moment of connecting.

    Args:
        allow_private: let everything pass.
        allow: addresses or networks (``10.1.0.0/16``) that pass although they are private, and names of
            hosts whose addresses are not looked at.
    """

    def __init__(self, *, allow_private: bool = False, allow: Iterable[str] = ()) -> None:
        self._open = allow_private
        self._networks: list[Network] = []
        self._hosts: set[str] = set()
        for entry in allow:
            try:
                self._networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                self._hosts.add(_name(entry))

    def trusts(self, host: str) -> bool:
        """True if this host may have any address, by its name."""
        return self._open or self._named(host)

    def allows(self, host: str) -> bool:
        """True if `allow` names this host or this address itself."""
        ip = literal(host)
        return self._named(host) if ip is None else any(ip in network for network in self._networks)

    def refusal(self, address: str) -> str | None:
        """Why nobody may connect to this address, None if it is fine. Text that is no address is refused."""
        if self._open:
            return None
        ip = literal(address)
        if ip is None:
            return "not an address"
        return None if self.allows(address) else _refusal(ip)

    def host_refusal(self, host: str) -> str | None:
        """Why a URL may not have this host, None if it is fine or a name that has to be looked up.

        Everybody has to understand the same by it, a proxy too: what some programs take for an address
        (127.1, 0x7f000001) and others for a name is refused, and so is what is neither.
        """
        if self.trusts(host):
            return None
        if literal(host) is not None:
            return self.refusal(host)
        if not NAME.fullmatch(host):
            return "neither a name nor an address"
        if NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            return "not the usual form of an address"
        return None

    def _named(self, host: str) -> bool:
        return bool(self._hosts) and _name(host) in self._hosts


@lru_cache(HOSTS_KEPT)
def _name(host: str) -> str:
    # As a URL has it: a setting may be written with letters that are not ASCII.
    try:
        return (URL.build(scheme="http", host=host).raw_host or "").rstrip(".")
    except ValueError:
        return host


@lru_cache(HOSTS_KEPT)
def literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a host is in its usual form, None if it is none. A zone (fe80::1%eth0) is left out."""
    try:
        return ipaddress.ip_address(host.partition("%")[0] if ":" in host else host)
    except ValueError:
        return None


def _refusal(ip: IPv4Address | IPv6Address) -> str | None:
    if isinstance(ip, IPv4Address):
        return next((what for network, what in FORBIDDEN_V4 if ip in network), None)
    if ip in MAPPED or ip in NAT64:
        # Both reach the IPv4 address in their last 32 bits.
        return _refusal(IPv4Address(int(ip) & 0xFFFFFFFF))
    if ip not in GLOBAL_V6:
        return "not a global IPv6 address"
    if int(ip) >> 32 & 0xFFFF_FFFF in ISATAP and (what := _refusal(IPv4Address(int(ip) & 0xFFFF_FFFF))):
        return f"ISATAP, {what}"
    return next((what for network, what in FORBIDDEN_V6 if ip in network), None)
