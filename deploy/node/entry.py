"""One Ray node from its start to its end, as the first process of a container.

SIGTERM has Ray drain the node: the supervisor hands its instances over to others, and the raylet ends itself
once nothing is left. What Ray leaves out: ``ray start --block`` goes on for ever without its raylet if the
drain was ordered by somebody else (an operator, the autoscaler).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import logging
import os
import re
import signal
import sys
import time
from dataclasses import dataclass

from actors.registry import Registry
from actors.settings import Settings
from actors.store import Store, StoreUnavailable
from deploy.autoscaler import config, ownership
from deploy.errors import CommandError
from deploy.node import door, ecs, health, machine, plan, protection
from deploy.node.plan import Role
from deploy.processes import Process, alive, command_line, descendants, end
from deploy.warden import LEASH, PR_SET_CHILD_SUBREAPER

LOOK = 0.25
NODE_ID = re.compile(r"--node_id=([0-9a-f]{56})")
ADDRESS = re.compile(r"--node_ip_address=(\S+)")
CRASH_PATIENCE = 5.0
"""Seconds that ``ray start`` has to notice its raylet's death. It notices crashes, but no orderly end."""
START_PATIENCE = 45.0
"""The same since its start: until it has started everything, it waits, for 30 s, and looks at nothing."""
STOP_MARGIN = 5.0
"""Seconds of the stop time-out within which everything is killed that has not ended."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Raylet:
    """The process that is the node to Ray, the node's id in hex and its address."""

    process: Process
    node: str
    address: str


