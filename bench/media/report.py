"""The result: a table for people, one JSON object for programs."""

from __future__ import annotations

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from bench.figures import Spread


class Side(BaseModel):
    """Texts of all rounds, beside files or as many messages without (``alone``).

    Attributes:
        latency_ms: from Malote's having a text to the receiver's having it.
        whole_ms: from the order to the contact to the receiver's having it: with its way through the
            network, the engine and the append.
        p99_rounds_ms: of ``latency_ms``, by round.
        memory: the most bytes that the instances took, their engines included.
    """

    texts: int
    latency_ms: Spread
    whole_ms: Spread
    p99_rounds_ms: list[float]
    memory: int
    busy: float | None


class Result(BaseModel):
    """One run in numbers.

    Attributes:
        p50_ratio, p99_ratio: beside files to alone, by ``latency_ms``; ``whole_`` by ``whole_ms``.
        lost: texts and messages with a file that did not arrive.
        unready: files that did not become ready, or have another size.
        files_s: seconds until the last file of a round was ready, by round.
    """

    p50_ratio: float
    p99_ratio: float
    whole_p50_ratio: float
    whole_p99_ratio: float
    lost: int
    unready: int
    files: int
    size: int
    files_s: list[float]
    alone: Side
    beside: Side
    seed: int

    @property
    def passed(self) -> bool:
        """Nothing is missing."""
        return not (self.lost or self.unready)


def show(out: Console, result: Result) -> None:
    """Print the table."""
    table = Table(
        title=f"{result.beside.texts} texts beside {result.files} files of {result.size} B, and beside none"
    )
    for column in ("", "no files", "beside files", "ratio"):
        table.add_column(column, justify="left" if not column else "right")

    def add(name: str, alone: object, beside: object, ratio: float | None = None) -> None:
        table.add_row(name, str(alone), str(beside), f"{ratio:.2f}" if ratio is not None else "")

    alone, beside = result.alone, result.beside
    add("received to delivered, p50 ms", alone.latency_ms.p50, beside.latency_ms.p50, result.p50_ratio)
    add("p99 ms", alone.latency_ms.p99, beside.latency_ms.p99, result.p99_ratio)
    add("p99 ms by round", _row(alone.p99_rounds_ms), _row(beside.p99_rounds_ms))
    add("written to delivered, p50 ms", alone.whole_ms.p50, beside.whole_ms.p50, result.whole_p50_ratio)
    add("p99 ms", alone.whole_ms.p99, beside.whole_ms.p99, result.whole_p99_ratio)
    add("instances' memory, MB", round(alone.memory / 1e6), round(beside.memory / 1e6))
    add("machine busy", alone.busy, beside.busy)
    add("lost", "", result.lost)
    add("files not ready", "", result.unready)
    add("seconds until all were ready", "", _row(result.files_s))
    out.print(table)


def _row(values: list[float]) -> str:
    return ", ".join(map(str, values))
