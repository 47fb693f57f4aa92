"""``python -m gateway`` as a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.api.world import ADMIN, soon


class Process:
    """A gateway with settings of its own; by default there is no cluster, and it has to live without.

    Args:
        folder: its data directory.
        module: what is run instead of it.
        settings: its environment, besides what this process has.
    """

    def __init__(self, folder: Path, module: str = "gateway", **settings: str) -> None:
        self.folder = folder
        self.module = module
        self.settings = settings
        # A pipe that nobody reads would stop it once it is full.
        self._said = tempfile.TemporaryFile()  # noqa: SIM115

    async def start(self) -> None:
        """Start it; it may not serve yet."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MALOTE_")}
        settings = {
            "MALOTE_DATA_DIR": str(self.folder),
            "MALOTE_GATEWAY_PORT": "0",
            "MALOTE_ADMIN_KEY": ADMIN,
            "MALOTE_RAY_ADDRESS": "127.0.0.1:1",
            "MALOTE_GATEWAY_SHUTDOWN_TIMEOUT": "5",
            **self.settings,
        }
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", self.module, env={**kept, **settings}, stdout=self._said, stderr=self._said
        )

    async def ended(self) -> tuple[int, str]:
        """Its exit status and what it said."""
        async with asyncio.timeout(60):
            status = await self.process.wait()
        with self._said:
            self._said.seek(0)
            return status, self._said.read().decode()

    async def stop(self) -> None:
        """End it, however far it is. Again is harmless."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        self._said.close()

    async def serving(self) -> str:
        """Where it serves, as soon as it does."""

        async def look() -> Any:
            assert self.process.returncode is None
            try:
                return json.loads((self.folder / "gateway.json").read_text())
            except FileNotFoundError:
                return None

        note = await soon(look)
        assert note["pid"] == self.process.pid
        return str(note["url"])
