"""The Ray cluster, and who supervises there."""

from __future__ import annotations

from typing import Any

from actors.settings import Settings
from deploy.doctor.finding import Area, Finding
from deploy.errors import CommandError, Exit
from deploy.fleet_link import linked

area = Area("Ray")


async def examine(settings: Settings) -> list[Finding]:
    """Join the cluster and ask its supervisor."""
    try:
        async with linked(settings) as fleet:
            nodes = await fleet.nodes()
    except CommandError as error:
        if error.status is Exit.NOT_RUNNING and settings.ray_address is None:
            return [area.skipped("cluster", "`malote up` starts its own, and does not run now")]
        return [area.problem("cluster", error.problem, error.remedy)]
    return judge(nodes)


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
