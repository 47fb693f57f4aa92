"""The process and its wire, without a network."""

from __future__ import annotations

import asyncio
import logging
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import Gone
from actors.instance.connection.engine import EngineConnection, read_lab_target
from actors.instance.connection.frames import Decoder, encode
from lab.network import Lab
from tests.engine.conftest import ANA
from tests.engine.device import Device, refused
from tests.wait import until

pytestmark = pytest.mark.engine


@pytest.fixture
async def process(engine: Path) -> AsyncIterator[Process]:
    """An engine without our side of the seam."""
    made = await asyncio.create_subprocess_exec(engine, stdin=PIPE, stdout=PIPE)
    yield made
    if made.returncode is None:
        made.kill()
    assert made.stdin
    made.stdin.close()
    await made.wait()


async def frames(process: Process, count: int) -> list[pb.FromEngine]:
    assert process.stdout
    decoder, found = Decoder(), list[pb.FromEngine]()
    while len(found) < count:
        data = await process.stdout.read(1 << 16)
        assert data, "the engine ended"
        found += [pb.FromEngine.FromString(body) for body in decoder.feed(data)]
    return found


async def test_hello_comes_first_and_unasked(process: Process) -> None:
    [first] = await frames(process, 1)
    assert first.hello.protocol == 1
    assert first.hello.pid == process.pid
    assert first.hello.lab
    assert first.hello.whatsmeow_version.startswith("v0.")


async def test_it_ends_at_the_end_of_stdin(process: Process) -> None:
    assert process.stdin
    process.stdin.close()
    assert await process.wait() == 0


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xff"])
async def test_garbage_ends_it(process: Process, garbage: bytes) -> None:
    assert process.stdin
    process.stdin.write(garbage)
    assert await process.wait() == 2


async def test_a_frame_cut_short_is_an_end(process: Process) -> None:
    assert process.stdin
    process.stdin.write(encode(pb.ToEngine(id=1, stats=pb.Stats()))[:-1])
    process.stdin.close()
    assert await process.wait() == 0


async def test_every_command_has_one_reply_with_its_id(process: Process) -> None:
    assert process.stdin
    names = [field.name for field in pb.ToEngine.DESCRIPTOR.oneofs_by_name["command"].fields]
    commands = [name for name in names if name not in {"answer", "stats", "open"}]
    for number, name in enumerate(commands, 10):
        command = pb.ToEngine(id=number)
        getattr(command, name).SetInParent()
        process.stdin.write(encode(command))
    process.stdin.write(encode(pb.ToEngine(id=9, answer=pb.Answer(event_id=5, stored=True))))
    process.stdin.write(encode(pb.ToEngine(id=8)))
    _, *replies = await frames(process, len(commands) + 2)
    codes = {frame.reply.id: frame.reply.error.code for frame in replies}
    assert codes.pop(8) == "not_open"
    assert codes == dict.fromkeys(range(10, 10 + len(commands)), "not_open")


@pytest.mark.parametrize("store", ["", "mysql://x", "sqlite:relative.db"])
async def test_a_store_that_is_none(lab: Lab, engine: Path, store: str) -> None:
    device = Device(engine, lab, ANA, store, "x")
    try:
        assert (await refused(device.start())).code == "bad_request"
    finally:
        await device.close()


async def test_a_store_that_is_no_database(lab: Lab, engine: Path, tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("This is no database, and long enough to be seen not to be one. " * 20)
    device = Device(engine, lab, ANA, f"sqlite:{path}", "x")
    try:
        assert (await refused(device.start())).code == "store_failed"
        path.unlink()
        opening = device.engine.open(store=device.store, device="", session="x", lock_wait_ms=0)
        assert (await opening).device == ""
        again = device.engine.open(store=device.store, device="", session="x", lock_wait_ms=0)
        assert (await refused(again)).code == "bad_request"
        assert (await refused(device.send(ANA, "x", "I"))).code == "not_paired"
    finally:
        await device.close()


async def test_the_session_file_is_ours_alone(lab: Lab, engine: Path, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "session.db"
    device = Device(engine, lab, ANA, f"sqlite:{path}", "x")
    try:
        await device.start()
        assert path.stat().st_mode & 0o077 == 0
        assert path.parent.stat().st_mode & 0o077 == 0
    finally:
        await device.close()


async def test_an_engine_that_is_not_there(lab: Lab, tmp_path: Path) -> None:
    device = Device(tmp_path / "nothing", lab, ANA, "sqlite:/x", "x")
    error = await refused(device.launch())
    assert error.code == "engine_gone"
    assert "make engine" in error.message


async def test_a_program_that_is_no_engine(lab: Lab) -> None:
    device = Device(Path("/bin/echo"), lab, ANA, "", "x")
    assert (await refused(device.launch())).code == "engine_gone"


async def test_a_dead_engine_fails_what_waits_and_says_so(lab: Lab, engine: Path) -> None:
    device = Device(engine, lab, ANA, "", "x")
    await device.launch()
    pid = device.engine.pid
    assert pid
    device.kill()
    assert (await device.signal(Gone)).exit_code < 0
    assert device.engine.pid is None
    assert (await refused(device.engine.stats())).code == "engine_gone"
    await device.close()
    await device.close()


async def test_its_log_reaches_ours(
    lab: Lab, engine: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MALOTE_ENGINE_LOG", "debug")
    log = logging.getLogger("test.engine")
    caplog.set_level(logging.DEBUG, log.name)
    listener = Device(engine, lab, ANA, "", "x")
    connection = EngineConnection(engine, lab=lab.target, log=log)
    try:
        await connection.start(listener)
        await connection.open(store=f"sqlite:{lab.state_dir}/log.db", device="", session="", lock_wait_ms=0)
        await connection.connect()
        await until(lambda: [record for record in caplog.records if record.name == log.name])
    finally:
        await connection.close()


async def test_where_a_lab_is(lab: Lab, tmp_path: Path) -> None:
    assert read_lab_target(lab.state_dir) == lab.target
    with pytest.raises(OSError, match=r"lab\.json"):
        read_lab_target(tmp_path / "nowhere")
    (tmp_path / "lab.json").write_text('{"address": 5}')
    with pytest.raises(ValueError, match="does not describe a lab"):
        read_lab_target(tmp_path)
