"""One ``up`` per data directory: a lock, and a note of who holds it.

The lock is the kernel's, so that it ends with its holder, however that ended. The note beside it is
believed only while the lock is held.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from deploy.errors import CommandError, Exit


class Running(BaseModel):
    """What a running ``up`` tells about itself."""

    model_config = ConfigDict(extra="ignore")

    pid: int
    command: str
    redis_url: str | None = None
    prefix: str = "malote"
    allow_hosts: tuple[str, ...] = ()
    gateway_url: str | None = None
    dashboard_url: str | None = None
    lab_control_url: str | None = None


class DataLock:
    """The lock on a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "up.lock"
        self._note = data_dir / "up.json"
        self._descriptor: int | None = None
        self._running: Running | None = None

    def take(self, command: str) -> None:
        """Take the lock, for as long as this process lives.

        Raises:
            CommandError: somebody else has it, or the directory cannot be written.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise CommandError(
                f"cannot write in {self._path.parent}: {error.strerror}",
                "Choose another directory with --data-dir or MALOTE_DATA_DIR.",
            ) from error
        if not _lock(descriptor):
            os.close(descriptor)
            holder = running(self._path.parent)
            who = f"process {holder.pid} (malote {holder.command})" if holder else "another process"
            raise CommandError(
                f"{who} already runs on {self._path.parent}",
                "End it with `malote down`, or choose another directory with --data-dir.",
                status=Exit.ALREADY_RUNNING,
            )
        self._descriptor = descriptor
        self._running = Running(pid=os.getpid(), command=command)
        self._write()

    def note(self, **facts: Any) -> None:
        """Add facts for ``status`` and ``down``."""
        if self._running is not None:
            self._running = self._running.model_copy(update=facts)
            self._write()

    def release(self) -> None:
        """Give the lock back. Without the lock, this does nothing."""
        if self._descriptor is None:
            return
        self._note.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None

    def _write(self) -> None:
        assert self._running is not None
        write_private(self._note, self._running.model_dump_json())


def _lock(descriptor: int) -> bool:
    # `running` holds the lock for an instant while it looks: one refusal is no proof of a holder.
    for _ in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def running(data_dir: Path) -> Running | None:
    """Who runs on a data directory now, None if nobody does."""
    try:
        descriptor = os.open(data_dir / "up.lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        try:
            return Running.model_validate(json.loads((data_dir / "up.json").read_text()))
        except (OSError, ValueError):
            return None
    finally:
        os.close(descriptor)
    return None


def write_private(path: Path, text: str) -> None:
    """Replace a file at once; only its owner may read it."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
