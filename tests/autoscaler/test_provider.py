"""The node provider against moto's ECS, over HTTP, with a real Redis for what nodes own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from ray.autoscaler.tags import TAG_RAY_LAUNCH_REQUEST, TAG_RAY_NODE_KIND, TAG_RAY_USER_NODE_TYPE

from actors.registry import InstanceRecord, Registry, new_token, now
from actors.store import Store
from deploy.autoscaler import ownership
from deploy.autoscaler.provider import EcsNodeProvider, NotStopped
from deploy.autoscaler.tasks import TasksNotRun
from tests.autoscaler.ecs import Ecs, serving
from tests.autoscaler.files import CLUSTER_FILE

NODE = "ab" * 28


@pytest.fixture(scope="module")
def server() -> Iterator[Ecs]:
    with serving() as ecs:
        yield ecs


@pytest.fixture
def ecs(server: Ecs) -> Ecs:
    for task in server.tasks():
        server.end(task)
    return server


@pytest.fixture
def provider(ecs: Ecs, redis_url: str, prefix: str, monkeypatch: pytest.MonkeyPatch) -> EcsNodeProvider:
    given = ecs.environment | {
        "MALOTE_REDIS_URL": redis_url,
        "MALOTE_PREFIX": prefix,
        "MALOTE_ELASTIC_WORKERS": "12",
        "RAY_CLOUD_INSTANCE_ID": "head-task",
        "RAY_NODE_TYPE_NAME": "head",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return EcsNodeProvider(CLUSTER_FILE["provider"], CLUSTER_FILE["cluster_name"])


def start(provider: EcsNodeProvider, count: int, launch: str = "launch-1", **node_config: Any) -> list[str]:
    """The ids of new workers."""
    worker = CLUSTER_FILE["available_node_types"]["worker"]
    before = set(provider.non_terminated_nodes({}))
    provider.create_node_with_resources_and_labels(
        worker["node_config"] | node_config,
        {TAG_RAY_USER_NODE_TYPE: "worker", TAG_RAY_LAUNCH_REQUEST: launch},
        count,
        {"instance_slot": 7.0},
        {},
    )
    return sorted(set(provider.non_terminated_nodes({})) - before)


async def own(store: Store, task: str, *instances: str) -> None:
    """Have the node of a task own instances."""
    registry = Registry(store)
    await ownership.note(store, task, NODE)
    for instance in instances:
        await registry.create(InstanceRecord(id=instance, name=instance, created_at=now()), new_token())
        await take(registry, instance, NODE)


async def take(registry: Registry, instance: str, node: str) -> None:
    """Have a node own an instance."""
    before = await registry.owner(instance)
    await registry.fence(
        instance,
        after=before.epoch if before else 0,
        leader=await registry.lead(),
        actor=f"instance:{instance}:{node}",
        node=node,
        known_dead=True,
    )


def test_there_is_only_the_head_at_first(provider: EcsNodeProvider) -> None:
    assert provider.non_terminated_nodes({}) == ["head-task"]
    assert provider.node_tags("head-task")[TAG_RAY_NODE_KIND] == "head"
    assert provider.is_running("head-task")


def test_workers_are_tasks_that_know_their_type_and_their_slots(provider: EcsNodeProvider, ecs: Ecs) -> None:
    made = start(provider, 2)
    assert len(made) == 2
    for node in made:
        tags = provider.node_tags(node)
        assert (tags[TAG_RAY_NODE_KIND], tags[TAG_RAY_USER_NODE_TYPE]) == ("worker", "worker")
        assert tags[TAG_RAY_LAUNCH_REQUEST] == "launch-1"
        assert provider.is_running(node)
        assert provider.internal_ip(node)
    assert provider.non_terminated_nodes({TAG_RAY_NODE_KIND: "head"}) == ["head-task"]
    task = ecs.tasks()[-1]
    assert (task.started_by, task.launch_type, task.platform_version) == ("malote", "FARGATE", "1.4.0")
    (container,) = task.overrides["containerOverrides"]
    assert container["name"] == "node"
    given = {entry["name"]: entry["value"] for entry in container["environment"]}
    assert given == {"RAY_NODE_TYPE_NAME": "worker", "MALOTE_NODE_SLOTS": "7"}
    network = task.network_configuration["awsvpcConfiguration"]
    assert network["subnets"] == list(ecs.settings.subnets)
    assert network["assignPublicIp"] == "DISABLED"


def test_many_are_started_and_described_and_not_without_end(provider: EcsNodeProvider) -> None:
    assert len(start(provider, 23)) == 23
    with pytest.raises(TasksNotRun, match="MALOTE_ELASTIC_WORKERS is 12"):
        start(provider, 2)
    assert len(start(provider, 1)) == 1


def test_tasks_of_others_are_not_seen(provider: EcsNodeProvider, ecs: Ecs) -> None:
    shared = {
        "cluster": "malote",
        "taskDefinition": "malote-worker",
        "launchType": "FARGATE",
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": list(ecs.settings.subnets),
                "securityGroups": list(ecs.settings.security_groups),
            }
        },
    }
    ecs.client.run_task(startedBy="ecs-svc/1", **shared)
    # The name of the cluster alone does not make a task a worker.
    ecs.client.run_task(startedBy="malote", **shared)
    assert provider.non_terminated_nodes({}) == ["head-task"]
    other = ecs.tasks()[-2].id
    provider.terminate_nodes([other, "head-task", "never-there"])
    assert ecs.tasks()[-2].desired_status == "RUNNING"


async def test_a_task_that_owns_nothing_is_stopped(provider: EcsNodeProvider, ecs: Ecs, store: Store) -> None:
    idle, other = start(provider, 2)
    await ownership.note(store, idle, NODE)
    await in_thread(provider.terminate_nodes, [idle])
    assert provider.non_terminated_nodes({}) == ["head-task", other]
    assert provider.is_terminated(idle)
    # Again, as the autoscaler does while it waits for the end.
    await in_thread(provider.terminate_nodes, [idle])


async def test_a_task_that_owns_instances_is_never_stopped(
    provider: EcsNodeProvider, ecs: Ecs, store: Store
) -> None:
    owner, idle = start(provider, 2)
    await own(store, owner, "one", "two")
    with pytest.raises(NotStopped, match=rf"{owner}.*2"):
        await in_thread(provider.terminate_nodes, [owner, idle])
    assert provider.non_terminated_nodes({}) == ["head-task", owner]
    # Moved elsewhere.
    registry = Registry(store)
    for instance in ("one", "two"):
        await take(registry, instance, "cd" * 28)
    await in_thread(provider.terminate_nodes, [owner])
    assert provider.non_terminated_nodes({}) == ["head-task"]


async def test_nothing_is_stopped_while_redis_is_away(
    provider: EcsNodeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    (node,) = start(provider, 1)
    monkeypatch.setattr(ownership, "TIMEOUT", 0.2)
    provider._settings = provider._settings.model_copy(update={"redis_url": "redis://127.0.0.1:1"})
    with pytest.raises(NotStopped, match="not known"):
        await in_thread(provider.terminate_nodes, [node])
    assert node in provider.non_terminated_nodes({})


def test_a_task_that_comes_is_there_and_one_that_goes_is_not(provider: EcsNodeProvider, ecs: Ecs) -> None:
    (node,) = start(provider, 1)
    for status, there, running in (
        ("PROVISIONING", True, False),
        ("PENDING", True, False),
        ("RUNNING", True, True),
        ("DEACTIVATING", False, False),
        ("DEPROVISIONING", False, False),
    ):
        ecs.tasks()[-1].last_status = status
        assert (node in provider.non_terminated_nodes({})) is there, status
        assert provider.is_running(node) is running, status
        assert provider.is_terminated(node) is not there


def test_what_ended_by_itself_is_gone(provider: EcsNodeProvider, ecs: Ecs) -> None:
    (node,) = start(provider, 1)
    ecs.end(ecs.tasks()[-1])
    assert provider.non_terminated_nodes({}) == ["head-task"]
    provider.terminate_nodes([node])


def test_reasons_why_tasks_were_not_started_are_told(
    provider: EcsNodeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto has room without end. The answer is as AWS documents it.
    refusal = {"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time."}]}
    monkeypatch.setattr(provider._tasks._client, "run_task", lambda **_: refusal)
    with pytest.raises(TasksNotRun, match=r"1 of 1 .*Capacity"):
        start(provider, 1)


async def in_thread(function: Any, *arguments: Any) -> Any:
    """As the autoscaler calls it: from a thread of its own."""
    return await asyncio.to_thread(function, *arguments)
