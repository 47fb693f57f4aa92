"""The gateway of a node: a driver of the cluster, which has to run where a raylet runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys

from deploy.warden import LEASH

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0

log = logging.getLogger(__name__)


async def keep_open(environment: dict[str, str], shutdown_timeout: float) -> None:
    """Run a gateway, a new one whenever it ends, until cancelled; then let it finish its requests.

    Args:
        environment: all of its environment.
        shutdown_timeout: seconds it has for that before it is killed.
    """
    delay = FIRST_DELAY
    loop = asyncio.get_running_loop()
    while True:
        began = loop.time()
        gateway = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), sys.executable, "-m", "gateway"),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
        )
        try:
            status = await gateway.wait()
        except asyncio.CancelledError:
            await _close(gateway, shutdown_timeout)
            raise
        if loop.time() - began > LONGEST_DELAY:
            delay = FIRST_DELAY
        log.error("the gateway ended with %d, another one follows in %.0f s", status, delay)
        await asyncio.sleep(delay)
        delay = min(2 * delay, LONGEST_DELAY)


async def _close(gateway: asyncio.subprocess.Process, timeout: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        gateway.terminate()
    try:
        await asyncio.wait_for(gateway.wait(), timeout)
    except TimeoutError:
        log.warning("the gateway did not end in time")
        with contextlib.suppress(ProcessLookupError):
            gateway.kill()
