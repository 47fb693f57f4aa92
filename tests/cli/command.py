"""Runs the command line as a user does: as a program of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from actors.settings import Settings
from deploy.processes import Process, alive, descendants
from deploy.ray_local import session_directory

ROOT = Path(__file__).resolve().parents[2]
"""What runs is this tree, whatever is installed."""


@dataclass
class Result:
    status: int
    out: str
    err: str


def environment(**settings: str) -> dict[str, str]:
    """The environment of the tests without anybody's settings of Malote, and with these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MALOTE_", "RAY_"))}
    return kept | {"COLUMNS": "200", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)} | settings


def malote(*arguments: str, cwd: Path, timeout: float = 60, **settings: str) -> Result:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "deploy.cli", *arguments],
        cwd=cwd,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


class Foreground:
    """A command that runs until it is told to end; its lines are read as they come."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []

    @property
    def pid(self) -> int:
        return self.process.pid

    def until(self, text: str) -> str:
        """Read on until a line contains ``text``; returns that line."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return self.lines[-1]
        raise AssertionError(f"it ended without a line with {text!r}:\n" + "\n".join(self.lines))

    def rest(self) -> str:
        """Everything up to its end."""
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def family(self) -> list[Process]:
        return descendants(self.pid)


@contextmanager
def foreground(*arguments: str, cwd: Path, **settings: str) -> Iterator[Foreground]:
    """Start a command; whatever is left of it at the end of the block is killed, with what it started."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "deploy.cli", *arguments],
        cwd=cwd,
        env=environment(**settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Foreground(process)
    finally:
        family = descendants(process.pid)
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
        for member in family:
            if alive(member):
                os.kill(member.pid, 9)
        # One that was killed could not remove it; the next start on the same data would.
        for data_dir in (cwd / ".malote", cwd / ".malote" / "demo"):
            shutil.rmtree(session_directory(Settings(data_dir=data_dir)), ignore_errors=True)
