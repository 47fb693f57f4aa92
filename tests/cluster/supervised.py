"""A supervisor for a test's cluster, as `malote up` starts one on a cluster that runs already."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from deploy.processes import descendants, end
from tests.cli.command import environment
from tests.cluster.nodes import ROOT, LocalCluster


@contextlib.asynccontextmanager
async def supervised(
    cluster: LocalCluster, directory: Path, **settings: str
) -> AsyncIterator[dict[str, str]]:
    """Have a supervisor while the block runs.

    Args:
        directory: for data and the log.
        settings: ``MALOTE_…``; where the cluster is they need not say.

    Yields:
        The settings with which commands reach the same supervisor.
    """
    data = directory / "data"
    data.mkdir()
    settings = {
        **cluster.access,
        "MALOTE_RAY_ADDRESS": cluster.address,
        "MALOTE_DATA_DIR": str(data),
        **settings,
    }
    with (directory / "supervisor.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.ray_local"),
            env=environment(**settings),
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
    try:
        while not (data / "ray.json").exists():
            if process.returncode is not None:
                raise AssertionError((directory / "supervisor.log").read_text())
            await asyncio.sleep(0.05)
        yield settings
    finally:
        family = descendants(process.pid)
        if process.returncode is None:
            process.kill()
            await process.wait()
        await asyncio.to_thread(end, family, patience=1.0)
