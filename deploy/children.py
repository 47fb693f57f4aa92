"""Child processes: started, watched, started again when they die, and never left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from deploy.errors import CommandError
from deploy.processes import Process, descendants, end

LEASH = Path(__file__).with_name("leash.py")
LOG_BYTES = 10 * 1024 * 1024
LONGEST_PAUSE = 10.0
TRIM_PERIOD = 30.0

Say = Callable[[str], None]
Ready = Callable[[], Awaitable[bool]]


class ChildEnded(CommandError):
    """A child ended instead of becoming ready.

    Args:
        returncode: its exit status, negative if a signal killed it.
    """

    def __init__(self, problem: str, remedy: str, returncode: int) -> None:
        super().__init__(problem, remedy)
        self.returncode = returncode


class Child:
    """One program that has to run.

    Args:
        name: for people.
        command: its command line, asked for at every start.
        env: its whole environment, asked for at every start.
        ready: True once it can do its work. Asked again and again after a start.
        log: file for what it prints; at 10 MiB it becomes ``log.1`` and begins anew.
        start_timeout, stop_timeout: seconds.
        say: told when it dies and when it is there again.
    """

    def __init__(
        self,
        name: str,
        *,
        command: Callable[[], Sequence[str]],
        env: Callable[[], Mapping[str, str]],
        ready: Ready,
        log: Path,
        start_timeout: float = 60.0,
        stop_timeout: float = 10.0,
        say: Say,
    ) -> None:
        self.name = name
        self.log = log
        self.restarts = 0
        self._command = command
        self._env = env
        self._ready = ready
        self._start_timeout = start_timeout
        self._stop_timeout = stop_timeout
        self._say = say
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """Its pid while it runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and running else None

    async def start(self) -> None:
        """Start it and wait until it is ready.

        Raises:
            ChildEnded: it ended instead.
            CommandError: it was not ready in time.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        _trim(self.log)
        with self.log.open("ab") as log:
            # What earlier runs printed explains nothing of this one.
            begun = log.tell()
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                str(LEASH),
                str(os.getpid()),
                *self._command(),
                env=dict(self._env()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C reaches every process of the terminal's group; ending is ours to order.
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(self._start_timeout):
                while not await self._ready():
                    if self._process.returncode is not None:
                        raise ChildEnded(
                            f"the {self.name} ended at start (status {self._process.returncode})"
                            f"{_tail(self.log, begun)}",
                            f"Everything it printed is in {self.log}.",
                            self._process.returncode,
                        )
                    await asyncio.sleep(0.05)
        except TimeoutError:
            await self.stop()
            raise CommandError(
                f"the {self.name} was not ready within {self._start_timeout:.0f} s{_tail(self.log, begun)}",
                f"Everything it printed is in {self.log}.",
            ) from None

    async def wait(self) -> int:
        """Wait until it ends, and keep its log within its bound meanwhile. Returns its status."""
        assert self._process is not None
        while True:
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(self._process.wait(), TRIM_PERIOD)
            _trim(self.log)

    async def keep(self, restarted: Callable[[], Awaitable[None]] | None = None) -> None:
        """Start it again whenever it ends, for ever. ``restarted`` is awaited after each time."""
        pause = 0.2
        while True:
            began = asyncio.get_running_loop().time()
            status = await self.wait()
            if asyncio.get_running_loop().time() - began > 60:
                pause = 0.2
            self._say(f"The {self.name} ended ({_meaning(status)}); starting it again.")
            while True:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                try:
                    await self.start()
                except CommandError as error:
                    self._say(f"{error.problem} Trying again in {pause:.1f} s.")
                    continue
                break
            self.restarts += 1
            self._say(f"The {self.name} is back.")
            if restarted is not None:
                await restarted()

    async def stop(self) -> None:
        """End it and whatever it started: SIGTERM, then SIGKILL. Again is harmless."""
        process = self._process
        if process is None:
            return
        family: list[Process] = []
        if process.returncode is None:
            family = descendants(process.pid)
            self._signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), self._stop_timeout)
            except TimeoutError:
                self.kill()
                await process.wait()
        await asyncio.to_thread(end, family, patience=5.0)

    def kill(self) -> None:
        """SIGKILL it now."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        # Not through asyncio, whose send_signal may reap the process behind the back of its own watcher.
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _trim(log: Path) -> None:
    """Move a log that has grown too large aside. Its writers append, so they go on at its new beginning."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_BYTES:
            shutil.copyfile(log, log.with_name(log.name + ".1"))
            os.truncate(log, 0)


def _tail(log: Path, start: int, lines: int = 5) -> str:
    try:
        last = log.read_bytes()[start:].decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return ""
    return ":\n  " + "\n  ".join(last) if last else "."


def _meaning(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"
