"""Health and metrics, for load balancers and Prometheus."""

from __future__ import annotations

import asyncio
from typing import Literal

from aiohttp import web
from pydantic import BaseModel, Field
from redis.exceptions import RedisError

from api.auth import Access
from api.exposition import CONTENT_TYPE
from api.routing import Answer, Call, Reply, Routes
from api.services import Services

routes = Routes("Operation", "Health and metrics.")

PING_TIMEOUT = 2.0
CLUSTER_TIMEOUT = 4.0


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether everything needed is there."""

    ready: bool
    missing: list[str] = Field(description="What is not there, for people")


@routes.add("GET", "/healthz", "Is it alive?", (200, Answer("It is", Health)), access=Access.PUBLIC)
async def healthz(call: Call[None, None]) -> Health:
    """The gateway itself answers. Restart it when it does not."""
    return Health()


@routes.add(
    "GET",
    "/readyz",
    "Can it serve?",
    (200, Answer("It can", Readiness)),
    (503, Answer("Something is missing, or it is closing", Readiness)),
    access=Access.PUBLIC,
)
async def readyz(call: Call[None, None]) -> Reply:
    """Redis answers, and so does the cluster's supervisor."""
    services = call.services
    missing = ["the gateway is closing"] if services.closing.is_set() else []
    for found in await asyncio.gather(_redis(services), _cluster(services)):
        missing += found
    return Reply(
        Readiness(ready=not missing, missing=missing), 503 if missing else 200, {"Cache-Control": "no-store"}
    )


@routes.add(
    "GET",
    "/metrics",
    "Metrics",
    (200, Answer("In Prometheus' text format", media={"text/plain": "# HELP …"})),
    access=Access.PUBLIC,
)
async def metrics(call: Call[None, None]) -> web.Response:
    """Of all processes of this node, and of the cluster as its supervisor sees it, if that is here."""
    return web.Response(body=await call.services.exposition.text(), headers={"Content-Type": CONTENT_TYPE})


async def _redis(services: Services) -> list[str]:
    try:
        async with asyncio.timeout(PING_TIMEOUT):
            await services.store.redis.ping()
    except (RedisError, OSError):
        return ["Redis does not answer"]
    return []


async def _cluster(services: Services) -> list[str]:
    try:
        async with asyncio.timeout(CLUSTER_TIMEOUT):
            return await services.cluster.missing()
    except TimeoutError:
        return ["the cluster does not answer"]
