"""A real Ray cluster of several nodes on this machine: each node a process tree of its own, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import logging
import os
import random
import re
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deploy.node.plan import AGENT_PORTS
from deploy.processes import Process, alive, command_line, descendants, end
from deploy.ray_local import LONGEST_SOCKET_PATH, OBJECT_STORE_BYTES, SOCKET_SUFFIX
from deploy.valkey import is_free

log = logging.getLogger(__name__)

HEAD = "head"
INSTANCE_SLOT = "instance_slot"
"""As in `actors.cluster`, which would import Ray, and with it the environment, too early."""
HOST = "127.0.0.2"
"""Of the head; the others follow. ``ray start`` would replace 127.0.0.1 by the machine's outer address."""
ROOT = Path(__file__).resolve().parent.parent.parent
START_TIMEOUT = 90.0
START_ATTEMPTS = 6
TOO_SLOW = "The current node timed out during startup"
"""What ``ray start`` says on a machine so busy that its own fixed 30 s were not enough."""
END_TIMEOUT = 30.0
LOOK = 0.05
NODE_ID = re.compile(r"--node_id=([0-9a-f]{56})")
FOREIGN = ("RAY_ADDRESS", "RAY_JOB_ID", "RAY_AUTH_TOKEN")
GCS_PATIENCE = 300
"""Seconds that nodes wait for a head: one that did not start is started again."""
PORTS = range(20_000, 32_000)
"""Below the kernel's ephemeral ports: nobody's outgoing connection takes one between choice and use."""
# None twice: Ray refuses a node two of whose ports are one, and they are all chosen before the first is used.
_shuffled = itertools.cycle(random.sample(PORTS, len(PORTS)))


class NodeFailed(Exception):
    """A node did not start, or did not do what it was told; says which and what it printed."""


@dataclass
class Node:
    """One node.

    Attributes:
        name: ``head``, ``node-1``, ``node-2`` …; a node that takes a dead one's name has another id.
        id: Ray's, in hex.
        slots: instances that fit on it.
        raylet: the process that is the node to Ray.
        log: what ``ray start`` printed.
    """

    name: str
    id: str
    slots: int
    raylet: Process
    log: Path
    keeper: asyncio.subprocess.Process

    @property
    def alive(self) -> bool:
        """True while its raylet lives, frozen or not."""
        return alive(self.raylet)

    def processes(self) -> list[Process]:
        """Everything that runs on the node: Ray's own, workers, and what those started."""
        return descendants(self.keeper.pid) if self.keeper.returncode is None else []


