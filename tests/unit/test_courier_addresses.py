"""The guard, by table."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.courier.addresses import Guard

FORBIDDEN_LINES = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1 127.1.2.3
127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 169.254.170.23 172.16.0.1
172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.192 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.168.0.1
192.168.255.255 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250
240.0.0.1 255.255.255.255
:: ::1 ::127.0.0.1 ::10.0.0.1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:10.0.0.1 ::ffff:169.254.169.254
::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b::10.0.0.1 64:ff9b:1::1
64:ff9b:1:ffff::7f00:1 100::1 2001::1 2001:0:7f00:1::1 2001:10::1 2001:20::1 2001:2::1 2001:db8::1
2002:7f00:1:: 2002:a9fe:a9fe::1 2002:c0a8:1::1 2620:4f:8000::1 3fff::1 5f00::1 fc00::1 fd00:ec2::254 fdff::1
fe80::1 fe80::1%eth0 febf::1 fec0::1 feff::1 ff02::1 ff0e::1 4000::1 ffff::1
2a00::5efe:7f00:1 2a00::5efe:10.0.0.1 2a00::200:5efe:169.254.169.254
"""

ALLOWED_LINES = """
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 169.253.255.255
169.255.0.1 172.15.255.255 172.32.0.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 223.255.255.255
2606:4700:4700::1111 2001:4860:4860::8888 2003::1 2a00::1 ::ffff:8.8.8.8 64:ff9b::8.8.8.8
2a00::5efe:8.8.8.8 2a00::100:5efe:10.0.0.1
"""
FORBIDDEN, ALLOWED = FORBIDDEN_LINES.split(), ALLOWED_LINES.split()


@pytest.mark.parametrize("address", FORBIDDEN)
def test_forbidden(address: str) -> None:
    assert Guard().refusal(address) is not None


@pytest.mark.parametrize("address", ALLOWED)
def test_allowed(address: str) -> None:
    assert Guard().refusal(address) is None


@pytest.mark.parametrize("text", ["", "localhost", "0x7f.1", "2130706433", "127.1", "1.1.1.1.1", "010.1.1.1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    assert Guard().refusal(text) is not None


@given(st.ip_addresses())
def test_whatever_passes_is_global(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if Guard().refusal(str(ip)) is None:
        inner = ip
        if isinstance(ip, ipaddress.IPv6Address) and ip not in ipaddress.ip_network("2000::/3"):
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        assert inner.is_global
        assert not inner.is_multicast
        assert not inner.is_loopback
        assert not inner.is_link_local
        assert not inner.is_private


def test_the_table_is_large_enough() -> None:
    assert len(set(FORBIDDEN)) >= 60


def test_what_the_settings_allow_passes() -> None:
    guard = Guard(allow=("10.1.0.0/16", "fd00::/8", "192.168.1.5", "Hooks.Internal."))
    for address in ("10.1.2.3", "fd00:ec2::254", "192.168.1.5"):
        assert guard.refusal(address) is None
    for address in ("10.2.0.1", "192.168.1.6", "127.0.0.1", "fe80::1"):
        assert guard.refusal(address) is not None
    assert guard.trusts("hooks.internal")
    assert not guard.trusts("internal")
    assert not guard.trusts("a.hooks.internal")
    assert not Guard(allow_private=True).allows("anything")
    assert guard.allows("hooks.internal.")
    assert guard.allows("10.1.2.3")
    assert not guard.allows("8.8.8.8")
    assert Guard(allow_private=True).trusts("anything")
    assert Guard(allow_private=True).refusal("127.0.0.1") is None


def test_an_allowed_name_may_be_written_in_its_own_letters() -> None:
    for name in ("exämple.internal", "EXÄMPLE.internal.", "xn--exmple-cua.internal"):
        assert Guard(allow=[name]).trusts("xn--exmple-cua.internal")


@pytest.mark.parametrize(
    "host", ["127.1", "0", "2130706433", "0x7f.1", "0x", "1.2.3.4.5", "127.0.0.1.", "a.0x1", "127.0.0.01"]
)
def test_a_host_that_ends_in_a_number_is_an_address_in_its_usual_form_or_none(host: str) -> None:
    assert Guard().host_refusal(host) == "not the usual form of an address"


@pytest.mark.parametrize(
    "host", ["", ".", "a..b", "%31.example", "a b", "a/b", "a\0b", "ä.example", "a" * 64]
)
def test_what_is_neither_a_name_nor_an_address(host: str) -> None:
    assert Guard().host_refusal(host) == "neither a name nor an address"


@pytest.mark.parametrize(
    "host", ["a.example", "a.example.", "A_b-1.example", "1.example", "8.8.8.8", "a", "x0x1"]
)
def test_names_and_public_addresses_are_hosts(host: str) -> None:
    assert Guard().host_refusal(host) is None
