"""Breaking the lock of a session, as far as that needs no engine."""

from __future__ import annotations

import asyncio
import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.supervisor.session_locks import break_lock
from actors.supervisor.session_locks_postgres import lock_key, understood
from actors.supervisor.workers import LockStands

HOLD = """
import fcntl, sys
file = open(sys.argv[1], "r+")
if sys.argv[2] == "locked":
    fcntl.flock(file, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.read()
"""


async def never() -> None:
    raise AssertionError("there is nothing to confirm")


class Opener:
    """A process that has a session's lock file open."""

    def __init__(self, lock: Path, how: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(lock), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"

    @property
    def lives(self) -> bool:
        return self.process.poll() is None


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "x.db.lock"
    path.touch()
    return path


@pytest.fixture
def locked(lock: Path) -> Iterator[Opener]:
    yield from _open(lock, "locked")


@pytest.fixture
def unlocked(lock: Path) -> Iterator[Opener]:
    yield from _open(lock, "open")


def _open(lock: Path, how: str) -> Iterator[Opener]:
    opener = Opener(lock, how)
    yield opener
    opener.process.kill()
    opener.process.communicate()


def name(lock: Path, holder: object) -> None:
    lock.write_text(f"{holder}\n")


def store(lock: Path) -> str:
    return f"sqlite:{str(lock).removesuffix('.lock')}"


async def confirmed() -> None:
    return


async def test_the_holder_of_a_file_ends(lock: Path, locked: Opener) -> None:
    name(lock, locked.process.pid)
    assert await break_lock(store(lock), "x", confirmed)
    with lock.open() as free:
        fcntl.flock(free, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert locked.process.wait() == -9


async def test_a_process_that_only_waits_for_the_lock_is_no_holder(lock: Path, unlocked: Opener) -> None:
    name(lock, unlocked.process.pid)
    assert not await break_lock(store(lock), "x", never)
    assert unlocked.lives


async def test_a_number_that_belongs_to_somebody_else_now_is_not_believed(
    lock: Path, locked: Opener, tmp_path: Path
) -> None:
    other = tmp_path / "y.db.lock"
    name(other, locked.process.pid)
    assert not await break_lock(store(other), "y", never)
    assert locked.lives


@pytest.mark.parametrize("content", ["", "not a number", "1", "the dead", None])
def test_a_file_that_nobody_holds(lock: Path, content: str | None) -> None:
    if content is None:
        lock.unlink()
    elif content == "the dead":
        gone = subprocess.Popen(["true"])
        gone.wait()
        name(lock, gone.pid)
    else:
        name(lock, content)
    assert not asyncio.run(break_lock(store(lock), "x", never))


async def test_what_is_not_confirmed_is_not_broken(lock: Path, locked: Opener) -> None:
    name(lock, locked.process.pid)

    async def refuse() -> None:
        raise PermissionError("no")

    with pytest.raises(PermissionError):
        await break_lock(store(lock), "x", refuse)
    assert locked.lives


async def test_a_database_that_is_not_there() -> None:
    with pytest.raises(LockStands):
        await break_lock("postgres://u@127.0.0.1:1/x?sslmode=disable", "x", never)


def test_the_key_is_the_engines() -> None:
    assert lock_key("a") == 4646670005810877708
    assert lock_key("b") != lock_key("a")


def test_settings_that_only_the_engines_client_knows_are_left_out() -> None:
    url = "postgres://u:p%40ss@h:1,i:2/db?sslmode=verify-full&search_path=x&default_query_exec_mode=exec"
    assert understood(url) == "postgres://u:p%40ss@h:1,i:2/db?sslmode=verify-full"
    assert understood("postgres:///db?host=/a%20b&x=1") == "postgres:///db?host=%2Fa%20b"
    assert understood("postgres:///db") == "postgres:///db"
