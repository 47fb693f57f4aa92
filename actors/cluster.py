"""Ray, as far as Malote uses it: actors by name, their nodes, their deaths.

What Ray offers only privately is wrapped here and nowhere else.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray.actor import ActorHandle
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from actors.threads import Threads

T = TypeVar("T")
Handle = ActorHandle[Any]

# Ray's own types do not know `.options()` of a decorated class.
#
# No actor has concurrency groups: Ray runs each group in a thread and an event loop of its own, and neither
# asyncio's futures nor a Redis client may be shared by two. Without them an asynchronous actor takes a
# thousand calls at a time in one loop, so that a call that waits keeps no other from being answered.
actor: Any = ray.remote
exit_actor: Any = ray.actor.exit_actor

Order = tuple[str, int]
"""What a handoff tells an actor carries: the handoff's id, and which attempt of it this belongs to."""

INSTANCE_SLOT = "instance_slot"
"""The custom resource of which each instance takes one.

An actor without any resource would be invisible to the autoscaler, and soft node affinity would not hold.
"""

NODE_GROUP = "ray.io/node-group"
"""Label of a node: the node type that Ray's autoscaler knows it by. One that it does not know has none."""


SUPERVISORS = "supervisor:"
"""What the names of supervisors begin with; the version of their code follows."""

PING_TIMEOUT = 3.0

QUESTIONS = 16
"""Questions to the head that are open at a time."""

_threads = Threads("ray", QUESTIONS)


class ActorGone(Exception):
    """The actor ended, by itself or not.

    Args:
        reason: what Ray says about it.
        exited: True if it ended by its own decision.
    """

    def __init__(self, reason: str, *, exited: bool) -> None:
        super().__init__(reason)
        self.exited = exited


async def in_thread(work: Callable[[], T]) -> T:
    """Run something of Ray's that asks the head: while that is away, it blocks.

    Neither does it keep anything else from being done then, nor the process from ending.
    """
    return await _threads.run(work)


def join(address: str, namespace: str) -> str | None:
    """Make this process a driver of a running cluster, for long. Blocks; again is harmless.

    Returns:
        host:port of Ray's dashboard, if there is one.

    Raises:
        Exception: the cluster is not reached, or does not let it in. Ray has no narrower one for this.
    """
    context = ray.init(
        address=address,
        namespace=namespace,
        ignore_reinit_error=True,
        configure_logging=False,
        log_to_driver=False,
    )
    # Private. A thread of each driver asks the head for errors to print, and asks again at once if it gets no
    # answer: while the head is away that takes a whole core. With this set it ends at the first failure.
    ray._private.worker.global_worker.threads_stopped.set()
    # What still waits for an answer on another connection gets none.
    global _threads
    _threads.close()
    _threads = Threads("ray", QUESTIONS)
    return context.dashboard_url or None


async def find(name: str, namespace: str) -> Handle | None:
    """The living actor with this name, None if there is none."""

    def look() -> Handle | None:
        try:
            handle: Handle = ray.get_actor(name, namespace=namespace)
            return handle
        except ValueError:
            return None

    # Ray's look-up asks the GCS and blocks.
    return await in_thread(look)


def _names(namespace: str) -> list[str]:
    found: list[dict[str, str]] = ray.util.list_named_actors(all_namespaces=True)
    return [actor["name"] for actor in found if actor["namespace"] == namespace]


async def actor_names(namespace: str) -> list[str]:
    """The names of all actors of a namespace that live, or are coming to be."""
    return await in_thread(lambda: _names(namespace))


def all_of(beginning: str, namespace: str) -> list[Handle]:
    """The living actors whose names begin like this. Blocks."""
    found = []
    for name in sorted(name for name in _names(namespace) if name.startswith(beginning)):
        # One may have ended just now.
        with contextlib.suppress(ValueError):
            found.append(ray.get_actor(name, namespace=namespace))
    return found


async def find_supervisor(namespace: str) -> Handle | None:
    """The supervisor that leads, None if there is none.

    In a roll-out there are two; between two terms, for a moment, neither says that it leads.
    """
    handles = await in_thread(lambda: all_of(SUPERVISORS, namespace))
    if len(handles) == 1:
        return handles[0]
    asked = [call(handle, "ping", timeout=PING_TIMEOUT) for handle in handles]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    return next((handle for handle, said in zip(handles, answers, strict=True) if said == "running"), None)


async def call(handle: Handle, method: str, *args: Any, timeout: float | None = None) -> Any:
    """Call an actor's method and wait for the answer.

    Raises:
        ActorGone: the actor ended before it answered.
        TimeoutError: no answer in time.
        Exception: whatever the method raised.
    """
    try:
        async with asyncio.timeout(timeout):
            return await getattr(handle, method).remote(*args)
    except RayActorError as error:
        exited = "exit_actor" in str(error) or "INTENDED" in str(error)
        raise ActorGone(str(error).splitlines()[0], exited=exited) from None
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None


def kill(handle: Handle) -> None:
    """End an actor at once, without its clean-up. Ray does not restart it."""
    ray.kill(handle, no_restart=True)


