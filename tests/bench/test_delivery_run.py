"""The delivery benchmark itself, small: a real Valkey, real processes, every part."""

from __future__ import annotations

from pathlib import Path

from bench.delivery.options import BAD
from tests.bench.process import bench

SMALL = (
    "--rounds", "1", "--seconds", "0.5", "--lead", "0.5", "--rate", "60", "--endpoints", "8",
    "--backlog", "120", "--days", "0.25", "--events", "60", "--seed", "7",
)  # fmt: skip
FAULTS = ("lost", "dead", "reordered", "duplicated", "unknown")


async def test_every_part_delivers_everything_once_and_in_order(tmp_path: Path) -> None:
    drawn, profile = tmp_path / "isolation.svg", tmp_path / "profile.txt"
    result, complaints = await bench(
        "bench.delivery", *SMALL, "--picture", str(drawn), "--profile", str(profile)
    )
    assert "Traceback" not in complaints
    assert {name: result[name] for name in FAULTS} == dict.fromkeys(FAULTS, 0)
    assert result["throughput"]["count"]["events"] >= 120
    assert result["isolation"]["bad_endpoints"] == len(BAD)
    assert result["isolation"]["well"]["events"] == result["isolation"]["bad"]["events"] > 0
    assert result["outage"]["events_away"] + result["outage"]["events_healthy"] == 60
    assert "Latency of 3 healthy endpoints" in drawn.read_text()
    assert "_deliver" in profile.read_text()
