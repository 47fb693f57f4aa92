"""The benchmark itself, small: a real cluster, the lab, real engines, both kinds of run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.processes import PROC, command_line
from tests.bench.process import bench

pytestmark = [pytest.mark.cluster, pytest.mark.engine, pytest.mark.timeout(900)]

SMALL = ("--instances", "2", "--nodes", "2", "--contacts", "1", "--couriers", "1", "--send-interval", "0.5")
NOTHING = ("lost", "duplicated", "reordered", "gaps", "send_errors", "conflicts", "refused", "write_errors")


async def run(directory: Path, *arguments: str) -> dict[str, Any]:
    """Run it small; its result."""
    fixed = ("--seed", "7", "--minutes", "12", "--keep", str(directory / "kept"))
    result, _ = await bench("bench.handoff", *SMALL, *fixed, *arguments)
    return result


def left_behind(directory: Path) -> list[str]:
    lines = [command_line(int(entry.name)) for entry in PROC.iterdir() if entry.name.isdigit()]
    return [line for line in lines if str(directory) in line]


async def test_moves_and_a_drain_lose_nothing(tmp_path: Path) -> None:
    svg = tmp_path / "blackouts.svg"
    result = await run(tmp_path, "--handoffs", "3", "--svg", str(svg))
    assert result["handoffs"] >= 3 + result["drained"]
    assert result["drained"] == result["connected"] == 2
    assert {name: result[name] for name in NOTHING} == dict.fromkeys(NOTHING, 0)
    assert 0 < result["received"] == result["delivered"]
    assert 0 < result["sent"] == result["arrived"]
    assert result["blackout_ms"]["max"] > 0
    assert "Blackout of" in svg.read_text()
    assert left_behind(tmp_path) == []


async def test_kills_lose_nothing(tmp_path: Path) -> None:
    result = await run(tmp_path, "--kill", "--kills", "5", "--kill-interval", "3")
    assert result["kills"] == 5
    assert set(result["killed"].values()) == {1}, "one of each kind"
    assert {name: result[name] for name in NOTHING} == dict.fromkeys(NOTHING, 0)
    assert result["connected"] == 2
    assert 0 < result["received"] == result["delivered"]
    assert left_behind(tmp_path) == []