class Node:
    """A node.

    Args:
        settings: of which ``node`` says how it is started.
    """

    def __init__(self, role: Role, settings: Settings) -> None:
        self._role = role
        self._settings = settings
        self._terminated = asyncio.Event()
        self._store = Store(settings.redis_url, settings.prefix) if settings.redis_url else None

    async def run(self) -> int:
        """Run it to its end. Returns the exit status: 0 if it was drained, by whomever.

        Raises:
            CommandError: the settings do not do.
            EcsError: ECS does not say what this task is.
        """
        # What loses its parent comes to this process, to be reaped and, in the end, killed.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._terminated.set)
        noted = self._settings.data_dir / "node.json"
        noted.unlink(missing_ok=True)
        self._make_home()
        # Of a head that was here and died: Ray would refuse to start one at the same address.
        (plan.directory(self._settings) / "ray_current_cluster").unlink(missing_ok=True)
        task = await ecs.task(os.environ) or ecs.Task()
        memory = min(task.memory or sys.maxsize, machine.memory())
        autoscaling = config.write(self._settings) if self._role is Role.HEAD else None
        arguments = plan.arguments(self._role, self._settings, task, memory, autoscaling)
        environment = plan.environment(self._role, self._settings, os.environ)
        environment |= plan.identity(self._role, self._settings, task, os.environ)
        if self._role is Role.HEAD and self._settings.node.gcs_redis_url is None:
            log.warning("MALOTE_NODE_GCS_REDIS_URL is not set: the cluster will not survive its head")
        ray = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(LEASH), str(os.getpid())),
            *(sys.executable, "-m", "ray.scripts.scripts", "start", *arguments),
            env=os.environ | environment,
            stdin=asyncio.subprocess.DEVNULL,
        )
        try:
            return await self._watch(ray, task)
        finally:
            noted.unlink(missing_ok=True)
            await asyncio.to_thread(_kill_everything)
            if self._store is not None:
                await self._store.close()
            # Who sees that the node has ended may stop its task now: that must not change the exit status.
            asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def _make_home(self) -> None:
        home = plan.directory(self._settings).parent
        try:
            home.mkdir(mode=0o700, exist_ok=True)
            if home.stat().st_uid != os.getuid():
                raise PermissionError(errno.EACCES, "it belongs to another user")
            home.chmod(0o700)
        except OSError as error:
            raise CommandError(
                f"cannot use {home}: {error.strerror}", "Set MALOTE_TEMP_DIR to a directory of its own."
            ) from error

    async def _watch(self, ray: asyncio.subprocess.Process, task: ecs.Task) -> int:
        raylet = await self._started(ray)
        if raylet is None:
            return await ray.wait() or 1
        log.info("node %s is up", raylet.node)
        services = {"raylet": f"{raylet.address}:{self._settings.node.first_port}"}
        if self._role is Role.HEAD:
            services["gcs"] = f"{raylet.address}:{self._settings.node.gcs_port}"
        health.write(self._settings.data_dir / "node.json", self._role, raylet.process, services)
        elastic = bool(task.id) and self._role is Role.WORKER and "RAY_NODE_TYPE_NAME" in os.environ
        keep = self._noted(task.id, raylet.node) if elastic else self._protect(raylet.node)
        beside = [asyncio.create_task(keep), asyncio.create_task(self._gateway(raylet))]
        try:
            drained = await self._ended(ray, raylet)
        finally:
            for one in beside:
                one.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        if not drained:
            return 1
        left = await self._owned(raylet.node)
        if left:
            log.error("%d instances were left: others will take them over", left)
        return 1 if left else 0

    async def _started(self, ray: asyncio.subprocess.Process) -> Raylet | None:
        """The raylet as soon as there is one; None if ``ray start`` ended before."""
        while ray.returncode is None:
            if self._terminated.is_set():
                with contextlib.suppress(ProcessLookupError):
                    ray.kill()
            for process in descendants(os.getpid()):
                line = command_line(process.pid) if process.name == "raylet" else ""
                if (node := NODE_ID.search(line)) and (address := ADDRESS.search(line)):
                    return Raylet(process, node[1], address[1])
            await asyncio.sleep(LOOK)
        return None

    async def _ended(self, ray: asyncio.subprocess.Process, raylet: Raylet) -> bool:
        """Wait until the node has ended; True if that was orderly."""
        deadline: float | None = None
        began = time.monotonic()
        dead: set[Process] = set()
        while alive(raylet.process):
            if self._terminated.is_set() and deadline is None:
                log.info("SIGTERM: the node is being drained")
                deadline = time.monotonic() + self._settings.node.stop_timeout - STOP_MARGIN
                with contextlib.suppress(ProcessLookupError):
                    ray.terminate()
            if deadline is not None and time.monotonic() > deadline:
                log.error("the node did not end in time")
                return True
            dead = _reap(dead)
            await asyncio.sleep(LOOK)
        if deadline is not None:
            return True
        with contextlib.suppress(TimeoutError):
            patience = max(CRASH_PATIENCE, began + START_PATIENCE - time.monotonic())
            await asyncio.wait_for(ray.wait(), patience)
            log.error("the raylet died")
            return False
        log.info("the node was drained and has ended")
        return True

    async def _owned(self, node: str) -> int | None:
        if self._store is None:
            return None
        return await protection.owned(Registry(self._store), node)

    async def _gateway(self, raylet: Raylet) -> None:
        """Have a gateway until SIGTERM, whose requests then end while the node is drained."""
        if not self._settings.node.gateway:
            return
        node = self._settings.node
        own = {"MALOTE_RAY_ADDRESS": node.head or f"{raylet.address}:{node.gcs_port}"}
        environment = os.environ | plan.environment(Role.WORKER, self._settings, os.environ) | own
        door_open = asyncio.create_task(door.keep_open(environment, self._settings.gateway.shutdown_timeout))
        try:
            await self._terminated.wait()
        finally:
            door_open.cancel()
            await asyncio.gather(door_open, return_exceptions=True)

    async def _noted(self, task: str, node: str) -> None:
        """Have it noted which node this task is, for the autoscaler to know what it owns."""
        if self._store is None:
            log.warning("MALOTE_REDIS_URL is not set: the autoscaler cannot know what the node owns")
            return
        while True:
            try:
                await ownership.note(self._store, task, node)
                break
            except StoreUnavailable as error:
                log.warning("not noted which node this task is: %s", error)
                await asyncio.sleep(self._settings.node.protection_look)
        try:
            await asyncio.Event().wait()
        finally:
            with contextlib.suppress(StoreUnavailable):
                await ownership.forget(self._store, task)

    async def _protect(self, node: str) -> None:
        agent = os.environ.get(ecs.AGENT)
        if agent is None:
            return
        if self._store is None:
            log.warning("MALOTE_REDIS_URL is not set: what the node owns is not known, it stays protected")
        await protection.keep(
            lambda: self._owned(node),
            lambda minutes: ecs.protect(agent, minutes),
            minutes=self._settings.node.protection_minutes,
            look=self._settings.node.protection_look,
        )


def _reap(waiting: set[Process]) -> set[Process]:
    """Reap orphans that came here; call it again with what it returned.

    Only what was already dead at the last look: children of our own are reaped at once by who waits for them,
    and their status must not be taken from them.
    """
    try:
        # Asked four times a second: the kernel knows without every process of the machine being looked at.
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return set()
    except ChildProcessError:
        return set()
    me = os.getpid()
    dead = {process for process in descendants(me) if process.parent == me and process.state == "Z"}
    for process in dead & waiting:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
    return dead


def _kill_everything() -> None:
    # Killing parents brings their children to us: again, until nobody comes any more.
    while family := [process for process in descendants(os.getpid()) if process.state not in "ZX"]:
        end(family, patience=1.0)
