"""A network of its own for every test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.network import Lab
from tests.lab.client import Client, Keys


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    network = await Lab.start(tmp_path / "lab")
    yield network
    await network.stop()
    assert network.board.errors == []


async def paired(lab: Lab, phone: str, keys: Keys | None = None) -> Keys:
    """The keys of a client that was linked to an account by its code."""
    keys = keys or Keys()
    lab.account(phone)
    async with Client(lab.target, keys) as client:
        code = await client.code()
        scan = asyncio.create_task(lab.scan(phone, code))
        await client.accept()
        await scan
        await client.first("stream:error", code="515")
    return keys
