"""The processes of a node in one `/metrics`: summed up, and nothing lost or wrong when they die."""

from __future__ import annotations

import errno
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors import metrics
from actors.metrics_files import exposition
from actors.metrics_node import Exporter

PROCESS = """
import sys
from pathlib import Path
from actors import metrics
from actors.metrics_node import Exporter

exporter = Exporter(Path(sys.argv[1]), sys.argv[2])
for line in sys.stdin:
    exec(line)
    exporter.write()
    print("done", flush=True)
exporter.close()
"""


class Child:
    """A process that exports; it runs what it is told and writes."""

    def __init__(self, folder: Path, role: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(folder), role],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def do(self, code: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(code + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def end(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.communicate()


@contextmanager
def children(folder: Path, *roles: str) -> Iterator[list[Child]]:
    found = [Child(folder, role) for role in roles]
    try:
        yield found
    finally:
        for child in found:
            child.end()


def samples(folder: Path) -> dict[tuple[str, ...], float]:
    """Values by name and the labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(exposition(folder).decode())
        for sample in family.samples
    }


def own_folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "lock")


def test_processes_are_summed_up_and_the_dead_leave_their_counts_only(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    with children(folder, "instance", "instance", "courier") as (one, two, three):
        one.do("metrics.APPENDED.labels('message.received').inc(3); metrics.HANDLERS.set(2)")
        two.do("metrics.APPENDED.labels('message.received').inc(4); metrics.HANDLERS.set(1)")
        one.do("metrics.APPEND_SECONDS.observe(0.3); metrics.HANDLER_OLDEST.set(7)")
        two.do("metrics.APPEND_SECONDS.observe(200); metrics.HANDLER_OLDEST.set(5)")
        three.do("metrics.OPEN.set(9)")
        found = samples(folder)
        assert found["malote_events_appended_total", "message.received"] == 7
        assert found[("malote_event_handlers",)] == 3
        assert found[("malote_event_handler_oldest_seconds",)] == 7
        assert found["malote_processes", "instance"] == 2
        assert found["malote_process_memory_bytes", "courier"] > 1_000_000
        assert found["malote_event_append_seconds_bucket", "0.25"] == 0
        assert found["malote_event_append_seconds_bucket", "0.5"] == 1
        assert found["malote_event_append_seconds_bucket", "150.0"] == 1
        assert found[("malote_event_append_seconds_count",)] == 2
        assert found[("malote_event_append_seconds_sum",)] == pytest.approx(200.3)
        one.end()
        for _ in range(2):  # what is dead is added once
            found = samples(folder)
            assert found["malote_events_appended_total", "message.received"] == 7
            assert found[("malote_event_append_seconds_count",)] == 2
            assert found[("malote_event_handlers",)] == 1
            assert found[("malote_event_handler_oldest_seconds",)] == 5
            assert found["malote_processes", "instance"] == 1
        two.end()
        three.end()
        found = samples(folder)
        assert found["malote_events_appended_total", "message.received"] == 7
        assert ("malote_delivery_attempts_open",) not in found
    assert len(own_folders(folder)) == 1


def test_a_hundred_deaths_leave_one_folder(tmp_path: Path) -> None:
    exporters = [Exporter(tmp_path, "instance") for _ in range(100)]
    metrics.PARKS.labels("lease").inc()
    for exporter in exporters:
        exporter.close()
    once = metrics.PARKS.labels("lease")._value.get()
    assert samples(tmp_path)["malote_parks_total", "lease"] == 100 * once
    assert len(own_folders(tmp_path)) == 1
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.db")) < 2_000_000


def test_a_fold_that_was_cut_short_adds_nothing_twice(tmp_path: Path) -> None:
    metrics.PARKS.labels("lease").inc()
    once = metrics.PARKS.labels("lease")._value.get()
    first, second = Exporter(tmp_path, "instance"), Exporter(tmp_path, "instance")
    first.close()
    second.close()
    saved = tmp_path.with_name("saved")
    shutil.copytree(tmp_path, saved)
    assert samples(tmp_path)["malote_parks_total", "lease"] == 2 * once
    # As if it had been killed before it removed anything: the last folder that was added is there again.
    (last,) = (name for name in own_folders(tmp_path) if name.startswith("dead-"))
    again = last.split("-", 2)[2]
    shutil.copytree(saved / again, tmp_path / again)
    shutil.copytree(tmp_path / last, tmp_path / "dead-1-0-00")
    assert samples(tmp_path)["malote_parks_total", "lease"] == 2 * once
    assert own_folders(tmp_path) == [last]
    # And before it was made.
    (saved / f"fresh-{again}").mkdir()
    assert samples(saved)["malote_parks_total", "lease"] == 2 * once


def test_a_series_that_ended_is_not_exported(tmp_path: Path) -> None:
    exporter = Exporter(tmp_path, "supervisor")
    try:
        metrics.DEPTH.labels("one").set(5)
        metrics.DEPTH.labels("two").set(6)
        exporter.write()
        assert samples(tmp_path)["malote_mailbox_depth", "two"] == 6
        metrics.DEPTH.remove("two")
        metrics.DEPTH.labels("one").set(0)
        exporter.write()
        found = samples(tmp_path)
        assert found["malote_mailbox_depth", "one"] == 0
        assert ("malote_mailbox_depth", "two") not in found
    finally:
        metrics.DEPTH.clear()
        exporter.close()


def test_a_folder_that_was_cleaned_up_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "node"
    exporter = Exporter(folder, "instance")
    try:
        metrics.CONFLICTS.inc()
        exporter.write()
        before = samples(folder)[("malote_conflicts_total",)]
        shutil.rmtree(folder)
        exporter.write()
        assert samples(folder)[("malote_conflicts_total",)] == before
    finally:
        exporter.close()


def test_files_grow_without_holes(tmp_path: Path) -> None:
    # What has a hole ends whoever writes there while the disk is full.
    exporter = Exporter(tmp_path, "supervisor")
    try:
        for number in range(300):
            metrics.SEQ.labels(f"a-rather-long-name-of-an-instance-{number}").set(number)
            metrics.CALLS.labels(f"method-{number}", "ok").inc(number + 1)
            if number % 50 == 0:
                exporter.write()
        exporter.write()
        for file in tmp_path.glob("*/*.db"):
            assert file.stat().st_blocks * 512 >= file.stat().st_size
        found = samples(tmp_path)
        for number in range(300):
            assert found["malote_mailbox_last_seq", f"a-rather-long-name-of-an-instance-{number}"] == number
            assert found["malote_gateway_instance_calls_total", f"method-{number}", "ok"] == number + 1
    finally:
        metrics.SEQ.clear()
        metrics.CALLS.clear()
        exporter.close()


def test_a_full_disk_costs_metrics_only_while_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = Exporter(tmp_path, "instance")
    try:
        with monkeypatch.context() as full:

            def no_space(*_: object) -> None:
                raise OSError(errno.ENOSPC, "No space left on device")

            full.setattr("os.posix_fallocate", no_space)
            with pytest.raises(OSError, match="No space"):
                exporter.write()
        metrics.CONFLICTS.inc()
        exporter.write()
        assert samples(tmp_path)[("malote_conflicts_total",)] >= 1
    finally:
        exporter.close()


def test_series_of_the_gateway_begin_with_zero(tmp_path: Path) -> None:
    exporter = Exporter(tmp_path, "gateway")
    try:
        exporter.write()
        found = samples(tmp_path)
        assert ("malote_conflicts_total",) in found
        assert ("malote_timeouts_total", "query") in found
    finally:
        exporter.close()


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError):
        Exporter(tmp_path, "gateway")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("instance_id", "shown"),
    [("shop-1", True), ("user_7", True), ("5511999999999", False), ("+55 11 99999-9999", False)],
)
def test_no_phone_number_is_a_label(instance_id: str, shown: bool) -> None:
    label = metrics.instance_label(instance_id)
    assert (label == instance_id) is shown
    assert shown or not any(part in label for part in ("999999", instance_id))
