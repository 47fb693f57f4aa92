"""The processes of a node, summed up in one `/metrics`: what prometheus-client calls its multiprocess mode.

Each process writes its values into a folder of its own, in prometheus-client's files, and holds a lock there
for as long as it lives. Whoever is asked for the metrics merges all folders. What a dead process counted is
first added to a single other folder, so that counters never go back and there are not ever more folders; its
gauges go with it. A process that is killed loses what it counted since it last wrote.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import secrets
import stat
import threading
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

from actors import metrics
from actors.metrics_files import Values, locked, new_file, room, values_of
from actors.settings import Settings

log = logging.getLogger(__name__)


def node_folder(settings: Settings) -> Path:
    """Where the processes of this Malote on this node meet."""
    if settings.metrics.folder is not None:
        return settings.metrics.folder
    name = f"{settings.namespace}/{settings.prefix}/{settings.data_dir.absolute()}"
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return settings.temp_dir / f"malote-metrics-{os.getuid()}-{digest}"


class Exporter:
    """Writes this process's values.

    Args:
        role: of `metrics.ROLES`. The gateway writes zeros too: others leave out what they never count.

    Raises:
        OSError: the folder cannot be used.
    """

    def __init__(self, folder: Path, role: str) -> None:
        self.folder = folder
        self._alive = -1
        self._role = role
        if role == "gateway":
            metrics.from_zero()
        self._id = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._keys: dict[tuple[str, ...], str] = {}
        self._written: dict[str, Values] = {}
        self._files: dict[str, MmapedDict] = {}
        self._writing = threading.Lock()
        self._own = folder / self._id
        self._join()

    def write(self) -> None:
        """Write what has changed."""
        with self._writing:
            if not self._own.exists():
                # Somebody cleaned temporary folders up. Everything is still in this process.
                self._leave()
                self._join()
            metrics.PROCESSES.labels(self._role).set(1)
            metrics.MEMORY.labels(self._role).set(memory())
            metrics.sample()
            found = values_of(metrics.REGISTRY, self._keys, self._role == "gateway")
            for name, values in found.items():
                self._store(name, values)

    def close(self) -> None:
        """Write for the last time; the values of gauges end here."""
        with contextlib.suppress(OSError):
            self.write()
        self._leave()

    def _join(self) -> None:
        folder = self.folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid() or stat.S_IMODE(folder.stat().st_mode) & 0o022:
            raise PermissionError(f"{folder} belongs to others, or others may write to it")
        with locked(folder):
            self._own.mkdir()
            # Of the folder itself: systemd leaves one that is locked alone, however old it is.
            self._alive = os.open(self._own, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            fcntl.flock(self._alive, fcntl.LOCK_EX)

    def _leave(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._written.clear()
        os.close(self._alive)

    def _store(self, name: str, values: Values) -> None:
        before = self._written.get(name, {})
        # That a series has ended, a file has no way to say.
        ended = name.startswith("gauge") and before.keys() - values.keys()
        if name not in self._files or ended or room(values) > self._files[name]._capacity:
            # One that is not whole is seen by nobody.
            fresh = self._own / f"fresh_{name}"
            file = new_file(fresh, values)
            fresh.rename(self._own / f"{name}_{self._id}.db")
            if name in self._files:
                self._files[name].close()
            self._files[name] = file
        else:
            for key, value in values.items():
                if before.get(key) != value:
                    self._files[name].write_value(key, value, 0.0)
        self._written[name] = values


async def run(settings: Settings, role: str) -> None:
    """Keep this process's values written until cancelled. That it fails is logged, and harms nothing else."""
    try:
        exporter = Exporter(node_folder(settings), role)
    except OSError as error:
        log.error("no metrics of this process", extra={"role": role, "error": str(error)})
        return
    loop, interval = asyncio.get_running_loop(), settings.metrics.interval
    try:
        while True:
            try:
                exporter.write()
            except Exception:
                log.exception("metrics not written")
            due = loop.time() + interval
            await asyncio.sleep(interval)
            metrics.LOOP_LAG.labels(role).set(max(0.0, loop.time() - due))
    finally:
        exporter.close()


def memory(pid: int | str = "self") -> int:
    """Resident bytes of a process, 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0
