"""Versions of the code, good and bad, rolled out on a real Ray cluster under traffic."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors import version
from tests.handoff.fleet import Fleet
from tests.rollout import trees
from tests.rollout.trees import Change, job, tree
from tests.wait import until

INSTANCES = 3


@pytest.mark.cluster
@pytest.mark.engine
@pytest.mark.timeout(600)
async def test_a_bad_version_is_rolled_back_by_itself_and_a_good_one_arrives_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet = Fleet(tmp_path, instances=INSTANCES, nodes=1)
    for name, value in fleet.environment.items():
        monkeypatch.setenv(name, value)
    old = version.digest(version.PACKAGE)
    plan = ("--canary", "1", "--canary-watch", "2", "--batch", "2")
    async with fleet:
        calm = await fleet.calm()
        assert {owner.version for owner in calm.owners.values()} == {old}
        environment = fleet.world.local.environment()

        async def roll_out(name: str, change: Change) -> tuple[int, str, dict]:
            code = tree(tmp_path / name, change)
            return await job(code, environment, "rollout", *plan)

        async def versions() -> set[str]:
            return {owner.version for owner in (await fleet.owners()).values()}

        def alone() -> bool:
            return len(fleet.supervisors()) == 1

        async with fleet.flowing():
            for name, change in (
                ("leaderless", trees.NOBODY_LEADS),
                ("crashing", trees.CRASHES_AT_START),
                ("unconnected", trees.CANNOT_CONNECT),
            ):
                status, said, told = await roll_out(name, change)
                assert (status, told.get("outcome")) == (1, "rolled_back"), said
                assert await versions() == {old}, said
                await until(alone, what=f"no supervisor of {name} any more")
            status, said, told = await roll_out("good", trees.GOOD)
            assert (status, told.get("outcome")) == (0, "done"), said
            new = version.digest(tmp_path / "good" / "actors")
            assert (told["version"], told["moved"], told["failed"]) == (new, INSTANCES, 0)
            assert await versions() == {new}
            status, said, told = await job(tmp_path / "good", environment, "status")
            assert (status, told["version"], told["rollout"]["outcome"]) == (0, new, "done"), said
        await until(alone, what="no supervisor of the old version any more")
        await fleet.recover()
        for seen in (await fleet.check(calm, [])).values():
            assert seen.state["connection"] == "connected"
            assert (seen.gaps, seen.reordered, seen.unexplained) == (0, [], [])
