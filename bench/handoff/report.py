"""The result: a table for people, one JSON object for programs."""

from __future__ import annotations

from collections import defaultdict

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from bench.figures import Spread, spread
from bench.handoff.moves import MOVED, Move

STEPS = ("prepare", "quiesce", "disconnect", "fence", "activate", "retire", "blackout")


class Result(BaseModel):
    """One run in numbers.

    Attributes:
        handoffs: that succeeded, those of the drain among them.
        lost: messages, of both directions, that were sent and never arrived.
        duplicated: deliveries of an event that was there before; in a run with kills those without a lost
            answer as a cause.
        reordered: events or messages that came after a later one of the same chat.
        gaps: sequence numbers that never came.
        send_errors: sends that were answered with an error.
        blackout_ms: from the predecessor's disconnect to the successor's connect.
        drain_s: seconds until a node was empty that had ``drained`` instances.
        failed: handoffs that ended in another way, by outcome.
        finished: False if the time was over before everything was done.
        repeated: messages that a contact's device got again under their id; its user sees them once.
        conflicts: logins while another connection of the same device stood: two owners at work.
        refused: requests with a bad signature.
        write_errors: messages that a contact could not write.
        kills: by what was killed; ``duplicated_by_kill`` are the duplicates that a lost answer explains.
    """

    handoffs: int
    lost: int
    duplicated: int
    reordered: int
    gaps: int
    send_errors: int
    blackout_ms: Spread | None
    drain_s: float | None
    drained: int | None
    failed: dict[str, int]
    finished: bool
    instances: int
    nodes: int
    connected: int
    received: int
    delivered: int
    sent: int
    arrived: int
    events: int
    repeated: int
    conflicts: int
    refused: int
    write_errors: int
    latency_ms: Spread | None
    seconds: float
    seed: int
    store: str
    kills: int | None = None
    killed: dict[str, int] | None = None
    duplicated_by_kill: int | None = None

    @property
    def passed(self) -> bool:
        """True if everything is as promised."""
        wrong = self.lost or self.duplicated or self.reordered or self.gaps or self.send_errors
        wrong = wrong or self.conflicts or self.refused or self.write_errors
        return self.finished and not wrong and self.connected == self.instances


def show(out: Console, result: Result, moves: list[Move]) -> None:
    """Print the tables."""
    table = Table(title="Handoffs under traffic" + (" and SIGKILL" if result.kills else ""))
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("meaning")
    for row in _rows(result):
        table.add_row(*row)
    out.print(table)
    steps: dict[str, list[float]] = defaultdict(list)
    for move in moves:
        if move.outcome == MOVED:
            for name, seconds in move.steps.items():
                steps[name].append(seconds * 1000)
            if move.blackout_ms is not None:
                steps["blackout"].append(move.blackout_ms)
    if not steps:
        return
    times = Table(title=f"Milliseconds of {result.handoffs} handoffs")
    for column in ("step", "p50", "p99", "max"):
        times.add_column(column, justify="left" if column == "step" else "right")
    for name in STEPS:
        if (of := spread(steps[name])) is not None:
            times.add_row(name, f"{of.p50:.1f}", f"{of.p99:.1f}", f"{of.max:.1f}")
    out.print(times)


def _rows(result: Result) -> list[tuple[str, str, str]]:
    rows = [
        ("handoffs", f"{result.handoffs}", "that succeeded"),
        *((f"  {outcome}", f"{count}", "ended otherwise") for outcome, count in result.failed.items()),
        ("received", f"{result.received}", "messages that contacts wrote"),
        ("delivered", f"{result.delivered}", "of them, to the webhook"),
        ("sent", f"{result.sent}", "messages accepted by the API"),
        ("arrived", f"{result.arrived}", "of them, at the contacts"),
        ("events", f"{result.events}", "delivered to the webhook, of all kinds"),
        ("lost", f"{result.lost}", "messages that never arrived"),
        ("duplicated", f"{result.duplicated}", "events delivered again without a lost answer"),
        ("reordered", f"{result.reordered}", "events or messages after a later one of their chat"),
        ("gaps", f"{result.gaps}", "sequence numbers that never came"),
        ("send errors", f"{result.send_errors}", "sends that were refused"),
        ("conflicts", f"{result.conflicts}", "times that WhatsApp saw two owners at once"),
        ("repeated", f"{result.repeated}", "arrived again under the same id, shown once by phones"),
    ]
    if result.killed is not None:
        kinds = ", ".join(f"{count} {kind}" for kind, count in result.killed.items())
        rows += [
            ("kills", f"{result.kills}", kinds),
            ("  duplicated", f"{result.duplicated_by_kill}", "events delivered again as an answer was lost"),
        ]
    if result.drain_s is not None:
        rows.append(("drained", f"{result.drained}", f"instances of one node, in {result.drain_s:.1f} s"))
    return rows
