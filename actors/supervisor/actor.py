"""The Ray actor of the supervisor, and how it sees the cluster."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import Any

import ray
from ray.exceptions import RayError

from actors import cluster, logs, metrics_node, version
from actors.courier import actor as courier_actor
from actors.instance import actor as instance_actor
from actors.media.errors import MediaError
from actors.media.retention import remove_all
from actors.media.store import open_store
from actors.registry import InstanceRecord
from actors.settings import Settings
from actors.store import Store
from actors.supervisor import session_locks
from actors.supervisor.code import Code
from actors.supervisor.service import Service
from actors.supervisor.supervisor import Supervisor
from actors.supervisor.workers import Confirm, Ended, NotLeading, Worker

log = logging.getLogger(__name__)

DRAIN_TIMEOUT = 30.0
CALL_TIMEOUT = 10.0
LEAVE_TIMEOUT = 5.0
LEAD_TIMEOUT = 3.0
FAREWELL = 10.0


def actor_name(version: str) -> str:
    """The name of the actor of a version's supervisor."""
    return cluster.SUPERVISORS + version


class RayWorker:
    """An actor of Ray. Implements `Worker`."""

    def __init__(self, handle: cluster.Handle, name: str, namespace: str) -> None:
        self._handle = handle
        self._name = name
        self._namespace = namespace

    async def _call(self, method: str, *args: Any, timeout: float | None) -> Any:
        try:
            return await cluster.call(self._handle, method, *args, timeout=timeout)
        except (cluster.ActorGone, RayError) as error:
            raise Ended(str(error)) from error
        except TimeoutError:
            raise Ended(f"{method} was not answered within {timeout} s") from None

    async def where(self) -> str:
        """The node it lives on."""
        return str((await self._call("describe", timeout=CALL_TIMEOUT))["node"])

    async def version(self) -> str:
        """Of the code that it runs."""
        return str((await self._call("describe", timeout=CALL_TIMEOUT)).get("version", ""))

    async def working(self) -> bool:
        """True if it was started, and was not told to end. Only couriers tell."""
        return bool((await self._call("describe", timeout=CALL_TIMEOUT)).get("stage") == "working")

    async def start(self) -> None:
        """Begin to work."""
        await self._call("start", timeout=CALL_TIMEOUT)

    async def watch(self) -> str:
        """Pend until the actor's work ends. However it ended, its process ends too."""
        try:
            reason = str(await self._call("watch", timeout=None))
        except asyncio.CancelledError:
            raise
        except BaseException:
            cluster.kill(self._handle)
            raise
        await self.leave()
        return reason

    async def gone(self) -> None:
        """Pend until the actor ends."""
        await self._call("gone", timeout=None)

    async def make_way(self) -> None:
        """Begin nothing more; returns when a successor may be started."""
        await self._call("make_way", timeout=DRAIN_TIMEOUT)

    async def drain(self) -> None:
        """Finish and end; what does not is killed."""
        try:
            await self._call("drain", timeout=DRAIN_TIMEOUT)
        except Ended as error:
            log.warning("drain failed", extra={"reason": str(error)})
        await self.leave()

    async def leave(self) -> None:
        """End the actor's process."""
        with contextlib.suppress(Ended):
            await self._call("leave", timeout=LEAVE_TIMEOUT)
        await self.kill()

    async def kill(self) -> None:
        """End the actor's process at once."""
        cluster.kill(self._handle)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_TIMEOUT):
                while await cluster.find(self._name, self._namespace) is not None:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)

    async def configure(self, record: InstanceRecord) -> None:
        """Follow a changed record."""
        await self._call("configure", record, timeout=CALL_TIMEOUT)

    # The deadlines of these are the handoff's.

    async def prepare(self) -> None:
        """Get warm."""
        await self._call("prepare", timeout=None)

    async def quiesce(self, order: cluster.Order) -> None:
        """Send no more."""
        await self._call("quiesce", order, timeout=None)

    async def disconnect(self, order: cluster.Order) -> int:
        """Disconnect, flush, close the session."""
        return int(await self._call("disconnect", order, timeout=None))

    async def resume(self, order: cluster.Order) -> None:
        """Go on."""
        await self._call("resume", order, timeout=CALL_TIMEOUT)

    async def activate(self) -> None:
        """Begin to work; returns when the connection stands."""
        await self._call("activate", timeout=None)


