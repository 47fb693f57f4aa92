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
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.samples import Sample

from actors import metrics
from actors.settings import Settings

log = logging.getLogger(__name__)

DEAD = "dead-"
"""How the folder begins that holds what dead processes counted: then a number and the last of them."""

Values = dict[str, float]


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
            found = _values(metrics.REGISTRY, self._keys, self._role == "gateway")
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
        with _locked(folder):
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
        before = self._written.get(name)
        if before is None or (name.startswith("gauge") and before.keys() - values.keys()):
            # A series has ended, which a file has no way to say. One that is not whole is seen by nobody.
            if name in self._files:
                self._files[name].close()
            fresh = self._own / f"fresh_{name}"
            file = self._files[name] = MmapedDict(str(fresh))
            for key, value in values.items():
                file.write_value(key, value, 0.0)
            before = values
            fresh.rename(self._own / f"{name}_{self._id}.db")
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


def exposition(folder: Path) -> bytes:
    """The metrics of a node in Prometheus' text format. Reads files: not for an event loop.

    Raises:
        OSError
    """
    with _locked(folder):
        _fold(folder)
        files = [str(file) for file in folder.glob("[0-9d]*/*_*.db")]
        merged = list(MultiProcessCollector.merge(files))
    registry = CollectorRegistry()
    registry.register(_Merged(merged))
    return generate_latest(registry)


class _Merged:
    def __init__(self, found: list[Metric]) -> None:
        self._found = sorted(found, key=lambda metric: metric.name)

    def collect(self) -> Iterator[Metric]:
        """Metrics that were merged before."""
        yield from self._found


def _values(registry: CollectorRegistry, keys: dict[tuple[str, ...], str], zeros: bool) -> dict[str, Values]:
    """A registry's values by file and key, as prometheus-client's values in files would have them."""
    found: dict[str, Values] = {}
    for family in registry.collect():
        kind = f"gauge_live{metrics.MERGE[family.name]}" if family.type == "gauge" else family.type
        values = found.setdefault(kind, {})
        for sample, value in _raw(family):
            identity = (sample.name, *sample.labels.values())
            key = keys.get(identity)
            if key is None:
                # A gauge with labels was set by somebody; everything else is there from the start.
                told = bool(value) or (value is not None and family.type == "histogram")
                told = told or (family.type == "gauge" and bool(sample.labels))
                if not (told or zeros):
                    continue
                key = keys[identity] = mmap_key(
                    family.name,
                    sample.name,
                    list(sample.labels.keys()),
                    list(sample.labels.values()),
                    family.documentation,
                )
            values[key] = value or 0.0
    return found


def _raw(family: Metric) -> Iterator[tuple[Sample, float | None]]:
    """Samples with their values; of a histogram each bucket's own. None for all of one that is empty."""
    if family.type != "histogram":
        yield from ((sample, sample.value) for sample in family.samples if sample.name[-8:] != "_created")
        return
    buckets: list[tuple[Sample, float]] = []
    below = 0.0
    empty = False
    for sample in family.samples:
        if sample.name.endswith("_bucket"):
            buckets.append((sample, sample.value - below))
            below = sample.value
        elif sample.name.endswith("_count"):  # follows from the buckets, which it follows
            empty = not sample.value
            yield from ((bucket, None if empty else value) for bucket, value in buckets)
            buckets, below = [], 0.0
        elif sample.name.endswith("_sum"):
            yield sample, None if empty else sample.value


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fold(folder: Path) -> None:
    """Add what dead processes counted to the folder for that. Killed at any point, it adds nothing twice."""
    graves = sorted(folder.glob(f"{DEAD}*"), key=_number)
    if graves:
        # What the newest holds was removed after it was made, or is now.
        shutil.rmtree(folder / graves[-1].name.split("-", 2)[2], ignore_errors=True)
        for older in graves[:-1]:
            shutil.rmtree(older, ignore_errors=True)
    grave = graves[-1] if graves else None
    for own in sorted(folder.glob("[0-9]*-*")):
        if not _dead(own):
            continue
        fresh = folder / f"fresh-{own.name}"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        for kind in ("counter", "histogram"):
            into = MmapedDict(str(fresh / f"{kind}_{DEAD.rstrip('-')}.db"))
            for source in (*own.glob(f"{kind}_*.db"), *(grave.glob(f"{kind}_*.db") if grave else ())):
                for key, value, _, _ in MmapedDict.read_all_values_from_file(str(source)):
                    into.write_value(key, into.read_value(key)[0] + value, 0.0)
            into.close()
        following = folder / f"{DEAD}{_number(grave) + 1 if grave else 1}-{own.name}"
        fresh.rename(following)
        shutil.rmtree(own, ignore_errors=True)
        if grave is not None:
            shutil.rmtree(grave, ignore_errors=True)
        grave = following


def _number(grave: Path) -> int:
    return int(grave.name.split("-", 2)[1])


def _dead(own: Path) -> bool:
    try:
        descriptor = os.open(own, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def memory(pid: int | str = "self") -> int:
    """Resident bytes of a process, 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0