class LocalCluster:
    """Several nodes on loopback that share nothing but what the machine shares.

    Use it as an asynchronous context manager, or call `start` and `stop`. Nothing of it outlives this
    process.

    Args:
        directory: for logs, and for the token that lets drivers in.
        nodes: how many at the start, the head included.
        slots: instances that fit on a node.
        head_slots: the same for the head; as the others if None.
        gcs_redis: URL of a Redis that the head keeps its state in, so that it can be killed and started again
            (`kill_node` and `add_node`, both with ``head``). Without it the cluster dies with its head.
        dashboard: start Ray's dashboard, whose URL then is ``dashboard_url``.
        token: let in only who has the cluster's token. Ray reads where that is when it is imported, once: a
            process that had imported it before can join only a cluster without.
        env: further settings of Ray (``RAY_…``) for all nodes.
    """

    def __init__(
        self,
        directory: Path,
        *,
        nodes: int = 3,
        slots: int = 40,
        head_slots: int | None = None,
        gcs_redis: str | None = None,
        dashboard: bool = False,
        token: bool = True,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.nodes: dict[str, Node] = {}
        self.dashboard_url: str | None = None
        self._count = nodes
        self._slots = slots
        self._head_slots = slots if head_slots is None else head_slots
        self._gcs_redis = gcs_redis
        self._dashboard = dashboard
        self._token = token
        self._env = dict(env or {})
        self._port = 0
        self._names = 0
        self._starts = 0
        self._temporary: Path | None = None
        self._keepers: list[asyncio.subprocess.Process] = []
        # One more start of the same cluster must not find what an earlier one kept in the same Redis.
        self._storage = f"malote-test-{secrets.token_hex(4)}"

    @property
    def address(self) -> str:
        """Where drivers and further nodes find the cluster."""
        return f"{HOST}:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of a process that shall be let into the cluster."""
        env = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        return env | self.access

    @property
    def access(self) -> dict[str, str]:
        """The part of `environment` that lets a process in, and settings which every process has to share."""
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(self.directory / "ray-token")}
        mode = token if self._token else {"RAY_AUTH_MODE": "disabled"}
        shared = {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_gcs_rpc_server_reconnect_timeout_s": str(GCS_PATIENCE),
        }
        return {**mode, **shared, **self._env}

    async def __aenter__(self) -> LocalCluster:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *ended: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the head, then the other nodes, one after the other: Ray gives each a fixed time to start.

        Raises:
            NodeFailed: one did not come up. `stop` ends what did.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        token = self.directory / "ray-token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        self._temporary = Path(tempfile.mkdtemp(prefix="mlt-"))
        if len(f"{self._temporary}/00{SOCKET_SUFFIX}") > LONGEST_SOCKET_PATH:
            raise NodeFailed(f"{self._temporary} is too long for Ray's sockets: set TMPDIR to a shorter one")
        self._port = _free_port()
        await self._add(HEAD, self._head_slots)
        for _ in range(self._count - 1):
            await self.add_node()

    async def stop(self) -> None:
        """Kill every process of the cluster. Again is harmless."""
        for keeper in self._keepers:
            await _end(keeper)
        self._keepers.clear()
        self.nodes.clear()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    # ---- nodes that come -----------------------------------------------------------------------------

    async def add_node(self, name: str | None = None, *, slots: int | None = None) -> Node:
        """Start one more node; with the name of one that was there and is dead, in its place.

        ``head`` starts the head again at the same address: what was in its memory comes from ``gcs_redis``.

        Raises:
            NodeFailed
        """
        if name is None:
            self._names += 1
            name = f"node-{self._names}"
        else:
            if self.nodes[name].alive:
                raise NodeFailed(f"{name} is alive")
            await _end(self.nodes[name].keeper)
        usual = self._head_slots if name == HEAD else self._slots
        return await self._add(name, usual if slots is None else slots)

    async def _add(self, name: str, slots: int) -> Node:
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self.nodes[name] = await self._start(name, slots)
                break
            except NodeFailed as failure:
                if TOO_SLOW not in str(failure) or attempt == START_ATTEMPTS:
                    raise
                log.warning("%s is started again", name, exc_info=failure)
        return self.nodes[name]

    async def _start(self, name: str, slots: int) -> Node:
        assert self._temporary is not None, "the cluster is not started"
        self._starts += 1
        log = self.directory / f"{self._starts:02d}-{name}.log"
        # A directory of its own for each: two nodes started at once would take each other's socket names.
        temporary = Path(tempfile.mkdtemp(dir=self._temporary, prefix=""))
        dashboard_port = _free_port() if self._dashboard else 0
        options = {
            "--node-name": name,
            "--node-ip-address": _host(name),
            # Nothing of ours takes a CPU, and with none no workers are started in advance, which on a machine
            # of few cores would keep the next node from starting in time.
            "--num-cpus": "0",
            "--resources": json.dumps({INSTANCE_SLOT: slots} if slots else {}),
            "--object-store-memory": str(OBJECT_STORE_BYTES),
            "--temp-dir": str(temporary),
            "--include-log-monitor": "false",
            # Ray's usual ports are the same for all nodes of a machine; 0 stands for any free one.
            "--min-worker-port": "0",
            "--max-worker-port": "0",
            **{option: str(_free_port()) for option in AGENT_PORTS},
        }
        joining = self._head_options(dashboard_port) if name == HEAD else ["--address", self.address]
        with log.open("wb") as out:
            keeper = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.cluster.keeper"),
                *(sys.executable, "-m", "ray.scripts.scripts", "start", "--block"),
                *(*joining, *itertools.chain.from_iterable(options.items())),
                env=self._node_environment(name),
                cwd=ROOT,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self._keepers.append(keeper)
        try:
            return await self._joined(name, slots, keeper, log, dashboard_port)
        except NodeFailed as failure:
            await _end(keeper)
            raise NodeFailed(f"{failure}{_fatal(temporary)}") from None
        except BaseException:
            await _end(keeper)
            raise

    async def _joined(
        self, name: str, slots: int, keeper: asyncio.subprocess.Process, log: Path, dashboard_port: int
    ) -> Node:
        raylet = await _raylet(keeper, log)
        match = NODE_ID.search(command_line(raylet.pid))
        if match is None:
            raise NodeFailed(f"the raylet of {name} does not say its id: {command_line(raylet.pid)}")
        node = Node(name, match.group(1), slots, raylet, log, keeper)
        await _started(node)
        if name == HEAD and self._dashboard:
            self.dashboard_url = f"http://{HOST}:{dashboard_port}"
        return node

    def _head_options(self, dashboard_port: int) -> list[str]:
        # Ray would start its client server at a fixed port, which another cluster of this machine may use.
        options = [
            "--head",
            "--no-monitor",
            "--port",
            str(self._port),
            "--ray-client-server-port",
            str(_free_port()),
        ]
        options += ["--include-dashboard", str(self._dashboard).lower()]
        if self._dashboard:
            options += ["--dashboard-host", HOST, "--dashboard-port", str(dashboard_port)]
        return options

    def _node_environment(self, name: str) -> dict[str, str]:
        env = self.environment | {
            "RAY_worker_niceness": "0",
            "RAY_worker_maximum_startup_concurrency": "2",
        }
        if name == HEAD and self._gcs_redis is not None:
            redis = urlsplit(self._gcs_redis)
            env["RAY_REDIS_ADDRESS"] = f"{redis.hostname}:{redis.port or 6379}"
            env["RAY_external_storage_namespace"] = self._storage
            if redis.password:
                env["RAY_REDIS_PASSWORD"] = unquote(redis.password)
        return env | self._env

    # ---- nodes that go -------------------------------------------------------------------------------

    async def kill_node(self, name: str) -> None:
        """SIGKILL a node's raylet: what belongs to the node notices it and dies by itself, some later."""
        os.kill(self.nodes[name].raylet.pid, signal.SIGKILL)

    def freeze(self, name: str) -> None:
        """SIGSTOP a node's raylet: its actors go on, but Ray hears nothing of the node any more."""
        os.kill(self.nodes[name].raylet.pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT: undo `freeze`. A raylet that was declared dead meanwhile ends itself and its node."""
        os.kill(self.nodes[name].raylet.pid, signal.SIGCONT)

    def terminate_node(self, name: str) -> None:
        """SIGTERM ``ray start --block``: Ray drains the node and then ends it."""
        os.kill(self.nodes[name].keeper.pid, signal.SIGTERM)

    async def drain_node(self, name: str, *, deadline: int = 60, reason: str = "PREEMPTION") -> None:
        """Drain a node with Ray's own command. Its raylet ends when its last actor has left.

        Args:
            deadline: seconds that Ray announces; it enforces nothing.
            reason: ``PREEMPTION``, which is never refused, or ``IDLE_TERMINATION``.

        Raises:
            NodeFailed: the request was refused.
        """
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ray.scripts.scripts", "drain-node"),
            *("--address", self.address, "--node-id", self.nodes[name].id),
            *("--reason", f"DRAIN_NODE_REASON_{reason}", "--reason-message", "a test drains it"),
            *("--deadline-remaining-seconds", str(deadline)),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(command.communicate(), END_TIMEOUT)
        if command.returncode != 0:
            raise NodeFailed(f"{name} cannot be drained: {said.decode(errors='replace')[-1000:]}")

    async def ended(self, name: str, *, timeout: float = END_TIMEOUT) -> None:
        """Wait until nothing of a node runs any more, except for a ``ray start`` that outlived its raylet.

        Raises:
            NodeFailed: it runs on.
        """
        node = self.nodes[name]
        deadline = asyncio.get_running_loop().time() + timeout
        while node.alive or _workers(node):
            if asyncio.get_running_loop().time() > deadline:
                left = ", ".join(f"{process.pid} {process.name}" for process in node.processes())
                raise NodeFailed(f"{name} did not end within {timeout} s: {left}")
            await asyncio.sleep(LOOK)


def _host(name: str) -> str:
    """The loopback address of a node."""
    first, _, last = HOST.rpartition(".")
    return f"{first}.{int(last) + (0 if name == HEAD else int(name.rpartition('-')[2]))}"


def _workers(node: Node) -> list[Process]:
    return [process for process in node.processes() if "ray::" in command_line(process.pid)]


async def _raylet(keeper: asyncio.subprocess.Process, log: Path) -> Process:
    """The raylet of a node that is starting."""
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT
    while keeper.returncode is None and asyncio.get_running_loop().time() < deadline:
        for process in descendants(keeper.pid):
            # Between fork and exec it still goes by the command line of its parent.
            if process.name == "raylet" and NODE_ID.search(command_line(process.pid)):
                return process
        await asyncio.sleep(LOOK)
    raise NodeFailed(f"a node has no raylet: {_tail(log)}")


async def _started(node: Node) -> None:
    """Wait until ``ray start`` says that the node is part of the cluster."""
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT
    while node.keeper.returncode is None and asyncio.get_running_loop().time() < deadline:
        if "Ray runtime started." in node.log.read_text(errors="replace"):
            return
        await asyncio.sleep(LOOK)
    raise NodeFailed(f"{node.name} did not start: {_tail(node.log)}")


async def _end(keeper: asyncio.subprocess.Process) -> None:
    if keeper.returncode is not None:
        return
    family = descendants(keeper.pid)
    with contextlib.suppress(ProcessLookupError):  # it ended just now
        os.kill(keeper.pid, signal.SIGINT)
    await asyncio.wait_for(keeper.wait(), END_TIMEOUT)
    await asyncio.to_thread(end, family, patience=5.0)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]


def _fatal(temporary: Path) -> str:
    """What a raylet that ended itself said about it, which ``ray start`` does not print."""
    found: list[str] = []
    for log in sorted(temporary.glob("session_*/logs/raylet*")):
        lines = log.read_text(errors="replace").splitlines()
        found += [line for line in lines if "Check failed" in line or " C " in line][:3]
    return "".join(f"\n{line[:500]}" for line in found)


def _free_port() -> int:
    for port in itertools.islice(_shuffled, 100):
        if is_free(HOST, port):
            return port
    raise NodeFailed(f"no free port among a hundred of {PORTS.start} to {PORTS.stop}")
