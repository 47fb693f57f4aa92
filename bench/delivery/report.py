"""The result: tables for people, one JSON object for programs."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from bench.delivery.books import Count
from bench.delivery.isolation import Isolation, Phases
from bench.delivery.outage import Outage
from bench.delivery.throughput import Throughput
from bench.figures import Spread

Row = tuple[str, str, str]


class Result(BaseModel):
    """One run in numbers. What belongs to a part that was left out is None.

    Attributes:
        lost, dead, reordered, duplicated, duplicated_unanswered, unknown: of all parts together, as in
            `Count`.
        seconds: that the run took.
    """

    throughput_ratio: float | None
    courier_per_s: float | None
    plain_per_s: float | None
    latency_ms: Spread | None
    isolation_p99_ratio: float | None
    append_p99_ratio: float | None
    lost: int
    dead: int
    reordered: int
    duplicated: int
    duplicated_unanswered: int
    unknown: int
    seed: int
    seconds: float
    throughput: Throughput | None
    isolation: Isolation | None
    outage: Outage | None

    @property
    def passed(self) -> bool:
        """True if nothing was lost, reordered, or repeated without a cause."""
        parts = (self.throughput, self.isolation, self.outage)
        return all(part.count.clean for part in parts if part is not None)


def conclude(
    throughput: Throughput | None,
    isolation: Isolation | None,
    outage: Outage | None,
    *,
    seed: int,
    seconds: float,
) -> Result:
    """Put the parts together."""
    total = Count()
    for part in (throughput, isolation, outage):
        if part is not None:
            total += part.count
    return Result(
        throughput_ratio=throughput.ratio if throughput else None,
        courier_per_s=throughput.courier_per_s if throughput else None,
        plain_per_s=throughput.plain_per_s if throughput else None,
        latency_ms=throughput.latency_ms if throughput else None,
        isolation_p99_ratio=isolation.p99_ratio if isolation else None,
        append_p99_ratio=isolation.append_p99_ratio if isolation else None,
        lost=total.lost,
        dead=total.dead,
        reordered=total.reordered,
        duplicated=total.duplicated,
        duplicated_unanswered=total.duplicated_unanswered,
        unknown=total.unknown,
        seed=seed,
        seconds=round(seconds, 1),
        throughput=throughput,
        isolation=isolation,
        outage=outage,
    )


def show(out: Console, result: Result) -> None:
    """Print the tables."""
    if result.throughput is not None:
        _print(out, "One courier and a client that only posts", _throughput(result.throughput))
    if result.isolation is not None:
        _phases(out, result.isolation)
        _print(out, "Endpoints that were bad", _bad(result.isolation))
    if result.outage is not None:
        _print(out, "One endpoint away for days", _outage(result.outage))


def _print(out: Console, title: str, rows: Iterable[Row]) -> None:
    table = Table(title=title)
    table.add_column("what")
    table.add_column("number", justify="right")
    table.add_column("meaning")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _throughput(part: Throughput) -> list[Row]:
    rounds = f"median of {len(part.courier_rounds)} rounds of {part.backlog} events"
    open_load = f"{part.rate:g} events/s"
    rows = [
        ("courier", f"{part.courier_per_s:.0f}/s", f"{rounds}, {part.endpoints} endpoints"),
        ("plain loop", f"{part.plain_per_s:.0f}/s", f"the same bodies, {part.plain_together} at a time"),
        ("ratio", f"{part.ratio:.2f}", "of the two, median of the rounds"),
        ("courier CPU", f"{part.courier_cpu_us:.0f} µs", "per event"),
        ("plain CPU", f"{part.plain_cpu_us:.0f} µs", "per event"),
        (
            "open attempts",
            f"{part.courier_open}",
            "or not written down yet, of the courier at a time, at most",
        ),
    ]
    if part.latency_ms is not None:
        rows += [
            ("latency p50", f"{part.latency_ms.p50:.1f} ms", f"from the event to its 2xx, at {open_load}"),
            ("latency p99", f"{part.latency_ms.p99:.1f} ms", f"machine busy {_share(part.busy)}"),
        ]
    return rows + _counts(part.count)


def _phases(out: Console, part: Isolation) -> None:
    healthy = part.endpoints - part.bad_endpoints
    table = Table(title=f"{healthy} healthy endpoints at {part.rate:g} events/s for all {part.endpoints}")
    for column in ("", "all are well", f"{part.bad_endpoints} are bad", "ratio"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("latency p50", _ms(part.well, "p50"), _ms(part.bad, "p50"), _ratio(part.p50_ratio))
    table.add_row("latency p99", _ms(part.well, "p99"), _ms(part.bad, "p99"), _ratio(part.p99_ratio))
    table.add_row("  by round", _rounds(part.well), _rounds(part.bad), "")
    table.add_row("latency max", _ms(part.well, "max"), _ms(part.bad, "max"), "")
    table.add_row("p99 before", _ms(part.well, "p99", "onset_ms"), _ms(part.bad, "p99", "onset_ms"), "")
    table.add_row(
        "append p99",
        _ms(part.well, "p99", "append_ms"),
        _ms(part.bad, "p99", "append_ms"),
        _ratio(part.append_p99_ratio),
    )
    table.add_row("events", f"{part.well.events}", f"{part.bad.events}", "")
    table.add_row("machine busy", _share(part.well.busy), _share(part.bad.busy), "")
    out.print(table)


def _bad(part: Isolation) -> list[Row]:
    came = [(what, f"{number}", "requests without a 2xx") for what, number in part.came_to_bad.items()]
    return came + _counts(part.count)


def _outage(part: Outage) -> list[Row]:
    return [
        ("away", f"{part.virtual_days:g} days", "of the courier's clock: refused, then answered 500"),
        ("recovery", f"{part.recovery_hours:g} h", "of the courier's clock, until all was delivered"),
        ("failed attempts", f"{part.failed_attempts}", "at that endpoint"),
        ("its events", f"{part.events_away}", f"and {part.events_healthy} of healthy ones beside it"),
        ("took", f"{part.real_s:.1f} s", "in fact"),
        *_counts(part.count),
    ]


def _counts(count: Count) -> list[Row]:
    return [
        ("events", f"{count.events}", "appended to mailboxes"),
        ("lost", f"{count.lost}", "never taken, nor in the dead letters"),
        ("dead", f"{count.dead}", "in the dead letters"),
        ("reordered", f"{count.reordered}", "after a later one of their chat"),
        ("duplicated", f"{count.duplicated}", "delivered again without a lost answer"),
        ("  unanswered", f"{count.duplicated_unanswered}", "delivered again as an answer was lost"),
        *(
            [("unknown", f"{count.unknown}", "requests with what was never appended")]
            if count.unknown
            else []
        ),
    ]


def _ms(phases: Phases, name: str, of: str = "latency_ms") -> str:
    found: Spread | None = getattr(phases, of)
    return "" if found is None else f"{getattr(found, name):.1f} ms"


def _rounds(phases: Phases) -> str:
    return ", ".join(f"{p99:.1f}" for p99 in phases.p99_rounds_ms)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.0%}"
