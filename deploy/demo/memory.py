"""How much memory a demonstration takes, by kind of process, and whether that grows."""

from __future__ import annotations

import os
from collections import Counter
from statistics import median

from deploy.processes import command_line, descendants, proportional_memory

FLAT = 0.10
"""Growth from the second to the last quarter of a run that still counts as flat."""
LEAST_SAMPLES = 8

KINDS = (
    ("-m lab", "lab"),  # before the engine, which it names as an option
    ("malote-engine", "engines"),
    ("ray::Instance", "instance actors"),
    ("ray::Courier", "couriers"),
    ("ray::Supervisor", "supervisor"),
    ("-m gateway", "gateway"),
    ("valkey-server", "Valkey"),
)


def measure() -> Counter[str]:
    """PSS in bytes by kind of process: this one and everything that descends from it."""
    memory: Counter[str] = Counter({"this program": proportional_memory(os.getpid())})
    for process in descendants(os.getpid()):
        line = command_line(process.pid)
        kind = next((kind for mark, kind in KINDS if mark in line), "Ray")
        memory[kind] += proportional_memory(process.pid)
    return memory


def growth(samples: list[int]) -> float | None:
    """Growth from the second to the last quarter, as a share; None if there are too few samples."""
    if len(samples) < LEAST_SAMPLES:
        return None
    quarter = len(samples) // 4
    early = median(samples[quarter : 2 * quarter])
    return median(samples[-quarter:]) / early - 1


def in_words(memory: Counter[str]) -> str:
    """The sum, and the kinds from large to small."""
    kinds = ", ".join(f"{kind} {size / 2**20:.0f}" for kind, size in memory.most_common())
    return f"{memory.total() / 2**20:.0f} MiB ({kinds})"
