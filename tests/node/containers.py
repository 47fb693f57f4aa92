"""Nodes as containers run them: each `python -m deploy.node` a process tree of its own, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

from deploy.children import LEASH
from deploy.processes import Process, alive, descendants, end
from tests.cli.command import environment
from tests.cluster.nodes import PORTS, ROOT, START_ATTEMPTS, TOO_SLOW

WORKER_PORTS = 80
"""Ports that each node has for its actors."""
BLOCK = 100
"""Ports of a node in all. Nodes of one machine share its ports; containers would not."""
JOB_PATIENCE = 240.0


class Container:
    """One node.

    Args:
        host: its loopback address.
        settings: ``MALOTE_…`` and what a platform puts into the environment.
    """

    def __init__(self, name: str, role: str, directory: Path, settings: dict[str, str]) -> None:
        self.name = name
        self.role = role
        self.directory = directory
        self.settings = settings
        self.process: asyncio.subprocess.Process | None = None
        self._family: list[Process] = []

    @property
    def gateway(self) -> str:
        """URL of the node's gateway, if it has one."""
        return f"http://127.0.0.1:{self.settings['MALOTE_GATEWAY_PORT']}"

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    @property
    def node(self) -> str:
        """Ray's id of it, "" before it has one."""
        found = re.search(r"node ([0-9a-f]{56}) is up", self.log)
        return found[1] if found else ""

    @property
    def raylet(self) -> Process:
        return Process(**json.loads((self.directory / "node.json").read_text())["raylet"])

    async def start(self) -> None:
        """Start it and wait until it is healthy. A start that took Ray too long is repeated."""
        for attempt in range(1, START_ATTEMPTS + 1):
            await self.launch()
            assert self.process is not None
            while self.process.returncode is None:
                if (self.directory / "node.json").exists() and await self.health() == 0:
                    return
                await asyncio.sleep(0.2)
            if TOO_SLOW not in self.log or attempt == START_ATTEMPTS:
                raise AssertionError(f"{self.name} ended with {self.process.returncode}: {self.log}")

    async def launch(self) -> None:
        """Start it, and do not wait."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / "log").open("wb") as log:
            self.process = await self._run(self.role, out=log)

    async def health(self) -> int:
        """Exit status of the container's health check."""
        check = await self._run("health", out=asyncio.subprocess.DEVNULL)
        return await check.wait()

    async def terminate(self) -> int:
        """SIGTERM, as a platform ends a container. Returns the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()

    async def kill(self) -> None:
        """SIGKILL for everything at once, as when the machine is lost."""
        if self.process is None:
            return
        self._family = [*descendants(self.process.pid), *self._family]
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        for process in self._family:
            if alive(process):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, signal.SIGKILL)
        await self.process.wait()
        await asyncio.to_thread(end, self._family, patience=1.0)

    async def _run(self, argument: str, *, out: int | IO[Any]) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(LEASH), str(os.getpid())),
            *(sys.executable, "-m", "deploy.node", argument),
            env=environment(**self.settings),
            cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )


class Containers:
    """A cluster of them.

    Args:
        directory: for logs and data.
        settings: ``MALOTE_…`` that all nodes share.
    """

    def __init__(self, directory: Path, gcs_redis: str, **settings: str) -> None:
        self._directory = directory
        self._temporary = Path(tempfile.mkdtemp(prefix="mlt-"))
        self._all: list[Container] = []
        self._settings = settings
        self._reservations: list[socket.socket] = []
        first = self._reserve()
        self._head_settings = {
            "MALOTE_NODE_GCS_REDIS_URL": gcs_redis,
            "MALOTE_NODE_GCS_PORT": str(first),
            "MALOTE_NODE_DASHBOARD_PORT": str(first + 1),
        }
        directory.mkdir(parents=True)
        token = directory / "ray-token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        self.access = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}

    @property
    def address(self) -> str:
        """Of the head."""
        return f"127.0.0.2:{self._head_settings['MALOTE_NODE_GCS_PORT']}"

    async def job(
        self, *command: str, tree: Path = ROOT, token: bool = True, patience: float = JOB_PATIENCE
    ) -> tuple[int, str]:
        """Submit a job through the dashboard; its exit status, and what it and the submission printed.

        Args:
            command: of ``deploy.job``.
            tree: the version of the code.
            token: False for somebody who does not have it.
            patience: seconds.
        """
        url = f"http://127.0.0.1:{self._head_settings['MALOTE_NODE_DASHBOARD_PORT']}"
        submit = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ray.scripts.scripts", "job", "submit", "--address", url),
            *("--working-dir", str(tree), "--", sys.executable, "-m", "deploy.job", *command),
            env=environment(**(self.access if token else {"RAY_AUTH_MODE": "disabled"})),
            cwd=tree,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(submit.communicate(), patience)
        finally:
            if submit.returncode is None:
                submit.kill()
        assert submit.returncode is not None
        return submit.returncode, said.decode()

    def head(self) -> Container:
        return self._add("head", "head", "127.0.0.2", self._head_settings)

    def worker(self, name: str, **settings: str) -> Container:
        """A worker; ``MALOTE_NODE_ADDRESS`` or an ECS agent has to say where it is."""
        return self._add(name, "worker", None, settings | {"MALOTE_NODE_HEAD": self.address})

    def _add(self, name: str, role: str, address: str | None, settings: dict[str, str]) -> Container:
        first = self._reserve()
        directory = self._directory / name
        temporary = self._temporary / str(len(self._all))
        temporary.mkdir()
        own = {
            "MALOTE_DATA_DIR": str(directory),
            "MALOTE_TEMP_DIR": str(temporary),
            "MALOTE_NODE_FIRST_PORT": str(first),
            "MALOTE_NODE_WORKER_PORTS": f"{first + 10}-{first + 9 + WORKER_PORTS}",
            "MALOTE_GATEWAY_PORT": str(first + 9),
        }
        if address is not None:
            own["MALOTE_NODE_ADDRESS"] = address
        found = Container(name, role, directory, self.access | self._settings | own | settings)
        self._all.append(found)
        return found

    def _reserve(self) -> int:
        """The first port of a block that no other cluster of such nodes has, in whichever process."""
        for first in range(PORTS.stop - BLOCK, PORTS.start, -BLOCK):
            mark = socket.socket()
            try:
                mark.bind(("127.0.0.1", first + BLOCK - 1))
            except OSError:
                mark.close()
                continue
            self._reservations.append(mark)
            return first
        raise AssertionError("there are no ports left")

    async def __aenter__(self) -> Containers:
        return self

    async def __aexit__(self, *ended: object) -> None:
        for number, container in enumerate(self._all):
            await container.kill()
            # What actors said, for whoever has to find out what happened.
            for logs in (self._temporary / str(number)).glob("malote-node/ray/session_2*/logs"):
                with contextlib.suppress(OSError, shutil.Error):
                    shutil.copytree(logs, container.directory / "ray-logs" / logs.parent.name)
        shutil.rmtree(self._temporary, ignore_errors=True)
        for mark in self._reservations:
            mark.close()