class RayCluster:
    """Actors of this Ray cluster, in the namespace of the settings. Implements `Cluster`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def home(self) -> str:
        """The node that this process lives on."""
        return cluster.current_node()

    async def nodes(self) -> list[cluster.Node]:
        """Every node that Ray knows."""
        return await cluster.nodes()

    async def request_slots(self, count: int) -> None:
        """Tell the autoscaler how many slots its nodes have to have together."""
        await cluster.request_slots(count)

    async def end(self, node: str, deadline: float) -> bool:
        """Have a node end once nothing is left on it."""
        return await cluster.drain_node(node, deadline, "emptied by Malote's supervisor")

    async def trusts(self, node: str) -> bool:
        """True if the node lives."""
        return any(known.id == node and known.alive for known in await cluster.nodes())

    async def instance_actors(self) -> list[str]:
        """Names of all actors of instances."""
        names = await cluster.actor_names(self._settings.namespace)
        return [name for name in names if name.startswith("instance:")]

    async def find(self, actor: str) -> Worker | None:
        """The living actor of this name, None if it is dead."""
        handle = await cluster.find(actor, self._settings.namespace) if actor else None
        return self._worker(handle, actor) if handle is not None else None

    async def create_instance(self, record: InstanceRecord, epoch: int, *, node: str, name: str) -> Worker:
        """Create an instance's actor."""
        handle = await cluster.in_thread(
            lambda: instance_actor.create(self._settings, record, epoch, node=node, name=name)
        )
        return await self._up(handle, name)

    async def find_couriers(self, number: int) -> list[Worker]:
        """The living actors of a courier."""
        names = await cluster.actor_names(self._settings.namespace)
        mine = [name for name in names if courier_actor.belongs(name, number)]
        found = [await self.find(name) for name in sorted(mine)]
        return [worker for worker in found if worker is not None]

    async def create_courier(self, number: int, node: str) -> Worker:
        """Create an actor of a courier."""
        name, handle = await cluster.in_thread(lambda: courier_actor.create(self._settings, number, node))
        return await self._up(handle, name)

    async def break_lock(self, instance_id: str, confirm: Confirm) -> bool:
        """End whoever holds the lock of an instance's session."""
        store = instance_actor.session_store(self._settings, instance_id)
        return await session_locks.break_lock(store, instance_id, confirm)

    async def forget(self, instance_id: str) -> None:
        """Remove the session of a deleted instance, and the files of its messages.

        Raises:
            Exception: its session is still there.
        """
        if self._settings.session_store:
            from actors.supervisor import session_rows

            await session_rows.remove(self._settings.session_store, instance_id)
        try:
            await remove_all(open_store(self._settings), instance_id)
        except MediaError as error:
            log.error(
                "files of a deleted instance stay", extra={"instance": instance_id, "error": str(error)}
            )
        for file in instance_actor.session_files(self._settings, instance_id):
            file.unlink(missing_ok=True)

    async def _up(self, handle: cluster.Handle, name: str) -> Worker:
        """The actor once it answers; killed if it does not in time."""
        try:
            await cluster.call(handle, "describe", timeout=self._settings.supervisor.start_timeout)
        except Exception as error:
            cluster.kill(handle)
            raise Ended(f"{name} did not come up: {error}") from error
        return self._worker(handle, name)

    def _worker(self, handle: cluster.Handle, name: str) -> RayWorker:
        return RayWorker(handle, name, self._settings.namespace)


