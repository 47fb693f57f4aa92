"""Tasks of ECS as the autoscaler's workers: listed, run and stopped through the API.

They belong to no service. So a task can be chosen to be stopped, which a service does not allow, and nobody
else stops one; but ECS grants its scale-in protection to tasks of services only. What protects the instances
of these is that whoever asks for a stop asks `deploy.autoscaler.ownership` first.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.settings import EcsSettings

NODE_TYPE_TAG = "malote-node-type"
LAUNCH_TAG = "malote-launch"
AT_ONCE = 10
"""Tasks that one RunTask may start."""
DESCRIBED_AT_ONCE = 100
ENDED = {"DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED", "DELETED"}


class TasksNotRun(Exception):
    """ECS did not start as many tasks as it was asked for."""


@dataclass(frozen=True, slots=True)
class EcsTask:
    """A task that is not about to end.

    Args:
        id: the last part of its ARN, as its own metadata has it, too.
        kind: the autoscaler's node type.
        launch: the autoscaler's request that it was started for.
        running: its container has been started.
        address: in the VPC, once it has one.
    """

    id: str
    kind: str
    launch: str
    running: bool
    address: str | None


class EcsTasks:
    """Tasks that were started in the name of one Ray cluster.

    Args:
        client: boto3's for ECS.
        owner: name of the Ray cluster, by which its tasks are found again.
    """

    def __init__(self, client: Any, settings: EcsSettings, owner: str) -> None:
        self._client = client
        self._settings = settings
        self._owner = owner

    def living(self) -> list[EcsTask]:
        """All that have not been told to stop."""
        # ECS takes no other filter beside this one, and lists what is desired to run unless told otherwise.
        pages = self._client.get_paginator("list_tasks").paginate(
            cluster=self._settings.cluster, startedBy=self._owner
        )
        arns = [arn for page in pages for arn in page["taskArns"]]
        found = []
        for some in _batches(arns, DESCRIBED_AT_ONCE):
            answer = self._client.describe_tasks(cluster=self._settings.cluster, tasks=some, include=["TAGS"])
            found += [task for task in map(_described, answer["tasks"]) if task is not None]
        return found

    def run(
        self, kind: str, launch: str, count: int, environment: Mapping[str, str], extra: Mapping[str, Any]
    ) -> None:
        """Start some.

        Args:
            environment: for their container, in addition to what the task definition gives it.
            extra: further parameters of RunTask.

        Raises:
            TasksNotRun: ECS gave reasons why there are fewer.
        """
        missing: list[str] = []
        for first in range(0, count, AT_ONCE):
            # boto3 repeats a request under one token, so that a lost answer does not start tasks twice.
            answer = self._client.run_task(
                cluster=self._settings.cluster,
                taskDefinition=self._settings.task,
                count=min(AT_ONCE, count - first),
                startedBy=self._owner,
                tags=[{"key": NODE_TYPE_TAG, "value": kind}, {"key": LAUNCH_TAG, "value": launch}],
                networkConfiguration={
                    "awsvpcConfiguration": {
                        "subnets": list(self._settings.subnets),
                        "securityGroups": list(self._settings.security_groups),
                        "assignPublicIp": "DISABLED",
                    }
                },
                overrides={
                    "containerOverrides": [
                        {
                            "name": self._settings.container,
                            "environment": [
                                {"name": name, "value": value} for name, value in environment.items()
                            ],
                        }
                    ]
                },
                **extra,
            )
            missing += [f"{one.get('reason')} {one.get('detail', '')}" for one in answer.get("failures", ())]
        if missing:
            raise TasksNotRun(f"{len(missing)} of {count} tasks were not started: {missing[0]}")

    def stop(self, task: str, reason: str) -> None:
        """Have one stopped: SIGTERM, and SIGKILL after its stop time-out."""
        self._client.stop_task(cluster=self._settings.cluster, task=task, reason=reason)


def client() -> Any:
    """boto3's client, for the region that the container is in, by the role of its task."""
    import boto3
    from botocore.config import Config

    patience = Config(
        connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3}
    )
    # ECS tells the region by a variable that boto3 does not read.
    region = os.environ.get("AWS_REGION") or None
    return boto3.client("ecs", region_name=region, config=patience)


def _described(answer: Mapping[str, Any]) -> EcsTask | None:
    """The task that DescribeTasks describes; None if it ends or is none of the autoscaler's."""
    tags = {tag["key"]: tag["value"] for tag in answer.get("tags", ())}
    ending = answer["desiredStatus"] == "STOPPED" or answer["lastStatus"] in ENDED
    if ending or NODE_TYPE_TAG not in tags:
        return None
    details = [
        detail for attachment in answer.get("attachments", ()) for detail in attachment.get("details", ())
    ]
    addresses = [detail["value"] for detail in details if detail["name"] == "privateIPv4Address"]
    return EcsTask(
        id=str(answer["taskArn"]).rpartition("/")[2],
        kind=tags[NODE_TYPE_TAG],
        launch=tags.get(LAUNCH_TAG, ""),
        running=answer["lastStatus"] == "RUNNING",
        address=addresses[0] if addresses else None,
    )


def _batches(items: Sequence[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(items), size):
        yield list(items[first : first + size])
