"""Fixtures of the API's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.api.world import Owner, World, running_world


@pytest.fixture
async def world(redis_url: str, prefix: str) -> AsyncIterator[World]:
    """A gateway with the defaults of the tests."""
    async with running_world(redis_url, prefix) as found:
        yield found


@pytest.fixture
async def iid(world: World) -> str:
    """An instance."""
    return await world.instance()


@pytest.fixture
async def owner(world: World, iid: str) -> Owner:
    """Its owner; it is connected."""
    return await world.owner(iid)
