"""A network and engines of its own for every test."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from actors.instance.connection.engine import engine_binary
from lab.network import Lab
from tests.engine.device import Device
from tests.engine.postgres import Postgres

ANA, BIA, CAIO = "5511900000001", "5511900000002", "5511900000003"

MakeDevice = Callable[..., Awaitable[Device]]


@pytest.fixture(scope="session")
def engine() -> Path:
    """The lab build of the engine, built if a source has changed."""
    build = Path(__file__).resolve().parents[2] / "engine" / "build.sh"
    subprocess.run([build], check=True)
    return engine_binary(lab=True)


@pytest.fixture
async def lab(tmp_path: Path, engine: Path) -> AsyncIterator[Lab]:
    """A network with the accounts of Ana, Bia and Caio."""
    network = await Lab.start(tmp_path / "lab")
    network.account(ANA, "Ana")
    network.account(BIA, "Bia")
    network.account(CAIO, "Caio")
    yield network
    await network.stop()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server of one's own."""
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
async def device(lab: Lab, engine: Path, tmp_path: Path) -> AsyncIterator[MakeDevice]:
    """Makes a device for a phone; a paired and connected one unless told otherwise."""
    async with AsyncExitStack() as stack:

        async def make(phone: str, *, name: str = "", pair: bool = True, store: str = "") -> Device:
            name = name or phone
            made = Device(engine, lab, phone, store or f"sqlite:{tmp_path / name}.db", name)
            stack.push_async_callback(made.close)
            await made.start()
            if pair:
                await made.connect()
            return made

        yield make
