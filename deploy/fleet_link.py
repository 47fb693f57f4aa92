"""A line to the supervisor of a running cluster, for the commands that show and steer nodes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from actors.settings import Settings
from deploy.down import not_running
from deploy.errors import CommandError, Exit
from deploy.lock import running

if TYPE_CHECKING:
    from actors import cluster

REACH_TIMEOUT = 3.0
CALL_TIMEOUT = 20.0
MOVE_TIMEOUT = 300.0
"""Seconds. A handoff tries several nodes with deadlines of their own, and may have to wait for its turn."""
SHORT = 8


class SupervisorAway(CommandError):
    """The supervisor does not answer now; Ray starts it again."""


class Fleet:
    """The supervisor, asked by name.

    Every method raises CommandError if it is refused or not answered.
    """

    def __init__(self, namespace: str, address: str) -> None:
        self._namespace = namespace
        self._address = address

    async def nodes(self) -> list[dict[str, Any]]:
        """Living nodes: ``id, address, slots, instances, couriers, draining, labels`` of each."""
        found: list[dict[str, Any]] = await self._call("nodes")
        return found

    async def handoffs(self, instance_id: str | None, limit: int) -> list[dict[str, Any]]:
        """Handoffs that go on, and past ones, the newest first."""
        found: list[dict[str, Any]] = await self._call("handoffs", instance_id, limit)
        return found

    async def move(self, instance_id: str, node: str | None) -> dict[str, Any]:
        """Hand an instance over; returns the handoff when it has ended."""
        moved: dict[str, Any] = await self._call("move", instance_id, node, timeout=MOVE_TIMEOUT)
        return moved

    async def begin_drain(self, node: str) -> int:
        """Have a node emptied from now on; returns how many instances are on it."""
        return int(await self._call("begin_drain", node))

    async def undrain(self, node: str) -> None:
        """Let a node take instances again."""
        await self._call("undrain", node)

    async def node(self, prefix: str) -> str:
        """The id of the node whose id begins so."""
        ids = [known["id"] for known in await self.nodes()]
        matching = [node for node in ids if node.startswith(prefix.lower())]
        if len(matching) == 1:
            return str(matching[0])
        there = ", ".join(shorter(ids).values())
        if matching:
            raise CommandError(f"{prefix} could be several nodes", f"Write more of its id: {there}.")
        raise CommandError(f"no living node's id begins with {prefix}", f"There are {there}.")

    async def _call(self, method: str, *args: Any, timeout: float = CALL_TIMEOUT) -> Any:
        from ray.exceptions import RayError

        from actors import cluster
        from actors.store import StoreUnavailable
        from actors.supervisor.workers import Ended

        try:
            return await cluster.call(await self._supervisor(), method, *args, timeout=timeout)
        except TimeoutError:
            raise SupervisorAway(
                f"the supervisor did not answer within {timeout:.0f} s",
                "What it was told to do may go on: `malote handoffs` and `malote nodes` show it.",
            ) from None
        except ValueError as error:
            raise CommandError(
                str(error), "`malote status` lists instances, `malote nodes` nodes."
            ) from error
        except StoreUnavailable as error:
            raise SupervisorAway(
                f"Redis does not answer: {error}", "Repeat the command after a moment."
            ) from error
        except Ended as error:
            raise CommandError(str(error), "`malote handoffs` shows how it ended.") from error
        except (cluster.ActorGone, RayError) as error:
            raise SupervisorAway(
                "the supervisor ended before it answered",
                "It is started again by itself: repeat the command after a moment.",
            ) from error

    async def _supervisor(self) -> cluster.Handle:
        from actors import cluster

        handle = await cluster.find_supervisor(self._namespace)
        if handle is None:
            raise SupervisorAway(
                f"no supervisor runs in the Ray cluster at {self._address}, namespace {self._namespace}",
                "Start one with `malote up`, or name its namespace with MALOTE_NAMESPACE.",
            )
        return handle


@contextlib.asynccontextmanager
async def linked(settings: Settings) -> AsyncIterator[Fleet]:
    """Join the cluster for as long as the block runs.

    Raises:
        CommandError: nothing runs here, or the cluster is not reached.
    """
    data_dir = settings.data_dir.expanduser().absolute()
    address = settings.ray_address or address_of(data_dir)
    if settings.ray_address is None:
        # Ray reads these once, when it is imported.
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(data_dir / "ray-token")}
    await _reach(address)
    import ray

    from actors.cluster import join

    logging.getLogger("ray").setLevel(logging.ERROR)
    try:
        join(address, settings.namespace)
    except Exception as error:
        # Ray raises plain Exception and RuntimeError for this.
        raise CommandError(
            f"the Ray cluster at {address} does not let this process in: {str(error).splitlines()[0]}",
            "Run this on a machine that is a node of it, with the cluster's RAY_AUTH_… settings.",
        ) from error
    try:
        yield Fleet(settings.namespace, address)
    finally:
        ray.shutdown()


def address_of(data_dir: Path) -> str:
    """Of the cluster that runs on a data directory."""
    if running(data_dir) is None:
        missing = not_running(data_dir)
        raise CommandError(
            missing.problem,
            f"{missing.remedy} Of another cluster, set MALOTE_RAY_ADDRESS.",
            status=missing.status,
        )
    try:
        return str(json.loads((data_dir / "ray.json").read_text())["address"])
    except FileNotFoundError:
        raise CommandError(
            "the Ray cluster is still starting", "Repeat the command after a moment.", status=Exit.NOT_RUNNING
        ) from None


async def _reach(address: str) -> None:
    """Fail soon if nobody listens: Ray itself would try for long, and end this process."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        async with asyncio.timeout(REACH_TIMEOUT):
            _, writer = await asyncio.open_connection(host, int(port))
    except (OSError, TimeoutError, socket.gaierror) as error:
        raise CommandError(
            f"nothing answers at {address}, where the Ray cluster should be",
            "Look at `malote status`; correct MALOTE_RAY_ADDRESS if it is set.",
        ) from error
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def shorter(ids: list[str]) -> dict[str, str]:
    """Each id to the beginning that tells it from the others."""
    length = SHORT
    while length < max(map(len, ids), default=0) and len({one[:length] for one in ids}) < len(set(ids)):
        length += 1
    return {one: one[:length] for one in ids}
