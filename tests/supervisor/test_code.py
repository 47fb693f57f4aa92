"""The code that came with a job is kept at the head for as long as there is a supervisor."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actors.cluster import Package
from actors.supervisor import code
from actors.supervisor.code import Code
from tests.wait import until

PACKAGE = Package("gcs://_ray_pkg_1.zip", Path())


async def test_it_is_asked_for_again_and_again_even_when_the_head_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(code, "LOOK", 0.01)
    asked: list[tuple[Package, int]] = []

    async def keep(package: Package, seconds: int) -> bool:
        asked.append((package, seconds))
        if len(asked) == 1:
            raise RuntimeError("no head")
        return len(asked) != 2

    running = asyncio.create_task(Code(PACKAGE, keep).run())
    await until(lambda: len(asked) > 3)
    running.cancel()
    assert set(asked) == {(PACKAGE, code.KEPT_FOR)}
    assert code.KEPT_FOR > 10 * code.LOOK
    (away, gone) = [one for one in caplog.records if one.name == code.__name__]
    assert (away.levelname, gone.levelname) == ("WARNING", "ERROR")


async def test_code_that_is_on_every_node_anyway_is_not_the_heads() -> None:
    async def keep(package: Package, seconds: int) -> bool:
        raise AssertionError("there is nothing to keep")

    await Code(None, keep).look()
