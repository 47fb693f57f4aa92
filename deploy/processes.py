"""Processes of this machine, read from /proc: who descends from whom, and what memory they take."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One process, as it was when it was read.

    Two are equal if they are the same process, whatever it did between: ``started`` (clock ticks since boot)
    tells it from a later one with the same pid.
    """

    pid: int
    parent: int = field(compare=False)
    name: str = field(compare=False)
    state: str = field(compare=False)
    started: int


def read(pid: int) -> Process | None:
    """The process with this pid, None if there is none."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The name stands in parentheses and may itself contain spaces and parentheses.
    head, _, tail = text.rpartition(")")
    fields = tail.split()
    return Process(pid, int(fields[1]), head.partition("(")[2], fields[0], int(fields[19]))


def alive(process: Process) -> bool:
    """True if it is still the same process and not merely waiting to be reaped."""
    present = read(process.pid)
    return present == process and present.state not in "ZX"


def descendants(root: int) -> list[Process]:
    """Everything that descends from process ``root``, parents before children; ``root`` is not included."""
    children: dict[int, list[Process]] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (process := read(int(entry.name))) is not None:
            children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    waiting = [root]
    while waiting:
        born = children.get(waiting.pop(0), [])
        found += born
        waiting += [process.pid for process in born]
    return found


def proportional_memory(pid: int) -> int:
    """PSS in bytes: its own memory and its share of what it shares. 0 if it cannot be read."""
    try:
        rollup = (PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return 0
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def environment_of(pid: int) -> dict[str, str]:
    """What it was started with; only its own user may read that. Empty if it has ended."""
    try:
        raw = (PROC / str(pid) / "environ").read_bytes()
    except OSError:
        return {}
    pairs = (pair.partition("=") for pair in raw.decode(errors="surrogateescape").split("\0") if pair)
    return {name: value for name, _, value in pairs}


def command_line(pid: int) -> str:
    """What it was started as, or calls itself."""
    try:
        raw = (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def end(processes: Iterable[Process], *, patience: float) -> list[Process]:
    """Wait up to ``patience`` seconds for processes to end by themselves, then kill what is left.

    Returns:
        Those that had to be killed.
    """
    left = [process for process in processes if alive(process)]
    deadline = time.monotonic() + patience
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = [process for process in left if alive(process)]
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    # The kernel takes a moment, longer on a busy machine.
    deadline = time.monotonic() + patience
    while any(alive(process) for process in left) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left
