"""Calls that block hold up neither others nor the end of the process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from actors.threads import Threads
from tests.wait import until

BLOCKED = """
import asyncio, threading
from actors.threads import Threads

async def main():
    started = threading.Event()
    asyncio.create_task(Threads("blocked", 1).run(lambda: (started.set(), threading.Event().wait())))
    while not started.is_set():
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What calls wait for, until the end of the test."""
    gate = threading.Event()
    yield gate
    gate.set()


def living(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


async def test_it_says_what_a_call_returned_or_raised() -> None:
    threads = Threads("answers", 1)
    assert await threads.run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(threading.current_thread) != threading.current_thread()
    threads.close()


async def test_a_thread_that_is_idle_is_used_again() -> None:
    threads = Threads("again", 5)
    for _ in range(20):
        await threads.run(lambda: None)
        await until(lambda: threads._idle._value)
    assert len(living("again")) == 1
    threads.close()
    await until(lambda: not living("again"), what="the end of its threads")


async def test_no_more_than_so_many_are_open_at_a_time(gate: threading.Event) -> None:
    threads = Threads("bounded", 2)
    begun: list[int] = []
    calls = [asyncio.create_task(threads.run(lambda n=n: (begun.append(n), gate.wait()))) for n in range(5)]
    await until(lambda: len(begun) == 2)
    # Who does not wait any more has nothing begun.
    calls[2].cancel()
    gate.set()
    await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(begun) == [0, 1, 3, 4]
    threads.close()


async def test_a_blocked_call_can_be_given_up(gate: threading.Event) -> None:
    threads = Threads("given-up", 1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await threads.run(gate.wait)
    gate.set()
    assert await threads.run(lambda: "next") == "next"
    threads.close()


async def test_after_its_close_nothing_is_begun(gate: threading.Event) -> None:
    threads = Threads("closed", 1)
    begun: list[int] = []
    first, second = (asyncio.create_task(threads.run(work)) for work in (gate.wait, lambda: begun.append(1)))
    await until(lambda: living("closed"))
    threads.close()
    gate.set()
    assert await first
    await until(lambda: not living("closed"), what="the end of its threads")
    assert not begun
    second.cancel()


def test_a_blocked_call_does_not_keep_the_process_from_ending() -> None:
    ended = subprocess.run([sys.executable, "-c", BLOCKED], timeout=60, check=False)
    assert ended.returncode == 0
