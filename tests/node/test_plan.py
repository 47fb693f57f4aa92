"""How Ray is started on a node."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from actors.settings import NodeSettings, Settings
from deploy.errors import CommandError
from deploy.node import plan
from deploy.node.ecs import Task
from deploy.node.plan import PORTS, Role

GIB = 1024**3
TOKEN = {"RAY_AUTH_TOKEN": "x" * 32}


def settings(**node: Any) -> Settings:
    return Settings(node=NodeSettings(**node))


def options(role: Role, given: Settings, task: Task | None = None, memory: int = 4 * GIB) -> dict[str, str]:
    words = plan.arguments(role, given, task or Task(), memory)
    words = [word for word in words if word not in ("--block", "--head")]
    return dict(zip(words[::2], words[1::2], strict=True))


def test_a_worker_takes_as_many_instances_as_fit_beside_what_is_reserved() -> None:
    found = options(Role.WORKER, settings(head="head:6379", instance_memory=GIB, reserved_memory=GIB))
    assert json.loads(found["--resources"]) == {"instance_slot": 3}
    small = options(Role.WORKER, settings(head="head:6379", reserved_memory=8 * GIB))
    assert json.loads(small["--resources"]) == {}


def test_a_head_takes_none_unless_told() -> None:
    assert json.loads(options(Role.HEAD, settings())["--resources"]) == {}
    assert json.loads(options(Role.HEAD, settings(slots=2))["--resources"]) == {"instance_slot": 2}


def test_every_port_is_pinned_and_no_two_are_the_same() -> None:
    found = options(Role.HEAD, settings())
    ports = [found[name] for name in (*PORTS, "--port", "--dashboard-port")]
    first, last = int(found["--min-worker-port"]), int(found["--max-worker-port"])
    assert len({*ports}) == len(ports)
    assert not any(first <= int(port) <= last for port in ports)


def test_a_task_gives_its_address_and_labels_and_a_setting_wins() -> None:
    task = Task(address="10.0.0.7", labels={"zone": "a", "ecs-task": "1"})
    found = options(Role.WORKER, settings(head="head:6379"), task)
    assert (found["--node-ip-address"], found["--labels"]) == ("10.0.0.7", "ecs-task=1,zone=a")
    assert options(Role.HEAD, settings(address="10.0.0.9"), task)["--node-ip-address"] == "10.0.0.9"


def test_a_worker_without_a_head_and_a_cluster_without_a_token_are_refused() -> None:
    with pytest.raises(CommandError, match="head"):
        plan.arguments(Role.WORKER, settings(), Task(), GIB)
    with pytest.raises(CommandError, match="token"):
        plan.environment(Role.HEAD, settings(), {})


def test_ray_is_told_the_password_of_redis_in_both_ways_that_it_reads() -> None:
    given = settings(gcs_redis_url=SecretStr("rediss://ray:p%40ss@redis.internal/0"))
    found = plan.environment(Role.HEAD, given, TOKEN)
    assert found["RAY_REDIS_ADDRESS"] == "rediss://redis.internal:6379"
    assert found["RAY_REDIS_PASSWORD"] == "p@ss"
    command = plan.arguments(Role.HEAD, given, Task(), GIB)
    assert command[command.index("--redis-username") + 1] == "ray"
    assert command[command.index("--redis-password") + 1] == "p@ss"
    assert "RAY_REDIS_ADDRESS" not in plan.environment(Role.WORKER, given, TOKEN)


def test_ray_stops_draining_before_the_platform_kills() -> None:
    found = plan.environment(Role.WORKER, settings(stop_timeout=100), TOKEN)
    assert float(found["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"]) < 100


def test_a_node_without_cpus_of_rays_starts_actors_side_by_side() -> None:
    found = plan.environment(Role.WORKER, settings(), TOKEN)
    assert int(found["RAY_worker_maximum_startup_concurrency"]) == len(os.sched_getaffinity(0))


def test_tls_is_all_or_nothing() -> None:
    files = {name: Path(f"/run/{name}") for name in ("tls_cert", "tls_key", "tls_ca")}
    assert plan.environment(Role.WORKER, settings(**files), TOKEN)["RAY_USE_TLS"] == "1"
    assert "RAY_USE_TLS" not in plan.environment(Role.WORKER, settings(), TOKEN)
    del files["tls_ca"]
    with pytest.raises(ValidationError):
        settings(**files)
