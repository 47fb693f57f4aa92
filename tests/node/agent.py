"""The ECS agent, as far as a task sees it: the metadata endpoint and the one for scale-in protection."""

from __future__ import annotations

from typing import Any

from aiohttp import web

TASK: dict[str, Any] = {
    "Cluster": "default",
    "TaskARN": "arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c",
    "Family": "malote-worker",
    "Revision": "26",
    "DesiredStatus": "RUNNING",
    "KnownStatus": "RUNNING",
    "Limits": {"CPU": 2, "Memory": 4096},
    "AvailabilityZone": "us-west-2d",
    "LaunchType": "FARGATE",
    "Containers": [
        {
            "Name": "node",
            "Type": "NORMAL",
            "Networks": [{"NetworkMode": "awsvpc", "IPv4Addresses": ["127.0.0.3"]}],
        }
    ],
}


class Agent:
    """A server on loopback.

    Attributes:
        asked: the bodies of the requests that changed the protection.
        protected: whether the task is protected now.
        refuse: answer as ECS does when it does not let the protection be changed.
    """

    def __init__(self, task: dict[str, Any] = TASK) -> None:
        self.asked: list[dict[str, Any]] = []
        self.protected = False
        self.refuse = False
        self.url = ""
        self._task = task

    @property
    def environment(self) -> dict[str, str]:
        """What ECS puts into a container's environment."""
        return {"ECS_CONTAINER_METADATA_URI_V4": f"{self.url}/v4/task-1", "ECS_AGENT_URI": self.url}

    async def __aenter__(self) -> Agent:
        app = web.Application()
        app.router.add_get("/v4/task-1/task", self._metadata)
        app.router.add_put("/task-protection/v1/state", self._protect)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *ended: object) -> None:
        await self._runner.cleanup()

    async def _metadata(self, request: web.Request) -> web.Response:
        return web.json_response(self._task)

    async def _protect(self, request: web.Request) -> web.Response:
        body = await request.json()
        arn = self._task["TaskARN"]
        if self.refuse:
            reason = "DEPLOYMENT_BLOCKED"
            return web.json_response({"failure": {"Arn": arn, "Reason": reason, "Detail": None}})
        self.asked.append(body)
        self.protected = body["ProtectionEnabled"]
        return web.json_response(
            {"protection": {"ExpirationDate": None, "ProtectionEnabled": self.protected, "TaskArn": arn}}
        )
