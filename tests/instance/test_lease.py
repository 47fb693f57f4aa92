"""The lease tells of its end, and of every renewal after it."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from actors.instance.lease import Lease
from actors.registry import Registry
from actors.settings import InstanceSettings
from actors.store import StoreUnavailable
from tests.wait import until


class SlowRegistry:
    """Answers a renewal when it is let, or fails with what it is given."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def renew(self, instance_id: str, epoch: int, ttl: float, *, timeout: float) -> None:
        self.asked += 1
        if (error := await self.answers.get()) is not None:
            raise error


class Told:
    """What an owner knows who looks when it is told to, and not otherwise."""

    def __init__(self) -> None:
        self.lease: Lease
        self.held = False

    def look(self) -> None:
        self.held = self.lease.held


@pytest.fixture
def registry() -> SlowRegistry:
    return SlowRegistry()


@pytest.fixture
def told(registry: SlowRegistry) -> Told:
    told = Told()
    settings = InstanceSettings(lease_ttl=0.2, lease_renew=0.1)
    told.lease = Lease(cast("Registry", cast("Any", registry)), "inst_1", 1, settings, told.look)
    return told


async def test_it_is_told_when_it_is_held_and_when_no_more(registry: SlowRegistry, told: Told) -> None:
    registry.answers.put_nowait(None)
    assert await told.lease.renew()
    assert told.held
    await until(lambda: not told.held, what="its end")
    registry.answers.put_nowait(StoreUnavailable("no Redis"))
    assert not await told.lease.renew()
    assert not told.held


async def test_a_renewal_that_was_asked_for_before_the_end_and_answered_after_it_is_told(
    registry: SlowRegistry, told: Told
) -> None:
    registry.answers.put_nowait(None)
    await told.lease.renew()
    await asyncio.sleep(0.15)
    renewing = asyncio.create_task(told.lease.renew())
    await until(lambda: registry.asked == 2)
    assert told.lease.held
    await until(lambda: not told.held, what="its end")
    registry.answers.put_nowait(None)
    await renewing
    assert told.held or not told.lease.held
