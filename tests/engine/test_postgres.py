"""Sessions in PostgreSQL: kept, locked, and safe in an outage."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import Gone
from actors.supervisor import session_rows
from lab.network import Lab
from tests.engine.conftest import ANA, BIA, MakeDevice
from tests.engine.device import Device, numbered, refused
from tests.engine.postgres import Postgres

pytestmark = pytest.mark.engine


async def test_two_devices_in_one_database(device: MakeDevice, postgres: Postgres) -> None:
    ana, bia = await device(ANA, store=postgres.url), await device(BIA, store=postgres.url)
    texts = numbered(100)
    await ana.write(BIA, texts)
    assert await bia.received(100) == texts
    await bia.engine.close()
    # Only the session's name is known here, as after a crash between pairing and the news of it.
    assert (await bia.start()).device == bia.signals_of(pb.Paired)[0].device
    await bia.connect()
    await ana.send(BIA, "again", "A")
    assert (await bia.received(101))[-1] == "again"


async def test_the_lock_is_per_session_and_per_device(
    device: MakeDevice, postgres: Postgres, engine: Path, lab: Lab
) -> None:
    ana = await device(ANA, store=postgres.url)
    rival = Device(engine, lab, ANA, ana.store, ana.name)
    other = Device(engine, lab, ANA, ana.store, "another name")
    paired = ana.signals_of(pb.Paired)[0].device
    try:
        assert (await refused(rival.start())).code == "store_locked"
        await rival.close()
        await other.start()
        await other.close()
        other = Device(engine, lab, ANA, ana.store, "a third name")
        await other.launch()
        same_device = other.engine.open(store=ana.store, device=paired, session="x", lock_wait_ms=0)
        assert (await refused(same_device)).code == "store_locked"
        waiting = asyncio.create_task(rival.start(lock_wait_ms=20_000))
        ana.kill()
        assert (await waiting).device == paired
    finally:
        await rival.close()
        await other.close()


async def test_a_broken_lock_ends_the_engine(device: MakeDevice, postgres: Postgres) -> None:
    """The holder of a lock that somebody else may take now must not go on."""
    ana = await device(ANA, store=postgres.url)
    killed = postgres.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE application_name = 'malote-lock {ana.name}'"
    )
    assert killed == ["t"]
    await ana.signal(pb.StoreLost)
    assert (await ana.signal(Gone)).exit_code != 0
    await ana.restart()


@pytest.mark.timeout(300)
async def test_an_outage_under_flow_loses_nothing(device: MakeDevice, postgres: Postgres) -> None:
    ana, bia = await device(ANA), await device(BIA, store=postgres.url)
    await ana.send(BIA, "first", "F")
    await bia.received(1)
    texts = numbered(300)
    writing = asyncio.create_task(ana.write(BIA, texts))
    for outage in range(1, 4):
        await bia.received(outage * 50)
        await asyncio.to_thread(postgres.stop)
        await bia.signal(Gone, count=outage)
        await bia.engine.close()
        assert (await refused(bia.start())).code == "store_failed"
        await asyncio.to_thread(postgres.start)
        await bia.restart()
    await writing
    assert (await bia.received(301))[1:] == texts
    assert not [event for event in bia.raw if isinstance(event, pb.Undecryptable)]


@pytest.mark.timeout(300)
async def test_writing_and_reading_in_one_chat_at_once_loses_nothing(
    device: MakeDevice, postgres: Postgres
) -> None:
    """Both work on the same Signal session: none may undo the other's step, or a key is used twice."""
    ana, bia = await device(ANA), await device(BIA, store=postgres.url)
    await ana.send(BIA, "first", "F")
    await bia.received(1)
    await bia.send(ANA, "first", "G")
    await ana.received(1)
    there, back = numbered(300), numbered(300)
    await asyncio.gather(ana.write(BIA, there), bia.write(ANA, back, prefix="N"))
    assert (await bia.received(301))[1:] == there
    assert (await ana.received(301))[1:] == back
    assert not [signal for one in (ana, bia) for signal in one.signals if isinstance(signal, Gone)]


async def test_rows_that_cannot_be_written_park(device: MakeDevice, postgres: Postgres) -> None:
    """The server is there, but writing fails: the lock's connection does not notice, the guard does."""
    ana, bia = await device(ANA), await device(BIA, store=postgres.url)
    await ana.send(BIA, "first", "F")
    await bia.received(1)
    postgres.query("ALTER TABLE whatsmeow_sessions RENAME TO hidden")
    await ana.send(BIA, "second", "S")
    assert (await bia.signal(pb.Parked)).cause == "store"
    postgres.query("ALTER TABLE hidden RENAME TO whatsmeow_sessions")
    await bia.connect()
    assert await bia.received(2) == ["first", "second"]


async def test_a_server_that_is_not_there(device: MakeDevice) -> None:
    ana = await device(ANA, pair=False)
    await ana.engine.close()
    ana.store = "postgres://postgres@127.0.0.1:1/postgres?sslmode=disable"
    assert (await refused(ana.start())).code == "store_failed"


async def test_the_session_of_a_deleted_instance_is_nobody_s(device: MakeDevice, postgres: Postgres) -> None:
    ana, bia = await device(ANA, store=postgres.url), await device(BIA, store=postgres.url)
    await ana.send(BIA, "hello", "A")
    await bia.received(1)
    await ana.engine.close()
    for _ in range(2):
        await session_rows.remove(postgres.url, ana.name)
    assert (await ana.start()).device == ""
    await bia.restart()
    left = {
        table: postgres.query(f"SELECT count(*) FROM {table}")
        for table in ("malote_session", "whatsmeow_device", "whatsmeow_identity_keys")
    }
    assert left["malote_session"] == left["whatsmeow_device"] == ["1"]
    assert left["whatsmeow_identity_keys"] != ["0"], "those of the other one"


async def test_where_no_session_ever_was_there_is_nothing_to_remove(postgres: Postgres) -> None:
    postgres.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await session_rows.remove(postgres.url, "ins_1")
