"""A benchmark in a process of its own, that ends with the test."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from deploy.children import LEASH


async def bench(module: str, *arguments: str) -> tuple[dict[str, Any], str]:
    """Run it; the JSON object of its last line, and what it said on stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", str(LEASH), str(os.getpid())),
        *(sys.executable, "-m", module, *arguments),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{said.decode()}\n{complaints.decode()[-5000:]}"
    result: dict[str, Any] = json.loads(said.decode().splitlines()[-1])
    return result, complaints.decode()
