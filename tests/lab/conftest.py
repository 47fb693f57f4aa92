"""A network of its own for every test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lab.accounts import Account
from lab.network import Lab
from tests.lab.client import Client, Keys

ANA, BIA = "5511900000001", "5511900000002"


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    network = await Lab.start(tmp_path / "lab")
    yield network
    await network.stop()
    assert not network.board.errors


@pytest.fixture
def ana(lab: Lab) -> Account:
    return lab.account(ANA, "Ana")


@pytest.fixture
def bia(lab: Lab) -> Account:
    return lab.account(BIA, "Bia")


async def linked(lab: Lab, phone: str) -> Keys:
    """The keys of a client that was linked to an account by its QR code."""
    keys = Keys()
    async with Client(lab.target, keys) as client:
        scan = asyncio.create_task(lab.scan(phone, await client.code()))
        await client.accept()
        await scan
        await client.first("stream:error", code="515")
    return keys


async def online(lab: Lab, phone: str) -> Client:
    """A freshly linked client, logged in and active. Close it."""
    return await back(lab, await linked(lab, phone))


async def back(lab: Lab, keys: Keys) -> Client:
    """A linked client, logged in and active. Close it."""
    client = Client(lab.target, keys)
    await client.open()
    await client.activate()
    await client.first("ib", "offline")
    return client
