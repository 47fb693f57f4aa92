"""What ECS tells a task about itself, and the task's protection against being chosen in a scale-in.

Both are HTTP interfaces of the ECS agent, at addresses that it puts into the container's environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

METADATA = "ECS_CONTAINER_METADATA_URI_V4"
AGENT = "ECS_AGENT_URI"
TIMEOUT = aiohttp.ClientTimeout(total=5)
MIB = 1024 * 1024


class EcsError(Exception):
    """ECS did not answer, or refused."""


@dataclass(frozen=True, slots=True)
class Task:
    """A task, as far as a node has to know it.

    Args:
        id: the last part of its ARN; "" if it is none of ECS.
        address: its own in the VPC; None if it has none.
        memory: bytes that the task may take; None if it has no bound of its own.
        labels: for the Ray node.
    """

    id: str = ""
    address: str | None = None
    memory: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


async def task(environment: Mapping[str, str]) -> Task | None:
    """The task of this container; None outside of ECS.

    Raises:
        EcsError: it could not be learned.
    """
    base = environment.get(METADATA)
    if base is None:
        return None
    return described(await _request("GET", f"{base}/task"))


def described(answer: Mapping[str, Any]) -> Task:
    """The task that a metadata endpoint (version 4) describes."""
    identity = str(answer.get("TaskARN", "")).rpartition("/")[2]
    labels = {
        "ecs-task": identity,
        "ecs-family": answer.get("Family"),
        "ecs-revision": answer.get("Revision"),
        "zone": answer.get("AvailabilityZone"),
    }
    addresses = [
        address
        for container in answer.get("Containers", [])
        for network in container.get("Networks", [])
        for address in network.get("IPv4Addresses", [])
    ]
    limit = answer.get("Limits", {}).get("Memory")
    return Task(
        id=identity,
        address=addresses[0] if addresses else None,
        memory=int(limit) * MIB if limit else None,
        labels={name: str(value) for name, value in labels.items() if value},
    )


async def protect(agent: str, minutes: int | None) -> None:
    """Protect this task for so many minutes from now on, or, with None, no longer.

    Raises:
        EcsError: it is not so.
    """
    wanted: dict[str, Any] = {"ProtectionEnabled": minutes is not None}
    if minutes is not None:
        wanted["ExpiresInMinutes"] = minutes
    answer = await _request("PUT", f"{agent}/task-protection/v1/state", wanted)
    # A refusal comes with status 200, too.
    granted = answer.get("protection") or {}
    if granted.get("ProtectionEnabled") is not wanted["ProtectionEnabled"]:
        raise EcsError(f"the protection was not changed: {answer}")


async def _request(method: str, url: str, body: object = None) -> dict[str, Any]:
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.request(method, url, json=body) as response,
        ):
            if response.status != 200:
                raise EcsError(f"{method} {url}: {response.status} {(await response.text())[:500]}")
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise EcsError(f"{method} {url}: {error!r}") from error
    if not isinstance(answer, dict):
        raise EcsError(f"{method} {url}: not an object")
    return answer
