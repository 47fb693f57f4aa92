"""Calls to instance actors over Ray. Ray may be away: then calls fail, and everything else goes on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import ray

from actors import cluster
from actors.instance.asked import Subject
from actors.instance.errors import CallFailed
from actors.metrics import CALL_SECONDS, CALLS
from actors.registry import Owner, Registry
from actors.settings import Settings
from actors.supervisor.workers import Ended, NotLeading
from actors.threads import Threads
from api.calls import InstanceUnavailable, SupervisorRefused, SupervisorSilent, SupervisorUnavailable

log = logging.getLogger(__name__)

HANDLES_KEPT = 10_000
RECONNECT = 3.0
STALE_AFTER = 10.0
"""Seconds for which a supervisor that exists cannot be reached before the connection counts as stale.

A driver that lived through a restart of the head may go on calling an actor where it was before: Ray does not
always tell it that the actor has moved (seen with 2.60). Only a new connection learns that.
"""
PING_TIMEOUT = 3.0
SHUTDOWN_TIMEOUT = 5.0
MOVE_TIMEOUT = 300.0
"""Seconds. A handoff tries several nodes with deadlines of their own, and may have to wait for its turn."""


class RayCalls:
    """The cluster, seen from a driver: finds an instance's owner and calls it.

    Args:
        registry: says which actor owns an instance now.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings = settings
        self._registry = registry
        self._connected = False
        self._handles: OrderedDict[str, tuple[int, cluster.Handle]] = OrderedDict()
        self._supervisor: cluster.Handle | None = None
        self._unreached_since: float | None = None
        self._stale = asyncio.Event()

    # ---- the connection to the cluster ----

    async def run(self) -> None:
        """Stay connected to the cluster: tries until it is there, and again when the connection is stale."""
        while True:
            await self._connect()
            await self._stale.wait()
            log.warning("connecting to the cluster anew", extra={"reason": "the supervisor is not reached"})
            await self.close()
            self._forget()

    async def _connect(self) -> None:
        address = self._settings.ray_address or "auto"
        while True:
            try:
                await alone(lambda: cluster.join(address, self._settings.namespace))
            except Exception as error:
                log.warning("cluster not reached", extra={"address": address, "error": str(error)})
                await asyncio.sleep(RECONNECT)
            else:
                self._connected = True
                log.info("cluster reached", extra={"address": address})
                return

    async def close(self) -> None:
        """Leave the cluster."""
        self._connected = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_TIMEOUT):
                await alone(ray.shutdown)

    def _forget(self) -> None:
        """Nothing that was known through the old connection holds in a new one."""
        self._handles.clear()
        self._supervisor = None
        self._unreached_since = None
        self._stale.clear()

    def _note_unreached(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._unreached_since is None:
            self._unreached_since = now
        elif now - self._unreached_since > STALE_AFTER:
            self._stale.set()

    async def missing(self) -> list[str]:
        """What of the cluster is not there."""
        if not self._connected:
            return ["the Ray cluster is not reached"]
        try:
            async with asyncio.timeout(PING_TIMEOUT):
                handle = await self._find_supervisor()
                if handle is None:
                    return ["the supervisor does not run"]
                said = await cluster.call(handle, "ping")
            if said == "standby":
                # Another one leads now, or is about to.
                self._supervisor = None
            self._unreached_since = None
        except Exception as error:
            self._supervisor = None
            self._note_unreached()
            log.warning("supervisor does not answer", extra={"error": str(error)})
            return ["the supervisor does not answer"]
        match said:
            case "running":
                return []
            case "standby":
                return ["the supervisor is about to lead"]
        return ["the supervisor has stopped"]

    async def _find_supervisor(self) -> cluster.Handle | None:
        if self._supervisor is None:
            self._supervisor = await cluster.find_supervisor(self._settings.namespace)
        return self._supervisor

    # ---- calls to the supervisor ----

    async def nodes(self) -> list[dict[str, Any]]:
        """See `Cluster`."""
        found: list[dict[str, Any]] = await self._supervise("nodes")
        return found

    async def begin_drain(self, node: str) -> int:
        """See `Cluster`."""
        return int(await self._supervise("begin_drain", node))

    async def drain(self, node: str, wait: float) -> dict[str, Any] | None:
        """See `Cluster`."""
        try:
            ended: dict[str, Any] = await self._supervise("drain", node, timeout=wait)
        except SupervisorSilent:
            return None
        return ended

    async def undrain(self, node: str) -> None:
        """See `Cluster`."""
        await self._supervise("undrain", node)

    async def move(self, instance_id: str, node: str | None) -> dict[str, Any]:
        """See `Cluster`."""
        moved: dict[str, Any] = await self._supervise("move", instance_id, node, timeout=MOVE_TIMEOUT)
        return moved

    async def handoffs(self, instance_id: str | None, limit: int) -> list[dict[str, Any]]:
        """See `Cluster`."""
        found: list[dict[str, Any]] = await self._supervise("handoffs", instance_id, limit)
        return found

    async def _supervise(self, method: str, *args: Any, timeout: float | None = None) -> Any:
        bound = self._settings.gateway.actor_timeout if timeout is None else timeout
        if not self._connected:
            raise SupervisorUnavailable("The cluster is not reached yet.")
        try:
            async with asyncio.timeout(bound):
                handle = await self._find_supervisor()
                if handle is None:
                    raise SupervisorUnavailable("The supervisor does not run.")
                answer = await self._ask_supervisor(handle, method, *args)
            self._unreached_since = None
            return answer
        except ValueError as error:
            raise SupervisorRefused(f"The supervisor refused: {error}.") from error
        except TimeoutError as error:
            raise SupervisorSilent(
                f"The supervisor did not answer within {bound:g} s. What it was told to do may go on: "
                "`GET /v1/handoffs` and `GET /v1/nodes` show it."
            ) from error
        except Ended as error:
            raise SupervisorUnavailable(f"It was cut short: {error}.") from error
        except (cluster.ActorGone, ray.exceptions.RayError) as error:
            self._supervisor = None
            self._note_unreached()
            log.warning("supervisor does not answer", extra={"error": str(error)})
            raise SupervisorUnavailable("The supervisor is being started again.") from error

    async def _ask_supervisor(self, handle: cluster.Handle, method: str, *args: Any) -> Any:
        try:
            return await cluster.call(handle, method, *args)
        except NotLeading:
            self._supervisor = None
            other = await self._find_supervisor()
            if other is None:
                raise
            return await cluster.call(other, method, *args)

    # ---- calls to instances ----

    async def pair_phone(self, instance_id: str, phone: str) -> str:
        """See `InstanceCalls`."""
        return str(await self._call(instance_id, "pair_phone", phone))

    async def logout(self, instance_id: str) -> None:
        """See `InstanceCalls`."""
        await self._call(instance_id, "logout")

    async def ring_outbox(self, instance_id: str) -> None:
        """See `InstanceCalls`."""
        await self._call(instance_id, "ring_outbox")

    async def mark_read(
        self, instance_id: str, chat: str, message_ids: Sequence[str], sender: str | None, played: bool
    ) -> None:
        """See `InstanceCalls`."""
        await self._call(instance_id, "mark_read", chat, list(message_ids), sender, played)

    async def typing(self, instance_id: str, chat: str, state: str) -> None:
        """See `InstanceCalls`."""
        await self._call(instance_id, "chat_presence", chat, state)

    async def check_numbers(self, instance_id: str, phones: Sequence[str]) -> list[dict[str, Any]]:
        """See `InstanceCalls`."""
        found: list[dict[str, Any]] = await self._call(instance_id, "check_numbers", list(phones))
        return found

    async def picture(self, instance_id: str, jid: str, preview: bool) -> dict[str, Any]:
        """See `InstanceCalls`."""
        found: dict[str, Any] = await self._call(instance_id, "picture", jid, preview)
        return found

    async def ask(self, instance_id: str, subject: Subject, method: str, *args: Any) -> Any:
        """See `InstanceCalls`."""
        return await self._call(instance_id, "ask", subject, method, *args)

    async def _call(self, instance_id: str, method: str, *args: Any) -> Any:
        outcome = "failed"
        started = asyncio.get_running_loop().time()
        try:
            answer = await self._ask(instance_id, method, *args)
            outcome = "ok"
            return answer
        except CallFailed as error:
            outcome = error.code
            raise
        except InstanceUnavailable:
            outcome = "unavailable"
            raise
        finally:
            CALLS.labels(method, outcome).inc()
            CALL_SECONDS.labels(method).observe(asyncio.get_running_loop().time() - started)

    async def _ask(self, instance_id: str, method: str, *args: Any) -> Any:
        if not self._connected:
            raise InstanceUnavailable("The cluster is not reached yet.")
        owner = await self._registry.owner(instance_id)
        if owner is None:
            raise InstanceUnavailable("The instance is being started.")
        try:
            async with asyncio.timeout(self._settings.gateway.actor_timeout):
                handle = await self._handle(instance_id, owner)
                return await cluster.call(handle, method, *args)
        except CallFailed as error:
            # Ray raises a class of its own that is this one too, with a traceback for a text.
            raise CallFailed(error.code, error.message, error.server_code) from None
        except TimeoutError as error:
            raise CallFailed("timeout", "The instance did not answer in time") from error
        except ray.exceptions.RayTaskError:
            raise
        except (cluster.ActorGone, ray.exceptions.RayError) as error:
            self._handles.pop(instance_id, None)
            log.warning("call not answered", extra={"instance": instance_id, "error": str(error)})
            raise InstanceUnavailable("The instance is being moved or started again.") from error

    async def _handle(self, instance_id: str, owner: Owner) -> cluster.Handle:
        known = self._handles.get(instance_id)
        if known is not None and known[0] == owner.epoch:
            self._handles.move_to_end(instance_id)
            return known[1]
        handle = await cluster.find(owner.actor, self._settings.namespace)
        if handle is None:
            raise InstanceUnavailable("The instance is being moved or started again.")
        self._handles[instance_id] = (owner.epoch, handle)
        if len(self._handles) > HANDLES_KEPT:
            self._handles.popitem(last=False)
        return handle


async def alone(work: Callable[[], object]) -> None:
    """Run something that blocks on a thread of its own: all others may be blocked already."""
    threads = Threads("ray-connection", 1)
    try:
        await threads.run(work)
    finally:
        threads.close()
