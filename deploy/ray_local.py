"""A Ray cluster of our own on this machine, as one process: ``python -m deploy.ray_local [--dashboard]``.

It starts the cluster (or joins the one at ``MALOTE_RAY_ADDRESS``), keeps a supervisor running in it, writes
``<data_dir>/ray.json`` when that is done, and ends with the cluster. SIGTERM drains and ends everything.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from actors import logs
from actors.settings import Settings
from deploy.errors import CommandError
from deploy.lock import write_private
from deploy.processes import Process, alive, descendants
from deploy.valkey import free_port

OBJECT_STORE_BYTES = 78_643_200  # the least that Ray accepts: no data of ours goes through it
CPUS = 2
INSTANCE_SLOTS = 1_000
LOOPBACK = "127.0.0.2"
"""For 127.0.0.1 Ray would take the address by which others reach this machine, and listen there."""
LONGEST_SOCKET_PATH = 107
# What is put behind the directory to name a socket, at its longest.
SOCKET_SUFFIX = "/ray/session_2000-01-01_00-00-00_000000_0000000/sockets/plasma_store"

STALE_AFTER = 5
"""Looks in a row that find no supervisor before the connection to a cluster that is not ours is given up."""

NOT_IN_TIME = os.EX_TEMPFAIL
"""Exit status if Ray itself did not come up: on a busy machine it gives up after 30 s of its own."""

log = logging.getLogger("deploy.ray_local")  # run as __main__


def session_directory(settings: Settings) -> Path:
    """Where the cluster keeps its sockets and logs: short, and a different one for each data directory."""
    digest = hashlib.sha256(str(settings.data_dir.resolve()).encode()).hexdigest()[:8]
    return settings.temp_dir / f"malote-{digest}"


def ray_directory(settings: Settings) -> Path:
    """What Ray is given of it. Ray opens it, with its sockets and logs, to every user of the machine: the
    directory above does not let them in.
    """
    return session_directory(settings) / "ray"


def prepare(settings: Settings) -> Path:
    """Make an empty session directory, which only we may enter.

    Raises:
        CommandError: its path is too long for sockets, or somebody else's directory is in the way.
    """
    directory = session_directory(settings)
    if len(str(directory)) + len(SOCKET_SUFFIX) > LONGEST_SOCKET_PATH:
        raise CommandError(
            f"the path {directory} is too long for Ray's sockets", "Set MALOTE_TEMP_DIR to a shorter one."
        )
    try:
        if directory.exists() and directory.stat().st_uid == os.getuid():
            shutil.rmtree(directory)
        directory.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise CommandError(
            f"cannot make {directory}: {error.strerror}", "Set MALOTE_TEMP_DIR to another directory."
        ) from error
    return directory


def environment(settings: Settings) -> dict[str, str]:
    """What a process needs in its environment to start our cluster, or to be let into it."""
    token = settings.data_dir / "ray-token"
    if not token.exists():
        write_private(token, secrets.token_hex(32))
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",
        "RAY_worker_maximum_startup_concurrency": str(CPUS),
    }


def start_cluster(settings: Settings, *, dashboard: bool) -> tuple[str, str | None]:
    """Start a cluster of our own, or join the given one.

    Args:
        dashboard: with Ray's dashboard, which takes a dozen processes and some 300 MiB.

    Returns:
        Its address, and the URL of Ray's dashboard.
    """
    import ray

    from actors.cluster import join

    if settings.ray_address is not None:
        place = join(settings.ray_address, settings.namespace)
    else:
        place = ray.init(
            address="local",
            namespace=settings.namespace,
            log_to_driver=False,
            num_cpus=CPUS,
            resources={"instance_slot": INSTANCE_SLOTS},
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=dashboard,
            dashboard_host="127.0.0.1",
            dashboard_port=free_port(),
            _node_ip_address=LOOPBACK,
            _temp_dir=str(ray_directory(settings)),
        ).dashboard_url
    return str(ray.get_runtime_context().gcs_address), f"http://{place}" if place else None


def main(arguments: Sequence[str]) -> int:
    """Run the cluster until SIGTERM, or until a part of it dies. Returns the exit status."""
    settings = Settings()
    logs.configure(settings.log_level, events=settings.log_events)
    import ray
    from ray.exceptions import RayError

    from actors.supervisor.lifecycle import start_supervisor, stop_everything

    try:
        address, dashboard_url = start_cluster(settings, dashboard="--dashboard" in arguments)
    except Exception:
        # Ray raises plain Exception for this. What it started already ends with this process.
        log.exception("Ray did not come up")
        return NOT_IN_TIME

    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    # After ray.init, which puts a handler of its own in place.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)

    parts = [] if settings.ray_address else _parts()
    start_supervisor(settings)
    write_private(
        settings.data_dir / "ray.json",
        json.dumps({"address": address, "dashboard_url": dashboard_url, "pid": os.getpid()}),
    )
    unreached = 0
    while not stopping.wait(1.0):
        dead = [part.name for part in parts if not alive(part)]
        if dead:
            log.error("%s died: this cluster is lost", " and ".join(dead))
            # A shutdown would wait for answers of the dead; the kernel ends the rest with this process.
            os._exit(1)
        try:
            # Ray restarts a supervisor that died; this makes one that was ended for good.
            start_supervisor(settings)
            unreached = 0
        except RayError as error:
            log.warning("no supervisor answers: %s", error)
            unreached += 1
        if settings.ray_address and unreached >= STALE_AFTER:
            # Perhaps only this process looks for it where it was before the head was started again, as in
            # api.ray_calls: a new one finds it.
            return NOT_IN_TIME
    try:
        stop_everything(settings)
    except RayError as error:
        log.warning("not everything was drained: %s", error)
    ray.shutdown()
    return 0


def _parts() -> list[Process]:
    """The processes that this cluster cannot live without."""
    return [child for child in descendants(os.getpid()) if child.name in ("gcs_server", "raylet")]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
