"""The day of a deploy, small: containers' nodes, Ray jobs, real engines, Redis with passwords, PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.process import bench
from tests.bench.test_run import left_behind

INSTANCES = 4
NOTHING = ("lost", "duplicated", "reordered", "gaps", "send_errors", "conflicts", "refused", "write_errors")


@pytest.mark.cluster
@pytest.mark.engine
@pytest.mark.timeout(600)
async def test_a_day_of_deploys_loses_nothing_and_no_connection_with_the_head(tmp_path: Path) -> None:
    result, _ = await bench(
        "bench.rollout",
        *("--instances", str(INSTANCES), "--contacts", "2", "--couriers", "2", "--absence", "8"),
        *("--canary-watch", "3"),
        *("--write-interval", "0.3", "--send-interval", "1", "--keep", str(tmp_path / "kept")),
    )
    assert {name: result[name] for name in NOTHING} == dict.fromkeys(NOTHING, 0)
    assert result["problems"] == []
    assert 0 < result["received"] == result["delivered"]
    assert 0 < result["sent"] == result["arrived"]
    assert result["connected"] == INSTANCES
    assert [drain["status"] for drain in result["drains"]] == [0, 0, 0], "two workers and the head"
    assert sum(drain["instances"] for drain in result["drains"]) >= INSTANCES
    assert result["handoffs"] >= INSTANCES + sum(drain["instances"] for drain in result["drains"])
    assert result["rolled"] == INSTANCES
    assert result["connections_survived"]
    assert left_behind(tmp_path) == []
