"""Deliveries through an egress proxy, and how its failures are told from an endpoint's."""

from __future__ import annotations

import asyncio
import base64
import socket

import pytest
from aiohttp import web
from pydantic import ValidationError

from actors.courier.addresses import Guard
from actors.courier.retry import Blame, Failure, Policy, Verdict, blame, judge
from actors.settings import CourierSettings, Settings
from tests.courier.authority import Authority
from tests.courier.conftest import MakeAccount, MakeSettings, StartCourier
from tests.courier.forward_proxy import forward_proxy
from tests.courier.outside import Names, Zone, egress, post
from tests.courier.receiver import Got, Receiver

AUTHORITY = Authority()
PUBLIC = Zone({"hook.example": ["93.184.216.34"], "exämple.example": ["93.184.216.34"]})
"""Names with a public address. Nobody connects to it: the proxy of the tests leads to loopback."""


async def test_http_goes_through_it_in_absolute_form(receiver: Receiver) -> None:
    async with forward_proxy() as proxy, egress(Guard(), PUBLIC, proxy=proxy.url) as out:
        url = f"http://hook.example:{receiver.port}/a?b=c"
        assert (await post(out, url)).ok
        method, target, headers = proxy.asked[0]
    assert (method, target, headers["host"]) == ("POST", url, f"hook.example:{receiver.port}")
    assert [got.path for got in receiver.got] == ["/a"]


async def test_https_goes_through_a_tunnel_with_the_client_certificate() -> None:
    vault = Receiver(tls=AUTHORITY.server(demands=AUTHORITY))
    await vault.start()
    async with forward_proxy() as proxy, egress(Guard(), PUBLIC, proxy=proxy.url) as out:
        for _ in range(2):
            outcome = await post(out, f"https://hook.example:{vault.port}/", tls=AUTHORITY.client())
            assert outcome.ok, outcome.error
        # Only who we are talking to is in the clear.
        assert [(method, target) for method, target, _ in proxy.asked] == 2 * [
            ("CONNECT", f"hook.example:{vault.port}")
        ]
        assert not {"webhook-signature", "webhook-id"} & set(proxy.asked[0][2])
    await vault.stop()
    assert len(vault.got) == 2


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_it_gets_its_password_and_the_endpoint_does_not(scheme: str) -> None:
    server = Receiver(tls=AUTHORITY.server() if scheme == "https" else None)
    await server.start()
    async with forward_proxy() as proxy:
        url = proxy.url.replace("//", "//malote:p%40ss@")
        async with egress(Guard(), PUBLIC, proxy=url) as out:
            for _ in range(2):
                target = f"{scheme}://hook.example:{server.port}/"
                assert (await post(out, target, tls=AUTHORITY.client() if server.tls else None)).ok
    expected = f"Basic {base64.b64encode(b'malote:p@ss').decode()}"
    assert {headers["proxy-authorization"] for _, _, headers in proxy.asked} == {expected}
    assert all(server.tls is None or "proxy-authorization" not in got.headers for got in server.got)
    await server.stop()


@pytest.mark.parametrize("allow", ["hook.example", "127.0.0.0/8"])
async def test_allowed_hosts_and_networks_are_connected_to_directly(receiver: Receiver, allow: str) -> None:
    zone = Zone({"hook.example": ["127.0.0.1"]})
    async with forward_proxy() as proxy, egress(Guard(allow=[allow]), zone, proxy=proxy.url) as out:
        assert (await post(out, f"http://hook.example:{receiver.port}/")).ok
        if "/" in allow:
            assert (await post(out, f"http://127.0.0.1:{receiver.port}/")).ok
        assert proxy.asked == []


async def test_allowing_private_addresses_does_not_avoid_it(receiver: Receiver) -> None:
    async with forward_proxy() as proxy, egress(proxy=proxy.url) as out:
        assert (await post(out, receiver.url())).ok
        assert len(proxy.asked) == 1


async def test_every_request_is_judged_anew(receiver: Receiver) -> None:
    names = Names(["93.184.216.34"], ["10.0.0.1"])
    async with forward_proxy() as proxy, egress(Guard(), names, proxy=proxy.url) as out:
        assert (await post(out, f"http://hook.example:{receiver.port}/")).ok
        outcome = await post(out, f"http://hook.example:{receiver.port}/")
        assert (outcome.failure, len(proxy.asked)) == (Failure.FORBIDDEN, 1)


async def test_a_name_server_that_hangs_is_a_connect_timeout() -> None:
    class Slow(Names):
        async def resolve(self, *args: object, **kwargs: object) -> list[object]:  # type: ignore[override]
            return await asyncio.Event().wait() or []

    async with forward_proxy() as proxy, egress(Guard(), Slow(), proxy=proxy.url) as out:
        outcome = await post(out, "https://hook.example/", connect_timeout=0.1)
        assert (outcome.failure, proxy.asked) == (Failure.CONNECT_TIMEOUT, [])


async def test_a_name_without_an_address_is_not_asked_for() -> None:
    async with forward_proxy() as proxy, egress(Guard(), Names([]), proxy=proxy.url) as out:
        outcome = await post(out, "https://hook.example/")
        assert (outcome.failure, proxy.asked) == (Failure.NAME, [])