# max_restarts=-1: nobody else would bring it back. Its state is in Redis, a new incarnation leads by a
# greater number.
@cluster.actor(num_cpus=0, max_restarts=-1, max_task_retries=0)
class SupervisorActor:
    """Keeps every desired actor alive, or stands by for that."""

    # async, so that a restart by Ray begins to supervise without anybody calling it.
    async def __init__(self, settings: Settings) -> None:  # type: ignore[misc]
        logs.configure(settings.log_level, events=settings.log_events, supervisor=True)
        self._settings = settings
        store = Store(settings.redis_url or "", settings.prefix)
        name = ray.get_runtime_context().get_actor_name() or ""
        self._service = Service(settings, store, RayCluster(settings), version.of(settings), name)
        self._running = asyncio.create_task(self._run())

    def __repr__(self) -> str:
        return "Supervisor()"

    async def _run(self) -> None:
        exporting = asyncio.create_task(metrics_node.run(self._settings, "supervisor"))
        code = Code(cluster.own_package(), cluster.keep_package)
        # Before it makes its first actor, whose end might else be that of the code.
        await code.look()
        keeping = asyncio.create_task(code.run())
        try:
            reason = await self._service.serve()
            log.warning("supervisor ended", extra={"reason": reason})
            if reason == "leaving" or await cluster.given_up():
                # Ray starts it again, on a node that is not draining; or has done so already, and to kill it
                # would end that one.
                os._exit(1)
            # Deposed, for good: were it merely to die, Ray would start it again, to depose the other. Not by
            # `leave`: Ray lets an actor exit only when all calls that it made are answered; a watch is not.
            cluster.kill(ray.get_runtime_context().current_actor)
        except Exception:
            log.exception("supervisor failed")
            # Ray starts it again.
            os._exit(1)
        finally:
            exporting.cancel()
            keeping.cancel()

    async def _leading(self) -> Supervisor:
        """The supervisor, perhaps after a moment: it may just be about to lead."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAD_TIMEOUT):
                while self._service.supervisor is None and not self._running.done():  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
        if self._service.supervisor is None:
            raise NotLeading("another supervisor is to lead")
        return self._service.supervisor

    async def ping(self) -> str:
        """``running`` while it leads, ``standby`` while it does not, ``stopped`` if it does neither."""
        if self._running.done():
            return "stopped"
        return "standby" if self._service.supervisor is None else "running"

    async def describe(self) -> dict[str, Any]:
        """What is supervised."""
        told = {"pid": os.getpid(), "version": self._service.version}
        supervisor = self._service.supervisor
        return {**told, **supervisor.describe()} if supervisor is not None else told

    async def move(self, instance_id: str, node: str | None = None) -> dict[str, Any]:
        """Hand an instance over to another node, or to this one; returns the record of the handoff.

        Raises:
            ValueError: unknown instance or node.
        """
        return await (await self._leading()).move(instance_id, node)

    async def drain(self, node: str) -> dict[str, Any]:
        """Empty a node by handoffs; returns when that is done, with what it took.

        Raises:
            ValueError: unknown node.
        """
        return await (await self._leading()).drain(node)

    async def begin_drain(self, node: str) -> int:
        """Have a node emptied from now on; returns how many instances are on it.

        Raises:
            ValueError: unknown node.
        """
        return await (await self._leading()).begin_drain(node)

    async def undrain(self, node: str) -> None:
        """Let a node take instances again."""
        await (await self._leading()).undrain(node)

    async def nodes(self) -> list[dict[str, Any]]:
        """Every node with its capacity and load."""
        return await (await self._leading()).nodes()

    async def handoffs(self, instance_id: str | None = None, limit: int = 100) -> list[dict[str, Any]]:
        """Handoffs that run, and past ones, the newest first."""
        return await (await self._leading()).handoffs(instance_id, limit)

    async def stop(self) -> None:
        """Drain and end every actor of Malote but this one; that ends by `leave`, or by itself soon after."""
        try:
            if self._service.supervisor is not None:
                await self._service.supervisor.stop()
        finally:
            self._running.cancel()
            # Who asked for this may be gone. One that stays would be taken for a supervisor, and do nothing.
            own = ray.get_runtime_context().current_actor
            asyncio.get_running_loop().call_later(FAREWELL, cluster.kill, own)

    async def leave(self) -> None:
        """End this process for good."""
        cluster.exit_actor()
