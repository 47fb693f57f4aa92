"""The proxy of an instance: when it changes the instance disconnects, and connects through the new one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from actors.events import EventType
from actors.registry import ConnectionState
from lab.accounts import Device
from lab.connection import Connection
from lab.contact import Contact
from lab.network import Lab
from tests.api.world import running_world
from tests.courier.forward_proxy import ForwardProxy, forward_proxy
from tests.instance.conftest import PHONE, Running
from tests.instance.http import Gateway
from tests.wait import until

pytestmark = pytest.mark.engine
Own = Callable[..., Awaitable[Running]]


@pytest.fixture
async def proxies(lab: Lab) -> AsyncIterator[tuple[ForwardProxy, ForwardProxy]]:
    """Two that lead to the lab."""
    port = int(lab.target.address.rpartition(":")[2])
    async with forward_proxy(to=port) as first, forward_proxy(to=port) as second:
        yield first, second


async def test_a_changed_proxy_is_used_at_once(
    own: Own,
    friend: Contact,
    lab: Lab,
    redis_url: str,
    prefix: str,
    proxies: tuple[ForwardProxy, ForwardProxy],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = await own()
    await one.pair()
    attach, replaced = lab.board.attach, []

    def attached(device: Device, connection: Connection) -> Connection | None:
        older = attach(device, connection)
        if device.account.phone == PHONE:
            replaced.append(older)
        return older

    monkeypatch.setattr(lab.board, "attach", attached)
    async with running_world(redis_url, prefix) as world:
        gateway = Gateway(world, one)
        texts = []
        for number, proxy in enumerate((*proxies, None)):
            before = lab.board.connection(lab.device(PHONE, 1))
            queued = await one.send(f"out {number}")
            await gateway.configure({"proxy": proxy.url if proxy else None})

            def anew(before: object = before) -> bool:
                now = lab.board.connection(lab.device(PHONE, 1))
                return now not in (None, before) and one.instance._connector.online.is_set()

            await until(anew, what="connected anew")
            asked = [(method, target) for method, target, _ in proxy.asked] if proxy else []
            assert ("CONNECT", "web.whatsapp.com:443") in asked or proxy is None
            await friend.write(PHONE, f"in {number}")
            texts.append(f"in {number}")

            async def arrived(queued: str = queued) -> bool:
                return await one.received() == texts and any(a.id == queued for a in friend.arrivals())

            await until(arrived, what="both messages")
    # One after the other: WhatsApp never saw two connections, of which it would have ended the first.
    assert replaced == [None] * len(replaced)
    assert len(replaced) >= 3
    states = [event.data["state"] for event in await one.events(EventType.CONNECTION_CHANGED)]
    assert ConnectionState.CONFLICT not in states


async def test_a_proxy_that_is_not_there_keeps_it_trying_until_there_is_one(
    own: Own,
    lab: Lab,
    redis_url: str,
    prefix: str,
    proxies: tuple[ForwardProxy, ForwardProxy],
) -> None:
    one = await own()
    await one.pair()
    async with running_world(redis_url, prefix) as world:
        gateway = Gateway(world, one)
        await gateway.configure({"proxy": "http://127.0.0.1:9"})
        state = await one.reach(ConnectionState.CONNECTING)
        await until(lambda: lab.board.connection(lab.device(PHONE, 1)) is None, what="disconnected")
        assert state.device is not None
        await gateway.configure({"proxy": proxies[0].url})
        await until(one.instance._connector.online.is_set, what="connected")
