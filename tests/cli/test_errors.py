"""What cannot be done: one line that says why, one that says what to do, and an exit status."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from actors.settings import Settings
from deploy import local as local_module
from deploy.errors import CommandError, Exit
from deploy.local import Local
from deploy.lock import DataLock, running
from deploy.ray_local import prepare
from deploy.valkey import free_port
from tests.cli.command import ROOT, Result, malote


def engine(directory: Path) -> str:
    """A file in the engine's place: the checks must not get as far as running it."""
    binary = directory / "engine"
    binary.write_text("")
    return str(binary)


def assert_refused(result: Result, status: Exit, *words: str) -> None:
    assert result.status == status, result.out + result.err
    assert "Traceback" not in result.err
    first, second, *more = result.err.rstrip("\n").splitlines()
    assert first.startswith("malote: ")
    assert second.startswith("        ")
    assert not more
    for word in words:
        assert word in result.err


def test_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = malote("up", "--port", port, cwd=tmp_path, MALOTE_ENGINE=engine(tmp_path))
    assert_refused(refused, Exit.FAILED, f"port {port}", "--port")


def test_no_engine(tmp_path: Path) -> None:
    refused = malote("up", "--port", "0", cwd=tmp_path, MALOTE_ENGINE=str(tmp_path / "nowhere"))
    assert_refused(refused, Exit.FAILED, str(tmp_path / "nowhere"), "MALOTE_ENGINE")


def test_redis_is_down(tmp_path: Path) -> None:
    url = f"redis://:secret@127.0.0.1:{free_port()}/0"
    settings = {"MALOTE_ENGINE": engine(tmp_path), "MALOTE_REDIS_URL": url}
    refused = malote("up", "--port", "0", cwd=tmp_path, **settings)
    assert_refused(refused, Exit.FAILED, url.rpartition("@")[2], "MALOTE_REDIS_URL")
    assert "secret" not in refused.err
    assert running(tmp_path / ".malote") is None


def test_data_directory_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused = malote("up", "--data-dir", "file/below", cwd=tmp_path, MALOTE_ENGINE=engine(tmp_path))
    assert_refused(refused, Exit.FAILED, "file/below", "--data-dir")


def test_data_directory_cannot_be_written(tmp_path: Path) -> None:
    # Also root, whom permissions do not stop, cannot write where there is a directory in the lock's place.
    (tmp_path / "data" / "up.lock").mkdir(parents=True)
    refused = malote("up", "--data-dir", "data", cwd=tmp_path, MALOTE_ENGINE=engine(tmp_path))
    assert_refused(refused, Exit.FAILED, "cannot write", "--data-dir")


def test_no_space_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(local_module.shutil, "disk_usage", lambda path: usage(10**9, 10**9, 5 * 2**20))
    local = Local(Settings(data_dir=tmp_path / "data"), command="up", say=lambda line: None)
    with pytest.raises(CommandError, match="only 5 MiB are free") as raised:
        local.check()
    assert "Free some space" in raised.value.remedy


def test_second_up_on_the_same_data(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    lock = DataLock(data)
    lock.take("up")
    try:
        refused = malote("up", "--data-dir", "data", cwd=tmp_path, MALOTE_ENGINE=engine(tmp_path))
        assert_refused(refused, Exit.ALREADY_RUNNING, "already runs", "malote down")
    finally:
        lock.release()


@pytest.mark.parametrize("command", ["status", "down"])
def test_nothing_runs(command: str, tmp_path: Path) -> None:
    refused = malote(command, cwd=tmp_path)
    assert_refused(refused, Exit.NOT_RUNNING, "nothing runs", "malote up")


@pytest.mark.parametrize("command", ["status", "down"])
def test_a_note_left_by_a_killed_one_is_not_believed(command: str, tmp_path: Path) -> None:
    data = tmp_path / ".malote"
    data.mkdir()
    (data / "up.lock").write_text("")
    (data / "up.json").write_text('{"pid": 1, "command": "up"}')
    assert_refused(malote(command, cwd=tmp_path), Exit.NOT_RUNNING)


def test_a_setting_that_is_no_value(tmp_path: Path) -> None:
    refused = malote("status", cwd=tmp_path, MALOTE_GATEWAY_PORT="eighty")
    assert_refused(refused, Exit.USAGE, "MALOTE_GATEWAY_PORT: ", "docs/settings.md")


@pytest.mark.parametrize("module", ["gateway", "deploy.job status", "deploy.node head"])
def test_every_other_door_says_the_same_of_it(module: str) -> None:
    environment = {**os.environ, "MALOTE_COURIER_SCHEDULE": "5,soon"}
    command = [sys.executable, "-m", *module.split()]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "MALOTE_COURIER_SCHEDULE: Input should be a valid number" in done.stderr
    assert "docs/settings.md" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_temporary_directory_that_is_too_deep_for_sockets(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 60)
    with pytest.raises(CommandError, match="too long") as raised:
        prepare(Settings(data_dir=tmp_path, temp_dir=deep))
    assert "MALOTE_TEMP_DIR" in raised.value.remedy


def test_a_session_directory_is_emptied(tmp_path: Path) -> None:
    short = Path("/tmp") / f"mt-{tmp_path.name[-8:]}"
    settings = Settings(data_dir=tmp_path, temp_dir=short)
    try:
        directory = prepare(settings)
        (directory / "left").write_text("from before")
        assert prepare(settings) == directory
        assert not list(directory.iterdir())
        assert directory.stat().st_mode & 0o777 == 0o700
    finally:
        shutil.rmtree(short, ignore_errors=True)


def test_a_lab_whose_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = malote("lab", "--control-port", port, cwd=tmp_path)
    assert_refused(refused, Exit.FAILED, "cannot start", "--control-port")
