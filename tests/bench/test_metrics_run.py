"""The benchmark of measuring runs, and tells what it says it does."""

from __future__ import annotations

import json

import pytest

from bench.metrics.__main__ import main


def test_it_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["bench.metrics", "--events", "50", "--processes", "2"])
    main()
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert found.keys() == {"delivery_us", "append_us", "write_us", "scrape_ms", "scrape_bytes"}
    assert all(value > 0 for value in found.values())
