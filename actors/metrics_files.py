"""The files in which a node's processes keep what they count, and what becomes of them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.samples import Sample

from actors import metrics

DEAD = "dead-"
"""How the folder begins that holds what dead processes counted: then a number and the last of them."""

Values = dict[str, float]


def exposition(folder: Path) -> bytes:
    """The metrics of a node in Prometheus' text format. Reads files: not for an event loop.

    Raises:
        OSError
    """
    with locked(folder):
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


def values_of(
    registry: CollectorRegistry, keys: dict[tuple[str, ...], str], zeros: bool
) -> dict[str, Values]:
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
def locked(folder: Path) -> Iterator[None]:
    """Nobody else joins or is declared dead meanwhile."""
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
            counted: Counter[str] = Counter()
            for source in (*own.glob(f"{kind}_*.db"), *(grave.glob(f"{kind}_*.db") if grave else ())):
                for key, value, _, _ in MmapedDict.read_all_values_from_file(str(source)):
                    counted[key] += value
            new_file(fresh / f"{kind}_{DEAD.rstrip('-')}.db", counted).close()
        following = folder / f"{DEAD}{_number(grave) + 1 if grave else 1}-{own.name}"
        fresh.rename(following)
        shutil.rmtree(own, ignore_errors=True)
        if grave is not None:
            shutil.rmtree(grave, ignore_errors=True)
        grave = following


def new_file(path: Path, values: Mapping[str, float]) -> MmapedDict:
    """A file of these values, with room for as many others.

    Its space is taken from the disk now: to write through memory into what a full disk has no space for would
    end the process.

    Raises:
        OSError: the disk is full.
    """
    with path.open("wb") as made:
        os.posix_fallocate(made.fileno(), 0, 2 * room(values) + 4096)
    file = MmapedDict(str(path))
    for key, value in values.items():
        file.write_value(key, value, 0.0)
    return file


def room(values: Mapping[str, float]) -> int:
    """Bytes that these values take at most: each its key, padded, and 20 more."""
    return 8 + sum(len(key.encode()) + 28 for key in values)


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
