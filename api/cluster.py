"""Nodes and handoffs: where instances run, and having them run elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from actors.supervisor.handoff_record import Outcome, Reason, Step
from api import problems as p
from api.auth import Access
from api.fields import EXAMPLE_INSTANCE, EXAMPLE_NODE, Body, Query
from api.problems import Problem
from api.routing import Answer, Call, Reply, Routes

routes = Routes("Cluster", "Nodes and their load, moves of instances between nodes, and handoffs.")

WAIT_MAX = 600
UNAVAILABLE = (p.SUPERVISOR_UNAVAILABLE, p.TIMED_OUT)


class Node(BaseModel):
    """A living node of the cluster."""

    id: str = Field(examples=[EXAMPLE_NODE])
    address: str
    slots: int = Field(description="Instances that it can take")
    instances: int = Field(description="Instances that it has, or is about to have")
    couriers: int = Field(description="Couriers that it has, or is about to have")
    draining: bool = Field(description="It is being emptied, by this API or by Ray, and takes no instance")
    labels: dict[str, str]


class NodeList(BaseModel):
    """All living nodes."""

    items: list[Node]


class HandoffStep(BaseModel):
    """One thing that happened in a handoff."""

    step: Step
    attempt: int = Field(description="Counts the successors that were tried")
    outcome: str
    at: datetime
    ms: float | None = Field(description="Milliseconds since the entry before; null: it is the first")


class Handoff(BaseModel):
    """An instance gets another owner, mostly on another node."""

    id: str
    instance_id: str = Field(examples=[EXAMPLE_INSTANCE])
    reason: Reason
    step: Step = Field(description="Where it stands")
    outcome: Outcome | None = Field(description="How it ended; null: it goes on")
    from_node: str | None = Field(
        description="Where the instance was; null: nowhere yet", examples=[EXAMPLE_NODE]
    )
    to_node: str | None = Field(description="Where its successor is", examples=[EXAMPLE_NODE])
    epoch: int | None = Field(description="Of the successor")
    blackout_ms: float | None = Field(
        description="Milliseconds without a connection: from the end of the old one to the new one"
    )
    steps: list[HandoffStep]


class HandoffList(BaseModel):
    """Handoffs that go on, then past ones, the newest first."""

    items: list[Handoff]


class DrainBegun(BaseModel):
    """A node is being emptied."""

    node: str = Field(examples=[EXAMPLE_NODE])
    instances: int = Field(description="Instances that are still on it")


class Drained(BaseModel):
    """What it took to empty a node."""

    node: str = Field(examples=[EXAMPLE_NODE])
    instances: int = Field(description="Instances that were moved")
    remaining: int = Field(description="Instances that no other node could take, or whose drain was undone")
    seconds: float
    handoffs: list[Handoff]


class MoveInstance(Body):
    """Where to."""

    node: str | None = Field(
        None,
        min_length=1,
        max_length=64,
        description="Id of a node; unset: the least loaded of the others",
        examples=[EXAMPLE_NODE],
    )


class DrainWait(Query):
    """How long to wait."""

    wait: float = Field(0, ge=0, le=WAIT_MAX, description="Seconds to wait for the end of the drain")


class HandoffLimit(Query):
    """How many handoffs."""

    limit: int | None = Field(None, ge=1, description="Entries of the list")


class HandoffListing(HandoffLimit):
    """Which handoffs."""

    instance_id: str | None = Field(None, max_length=64, description="Only those of this instance")


@routes.add(
    "GET",
    "/v1/nodes",
    "List nodes",
    (200, Answer("The living nodes", NodeList)),
    access=Access.ADMIN,
    problems=UNAVAILABLE,
)
async def nodes(call: Call[None, None]) -> NodeList:
    """Nodes with their capacity and load."""
    return NodeList(items=[Node(**node) for node in await call.services.cluster.nodes()])


@routes.add(
    "POST",
    "/v1/nodes/{node_id}/drain",
    "Empty a node",
    (202, Answer("It is being emptied", DrainBegun)),
    (200, Answer("With `wait`: it is done", Drained)),
    access=Access.ADMIN,
    query=DrainWait,
    problems=(p.NOT_READY, *UNAVAILABLE),
)
async def drain(call: Call[None, DrainWait]) -> Reply:
    """Move every instance to other nodes, by handoffs, then its couriers, and let the node take no new ones.

    It goes on whether or not you wait: `GET /v1/nodes` shows what is left on it. An instance that has not
    moved by the drain's deadline is moved without its predecessor's help; a courier lets its open attempts
    end. With neither left the node can be stopped.
    """
    cluster, node = call.services.cluster, await _node_in_path(call)
    begun = DrainBegun(node=node, instances=await cluster.begin_drain(node))
    if call.query.wait:
        ended = await cluster.drain(node, call.query.wait)
        if ended is not None:
            return Reply(Drained(**{**ended, "handoffs": list(map(shown, ended["handoffs"]))}), 200)
        left = {known["id"]: known["instances"] for known in await cluster.nodes()}
        begun = DrainBegun(node=node, instances=left.get(node, 0))
    return Reply(begun, 202)


@routes.add(
    "DELETE",
    "/v1/nodes/{node_id}/drain",
    "Stop emptying a node",
    (204, Answer("It takes instances again")),
    access=Access.ADMIN,
    problems=(p.NOT_READY, *UNAVAILABLE),
)
async def undrain(call: Call[None, None]) -> None:
    """What has moved stays where it is. A drain that Ray was told of cannot be undone."""
    cluster, node = call.services.cluster, await _node_in_path(call)
    await cluster.undrain(node)
    if any(known["id"] == node and known["draining"] for known in await cluster.nodes()):
        raise Problem(
            p.NOT_READY,
            "Ray itself was told to empty this node (by `ray drain-node`, SIGTERM or the autoscaler), which "
            "cannot be undone. Let it end and start another node.",
        )


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/move",
    "Move to another node",
    (200, Answer("The handoff, which has ended; `outcome` says how", Handoff)),
    access=Access.ADMIN,
    body=MoveInstance,
    examples={"to the least loaded node": {}, "to a certain node": {"node": EXAMPLE_NODE}},
    problems=(p.NOT_READY, *UNAVAILABLE),
)
async def move(call: Call[MoveInstance, None]) -> Handoff:
    """Hand the instance over to a new owner. Nothing is lost: sends wait until its end.

    While a move of the instance is under way, another request shares that one. A node that has no free slot
    is passed over for the least loaded one; `to_node` says where the instance is.
    """
    cluster, node = call.services.cluster, call.body.node
    if node is not None:
        draining = {known["id"]: known["draining"] for known in await cluster.nodes()}
        if node not in draining:
            raise p.invalid("no such node; `GET /v1/nodes` lists them", pointer="#/node")
        if draining[node]:
            raise Problem(
                p.NOT_READY,
                "This node is being emptied. Choose another one, or undo that with "
                f"`DELETE /v1/nodes/{node}/drain` first.",
            )
    return shown(await cluster.move(call.instance_id, node))


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/handoffs",
    "List an instance's handoffs",
    (200, Answer("Its handoffs", HandoffList)),
    access=Access.ADMIN,
    query=HandoffLimit,
    problems=UNAVAILABLE,
)
async def of_instance(call: Call[None, HandoffLimit]) -> HandoffList:
    """The one that goes on, then past ones, the newest first. Old ones are forgotten."""
    return await _handoffs(call, call.instance_id)


@routes.add(
    "GET",
    "/v1/handoffs",
    "List handoffs",
    (200, Answer("Handoffs", HandoffList)),
    access=Access.ADMIN,
    query=HandoffListing,
    problems=(p.NOT_FOUND, *UNAVAILABLE),
)
async def handoffs(call: Call[None, HandoffListing]) -> HandoffList:
    """Those that go on, then past ones, the newest first. Old ones are forgotten."""
    if call.query.instance_id is not None:
        await call.services.registry.get(call.query.instance_id)
    return await _handoffs(call, call.query.instance_id)


async def _handoffs(call: Call[Any, Any], instance_id: str | None) -> HandoffList:
    gateway = call.services.settings.gateway
    limit = min(call.query.limit or gateway.page_size, gateway.page_size_max)
    found = await call.services.cluster.handoffs(instance_id, limit)
    return HandoffList(items=[shown(one) for one in found])


async def _node_in_path(call: Call[Any, Any]) -> str:
    node = call.path("node_id")
    if all(known["id"] != node for known in await call.services.cluster.nodes()):
        raise p.not_found("such node; `GET /v1/nodes` lists them")
    return node


def shown(handoff: Mapping[str, Any]) -> Handoff:
    """A handoff, from how the supervisor tells it."""
    log = handoff["log"]
    before = [None, *(entry["at"] for entry in log)]
    steps = [
        HandoffStep(
            **{**entry, "at": datetime.fromtimestamp(entry["at"], UTC)},
            ms=None if since is None else round((entry["at"] - since) * 1000, 1),
        )
        for since, entry in zip(before, log, strict=False)
    ]
    facts = {key: value for key, value in handoff.items() if key not in ("log", "from", "to")}
    return Handoff(**facts, from_node=handoff["from"], to_node=handoff["to"], steps=steps)
