"""Copies of the source tree, each with a change: versions of the code that are good, or broken somehow."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.nodes import ROOT

CODE = ("actors", "deploy")


@dataclass(frozen=True)
class Change:
    """What is different in a file."""

    file: str
    old: str
    new: str


GOOD = Change("actors/version.py", "LENGTH = 12", "LENGTH = 12  # changed")
NOBODY_LEADS = Change(
    "actors/supervisor/actor.py",
    "        self._settings = settings\n        store =",
    '        raise RuntimeError("this version is broken")\n        store =',
)
CRASHES_AT_START = Change(
    "actors/instance/actor.py",
    "    async def prepare(self) -> None:\n",
    "    async def prepare(self) -> None:\n        os._exit(1)\n\n    async def _prepare(self) -> None:\n",
)
CANNOT_CONNECT = Change(
    "actors/instance/connection/engine.py",
    "    async def connect(self) -> None:\n",
    '    async def connect(self) -> None:\n        raise ConnectionError("internal", "broken")\n\n'
    "    async def _connect(self) -> None:\n",
)


def tree(directory: Path, change: Change) -> Path:
    """A copy of what actors and jobs run, with a change."""
    for part in CODE:
        shutil.copytree(ROOT / part, directory / part, ignore=shutil.ignore_patterns("__pycache__"))
    file = directory / change.file
    source = file.read_text()
    assert source.count(change.old) == 1, f"{change.old!r} is not in {change.file} once"
    file.write_text(source.replace(change.old, change.new))
    return directory


async def job(code: Path, environment: Mapping[str, str], *arguments: str) -> tuple[int, str, dict[str, Any]]:
    """Run ``deploy.job`` of a tree; its exit status, what it said, and its last line."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.job", *arguments),
        cwd=code,
        env={**environment, "PYTHONPATH": str(code)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        out, _ = await asyncio.wait_for(process.communicate(), 150)
    finally:
        if process.returncode is None:
            process.kill()
    said = out.decode()
    lines = [line for line in said.splitlines() if line.startswith("{")]
    assert process.returncode is not None
    return process.returncode, said, json.loads(lines[-1]) if lines else {}
