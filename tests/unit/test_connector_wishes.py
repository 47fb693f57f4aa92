"""What a connector makes of a wish that comes at a bad moment. The engine is a fake."""

from __future__ import annotations

import asyncio

import pytest

from actors.instance.connection import engine_pb2 as pb
from actors.registry import ConnectionState
from tests.unit.test_connector_liveness import Engine, Network, Observed
from tests.wait import until


async def test_a_wish_to_pair_again_that_comes_while_the_engine_ends_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = Network()
    observed = Observed(network)
    ending, may_end = asyncio.Event(), asyncio.Event()

    async def close(_: Engine) -> None:
        ending.set()
        await may_end.wait()

    monkeypatch.setattr(Engine, "close", close)
    try:
        await observed.reach(ConnectionState.CONNECTED)
        network.device = ""
        network.engines[0].tell([pb.LoggedOut(reason="unlinked")])
        await observed.reach(ConnectionState.LOGGED_OUT)
        await ending.wait()
        observed.connector.want(True)
        may_end.set()
        await until(lambda: network.connects == 2, what="another connection", timeout=5)
    finally:
        may_end.set()
        await observed.close()
