"""Children: nothing outlives us, whatever ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.children import LEASH, Child
from deploy.errors import CommandError
from deploy.processes import Process, alive, descendants, end, proportional_memory, read
from tests.wait import until

SLEEP = "import time; time.sleep(600)"
# A program that starts another one, which starts a third one in a session of its own.
NEST = (
    "import subprocess, sys, time;"
    "subprocess.Popen([sys.executable, '-c', 'import subprocess, sys, time;"
    'subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True);'
    "time.sleep(600)']); time.sleep(600)"
)


def start(*command: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command)


async def family_of(pid: int, size: int) -> list[Process]:
    await until(lambda: len(descendants(pid)) >= size)
    return descendants(pid)


@pytest.fixture
async def spawned() -> AsyncIterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        for member in descendants(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGKILL)
        process.kill()
        process.wait()


def leashed(*command: str) -> list[str]:
    """A parent that starts ``command`` on a leash and waits."""
    program = (
        "import os, subprocess, sys;"
        f"subprocess.run([sys.executable, {str(LEASH)!r}, str(os.getpid()), *{list(command)!r}])"
    )
    return [sys.executable, "-c", program]


async def test_a_leashed_program_dies_with_its_parent(spawned: list[subprocess.Popen[bytes]]) -> None:
    parent = start(*leashed(sys.executable, "-c", SLEEP))
    spawned.append(parent)
    (child,) = await family_of(parent.pid, 1)
    parent.kill()
    await until(lambda: not alive(child))


async def test_a_leash_notices_that_the_parent_is_gone_already() -> None:
    orphan = await asyncio.create_subprocess_exec(
        sys.executable, str(LEASH), "1", sys.executable, "-c", SLEEP
    )
    assert await orphan.wait() == 1


@pytest.mark.parametrize("how", ["program", "warden", "parent"])
async def test_nothing_outlives_a_warden(how: str, spawned: list[subprocess.Popen[bytes]]) -> None:
    warden = [sys.executable, "-m", "deploy.warden", sys.executable, "-c", NEST]
    parent = start(*leashed(*warden))
    spawned.append(parent)
    # The warden itself, the program, and the two below it.
    family = await family_of(parent.pid, 4)
    victim = {"program": family[1].pid, "warden": family[0].pid, "parent": parent.pid}[how]
    os.kill(victim, signal.SIGTERM if how == "warden" else signal.SIGKILL)
    await until(lambda: not any(alive(member) for member in family))


async def test_a_warden_kills_what_lost_its_parent_and_keeps_the_rest(
    spawned: list[subprocess.Popen[bytes]],
) -> None:
    warden = start(sys.executable, "-m", "deploy.warden", sys.executable, "-c", NEST)
    spawned.append(warden)
    program, middle, lowest = await family_of(warden.pid, 3)
    os.kill(middle.pid, signal.SIGKILL)
    await until(lambda: not alive(lowest))
    assert alive(program)


@pytest.mark.parametrize(("program", "status"), [("raise SystemExit(7)", 7), ("import os; os.abort()", 134)])
async def test_a_warden_has_its_programs_status(program: str, status: int) -> None:
    warden = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.warden", sys.executable, "-c", program
    )
    assert await warden.wait() == status


def child(tmp_path: Path, program: str, said: list[str], **options: float) -> Child:
    ready = tmp_path / "ready"

    def command() -> list[str]:
        ready.unlink(missing_ok=True)
        return [sys.executable, "-c", program, str(ready)]

    async def is_ready() -> bool:
        return ready.exists()

    log = tmp_path / "log"
    return Child(
        "thing",
        command=command,
        env=lambda: dict(os.environ),
        ready=is_ready,
        log=log,
        say=said.append,
        **options,
    )


READY = "import pathlib, sys, time; print('hello', flush=True); pathlib.Path(sys.argv[1]).touch();"


async def test_a_child_is_started_again_when_it_is_killed(tmp_path: Path) -> None:
    said: list[str] = []
    again = asyncio.Event()

    async def restarted() -> None:
        again.set()

    thing = child(tmp_path, READY + "time.sleep(600)", said)
    await thing.start()
    keeper = asyncio.create_task(thing.keep(restarted))
    first = thing.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    async with asyncio.timeout(30):
        await again.wait()
    assert thing.pid not in (None, first)
    assert thing.restarts == 1
    assert said == ["The thing ended (killed by SIGKILL); starting it again.", "The thing is back."]
    keeper.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeper
    await thing.stop()
    assert thing.pid is None
    await thing.stop()


async def test_a_child_that_ends_at_start_is_an_error_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("of an earlier run\n")
    thing = child(tmp_path, "raise SystemExit('no port for me')", [])
    with pytest.raises(CommandError, match="no port for me") as raised:
        await thing.start()
    assert "of an earlier run" not in raised.value.problem
    assert str(tmp_path / "log") in raised.value.remedy


async def test_a_child_that_is_never_ready_is_stopped(tmp_path: Path) -> None:
    thing = child(tmp_path, SLEEP, [], start_timeout=0.3)
    with pytest.raises(CommandError, match="was not ready"):
        await thing.start()
    assert thing.pid is None


async def test_a_child_that_ignores_sigterm_is_killed_with_what_it_started(tmp_path: Path) -> None:
    stubborn = (
        "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        + READY
        + "time.sleep(600)"
    ).replace("import signal", "import sys, signal")
    thing = child(tmp_path, stubborn, [], stop_timeout=0.3)
    await thing.start()
    assert thing.pid is not None
    family = await family_of(thing.pid, 1)
    await thing.stop()
    assert not any(alive(member) for member in family)


async def test_what_a_child_prints_is_kept(tmp_path: Path) -> None:
    thing = child(tmp_path, READY + "time.sleep(600)", [])
    await thing.start()
    await until(lambda: "hello" in (tmp_path / "log").read_text())
    await thing.stop()


def test_a_process_is_told_from_a_later_one_with_its_pid() -> None:
    me = read(os.getpid())
    assert me is not None
    assert alive(me)
    assert not alive(Process(me.pid, me.parent, me.name, me.state, me.started - 1))
    assert read(2**22 + 1) is None


def test_memory_is_measured() -> None:
    assert proportional_memory(os.getpid()) > 2**20
    assert proportional_memory(2**22 + 1) == 0


def test_end_kills_only_what_does_not_end_by_itself() -> None:
    slow = subprocess.Popen([sys.executable, "-c", SLEEP])
    quick = subprocess.Popen([sys.executable, "-c", ""])
    quick.wait()
    process = read(slow.pid)
    assert process is not None
    gone = Process(quick.pid, os.getpid(), "python", "S", 1)
    assert end([process, gone], patience=0.1) == [process]
    assert slow.wait() == -signal.SIGKILL
