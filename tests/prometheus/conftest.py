"""Prometheus' own tool, which has to be there where continuous integration runs."""

from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        say = "promtool is missing, so that no alert rule is tested: apt-get install prometheus"
        if os.environ.get("MALOTE_REQUIRE_PROMTOOL"):
            pytest.fail(say)
        pytest.skip(say)
    return found
