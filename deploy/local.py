"""Everything Malote needs on one machine, started in order and kept running."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from actors.metrics_node import node_folder
from actors.registry import Registry, new_token
from actors.settings import Settings
from actors.store import Store, StoreUnavailable
from deploy import ray_local
from deploy.children import Child, ChildEnded, Say
from deploy.engine import engine_binary
from deploy.errors import CommandError
from deploy.lock import DataLock
from deploy.valkey import EmbeddedValkey, is_free

LEAST_DISK_BYTES = 200 * 1024 * 1024
REDIS_PATIENCE = 10.0
RAY_ATTEMPTS = 3
FOREIGN = ("RAY_ADDRESS", "RAY_JOB_ID", "MALOTE_RAY_ADDRESS")


class Local:
    """Valkey, Ray with the supervisor in it, and the gateway, each as a child process.

    Args:
        settings: as the user gave them.
        command: what was asked for (``up`` or ``demo``), for `status`.
        say: told of what happens, a line each.
        dashboard: with Ray's dashboard.
    """

    def __init__(self, settings: Settings, *, command: str, say: Say, dashboard: bool = False) -> None:
        data_dir = settings.data_dir.expanduser().absolute()
        self.settings = settings.model_copy(update={"data_dir": data_dir})
        self.admin_key: str | None = None
        self.gateway_url: str = ""
        self.dashboard_url: str | None = None
        self._own_cluster = settings.ray_address is None
        self._ray_address = settings.ray_address
        self._lock = DataLock(data_dir)
        self._command = command
        self._dashboard = dashboard
        self._say = say
        self._valkey: EmbeddedValkey | None = None
        self._ray: Child | None = None
        self._gateway: Child | None = None
        self._keepers: list[asyncio.Task[None]] = []

    @property
    def logs(self) -> Path:
        """Where the children's output is kept."""
        return self.settings.data_dir / "logs"

    def check(self) -> None:
        """Take the data directory and make sure that a start can succeed, before anything is started.

        Raises:
            CommandError
        """
        data_dir = self.settings.data_dir
        try:
            data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise CommandError(
                f"cannot make {data_dir}: {error.strerror}",
                "Choose another directory with --data-dir or MALOTE_DATA_DIR.",
            ) from error
        self._lock.take(self._command)
        free = shutil.disk_usage(data_dir).free
        if free < LEAST_DISK_BYTES:
            raise CommandError(
                f"only {free // 2**20} MiB are free below {data_dir}, {LEAST_DISK_BYTES // 2**20} are needed",
                "Free some space, or choose another directory with --data-dir or MALOTE_DATA_DIR.",
            )
        binary = engine_binary(self.settings)
        self.settings = self.settings.model_copy(update={"engine": binary})
        gateway = self.settings.gateway
        if gateway.port and not is_free(gateway.host, gateway.port):
            raise CommandError(
                f"port {gateway.port} on {gateway.host} is in use",
                "Choose another with --port or MALOTE_GATEWAY_PORT (0: any free one).",
            )

    async def start(self) -> None:
        """Start everything.

        Raises:
            CommandError: a part did not come up. `stop` ends what did.
        """
        await self._start_store()
        await self._set_admin_key()
        await self._start_ray()
        await self._start_gateway()

    async def stop(self) -> None:
        """End everything, in the order that loses nothing: the door, the actors, the store."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers.clear()
        for child in (self._gateway, self._ray, self._valkey.child if self._valkey else None):
            if child is not None:
                await child.stop()
        if self._ray is not None:
            shutil.rmtree(ray_local.session_directory(self.settings), ignore_errors=True)
        if self._ray is not None and self._own_cluster and self.settings.metrics.folder is None:
            # Nobody is left to be measured; a folder that the user chose stays.
            shutil.rmtree(node_folder(self.settings), ignore_errors=True)
        self._lock.release()

    def kill(self) -> None:
        """SIGKILL every child: the user does not want to wait. `stop` still has to be awaited."""
        for keeper in self._keepers:
            keeper.cancel()
        for child in (self._gateway, self._ray, self._valkey.child if self._valkey else None):
            if child is not None:
                child.kill()

    def note(self, **facts: Any) -> None:
        """Tell `status` more about this run."""
        self._lock.note(**facts)

    def environment(self) -> dict[str, str]:
        """What a child needs in its environment to have these settings, and to reach our cluster."""
        settings = self.settings
        own = {
            "MALOTE_DATA_DIR": str(settings.data_dir),
            "MALOTE_TEMP_DIR": str(settings.temp_dir),
            "MALOTE_REDIS_URL": settings.redis_url,
            "MALOTE_RAY_ADDRESS": self._ray_address,
            "MALOTE_ENGINE": str(settings.engine),
            "MALOTE_GATEWAY_HOST": settings.gateway.host,
            "MALOTE_GATEWAY_PORT": str(settings.gateway.port),
            "MALOTE_LAB_DIRECTORY": str(settings.lab.directory) if settings.lab.directory else None,
            "MALOTE_ALLOW_HOSTS": ",".join(settings.allow_hosts),
        }
        # A cluster that already runs on this machine is announced by these; ours is told by its address.
        env = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        if self._own_cluster:
            env |= ray_local.environment(settings)
        return env | {name: value for name, value in own.items() if value is not None}

    # ---- the store ----

    async def _start_store(self) -> None:
        if self.settings.redis_url is None:
            self._say("Starting the embedded Valkey server.")
            self._valkey = EmbeddedValkey(
                self.settings.data_dir / "valkey",
                log=self.logs / "valkey.log",
                env=dict(os.environ),
                say=self._say,
            )
            await self._valkey.child.start()
            self.settings = self.settings.model_copy(update={"redis_url": self._valkey.url})
            self._keep(self._valkey.child)
        settings = self.settings
        self._lock.note(
            redis_url=settings.redis_url, prefix=settings.prefix, allow_hosts=settings.allow_hosts
        )

    async def _set_admin_key(self) -> None:
        assert self.settings.redis_url is not None
        store = Store(self.settings.redis_url, self.settings.prefix)
        registry = Registry(store)
        try:
            await store.run(lambda: store.redis.ping(), timeout=REDIS_PATIENCE)
            if self.settings.admin_key is not None:
                await registry.add_admin_key(self.settings.admin_key.get_secret_value())
            elif not await registry.has_admin_key():
                self.admin_key = new_token()
                await registry.add_admin_key(self.admin_key)
        except StoreUnavailable as error:
            raise CommandError(
                str(error), "Start it, correct MALOTE_REDIS_URL, or unset it to use the embedded server."
            ) from error
        finally:
            await store.close()

    # ---- Ray ----

    async def _start_ray(self) -> None:
        own = self._own_cluster
        self._say("Starting a Ray cluster (some ten seconds)." if own else "Joining the Ray cluster.")
        address = self.settings.data_dir / "ray.json"

        def command() -> list[str]:
            address.unlink(missing_ok=True)
            if own:
                ray_local.prepare(self.settings)
            program = [
                sys.executable,
                "-m",
                "deploy.ray_local",
                *(["--dashboard"] if self._dashboard else []),
            ]
            return [sys.executable, "-m", "deploy.warden", *program]

        def environment() -> dict[str, str]:
            env = self.environment()
            if own:
                # What Ray's processes leave in the temporary directory goes with the session's.
                env["TMPDIR"] = str(ray_local.session_directory(self.settings))
                env.pop("MALOTE_RAY_ADDRESS", None)
            return env

        async def ready() -> bool:
            return address.exists()

        self._ray = Child(
            "Ray cluster",
            command=command,
            env=environment,
            ready=ready,
            log=self.logs / "ray.log",
            start_timeout=180.0,
            stop_timeout=60.0,
            say=self._say,
        )
        await self._first_start(self._ray)
        self._read_ray(address)
        self._keep(self._ray, lambda: self._after_ray(address))

    async def _first_start(self, cluster: Child) -> None:
        for left in reversed(range(RAY_ATTEMPTS)):
            try:
                await cluster.start()
            except ChildEnded as ended:
                if ended.returncode != ray_local.NOT_IN_TIME or not left:
                    raise
                self._say("Ray did not come up in its time; trying again.")
            else:
                return

    def _read_ray(self, path: Path) -> None:
        facts = json.loads(path.read_text())
        self._ray_address = facts["address"]
        self.dashboard_url = facts["dashboard_url"]
        self._lock.note(dashboard_url=self.dashboard_url)

    async def _after_ray(self, address: Path) -> None:
        """A new cluster has another address: the gateway has to learn it."""
        before = self._ray_address
        self._read_ray(address)
        if self._ray_address != before and self._gateway is not None:
            # Its keeper starts it again.
            await self._gateway.stop()

    # ---- the gateway ----

    async def _start_gateway(self) -> None:
        self._say("Starting the gateway.")
        place = self.settings.data_dir / "gateway.json"

        def command() -> list[str]:
            place.unlink(missing_ok=True)
            return [sys.executable, "-m", "gateway"]

        async def ready() -> bool:
            return place.exists()

        self._gateway = Child(
            "gateway",
            command=command,
            env=self.environment,
            ready=ready,
            log=self.logs / "gateway.log",
            stop_timeout=20.0,
            say=self._say,
        )
        await self._gateway.start()
        self.gateway_url = json.loads(place.read_text())["url"]
        port = int(self.gateway_url.rpartition(":")[2])
        gateway = self.settings.gateway.model_copy(update={"port": port})
        self.settings = self.settings.model_copy(update={"gateway": gateway})
        self._lock.note(gateway_url=self.gateway_url)
        self._keep(self._gateway)

    def _keep(self, child: Child, restarted: Any = None) -> None:
        self._keepers.append(asyncio.create_task(child.keep(restarted)))
