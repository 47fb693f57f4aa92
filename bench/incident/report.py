"""The result: a table for people, one JSON object for programs."""

from __future__ import annotations

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from bench.figures import Spread


class Result(BaseModel):
    """One run in numbers.

    Attributes:
        lost, gaps, duplicated, reordered: at the healthy endpoints and at the contacts; gaps and reordered at
            the one that hung too.
        append_p99_ms: an event's receipt to its being stored, before and during the incident.
        delivered_ms: to its being at a healthy endpoint, likewise.
        held: requests that the endpoint did not answer.
        slow_duplicates: events that it got again; it had not answered the first time.
        questions: what became of those about people, by status.
        alerts_s: when each alert fired first, in seconds from the beginning of the incident.
        scrape: of Prometheus: seconds and samples at worst, and how many failed.
    """

    lost: int
    gaps: int
    duplicated: int
    reordered: int
    finished: bool
    send_errors: int
    append_p99_ms: tuple[float | None, float | None]
    delivered_ms: tuple[Spread | None, Spread | None]
    held: int
    slow_delivered: int
    slow_duplicates: int
    questions: dict[str, int]
    drain_s: float | None
    alerts_s: dict[str, float]
    scrape: dict[str, float | None]
    incident_s: float
    instances: int

    @property
    def passed(self) -> bool:
        """Nothing is missing, and somebody was warned in time."""
        wrong = self.lost or self.gaps or self.reordered or self.duplicated
        return self.finished and not wrong and bool(self.warned)

    @property
    def warned(self) -> list[str]:
        """Alerts that fired while it went on."""
        return [name for name, at in self.alerts_s.items() if 0 <= at < self.incident_s]


def show(out: Console, result: Result) -> None:
    """Print the table."""
    table = Table(title=f"An endpoint that hangs for {result.incident_s:.0f} s, {result.instances} instances")
    table.add_column("what")
    table.add_column("before", justify="right")
    table.add_column("meanwhile", justify="right")
    before, during = result.delivered_ms
    table.add_row("stored, p99 ms after receipt", *(str(value) for value in result.append_p99_ms))
    for name in ("p50", "p99"):
        table.add_row(
            f"at a healthy endpoint, {name} ms",
            *(str(getattr(side, name)) if side else "" for side in (before, during)),
        )
    for name, value in (
        ("lost, gaps", f"{result.lost}, {result.gaps}"),
        ("reordered, duplicated", f"{result.reordered}, {result.duplicated}"),
        ("requests that hung", result.held),
        ("questions", ", ".join(f"{count} {what}" for what, count in result.questions.items())),
        ("node emptied, s", result.drain_s),
    ):
        table.add_row(name, "", str(value))
    for name, at in result.alerts_s.items():
        table.add_row(name, "", f"{at:.0f} s")
    out.print(table)
