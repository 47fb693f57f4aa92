"""Microseconds that measuring adds to an event, and what a scrape costs: ``python -m bench.metrics``.

Without Ray and without Redis: only the measuring itself runs. Its last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from timeit import repeat

from actors import metrics
from actors.courier import measured as of_courier
from actors.courier.ledger import LogEntry
from actors.courier.retry import Outcome
from actors.instance import measured as of_instance
from actors.metrics_files import exposition
from actors.metrics_node import Exporter
from bench.command import count

BODY = b'{"seq":1,"received_at":"2026-01-01T12:00:00.123456Z","data":{"text":"' + b"x" * 1000 + b'"}}'
ENTRY = LogEntry(
    event_id="evt_1",
    seq=1,
    type="message.received",
    attempt=1,
    kind="delivery",
    at=0.0,
    duration_ms=20,
    result="delivered",
    status=200,
    failure=None,
    error=None,
    answer="",
)
OUTCOME = Outcome(status=200, failure=None, error=None, duration=0.02)


def microseconds(step: Callable[[], object], number: int) -> float:
    """What a step costs, the best of five rounds."""
    return round(min(repeat(step, number=number, repeat=5)) / number * 1e6, 2)


def deliver() -> None:
    """What a courier measures of one event that is taken at the first attempt."""
    of_courier.slot_taken(time.monotonic())
    of_courier.attempted(OUTCOME, 15.0)
    of_courier.concluded(ENTRY, BODY, time.time())


def append(handlers: of_instance.Handlers) -> None:
    """What an instance measures of one event."""
    with handlers.one():
        of_instance.received("message.received")
        of_instance.appended("message.received", "ok")
        of_instance.stored(int(time.time() * 1000))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.metrics", description=__doc__)
    parser.add_argument("--events", type=count, default=100_000, help="events a round")
    parser.add_argument("--processes", type=count, default=20, help="instances on the node that is scraped")
    options = parser.parse_args()
    handlers = of_instance.Handlers()
    found: dict[str, float] = {
        "delivery_us": microseconds(deliver, options.events),
        "append_us": microseconds(lambda: append(handlers), options.events),
    }
    with tempfile.TemporaryDirectory() as directory:
        exporters = [Exporter(Path(directory), "instance") for _ in range(options.processes)]
        exporters += [Exporter(Path(directory), "gateway"), Exporter(Path(directory), "courier")]
        for number in range(options.processes):
            for gauge in (metrics.DEPTH, metrics.OLDEST, metrics.SEQ, metrics.UP, metrics.OUTBOX):
                gauge.labels(f"ins_{number}").set(number)
        for exporter in exporters:
            exporter.write()
        found["write_us"] = microseconds(exporters[0].write, 20)
        found["scrape_ms"] = round(microseconds(lambda: exposition(Path(directory)), 3) / 1000, 1)
        found["scrape_bytes"] = len(exposition(Path(directory)))
        for exporter in exporters:
            exporter.close()
    print(f"a delivery {found['delivery_us']} us, an append {found['append_us']} us")
    print(f"a process that has all metrics writes in {found['write_us']} us")
    print(
        f"a scrape of {len(exporters)} processes takes {found['scrape_ms']} ms: {found['scrape_bytes']} bytes"
    )
    print(json.dumps(found))


if __name__ == "__main__":
    main()
