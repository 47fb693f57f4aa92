"""The media benchmark itself, small: a real cluster, a real engine, files from the lab's servers."""

from __future__ import annotations

import pytest

from tests.bench.process import bench

pytestmark = [pytest.mark.cluster, pytest.mark.engine, pytest.mark.timeout(300)]

SMALL = ("--rounds", "1", "--files", "3", "--size", "300000", "--seed", "7")


async def test_files_come_whole_and_no_text_is_missing() -> None:
    result, complaints = await bench("bench.media", *SMALL)
    assert "Traceback" not in complaints
    assert (result["lost"], result["unready"]) == (0, 0)
    assert (result["files"], result["size"]) == (3, 300_000)
    assert result["alone"]["texts"] > 0
    assert result["beside"]["texts"] > 0
    assert result["beside"]["memory"] > 0
