"""How Ray's autoscaler, in its second version, starts and ends workers on ECS. See ray-cluster.yaml.

The autoscaler wraps this interface, the one for providers that are not Ray's own. Its batching variant would
not do: nobody calls it at the end of a round any more, when it would act. A round here takes a ListTasks and
a DescribeTasks for each hundred tasks, a start one RunTask for each ten.

Nodes start themselves (`deploy.node`), and are drained before the autoscaler has their tasks stopped: by the
supervisor, which drains what is not needed, or by the autoscaler, which has Ray drain what is idle. Should it
ask for the stop of a task whose node owns instances nevertheless, it is refused, and asks again.
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

from ray.autoscaler.node_provider import NodeProvider
from ray.autoscaler.tags import (
    NODE_KIND_HEAD,
    NODE_KIND_WORKER,
    STATUS_UP_TO_DATE,
    TAG_RAY_LAUNCH_REQUEST,
    TAG_RAY_NODE_KIND,
    TAG_RAY_NODE_NAME,
    TAG_RAY_NODE_STATUS,
    TAG_RAY_USER_NODE_TYPE,
)

from actors.settings import Settings
from actors.store import Store
from deploy.autoscaler import ownership
from deploy.autoscaler.tasks import EcsTask, EcsTasks, TasksNotRun, client
from deploy.node.plan import INSTANCE_SLOT

# Below Ray's own logger, which is what monitor.log has.
log = logging.getLogger("ray.autoscaler.malote")


class NotStopped(Exception):
    """Tasks were not stopped: their nodes own instances, or that is not known now."""


class EcsNodeProvider(NodeProvider):
    """The head that this runs on, and the tasks that were started for it. A node's id is its task's.

    Args:
        provider_config: the section ``provider`` of the cluster configuration.
        cluster_name: of it.
    """

    def __init__(self, provider_config: dict[str, Any], cluster_name: str) -> None:
        super().__init__(provider_config, cluster_name)
        self._settings = Settings()
        self._tasks = EcsTasks(client(), self._settings.ecs, cluster_name)
        # `deploy.node` has put them there.
        self._head = EcsTask(
            id=os.environ["RAY_CLOUD_INSTANCE_ID"],
            kind=os.environ["RAY_NODE_TYPE_NAME"],
            launch="",
            running=True,
            address=None,
        )
        self._nodes: dict[str, EcsTask] = {}

    # ---- what there is ----

    def non_terminated_nodes(self, tag_filters: dict[str, str]) -> list[str]:
        """Ask ECS; everything else here speaks of what it answered then."""
        self._nodes = {task.id: task for task in (self._head, *self._tasks.living())}
        return [node for node in self._nodes if tag_filters.items() <= self.node_tags(node).items()]

    def is_running(self, node_id: str) -> bool:
        """True once its container has been started."""
        return node_id in self._nodes and self._nodes[node_id].running

    def is_terminated(self, node_id: str) -> bool:
        """True if it is gone, or has been told to go."""
        return node_id not in self._nodes

    def node_tags(self, node_id: str) -> dict[str, str]:
        """What Ray wants to know of a node."""
        task = self._nodes[node_id]
        return {
            TAG_RAY_NODE_KIND: NODE_KIND_HEAD if node_id == self._head.id else NODE_KIND_WORKER,
            TAG_RAY_NODE_NAME: node_id,
            TAG_RAY_NODE_STATUS: STATUS_UP_TO_DATE,
            TAG_RAY_USER_NODE_TYPE: task.kind,
            TAG_RAY_LAUNCH_REQUEST: task.launch,
        }

    def internal_ip(self, node_id: str) -> str:
        """Its address in the VPC, "" before it has one."""
        return self._nodes[node_id].address or ""

    def external_ip(self, node_id: str) -> str:
        """It has none."""
        return ""

    # ---- what is done ----

    def create_node_with_resources_and_labels(
        self,
        node_config: dict[str, Any],
        tags: dict[str, str],
        count: int,
        resources: dict[str, float],
        labels: dict[str, str],
    ) -> None:
        """Run tasks.

        Args:
            node_config: further parameters of RunTask.

        Raises:
            TasksNotRun
        """
        most = self._settings.elastic.workers
        # The supervisor asks for no more than the most. Of each of them there may be a successor already.
        if (there := len(self._tasks.living())) + count > 2 * most:
            raise TasksNotRun(f"there are {there} tasks already, and MALOTE_ELASTIC_WORKERS is {most}")
        kind = tags[TAG_RAY_USER_NODE_TYPE]
        # The autoscaler reckons with these slots until the node is there: it has to have as many.
        environment = {
            "RAY_NODE_TYPE_NAME": kind,
            "MALOTE_NODE_SLOTS": str(int(resources.get(INSTANCE_SLOT, 0))),
        }
        self._tasks.run(kind, tags.get(TAG_RAY_LAUNCH_REQUEST, ""), count, environment, node_config)
        log.info("started %d tasks of the type %s", count, kind)

    def terminate_node(self, node_id: str) -> None:
        """As `terminate_nodes`, for one."""
        self.terminate_nodes([node_id])

    def terminate_nodes(self, node_ids: list[str]) -> None:
        """Stop tasks, but none whose node owns instances. Those that have ended, or are not ours, are let be.

        Raises:
            NotStopped: not all were. The autoscaler asks again.
        """
        living = {task.id for task in self._tasks.living()}
        tasks = [node for node in node_ids if node in living]
        if not tasks:
            return
        owned = asyncio.run(self._owned(tasks))
        if owned is None:
            raise NotStopped(f"what {', '.join(tasks)} own is not known, as Redis does not answer")
        for task in tasks:
            if not owned[task]:
                self._tasks.stop(task, "not needed any more")
                log.info("stopped the task %s", task)
        kept = {task: count for task, count in owned.items() if count}
        if kept:
            log.warning("not stopped, as they own instances: %s", kept)
            raise NotStopped(f"they own instances: {kept}")

    async def _owned(self, tasks: list[str]) -> dict[str, int] | None:
        # Each time a loop of its own: the autoscaler calls this from threads.
        store = Store(self._settings.redis_url or "", self._settings.prefix)
        try:
            return await ownership.owned(store, tasks)
        finally:
            await store.close()