def _given_up() -> bool:
    # Private; the public way would ask the dashboard, which may be away with the head.
    here = ray.get_runtime_context()
    known = ray._private.state.state.actor_table(here.get_actor_id())
    place = (known["State"], known["Address"]["NodeID"], known["Pid"]) if known else None
    return place != ("ALIVE", here.get_node_id(), os.getpid())


async def given_up() -> bool:
    """True if this actor, to Ray, is not this process any more.

    It lost sight of this node, for a while perhaps, and may have started the actor again on another one. Then
    to `kill` the actor would be to end that one, too.

    Raises:
        RayError: the head did not answer.
    """
    return await in_thread(_given_up)


def current_node() -> str:
    """The hex id of the node this process runs on."""
    return str(ray.get_runtime_context().get_node_id())


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the Ray cluster.

    Args:
        id: hex.
        slots: how many instances it takes.
        draining: Ray was told to empty it, by ``ray drain-node``, SIGTERM or the autoscaler.
        deadline: when Ray's drain ends, seconds since 1970; 0 for none.
    """

    id: str
    address: str
    alive: bool
    slots: int
    labels: dict[str, str]
    draining: bool = False
    deadline: float = 0.0


def _nodes() -> list[Node]:
    # Private, as is the only way to see a drain: Ray's own libraries poll it too.
    draining: dict[str, int] = ray._private.state.state.get_draining_nodes()
    return [
        Node(
            id=node["NodeID"],
            address=node["NodeManagerAddress"],
            alive=node["Alive"],
            slots=int(node["Resources"].get(INSTANCE_SLOT, 0)),
            labels=dict(node.get("Labels") or {}),
            draining=node["NodeID"] in draining,
            deadline=draining.get(node["NodeID"], 0) / 1000,
        )
        for node in ray.nodes()
    ]


async def nodes() -> list[Node]:
    """Every node that Ray knows, dead ones too."""
    return await in_thread(_nodes)


def on_node(node: str) -> NodeAffinitySchedulingStrategy:
    """Only on this node: a creation elsewhere would be a placement that nobody decided."""
    return NodeAffinitySchedulingStrategy(node_id=node, soft=False)


def _request_slots(count: int) -> None:
    # Imported here: instances, which import this module, would pay for it. It is public, and "experimental".
    # Equal bundles are grouped before they are sent.
    from ray.autoscaler import sdk

    sdk.request_resources(bundles=[{INSTANCE_SLOT: 1}] * count)


async def request_slots(count: int) -> None:
    """Tell Ray's autoscaler how many slots its nodes have to have together, taken ones too.

    It keeps the latest word, until the head dies. A count that it may not reach makes it start nothing.

    Raises:
        RayError: the head did not take it.
    """
    await in_thread(lambda: _request_slots(count))


def _drain_node(node: str, deadline: float, why: str) -> bool:
    # Private, as Ray's own command for it. The id in hex: of bytes the head would make no node, and accept.
    from ray.core.generated import autoscaler_pb2

    worker: Any = ray._private.worker.global_worker
    reason: Any = autoscaler_pb2.DrainNodeReason  # type: ignore[attr-defined]
    accepted, _ = worker.gcs_client.drain_node(
        node, reason.Value("DRAIN_NODE_REASON_PREEMPTION"), why, int(deadline * 1000)
    )
    return bool(accepted)


async def drain_node(node: str, deadline: float, why: str) -> bool:
    """Have Ray drain a node, which ends once nothing is left on it; that cannot be undone.

    Args:
        deadline: seconds since 1970. Ray does nothing then, whoever sees the drain may.

    Returns:
        True if the node took it.

    Raises:
        RayError: the head did not answer.
    """
    return await in_thread(lambda: _drain_node(node, deadline, why))


@dataclass(frozen=True, slots=True)
class Package:
    """The code that came with a job, as the head has it for the actors of the job.

    Args:
        uri: by which actors ask for it.
        directory: where it is unpacked here.
    """

    uri: str
    directory: Path


def own_package() -> Package | None:
    """The package that this process runs from; None if its code was there anyway."""
    uri = ray.get_runtime_context().runtime_env.get("working_dir", "")
    return Package(uri, Path.cwd()) if uri.startswith("gcs://") else None


def _keep_package(package: Package, seconds: int) -> bool:
    # Private, as is all that Ray does with packages.
    from ray._private.runtime_env import packaging

    packaging.pin_runtime_env_uri(package.uri, expiration_s=seconds)
    if packaging.package_exists(package.uri):
        return True
    with tempfile.TemporaryDirectory() as made:
        archive = Path(made) / "package.zip"
        packaging.create_package(str(package.directory), archive, include_gitignore=False)
        packaging.upload_package_to_gcs(package.uri, archive.read_bytes())
    return False


async def keep_package(package: Package, seconds: int) -> bool:
    """Have the head keep a package for so long, whatever else becomes of those that use it.

    Returns:
        False if it was gone, and was given to it again.

    Raises:
        RuntimeError: the head did not take it.
    """
    return await in_thread(lambda: _keep_package(package, seconds))
