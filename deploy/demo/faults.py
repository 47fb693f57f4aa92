"""What goes wrong on purpose: processes of a running Malote that are killed, found as anybody finds them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from enum import StrEnum

from deploy.processes import Process, alive, command_line, descendants

ACTOR = re.compile(r"ray::Instance")
COURIER = re.compile(r"ray::Courier")
RECOVERY_PATIENCE = 90.0


class Victim(StrEnum):
    """A kind of process."""

    ENGINE = "engine"
    INSTANCE = "instance actor"
    COURIER = "courier"


def find(victim: Victim, root: int) -> list[Process]:
    """All processes of a kind that descend from ``root``. The contacts' engines are not Malote's."""
    family = descendants(root)
    titles = {process.pid: command_line(process.pid) for process in family}
    if victim is Victim.ENGINE:
        return [
            process
            for process in family
            if process.name.startswith("malote-engine") and ACTOR.match(titles.get(process.parent, ""))
        ]
    pattern = ACTOR if victim is Victim.INSTANCE else COURIER
    return [process for process in family if pattern.match(titles[process.pid])]


async def wait_for(victim: Victim, root: int, count: int) -> list[Process]:
    """Wait until there are ``count`` processes of a kind, within reason. Returns those that there are."""
    loop = asyncio.get_running_loop()
    end = loop.time() + RECOVERY_PATIENCE
    while True:
        found = await asyncio.to_thread(find, victim, root)
        if len(found) >= count or loop.time() > end:
            return found
        await asyncio.sleep(0.1)


async def kill(victim: Victim, root: int) -> float | None:
    """SIGKILL one process of a kind, as soon as there is one, and wait until there are as many as before.

    Returns:
        Seconds until then, None if there was nothing to kill or it did not come back in time.
    """
    before = await wait_for(victim, root, 1)
    if not before:
        return None
    loop = asyncio.get_running_loop()
    began = loop.time()
    os.kill(before[0].pid, signal.SIGKILL)
    while loop.time() - began < RECOVERY_PATIENCE:
        await asyncio.sleep(0.1)
        present = await asyncio.to_thread(find, victim, root)
        if len(present) >= len(before) and not alive(before[0]):
            return loop.time() - began
    return None
