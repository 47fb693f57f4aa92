"""Breaks the lock on a session that an owner's engine still holds: frozen, cut off, or lost with its node.

That takes three steps: see who holds it, have the caller confirm that it may be broken, end exactly who was
seen. So an order that is late, or repeated, never takes the lock from somebody that came meanwhile.

An engine that has lost its lock ends; one that is frozen, when it wakes up.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import signal
import sys
from pathlib import Path

from actors.supervisor.workers import Confirm, LockStands

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds for all of it: it holds up a handoff."""

_NO_DESCRIPTORS = (errno.ENOSYS, errno.EPERM, errno.EINVAL)
"""What an old kernel, or a container's filter, answers to who asks for a process's descriptor."""


async def break_lock(store: str, session: str, confirm: Confirm) -> bool:
    """End whoever holds the lock of a session; False if nobody does.

    Args:
        store: where sessions are kept, as an engine is told.
        session: its name there.

    Raises:
        LockStands: it could not be broken.
        Exception: whatever ``confirm`` raised.
    """
    try:
        async with asyncio.timeout(PATIENCE):
            if store.startswith("sqlite:"):
                path = store.removeprefix("sqlite:").removeprefix("//")
                return await _break_file(Path(f"{path}.lock"), confirm)
            # Only here: an installation without PostgreSQL does without its client.
            from actors.supervisor import session_locks_postgres

            return await session_locks_postgres.break_lock(store, session, confirm)
    except TimeoutError:
        raise LockStands(f"the lock of {session} was not broken within {PATIENCE} s") from None


async def _break_file(lock: Path, confirm: Confirm) -> bool:
    """A file is locked by a process of this machine: end it."""
    if sys.platform != "linux":  # pragma: no cover
        return False  # a dead process frees its lock anywhere; which one holds it only Linux says
    holder = _holder(lock)
    if holder is None:
        return False
    try:
        await confirm()
        log.warning("ending the holder of a lock", extra={"lock": str(lock)})
        _kill(holder, lock)
        await _ended(holder)
    finally:
        os.close(holder)
    return True


def _holder(lock: Path) -> int | None:
    """A descriptor of the process that holds a file's lock, None if none does."""
    assert sys.platform == "linux"
    try:
        pid = int(lock.read_text())
        # First the descriptor, then the look: what is seen through the number is then the same process, for a
        # number is not given again while its process is not gone.
        process = os.pidfd_open(pid)
    except (ValueError, FileNotFoundError, ProcessLookupError):
        return None  # nobody ever had it, or whoever had it is dead
    except OSError as error:
        if error.errno in _NO_DESCRIPTORS:
            log.warning("this kernel does not let locks be broken", extra={"lock": str(lock)})
            return None
        raise LockStands(f"{lock} cannot be looked at: {error}") from error
    if _holds(pid, lock):
        return process
    os.close(process)
    return None


def _holds(pid: int, lock: Path) -> bool:
    """True if this process has this very file open and locked: its number in there alone proves nothing."""
    try:
        wanted = lock.stat()
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False  # it has just ended, or is somebody else's: engines are ours
    for descriptor in descriptors:
        try:
            found = descriptor.stat()
            if (found.st_dev, found.st_ino) != (wanted.st_dev, wanted.st_ino):
                continue
            facts = Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text()
        except OSError:
            continue  # closed meanwhile, or nothing that has a path
        if any(line.startswith("lock:") and "FLOCK" in line.split() for line in facts.splitlines()):
            return True
    return False


def _kill(process: int, lock: Path) -> None:
    assert sys.platform == "linux"
    try:
        signal.pidfd_send_signal(process, signal.SIGKILL)
    except ProcessLookupError:
        pass  # dead by itself meanwhile
    except OSError as error:
        raise LockStands(f"the holder of {lock} cannot be ended: {error}") from error


async def _ended(process: int) -> None:
    """Wait until the process of a descriptor has ended."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(process, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process)
