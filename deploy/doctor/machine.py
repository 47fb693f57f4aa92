"""The machine on which this runs: disk, engine, limits."""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
from pathlib import Path

from actors.instance.connection.engine import engine_binary
from actors.settings import Settings
from deploy.doctor.finding import Area, Finding

area = Area("machine")
GIB = 2**30
FILES = 4_096


def examine(settings: Settings) -> list[Finding]:
    """Look at what this machine has."""
    folders = {"data": settings.data_dir.expanduser().absolute()}
    if settings.media.folder is not None:
        folders["files"] = settings.media.folder.expanduser().absolute()
    return [*(_folder(name, path) for name, path in folders.items()), _engine(settings), _files()]


def _folder(name: str, path: Path) -> Finding:
    subject = f"{name} in {path}"
    there = next(one for one in (path, *path.parents) if one.exists())
    if not os.access(there, os.W_OK | os.X_OK) or not there.is_dir():
        return area.problem(subject, "it cannot be written", "Let the user that runs Malote own this folder.")
    try:
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(b"0" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return area.problem(
            subject, f"it cannot be written: {error.strerror}", "Make room, or mount it writable."
        )
    usage = shutil.disk_usage(there)
    return judge_room(subject, usage.free, usage.total)


def judge_room(subject: str, free: int, total: int) -> Finding:
    """Whether there is room on a disk; in bytes."""
    said = f"{free / GIB:.1f} of {total / GIB:.0f} GiB free"
    remedy = "Make room, or lower MALOTE_MEDIA_RETENTION and MALOTE_MEDIA_RETENTION_BYTES."
    if free < GIB // 2:
        return area.problem(subject, said, remedy)
    return area.warning(subject, said, remedy) if free < 0.1 * total else area.ok(subject, said)


def _engine(settings: Settings) -> Finding:
    path = settings.engine or engine_binary(lab=settings.lab.directory is not None)
    if not path.is_file():
        return area.problem("engine", f"there is none at {path}", "Run `make engine`, or set MALOTE_ENGINE.")
    if not os.access(path, os.X_OK):
        return area.problem("engine", f"{path} is not executable", f"chmod +x {path}")
    return area.ok("engine", str(path))


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    said = f"{soft} at a time"
    if soft != resource.RLIM_INFINITY and soft < FILES:
        more = f"up to {hard} by yourself" if hard > soft else "in the service's or container's definition"
        return area.warning("open files", said, f"Raise it: `ulimit -n 65536`, {more}.")
    return area.ok("open files", said)
