"""The result: a table for people, one JSON object for programs."""

from __future__ import annotations

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from bench.figures import Spread


class Drain(BaseModel):
    """A node that was ended by SIGTERM.

    Attributes:
        instances, couriers: that were on it.
        seconds: until its container had ended.
        status: of the container; None if it had to be killed.
        elsewhere_s: seconds until the API said that all instances were connected elsewhere; None for
            the head, whose end leaves no API that could say so.
    """

    name: str
    instances: int
    couriers: int
    seconds: float
    status: int | None
    elsewhere_s: float | None = None


class Absence(BaseModel):
    """The head was killed, and started again after a while.

    Attributes:
        seconds: for which there was none.
        back_s: seconds from the kill until the supervisor answered again and saw every node.
        delivered, arrived: messages received, and messages sent, that reached their end without a head.
        silent: instances of which no message came meanwhile.
        send_errors: sends that were refused meanwhile.
        looks: how often owners and connections were looked at, until a while after the head's return.
        new_owners, new_logins, offline: instances that had another owner than before, that connected anew,
            that were not connected, at any of these looks.
    """

    seconds: float
    back_s: float
    delivered: int
    arrived: int
    silent: int
    send_errors: int
    looks: int
    new_owners: int
    new_logins: int
    offline: int

    @property
    def survived(self) -> bool:
        """True if the connections did, and messages flowed."""
        lost = self.new_owners or self.new_logins or self.offline
        return self.looks > 1 and not (lost or self.silent) and self.delivered > 0 and self.arrived > 0


class Result(BaseModel):
    """One run in numbers.

    Attributes:
        lost: messages, of both directions, that were sent and never arrived.
        duplicated: deliveries of an event that was there before, without a lost answer as a cause.
        reordered: events or messages that came after a later one of the same chat.
        gaps: sequence numbers that never came.
        rollout_s: seconds of the job that rolled the changed version out; None without that stage.
        blackout_ms: of all handoffs, from the predecessor's disconnect to the successor's connect.
        connections_survived: that the head's death cost no connection; None without that stage.
        up_s: seconds of the job that brought everything up; ``paired_s`` until all accounts were connected.
        rolled: instances whose owner is of the new version.
        handoffs: that succeeded; ``failed``: those that ended otherwise, by outcome.
        drains: nodes that were ended by SIGTERM.
        send_errors: sends that a gateway answered with an error, or that none answered.
        conflicts: logins while another connection of the same device stood: two owners at work.
        duplicated_by_kill: duplicates that the killed head explains, as it had a courier.
        problems: what went wrong otherwise.
    """

    lost: int
    duplicated: int
    reordered: int
    gaps: int
    rollout_s: float | None
    blackout_ms: Spread | None
    connections_survived: bool | None
    up_s: float
    paired_s: float
    stages_s: dict[str, float]
    rolled: int | None
    handoffs: int
    failed: dict[str, int]
    drains: list[Drain]
    head: Absence | None
    send_errors: int
    write_errors: int
    conflicts: int
    refused: int
    duplicated_by_kill: int
    instances: int
    workers: int
    connected: int
    received: int
    delivered: int
    sent: int
    arrived: int
    latency_ms: Spread | None
    seconds: float
    problems: list[str]

    @property
    def passed(self) -> bool:
        """True if everything is as promised."""
        wrong = self.lost or self.duplicated or self.reordered or self.gaps or self.send_errors
        wrong = wrong or self.write_errors or self.conflicts or self.refused
        unruly = self.problems or any(drain.status != 0 for drain in self.drains)
        unruly = unruly or self.connections_survived is False
        old = self.rolled is not None and self.rolled < self.instances
        whole = self.connected == self.instances and self.received > 0 and self.sent > 0
        return whole and not (wrong or unruly or old)


def show(out: Console, result: Result) -> None:
    """Print the tables."""
    table = Table(title=f"The day of a deploy: {result.instances} instances, {result.workers + 1} nodes")
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("meaning")
    for row in _rows(result):
        table.add_row(*row)
    out.print(table)
    stages = Table(title="Seconds")
    stages.add_column("stage")
    stages.add_column("s", justify="right")
    stages.add_column("")
    for stage in _stages(result):
        stages.add_row(*stage)
    out.print(stages)


def _rows(result: Result) -> list[tuple[str, str, str]]:
    blackout = result.blackout_ms
    rows = [
        ("received", f"{result.received}", "messages that contacts wrote"),
        ("delivered", f"{result.delivered}", "of them, to the webhook"),
        ("sent", f"{result.sent}", "messages accepted by the API"),
        ("arrived", f"{result.arrived}", "of them, at the contacts"),
        ("lost", f"{result.lost}", "messages that never arrived"),
        ("duplicated", f"{result.duplicated}", "events delivered again without a lost answer"),
        ("reordered", f"{result.reordered}", "events or messages after a later one of their chat"),
        ("gaps", f"{result.gaps}", "sequence numbers that never came"),
        ("send errors", f"{result.send_errors}", "sends that were refused"),
        ("conflicts", f"{result.conflicts}", "times that WhatsApp saw two owners at once"),
        ("handoffs", f"{result.handoffs}", "that succeeded"),
        *((f"  {outcome}", f"{count}", "ended otherwise") for outcome, count in result.failed.items()),
    ]
    if blackout is not None:
        rows.append(("blackout", f"{blackout.p50:.0f} ms", f"p99 {blackout.p99:.0f}, max {blackout.max:.0f}"))
    if result.head is not None:
        head = result.head
        flowed = f"{head.delivered} messages delivered and {head.arrived} arrived without a head"
        rows += [
            ("survived", "yes" if head.survived else "no", "connections outlived the head, messages flowed"),
            ("  ", f"{head.seconds:.0f} s", flowed),
            ("  owners", f"{head.new_owners}", "instances that got another one"),
            ("  logins", f"{head.new_logins}", "instances that connected anew"),
        ]
    return [*rows, *(("problem", "", problem) for problem in result.problems)]


def _stages(result: Result) -> list[tuple[str, str, str]]:
    rows = [
        ("up", f"{result.up_s:.1f}", "the job that brings everything up"),
        ("pairing", f"{result.paired_s:.1f}", "until all accounts were connected"),
    ]
    if result.rollout_s is not None:
        rows.append(("roll-out", f"{result.rollout_s:.1f}", f"{result.rolled} instances of the new version"))
    for drain in result.drains:
        left = f"{drain.instances} instances and {drain.couriers} couriers, exit status {drain.status}"
        rows.append((f"drain of {drain.name}", f"{drain.seconds:.1f}", left))
    if result.head is not None:
        rows.append(("head back", f"{result.head.back_s:.1f}", "from SIGKILL to a supervisor that answers"))
    return rows
