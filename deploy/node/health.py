"""Whether this node works: asked of its processes themselves, by the health check of the container.

Not asked through the head: while that is away, nodes and their connections live on, and a platform that took
them for ill would end them all.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from deploy.errors import CommandError, Exit
from deploy.node.plan import Role
from deploy.processes import Process, alive

TIMEOUT = 5.0
SERVING = b"\x08\x01"
"""A HealthCheckResponse of grpc.health.v1 with this status. The request for all of a server is empty."""


def write(path: Path, role: Role, raylet: Process, services: dict[str, str]) -> None:
    """Note what is to be asked.

    Args:
        services: host:port of each gRPC server that has to answer, by its name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fields = {name: getattr(raylet, name) for name in ("pid", "parent", "name", "state", "started")}
    fresh.write_text(json.dumps({"role": role, "raylet": fields, "services": services}))
    fresh.replace(path)


def check(path: Path, environment: dict[str, str]) -> None:
    """Return if the node works.

    Args:
        environment: how to be let into the cluster; see `plan.environment`.

    Raises:
        CommandError: it does not; says why.
    """
    try:
        noted = json.loads(path.read_text())
    except OSError:
        raise CommandError("the node has not started", status=Exit.NOT_RUNNING) from None
    if not alive(Process(**noted["raylet"])):
        raise CommandError("the raylet has ended", status=Exit.NOT_RUNNING)
    # Ray reads its environment when it is imported.
    os.environ.update(environment)
    for name, address in noted["services"].items():
        _ask(name, address)


def _ask(name: str, address: str) -> None:
    import grpc
    from ray._private.grpc_utils import init_grpc_channel

    with init_grpc_channel(address) as channel:
        ask = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer = ask(b"", timeout=TIMEOUT)
        except grpc.RpcError as error:
            raise CommandError(f"the {name} at {address} does not answer: {error.code().name}") from None
    if answer != SERVING:
        raise CommandError(f"the {name} at {address} does not serve: {answer!r}")
