"""The lock of a session, broken while an engine holds it: with files and with PostgreSQL."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from actors.instance.connection.base import Gone
from actors.supervisor.session_locks import break_lock
from actors.supervisor.workers import LockStands
from lab.network import Lab
from tests.engine.conftest import ANA, BIA, MakeDevice
from tests.engine.device import Device, numbered, refused
from tests.engine.postgres import Postgres

pytestmark = pytest.mark.engine

# Longer than what PostgreSQL keeps of a connection's name.
NAME = "an-instance-whose-name-is-as-long-as-the-names-of-instances-can-"

Another = Callable[[Device], Device]


@pytest.fixture(params=["file", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where Bia's session is."""
    if request.param == "file":
        return f"sqlite:{tmp_path / NAME}.db"
    return str(request.getfixturevalue("postgres").url)


@pytest.fixture
async def another(engine: Path, lab: Lab) -> AsyncIterator[Another]:
    """Makes an engine for the same session, not started."""
    async with AsyncExitStack() as stack:

        def make(device: Device) -> Device:
            made = Device(engine, lab, device.phone, device.store, device.name)
            stack.push_async_callback(made.close)
            return made

        yield make


def stop(device: Device) -> None:
    assert device.engine.pid
    os.kill(device.engine.pid, signal.SIGSTOP)


def thaw(device: Device) -> None:
    with suppress(ProcessLookupError):  # a file's holder was killed
        if device.engine.pid:
            os.kill(device.engine.pid, signal.SIGCONT)


async def confirmed() -> None:
    return


async def never() -> None:
    raise AssertionError("there is nothing to confirm")


async def test_a_frozen_engine_loses_its_session_to_another_one(
    device: MakeDevice, another: Another, store: str
) -> None:
    ana, bia = await device(ANA), await device(BIA, store=store, name=NAME)
    await ana.send(BIA, "before", "B")
    await bia.received(1)
    await bia.acknowledged()
    stop(bia)
    try:
        texts = numbered(20)
        await ana.write(BIA, texts)  # sent to the frozen engine, which has it before it when it wakes
        successor = another(bia)
        assert (await refused(successor.start())).code == "store_locked"
        await successor.close()
        assert await break_lock(store, NAME, confirmed)
        successor = another(bia)
        await successor.start(lock_wait_ms=5000)
        await successor.connect()
        assert await successor.received(20) == texts, "nothing was acknowledged in its place"
    finally:
        thaw(bia)
    assert (await bia.signal(Gone)).exit_code != 0
    assert bia.texts() == ["before"]
    await ana.send(BIA, "after", "A")
    assert (await successor.received(21))[-1] == "after"


async def test_a_thawed_engine_acknowledges_nothing_although_nobody_took_its_place(
    device: MakeDevice, another: Another, store: str
) -> None:
    ana, bia = await device(ANA), await device(BIA, store=store, name=NAME)
    await ana.send(BIA, "before", "B")
    await bia.received(1)
    await bia.acknowledged()
    stop(bia)
    try:
        texts = numbered(20)
        await ana.write(BIA, texts)
        assert await break_lock(store, NAME, confirmed)
    finally:
        # What it shows now is refused: its actor is fenced.
        bia.before_storing = lambda _: False
        thaw(bia)
    assert (await bia.signal(Gone)).exit_code != 0
    successor = another(bia)
    await successor.start(lock_wait_ms=5000)
    await successor.connect()
    assert await successor.received(20) == texts


async def test_a_session_that_nobody_has_open(device: MakeDevice, store: str) -> None:
    bia = await device(BIA, store=store, name=NAME)
    await bia.engine.close()
    assert not await break_lock(store, NAME, never)


async def test_what_is_not_confirmed_is_not_broken(device: MakeDevice, another: Another, store: str) -> None:
    bia = await device(BIA, store=store, name=NAME)

    async def refuse() -> None:
        raise LockStands("it may be the successor's")

    with pytest.raises(LockStands, match="successor"):
        await break_lock(store, NAME, refuse)
    assert (await refused(another(bia).start())).code == "store_locked"
    assert bia.engine.pid


async def test_whoever_came_after_the_look_keeps_the_session(
    device: MakeDevice, another: Another, store: str
) -> None:
    """An order so late that the holder it saw is dead, and the successor has the session open."""
    bia = await device(BIA, store=store, name=NAME)
    successor = another(bia)

    async def late() -> None:
        bia.kill()
        await successor.start(lock_wait_ms=5000)

    assert await break_lock(store, NAME, late)
    assert (await refused(another(bia).start())).code == "store_locked"
    await successor.connect()


async def test_two_sessions_of_one_database(device: MakeDevice, postgres: Postgres) -> None:
    """Whose names are the same as far as PostgreSQL keeps the names of their connections."""
    one = await device(ANA, store=postgres.url, name=f"{NAME}1")
    two = await device(BIA, store=postgres.url, name=f"{NAME}2")
    assert await break_lock(postgres.url, two.name, confirmed)
    assert (await two.signal(Gone)).exit_code != 0
    await one.send(ANA, "note to self", "N")
    assert one.engine.pid
    assert not one.signals_of(Gone)
