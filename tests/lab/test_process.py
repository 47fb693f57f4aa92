from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from actors.instance.connection.engine import read_lab_target
from lab.network import Lab
from tests.lab.client import Client, Keys
from tests.wait import until

ROOT = Path(__file__).resolve().parents[2]


async def started(folder: Path, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "lab", "--state", str(folder), *options),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
async def test_a_lab_runs_as_a_process_until_it_is_told_to_end(
    tmp_path: Path, ending: signal.Signals
) -> None:
    process = await started(tmp_path)
    try:
        await until(lambda: (tmp_path / "lab.json").exists())
        found = json.loads((tmp_path / "lab.json").read_text())
        async with aiohttp.ClientSession(found["control_url"]) as session, session.get("/") as answer:
            assert (await answer.json())["address"] == found["address"]
        async with Client(read_lab_target(tmp_path), Keys()) as client:
            await client.first("iq", "pair-device")
            process.send_signal(ending)
            await client.closed.wait()
        output, _ = await process.communicate()
        assert process.returncode == 0, output
        assert found["control_url"] in output.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_port_in_use_is_said_plainly(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await started(tmp_path, "--port", str(port))
        output, _ = await process.communicate()
    assert process.returncode == 1
    assert f"{port}" in output.decode()
    assert "Traceback" not in output.decode()


async def test_a_folder_that_cannot_be_written_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = await started(tmp_path / "file")
    output, _ = await process.communicate()
    assert process.returncode == 1
    assert "Traceback" not in output.decode()


async def test_a_failed_start_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="address already in use"),
    ):
        await Lab.start(tmp_path, control_port=taken.getsockname()[1])
    await (await Lab.start(tmp_path)).stop()


def test_the_generated_code_is_of_the_definition(tmp_path: Path) -> None:
    arguments = ["-I.", f"--python_out={tmp_path}", f"--pyi_out={tmp_path}", "lab/wa.proto"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *arguments], cwd=ROOT, check=True)
    for name in ("wa_pb2.py", "wa_pb2.pyi"):
        assert (tmp_path / "lab" / name).read_text() == (ROOT / "lab" / name).read_text()
