"""Outages: of whoever stores the events, of the session store, of the connection."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.engine import EngineConnection, engine_binary
from lab.faults import FailQuery, IgnoreQuery, RefuseLogin
from lab.network import Lab
from tests.engine.conftest import ANA, BIA, MakeDevice
from tests.engine.device import Device, numbered, refused
from tests.wait import until

pytestmark = pytest.mark.engine


async def test_refused_events_park_and_come_again_in_order(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    down = True
    bia.before_storing = lambda _: not down
    texts = numbered(200)
    await ana.write(BIA, texts[:100])
    parked = await bia.signal(pb.Parked)
    assert parked.cause == "refused"
    await ana.write(BIA, texts[100:])
    await bia.connect()
    await bia.signal(pb.Parked, count=2)
    down = False
    await bia.connect()
    assert await bia.received(200) == texts
    assert bia.repeated == 0


async def test_an_exception_parks(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)

    def broken(_: object) -> None:
        raise RuntimeError("out of order")

    bia.before_storing = broken
    await ana.send(BIA, "precious", "P1")
    # Not what the error says: that may be what stands in the message.
    assert (await bia.signal(pb.Parked)).detail == "RuntimeError"
    bia.before_storing = None
    await bia.connect()
    assert await bia.received(1) == ["precious"]


async def test_no_answer_in_time_parks(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA, pair=False)
    await bia.engine.close()
    bia.answer_timeout = 0.3
    await bia.start()
    await bia.connect()
    release = asyncio.Event()

    async def stuck(_: object) -> None:
        await release.wait()

    bia.before_storing = stuck
    await ana.write(BIA, numbered(5))
    assert (await bia.signal(pb.Parked)).cause == "answer_timeout"
    bia.before_storing = None
    release.set()
    await bia.connect()
    assert await bia.received(5) == numbered(5)
    assert (await bia.engine.stats()).answers_late > 0


async def test_a_receipt_that_is_refused_comes_again(device: MakeDevice) -> None:
    ana, _ = await device(ANA), await device(BIA)
    down = True
    ana.before_storing = lambda _: not down
    await ana.send(BIA, "x", "R1")
    await ana.signal(pb.Parked)
    assert not ana.drafts
    down = False
    await ana.connect()
    await until(lambda: any(draft.status_of == {"R1": "delivered"} for draft in ana.drafts.values()))


async def test_sqlite_that_cannot_be_written_parks_and_loses_nothing(
    device: MakeDevice, tmp_path: Path
) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.send(BIA, "first", "F")
    await bia.received(1)
    texts = numbered(100)
    with sqlite3.connect(tmp_path / f"{BIA}.db", isolation_level=None) as blocker:
        blocker.execute("BEGIN EXCLUSIVE")
        await ana.write(BIA, texts)
        assert (await bia.signal(pb.Parked)).cause == "store"
        blocker.execute("ROLLBACK")
    blocker.close()
    await bia.connect()
    assert (await bia.received(101))[1:] == texts
    assert not [event for event in bia.raw if isinstance(event, pb.Undecryptable)]


async def test_a_damaged_table_parks_and_is_reported(device: MakeDevice, tmp_path: Path) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.send(BIA, "first", "F")
    await bia.received(1)
    with sqlite3.connect(tmp_path / f"{BIA}.db") as database:
        database.execute("ALTER TABLE whatsmeow_sessions RENAME TO hidden")
    database.close()
    await ana.send(BIA, "second", "S")
    parked = await bia.signal(pb.Parked)
    assert parked.cause == "store"
    assert "whatsmeow_sessions" in parked.detail
    with sqlite3.connect(tmp_path / f"{BIA}.db") as database:
        database.execute("ALTER TABLE hidden RENAME TO whatsmeow_sessions")
    database.close()
    await bia.connect()
    assert await bia.received(2) == ["first", "second"]


async def test_one_user_of_a_session_at_a_time(device: MakeDevice, engine: Path, lab: Lab) -> None:
    ana = await device(ANA)
    rival = Device(engine, lab, ANA, ana.store, ana.name)
    try:
        assert (await refused(rival.start())).code == "store_locked"
        await rival.close()
        waiting = asyncio.create_task(rival.start(lock_wait_ms=20_000))
        await asyncio.sleep(0.2)
        assert not waiting.done()
        ana.kill()
        assert (await waiting).device.startswith(f"{ANA}:")
        await rival.connect()
    finally:
        await rival.close()


async def test_a_replaced_connection_does_not_fight(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    assert lab.conflict(ANA, next(iter(lab.account(ANA).devices)))
    await ana.signal(pb.Replaced)
    assert (await refused(ana.send(BIA, "x", "X"))).code == "not_connected"
    assert not ana.signals_of(pb.Disconnected)
    await ana.connect()


async def test_a_lost_connection_is_reported_and_can_be_opened_again(device: MakeDevice, lab: Lab) -> None:
    ana, bia = await device(ANA), await device(BIA)
    assert lab.drop(BIA, next(iter(lab.account(BIA).devices)))
    await bia.signal(pb.Disconnected)
    await ana.send(BIA, "meanwhile", "W")
    await bia.connect()
    assert await bia.received(1) == ["meanwhile"]


@pytest.mark.parametrize(
    ("code", "reason", "permanent"),
    [
        (503, "service_unavailable", False),
        (500, "internal_server_error", False),
        (405, "client_outdated", True),
    ],
)
async def test_refused_logins(device: MakeDevice, lab: Lab, code: int, reason: str, permanent: bool) -> None:
    ana = await device(ANA)
    await ana.engine.disconnect()
    lab.faults.add(RefuseLogin(phone=ANA, code=code, times=1))
    await ana.engine.connect()
    failure = await ana.signal(pb.ConnectFailure)
    assert (failure.server_code, failure.reason, failure.permanent) == (code, reason, permanent)
    await ana.connect()


async def test_a_temporary_ban(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    await ana.engine.disconnect()
    lab.ban(ANA, 3600)
    await ana.engine.connect()
    failure = await ana.signal(pb.ConnectFailure)
    assert failure.reason == "temporary_ban"
    assert failure.retry_after_ms > 0
    assert not failure.permanent


async def test_a_network_that_is_not_there(device: MakeDevice, lab: Lab) -> None:
    ana = await device(ANA)
    await ana.engine.disconnect()
    await lab.stop()
    assert (await refused(ana.engine.connect())).code == "not_connected"


async def test_the_production_build_has_no_other_network(lab: Lab, engine: Path, tmp_path: Path) -> None:
    production = engine_binary(lab=False)
    connection = EngineConnection(production, lab=lab.target)
    listener = Device(production, lab, ANA, "", "")
    try:
        hello = await connection.start(listener)
        assert not hello.lab
        error = await refused(
            connection.open(store=f"sqlite:{tmp_path}/x.db", device="", session="", lock_wait_ms=0)
        )
        assert error.code == "unsupported"
    finally:
        await connection.close()


def test_the_production_build_does_not_contain_the_switch(engine: Path) -> None:
    complaint = b"a lab needs an address"
    assert complaint in engine.read_bytes()
    assert complaint not in engine_binary(lab=False).read_bytes()


async def test_a_ping_is_answered_by_whatsapp_or_not_at_all(device: MakeDevice, lab: Lab) -> None:
    bia = await device(BIA)
    await bia.signal(pb.OfflineDone)
    before = bia.engine.heard
    await bia.engine.ping(10.0)
    assert bia.engine.heard > before
    lab.faults.add(FailQuery(query="w:p", code=500, times=1))
    await bia.engine.ping(10.0)
    lab.faults.add(IgnoreQuery(query="w:p", times=1))
    heard = bia.engine.heard
    assert (await refused(bia.engine.ping(0.3))).code == "timeout"
    assert bia.engine.heard == heard
    await bia.engine.ping(10.0)
    await bia.engine.disconnect()
    assert (await refused(bia.engine.ping(10.0))).code == "not_connected"


async def test_a_ping_on_a_connection_that_fell_silent(device: MakeDevice, lab: Lab) -> None:
    bia = await device(BIA)
    assert lab.freeze(BIA, 1)
    assert (await refused(bia.engine.ping(0.3))).code == "timeout"
    asking = asyncio.create_task(refused(bia.engine.ping(30.0)))
    await until(lambda: len(bia.engine._replies) == 1)
    await bia.engine.disconnect()
    assert (await asking).code == "not_connected", "the end of the connection is no answer"
    await bia.connect()
    await bia.engine.ping(10.0)


async def test_a_silent_connection_is_left_without_a_farewell(device: MakeDevice, lab: Lab) -> None:
    ana, bia = await device(ANA), await device(BIA)
    texts = numbered(30)
    for part in range(3):
        assert lab.freeze(BIA, 1)
        await ana.write(BIA, texts[part * 10 : part * 10 + 10])
        assert (await refused(bia.engine.ping(0.3))).code == "timeout"
        await bia.engine.disconnect()
        await bia.connect()
        await bia.engine.ping(10.0)
    assert await bia.received(30) == texts
    assert not [signal for signal in bia.signals if isinstance(signal, pb.Disconnected)]


async def test_a_backlog_that_is_being_read_is_no_silence(device: MakeDevice, lab: Lab) -> None:
    ana, bia = await device(ANA), await device(BIA)
    release = asyncio.Event()

    async def stuck(_: object) -> None:
        await release.wait()

    bia.before_storing = stuck
    lab.faults.add(IgnoreQuery(phone=BIA, query="w:p"))
    await ana.write(BIA, numbered(20))
    await until(lambda: lab.device(BIA, 1).counters.sent >= 20, what="the backlog at the engine")
    await bia.engine.ping(0.3)
    bia.before_storing = None
    release.set()
    assert await bia.received(20) == numbered(20)
    assert (await refused(bia.engine.ping(0.3))).code == "timeout"
