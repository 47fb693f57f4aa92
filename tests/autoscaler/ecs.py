"""ECS's API as moto plays it, on loopback, and what it leaves out: that tasks do something.

moto has a task run from the moment it is asked for until it is stopped, and ends none by itself. What a
container does here, its end above all, is told to moto behind its API.
"""

from __future__ import annotations

import contextlib
import logging
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.moto_api import state_manager
from moto.server import ThreadedMotoServer

from actors.settings import EcsSettings

REGION = "us-west-2"
CLUSTER = "malote"
FAMILY = "malote-worker"


@dataclass(frozen=True)
class Ecs:
    """The server.

    Args:
        url: of its API.
        settings: a cluster and a task definition that are there.
        environment: what leads boto3 to it.
    """

    url: str
    settings: EcsSettings
    environment: dict[str, str]

    @property
    def client(self) -> Any:
        return boto3.client("ecs", region_name=REGION, endpoint_url=self.url, **_KEYS)

    def tasks(self) -> list[Any]:
        """All tasks that there ever were, as moto has them; the newest last."""
        backend = get_backend("ecs")[DEFAULT_ACCOUNT_ID][REGION]
        return list(backend.tasks.get(CLUSTER, {}).values())

    def on_stop(self, heard: Callable[[str], None] | None) -> None:
        """Have it told which task each StopTask names, before that is carried out."""
        backend = get_backend("ecs")[DEFAULT_ACCOUNT_ID][REGION]
        vars(backend).pop("stop_task", None)
        if heard is None:
            return
        stop = backend.stop_task

        def stopping(cluster_str: str, task_str: str, reason: str) -> Any:
            heard(task_str.rpartition("/")[2])
            return stop(cluster_str, task_str, reason)

        backend.stop_task = stopping

    def end(self, task: Any) -> None:
        """What ECS says of a task whose container has ended by itself."""
        task.desired_status = task.last_status = "STOPPED"


_KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@contextlib.contextmanager
def serving() -> Iterator[Ecs]:
    """A server with nothing but a network, a cluster and a task definition in it."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    # What another server of this process had is kept in the process.
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"), timeout=10).close()
    # Else each look at a task would bring it nearer to its end.
    state_manager.set_transition("ecs::task", {"progression": "manual", "times": 1_000_000})
    try:
        ec2 = boto3.client("ec2", region_name=REGION, endpoint_url=url, **_KEYS)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        group = ec2.create_security_group(GroupName="nodes", Description="nodes", VpcId=vpc)["GroupId"]
        settings = EcsSettings(cluster=CLUSTER, task=FAMILY, subnets=(subnet,), security_groups=(group,))
        ecs = Ecs(
            url,
            settings,
            {
                "AWS_ENDPOINT_URL": url,
                "AWS_REGION": REGION,
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_EC2_METADATA_DISABLED": "true",
                "MALOTE_ECS_CLUSTER": CLUSTER,
                "MALOTE_ECS_TASK": FAMILY,
                "MALOTE_ECS_SUBNETS": subnet,
                "MALOTE_ECS_SECURITY_GROUPS": group,
            },
        )
        ecs.client.create_cluster(clusterName=CLUSTER)
        ecs.client.register_task_definition(
            family=FAMILY,
            networkMode="awsvpc",
            requiresCompatibilities=["FARGATE"],
            cpu="256",
            memory="512",
            containerDefinitions=[
                {"name": "node", "image": "malote", "essential": True, "cpu": 256, "memory": 512}
            ],
        )
        yield ecs
    finally:
        state_manager.unset_transition("ecs::task")
        server.stop()
