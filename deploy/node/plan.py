"""How Ray is started on a node: settings and facts in, command line and environment out."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from actors.settings import NodeSettings, Settings
from deploy.engine import BUILT
from deploy.errors import CommandError, Exit
from deploy.node.ecs import Task
from deploy.ray_local import OBJECT_STORE_BYTES

INSTANCE_SLOT = "instance_slot"
"""As in `actors.cluster`, which would import Ray, and with it the environment, too early."""

RAY_MARGIN = 10.0
"""Seconds of the stop time-out that are left for ending processes once Ray has stopped draining."""

START_PATIENCE = 900
"""Seconds after which the autoscaler gives up a task that has not become a node."""

AGENT_PORTS = (
    "--dashboard-agent-listen-port",
    "--dashboard-agent-grpc-port",
    "--runtime-env-agent-port",
    "--metrics-export-port",
)
"""A raylet that is not told them waits 15 s for its agents to say them, and then dies: too short on a machine
that is busy (ray-project/ray#65983)."""
PORTS = ("--node-manager-port", "--object-manager-port", *AGENT_PORTS)
"""From `NodeSettings.first_port` on. Ray would choose any, and no security group could name them."""


class Role(StrEnum):
    """What a node is to the cluster."""

    HEAD = "head"
    WORKER = "worker"


def directory(settings: Settings) -> Path:
    """Where Ray keeps its sockets and logs on this node. The directory above is only ours to enter: Ray opens
    its own to every user of the machine.
    """
    return settings.temp_dir / "malote-node" / "ray"


def slots(role: Role, settings: NodeSettings, memory: int) -> int:
    """How many instances the node takes."""
    if settings.slots is not None:
        return settings.slots
    if role is Role.HEAD:
        return 0
    return max(0, (memory - settings.reserved_memory) // settings.instance_memory)


def arguments(
    role: Role, settings: Settings, task: Task, memory: int, autoscaling: Path | None = None
) -> list[str]:
    """What follows ``ray start``.

    Args:
        memory: bytes that the node has.
        autoscaling: what a head's autoscaler is to read, if it is to run one.

    Raises:
        CommandError: a worker does not know where its head is.
    """
    node = settings.node
    if role is Role.WORKER and node.head is None:
        raise CommandError(
            "a worker has to know its head", "Set MALOTE_NODE_HEAD to host:port of it.", status=Exit.USAGE
        )
    first, _, last = node.worker_ports.partition("-")
    capacity = slots(role, node, memory)
    options = {
        "--resources": json.dumps({INSTANCE_SLOT: capacity} if capacity else {}),
        # No actor takes a CPU, and with none Ray starts no workers in advance.
        "--num-cpus": "0",
        "--object-store-memory": str(OBJECT_STORE_BYTES),
        # /dev/shm of a container is smaller than that, and nothing of ours goes through the store.
        "--plasma-directory": str(settings.temp_dir),
        "--temp-dir": str(directory(settings)),
        "--min-worker-port": first,
        "--max-worker-port": last,
        **{option: str(node.first_port + offset) for offset, option in enumerate(PORTS)},
    }
    if address := node.address or task.address:
        options["--node-ip-address"] = address
    if task.labels:
        options["--labels"] = ",".join(f"{name}={value}" for name, value in sorted(task.labels.items()))
    if role is Role.HEAD:
        options |= {
            "--port": str(node.gcs_port),
            "--dashboard-host": node.dashboard_host,
            "--dashboard-port": str(node.dashboard_port),
        }
        if autoscaling is not None:
            options["--autoscaling-config"] = str(autoscaling)
        if redis := _gcs_redis(node):
            if redis.username:
                options["--redis-username"] = unquote(redis.username)
            if redis.password:
                # `ray start` itself looks into Redis, and reads no environment for it. Ray puts it on the
                # command line of its GCS anyway.
                options["--redis-password"] = unquote(redis.password)
    else:
        options["--address"] = str(node.head)
    pairs = [part for option in options.items() for part in option]
    return ["--block", *(["--head"] if role is Role.HEAD else []), *pairs]


def environment(role: Role, settings: Settings, given: Mapping[str, str]) -> dict[str, str]:
    """What Ray's processes need in their environment, in addition to what is ``given``.

    Raises:
        CommandError: there is no token that lets nodes and jobs into the cluster.
    """
    node = settings.node
    engine = BUILT / ("malote-engine-lab" if settings.lab.directory else "malote-engine")
    if not given.get("RAY_AUTH_TOKEN") and not given.get("RAY_AUTH_TOKEN_PATH"):
        raise CommandError(
            "the cluster needs a token",
            "Give RAY_AUTH_TOKEN (a secret) or RAY_AUTH_TOKEN_PATH, the same to every node and job.",
            status=Exit.USAGE,
        )
    found = {
        "RAY_AUTH_MODE": "token",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": str(node.niceness),
        # Else as many actors start at a time as the node has of Ray's CPUs: none, so one after the other.
        "RAY_worker_maximum_startup_concurrency": str(len(os.sched_getaffinity(0))),
        "RAY_gcs_rpc_server_reconnect_timeout_s": str(node.gcs_patience),
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": str(node.stop_timeout - RAY_MARGIN),
    }
    if settings.engine is None and engine.is_file():
        # A job brings its code, but no engine: that is the node's.
        found["MALOTE_ENGINE"] = str(engine)
    if node.tls_cert is not None:
        found |= {
            "RAY_USE_TLS": "1",
            "RAY_TLS_SERVER_CERT": str(node.tls_cert),
            "RAY_TLS_SERVER_KEY": str(node.tls_key),
            "RAY_TLS_CA_CERT": str(node.tls_ca),
        }
    if role is Role.HEAD and (redis := _gcs_redis(node)):
        secure = "rediss://" if redis.scheme == "rediss" else ""
        found["RAY_REDIS_ADDRESS"] = f"{secure}{redis.hostname}:{redis.port or 6379}"
        found["RAY_external_storage_namespace"] = settings.prefix
        if redis.password:
            found["RAY_REDIS_PASSWORD"] = unquote(redis.password)
    return found


def identity(role: Role, settings: Settings, task: Task, given: Mapping[str, str]) -> dict[str, str]:
    """What the node's environment has to tell the autoscaler: who it is, of which type.

    A worker that the autoscaler did not start says nothing, and is left alone by it.
    """
    if role is Role.HEAD and settings.node.autoscaling is not None:
        found = {
            # Its first version has Ray end a node that is too many without draining it.
            "RAY_enable_autoscaler_v2": "1",
            "RAY_AUTOSCALER_RECONCILE_ALLOCATE_STATUS_TIMEOUT_S": str(START_PATIENCE),
            "RAY_CLOUD_INSTANCE_ID": task.id or "head",
            "RAY_NODE_TYPE_NAME": Role.HEAD.value,
        }
    elif task.id and "RAY_NODE_TYPE_NAME" in given:
        found = {"RAY_CLOUD_INSTANCE_ID": task.id}
    else:
        return {}
    # Who starts nodes by Ray's own means has said it already.
    return {name: value for name, value in found.items() if name not in given}


def _gcs_redis(node: NodeSettings) -> SplitResult | None:
    return urlsplit(node.gcs_redis_url.get_secret_value()) if node.gcs_redis_url else None
