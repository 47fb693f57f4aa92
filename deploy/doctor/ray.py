"""The Ray cluster, and who supervises there."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE
from typing import Any

from actors.settings import Settings
from deploy.doctor.finding import Area, Finding
from deploy.errors import Exit

area = Area("Ray")
SAYS = "malote: "
"""What a command's complaint begins with; what to do stands in the next line."""


async def examine(settings: Settings) -> list[Finding]:
    """Join the cluster and ask its supervisor.

    In a process of its own: Ray reads how to authenticate when it is imported, and a join that hangs can only
    be ended with its process.
    """
    command = ["-m", "deploy.cli", "nodes", "--json", "--data-dir", str(settings.data_dir)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE
    )
    try:
        out, complaint = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    if process.returncode == Exit.OK:
        return judge(json.loads(out))
    if process.returncode == Exit.NOT_RUNNING and settings.ray_address is None:
        return [area.skipped("cluster", "`malote up` starts its own, and does not run now")]
    lines = complaint.decode(errors="replace").splitlines()
    at = next((number for number, line in enumerate(lines) if line.startswith(SAYS)), None)
    if at is None:
        said, remedy = f"`malote nodes` ended with status {process.returncode}", "Run it: it says more."
    else:
        said, remedy = lines[at].removeprefix(SAYS), "".join(lines[at + 1 : at + 2]).strip()
    return [area.problem("cluster", said, remedy or "Look at `malote status`.")]


def judge(nodes: list[dict[str, Any]]) -> list[Finding]:
    """What the living nodes mean."""
    slots = sum(node["slots"] for node in nodes if not node["draining"])
    taken = sum(node["instances"] for node in nodes if not node["draining"])
    found = [area.ok("cluster", f"{len(nodes)} nodes, and a supervisor that answers")]
    draining = [node for node in nodes if node["draining"]]
    if draining:
        said = f"{len(draining)} of {len(nodes)} nodes are being emptied"
        found.append(area.warning("nodes", said, "If they shall stay: `malote drain NODE --undo`."))
    said = f"{taken} of {slots} taken"
    if not slots:
        remedy = "Start a node that declares instance_slot (`malote up` does)."
        found.append(area.problem("slots", "no node takes instances", remedy))
    elif taken >= slots:
        found.append(area.warning("slots", said, "Add a node: no instance can move or be added."))
    else:
        found.append(area.ok("slots", said))
    return found
