"""The incident, shorter: a real cluster, the lab, real engines, and a real Prometheus with the rules."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.bench.process import bench

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.engine,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        shutil.which("prometheus") is None and not os.environ.get("MALOTE_REQUIRE_PROMTOOL"),
        reason="there is no Prometheus; on Debian: apt-get install prometheus",
    ),
]

HANGS = 60


async def test_others_do_not_notice_and_somebody_is_warned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The endpoint is found well soon after it has recovered, and not five minutes later.
    monkeypatch.setenv("MALOTE_COURIER_SCHEDULE", "[5, 20, 20, 20]")
    monkeypatch.setenv("MALOTE_COURIER_BREAKER_FIRST", "10")
    monkeypatch.setenv("MALOTE_COURIER_BREAKER_LONGEST", "15")
    picture = tmp_path / "incident.svg"
    short = ("--instances", "3", "--calm", "20", "--hangs", str(HANGS), "--rate", "6")
    result, _ = await bench("bench.incident", *short, "--picture", str(picture))
    nothing = ("lost", "gaps", "reordered", "duplicated", "send_errors")
    assert {name: result[name] for name in nothing} == dict.fromkeys(nothing, 0)
    assert result["finished"], "the endpoint that hung has all of its events, too"
    assert result["held"] > 0
    assert result["drain_s"] is not None
    assert result["questions"].get("504", 0) > 0
    # The time-outs on both sides are alerted, and nothing that would mean that events are held up.
    alerts = result["alerts_s"]
    assert 0 < alerts["MaloteAttemptsNearDeadline"] < HANGS
    assert 0 < alerts["MaloteQueryTimeouts"] < HANGS
    assert not {"MaloteEventHandlerHangs", "MaloteAppendsSlow", "MaloteInstanceParks"} & set(alerts)
    assert result["scrape"]["failed"] == 0
    assert "AttemptsNearDeadline" in picture.read_text()