# ---- failures ----


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_nobody_listens_there(scheme: str) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        async with egress(Guard(), PUBLIC, proxy=f"http://malote:password@{address}") as out:
            outcome = await post(out, f"{scheme}://hook.example/")
    assert outcome.failure is Failure.PROXY
    assert outcome.error == "no connection to the egress proxy: Connection refused"


async def test_its_name_does_not_exist() -> None:
    async with egress(Guard(), PUBLIC, proxy="http://proxy.invalid:3128") as out:
        outcome = await post(out, "https://hook.example/")
    assert (outcome.failure, outcome.error) == (
        Failure.PROXY,
        "the egress proxy's name cannot be resolved",
    )


async def test_it_does_not_reach_the_endpoint() -> None:
    async with forward_proxy("502 Bad Gateway") as proxy, egress(Guard(), PUBLIC, proxy=proxy.url) as out:
        outcome = await post(out, "https://hook.example/")
    assert (outcome.failure, outcome.status) == (Failure.CONNECT, None)
    assert outcome.error == "the egress proxy did not reach it: HTTP 502"


@pytest.mark.parametrize("refusal", ["403 Forbidden", "407 Proxy Authentication Required"])
async def test_it_refuses_the_tunnel(refusal: str) -> None:
    async with forward_proxy(refusal) as proxy, egress(Guard(), PUBLIC, proxy=proxy.url) as out:
        outcome = await post(out, "https://hook.example/")
    assert (outcome.failure, outcome.status) == (Failure.PROXY, None)
    assert outcome.error == f"the egress proxy opened no way to it: HTTP {refusal[:3]}"


async def test_it_breaks_off_before_the_tunnel_stands() -> None:
    async with forward_proxy(silent=True) as proxy, egress(Guard(), PUBLIC, proxy=proxy.url) as out:
        outcome = await post(out, "https://hook.example/")
    assert outcome.failure is Failure.PROXY
    assert outcome.error == "the egress proxy broke off before there was a way to the endpoint"


async def test_it_asks_for_a_password_before_plain_http() -> None:
    refusal = "407 Proxy Authentication Required"
    async with forward_proxy(refusal) as proxy, egress(Guard(), PUBLIC, proxy=proxy.url) as out:
        outcome = await post(out, "http://hook.example/")
    assert (outcome.failure, outcome.status) == (Failure.PROXY, None)


async def test_statuses_of_plain_http_are_taken_for_the_endpoints() -> None:
    """A 502 of the proxy looks like one of an endpoint's own gateway."""
    async with forward_proxy("502 Bad Gateway") as proxy, egress(Guard(), PUBLIC, proxy=proxy.url) as out:
        outcome = await post(out, "http://hook.example/")
    assert (outcome.failure, outcome.status) == (Failure.STATUS, 502)


async def test_an_endpoint_fails_behind_it(receiver: Receiver) -> None:
    async def cut(got: Got, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    vault = Receiver(tls=AUTHORITY.server())
    vault.answer(cut)
    await vault.start()
    async with forward_proxy() as proxy, egress(Guard(), PUBLIC, proxy=proxy.url) as out:
        cut_off = await post(out, f"https://hook.example:{vault.port}/", tls=AUTHORITY.client())
        no_tls = await post(out, f"https://hook.example:{receiver.port}/")
        unknown_ca = await post(out, f"https://hook.example:{vault.port}/")
        assert len(proxy.asked) == 3
    await vault.stop()
    failures = (cut_off.failure, no_tls.failure, unknown_ca.failure)
    assert failures == (Failure.DISCONNECTED, Failure.TLS, Failure.TLS)


async def test_its_failures_are_not_held_against_an_event() -> None:
    async with forward_proxy("403 Forbidden") as proxy, egress(Guard(), PUBLIC, proxy=proxy.url) as out:
        outcome = await post(out, "https://hook.example/")
    policy = Policy(schedule=[1.0] * 100, jitter=0, retry_after_max=1, poison_attempts=2)
    verdict, _ = judge(outcome, attempt=50, policy=policy, now=0, dice=0, others_succeed=True)
    assert verdict is Verdict.RETRY
    assert blame(outcome) is Blame.NOBODY


# ---- the setting ----


async def test_a_courier_uses_the_setting(
    make_account: MakeAccount, make_settings: MakeSettings, start_courier: StartCourier, receiver: Receiver
) -> None:
    async with forward_proxy() as proxy:
        settings = make_settings(proxy=proxy.url)
        account = await make_account(by=settings)
        await account.endpoints.create(receiver.url())
        await start_courier(by=settings)
        await account.append()
        await receiver.wait_taken(1)
        assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    "url", ["https://malote:password@proxy", "proxy:3128", "http://", "http://malote:password@proxy:x",
            "http://malote:password@proxy/path", "socks5://proxy"],
)  # fmt: skip
def test_what_is_no_proxy(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALOTE_COURIER_PROXY", url)
    with pytest.raises(ValidationError, match="http://host:port") as caught:
        Settings()
    assert "password" not in str(caught.value).replace("user:password@host", "")


def test_its_password_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALOTE_COURIER_PROXY", "http://malote:password@proxy.example:3128")
    settings = Settings()
    assert settings.courier.proxy is not None
    assert settings.courier.proxy.get_secret_value().endswith("proxy.example:3128")
    assert "password" not in repr(settings) + settings.model_dump_json()
    assert CourierSettings.model_fields["proxy"].default is None
