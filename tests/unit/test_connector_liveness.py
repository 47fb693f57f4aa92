"""When a connector looks for signs of life, and what it makes of their absence. The engine is a fake."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from actors.instance.announcer import Announcer
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import Connection, ConnectionError, Handler, Signal
from actors.instance.connector import Connector
from actors.registry import ConnectionState
from actors.settings import InstanceSettings
from tests.wait import until

DEVICE = "5511900000001:1@s.whatsapp.net"
CONNECTED = pb.Connected(device=DEVICE)


class Network:
    """What the fake engines of a test do, and what they were asked for."""

    def __init__(self) -> None:
        self.device = DEVICE
        self.on_connect: list[Signal] = [CONNECTED]
        self.on_disconnect: list[Signal] = []
        self.refuses_to_disconnect = False
        self.answer: str | None = ""
        """The error that a ping fails with, "" for an answer, None for nothing at all."""
        self.speaks = False
        """Whether something else is heard while a ping waits for its answer."""
        self.connects = 0
        self.pings = 0
        self.engines: list[Engine] = []

    def make(self) -> Connection:
        self.engines.append(Engine(self))
        return cast("Connection", self.engines[-1])


class Engine:
    """As much of an engine as a connector needs."""

    pid = 1

    def __init__(self, network: Network) -> None:
        self.network = network
        self.heard = 0.0
        self.closed = False
        self.handler: Handler

    async def start(self, handler: Handler) -> pb.Hello:
        self.handler = handler
        return pb.Hello()

    async def open(self, **_: Any) -> pb.OpenResult:
        return pb.OpenResult(device=self.network.device)

    async def connect(self) -> None:
        self.network.connects += 1
        self.tell(self.network.on_connect)

    async def disconnect(self) -> None:
        if self.network.refuses_to_disconnect:
            raise ConnectionError("timeout", "the engine did not answer disconnect")
        self.tell(self.network.on_disconnect)
        self.network.on_disconnect = []

    async def ping(self, timeout: float) -> None:
        self.network.pings += 1
        if self.network.speaks:
            await asyncio.sleep(0.001)
            self.heard = asyncio.get_running_loop().time()
        if self.network.answer is None:
            await asyncio.Event().wait()
        if self.network.answer:
            raise ConnectionError(self.network.answer, "no")
        self.heard = asyncio.get_running_loop().time()

    async def close(self) -> None:
        self.closed = True

    def tell(self, signals: list[Signal]) -> None:
        for signal in signals:
            self.handler.on_signal(signal)


class Observed:
    """A connector at work on a fake network."""

    def __init__(self, network: Network, **settings: float) -> None:
        self.network = network
        nowhere = cast("Any", None)
        self.announcer = Announcer(nowhere, nowhere, "ins_1", 1, None)
        self.connector = Connector(
            instance_id="ins_1",
            make=network.make,
            store="",
            settings=InstanceSettings(
                **{"watchdog_silence": 0.01, "watchdog_timeout": 0.01, "reconnect_first": 0.01, **settings}
            ),
            announcer=self.announcer,
            allowed=lambda: True,
            sink=self._store,
            blocked=self._free,
        )
        self.connector.want(True)
        self.task = asyncio.create_task(self.connector.run())

    @staticmethod
    async def _store(event: object, received_at_ms: int) -> bool:
        return True

    @staticmethod
    async def _free() -> str | None:
        return None

    async def reach(self, state: ConnectionState) -> None:
        await until(lambda: self.announcer.state.connection is state, what=f"connection {state}")

    async def asks_nobody(self) -> bool:
        """Watch for many times the silence after which a watched connection is probed."""
        before = self.network.pings
        await asyncio.sleep(0.2)
        return self.network.pings == before

    async def close(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def network() -> Network:
    return Network()


@pytest.fixture
async def observe(network: Network) -> AsyncIterator[Any]:
    made: list[Observed] = []

    def make(**settings: float) -> Observed:
        made.append(Observed(network, **settings))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_silence_ends_a_connection_and_the_next_is_watched_again(
    network: Network, observe: Any
) -> None:
    one = observe()
    network.answer = "timeout"
    await until(lambda: network.connects >= 3, what="reconnects")
    network.answer = ""
    await one.reach(ConnectionState.CONNECTED)
    connects, pings = network.connects, network.pings
    await until(lambda: network.pings >= pings + 10, what="signs of life")
    assert network.connects == connects
    assert len(network.engines) == 1, "the same engine with another socket"


async def test_an_engine_that_does_not_hang_up_is_replaced(network: Network, observe: Any) -> None:
    observe()
    network.refuses_to_disconnect = True
    network.answer = "timeout"
    await until(lambda: len(network.engines) == 2, what="another engine")
    assert network.engines[0].closed


@pytest.mark.parametrize("lost", [False, True])
async def test_who_learns_only_now_that_it_was_replaced_does_not_fight(
    network: Network, observe: Any, lost: bool
) -> None:
    one = observe()
    network.on_disconnect = [pb.Replaced()]
    if lost:
        await one.reach(ConnectionState.CONNECTED)
        network.engines[0].tell([pb.Disconnected()])
    else:
        network.answer = "timeout"
    await one.reach(ConnectionState.CONFLICT)
    assert network.connects == 1
    assert await one.asks_nobody()
    assert network.connects == 1


async def test_a_ping_that_cannot_be_asked_waits_for_the_reason(network: Network, observe: Any) -> None:
    """The connection has ended, why is still on its way: as a silent one it would be made again at once."""
    one = observe(watchdog_timeout=30.0)
    network.answer = "not_connected"
    await until(lambda: network.pings, what="a ping")
    assert await one.asks_nobody()
    network.engines[0].tell([pb.Replaced()])
    await one.reach(ConnectionState.CONFLICT)
    assert (network.connects, network.pings) == (1, 1)


async def test_evidence_during_a_ping_outweighs_that_it_was_not_answered(
    network: Network, observe: Any
) -> None:
    network.speaks, network.answer = True, "timeout"
    observe(watchdog_failures=1)
    await until(lambda: network.pings >= 10, what="pings")
    assert network.connects == 1


@pytest.mark.parametrize(
    ("signal", "state"),
    [
        (pb.Parked(cause="store"), ConnectionState.PARKED),
        (pb.Replaced(), ConnectionState.CONFLICT),
        (pb.LoggedOut(), ConnectionState.LOGGED_OUT),
        (pb.ConnectFailure(reason="temporary_ban", retry_after_ms=60_000), ConnectionState.BANNED),
    ],
)
async def test_a_connection_that_ended_is_not_watched(
    network: Network, observe: Any, signal: Signal, state: ConnectionState
) -> None:
    one = observe(reconnect_first=60.0, reconnect_max=60.0)
    await until(lambda: network.pings > 3, what="pings")
    network.engines[0].tell([signal])
    await one.reach(state)
    assert await one.asks_nobody()
    network.engines[0].tell([pb.KeepAlive(ok=False)])
    assert await one.asks_nobody()
    assert network.connects == 1


async def test_a_pairing_is_not_watched(network: Network, observe: Any) -> None:
    network.device, network.on_connect = "", [pb.Qr(code="x", valid_ms=60_000)]
    one = observe()
    await one.reach(ConnectionState.PAIRING)
    network.engines[0].tell([pb.KeepAlive(ok=False)])
    assert await one.asks_nobody()


@pytest.mark.parametrize("answer", ["", "timeout", None])
async def test_suspended_or_unwanted_waits_for_nothing_and_is_not_watched(
    network: Network, observe: Any, answer: str | None
) -> None:
    one = observe(watchdog_timeout=30.0)
    network.answer = answer
    await until(lambda: network.pings, what="a ping")
    # The ping ends after longer than is waited here, or never.
    await until(one.connector.suspend().is_set, timeout=15.0, what="suspended")
    assert network.engines[0].closed
    assert await one.asks_nobody()
    asked = network.pings
    one.connector.resume()
    await until(lambda: network.pings > asked, what="the watchdog after the resumption")
    one.connector.want(False)
    await one.reach(ConnectionState.DISCONNECTED)
    assert await one.asks_nobody()
