"""A process that joined a cluster for long, such as a gateway, while the cluster's head is away."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.cluster import detection
from tests.cluster.nodes import HEAD, LocalCluster
from tests.valkey import Valkey

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

DRIVER = """
import threading, time
from actors import cluster

cluster.join({address!r}, "drivers")
cluster.join({address!r}, "drivers")
print("joined", flush=True)
while any("listen_error" in thread.name for thread in threading.enumerate()):
    time.sleep(0.05)
print("ended", flush=True)
cluster.all_of("", "drivers")
print("answered", flush=True)
"""


async def test_nothing_asks_a_head_that_is_away_without_a_pause(tmp_path: Path, valkey: Valkey) -> None:
    async with LocalCluster(tmp_path, nodes=1, gcs_redis=valkey.url, env=detection.QUICK) as cluster:
        driver = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", DRIVER.format(address=cluster.address)),
            env=cluster.environment,
            stdout=asyncio.subprocess.PIPE,
        )
        assert driver.stdout is not None
        try:
            assert await asyncio.wait_for(driver.stdout.readline(), 60) == b"joined\n"
            await cluster.kill_node(HEAD)
            await cluster.ended(HEAD)
            assert await asyncio.wait_for(driver.stdout.readline(), 60) == b"ended\n"
            await cluster.add_node(HEAD)
            assert await asyncio.wait_for(driver.stdout.readline(), 120) == b"answered\n"
        finally:
            if driver.returncode is None:
                driver.kill()
            await driver.wait()
