"""A real Prometheus with the rules of deploy/prometheus, and what it knows afterwards."""

from __future__ import annotations

import json
import math
import shutil
import socket
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from deploy.children import Child
from deploy.errors import CommandError

RULES = Path(__file__).resolve().parents[2] / "deploy/prometheus/rules.yml"
SCRAPE = 5

Points = list[tuple[float, float]]
"""Times in seconds since 1970, and values."""


class Prometheus:
    """One that watches a gateway.

    Args:
        directory: for its data and log.
        target: host:port of the gateway.
    """

    def __init__(self, directory: Path, target: str) -> None:
        self._directory = directory
        self._target = target
        self._url = ""
        self._child: Child | None = None

    async def start(self) -> None:
        """Start it.

        Raises:
            CommandError: there is none on this machine.
        """
        binary = shutil.which("prometheus")
        if binary is None:
            raise CommandError("there is no Prometheus", "On Debian: apt-get install prometheus")
        self._directory.mkdir(parents=True, exist_ok=True)
        config = self._directory / "prometheus.yml"
        every = f"{SCRAPE}s"
        config.write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": every, "evaluation_interval": every},
                    "rule_files": [str(RULES)],
                    "scrape_configs": [
                        {"job_name": "malote", "static_configs": [{"targets": [self._target]}]}
                    ],
                }
            )
        )
        port = _free_port()
        self._url = f"http://127.0.0.1:{port}"
        self._child = Child(
            "prometheus",
            command=lambda: [
                binary,
                f"--config.file={config}",
                f"--storage.tsdb.path={self._directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            env=dict,
            ready=self._ready,
            log=self._directory / "prometheus.log",
            say=lambda line: None,
        )
        await self._child.start()

    async def stop(self) -> None:
        """End it."""
        if self._child is not None:
            await self._child.stop()

    async def fired(self, start: float, end: float) -> dict[str, float]:
        """When each alert fired first.

        Args:
            start, end: seconds since 1970.
        """
        found: dict[str, float] = {}
        query = 'max by (alertname) (ALERTS{alertstate="firing"})'
        for series in await self._range(query, start, end, 1.0):
            name = series["metric"]["alertname"]
            found[name] = min(float(at) for at, _ in series["values"])
        return found

    async def curve(self, query: str, start: float, end: float) -> Points:
        """A query's only series over a time."""
        found = await self._range(query, start, end, float(SCRAPE))
        points = [(float(at), float(value)) for series in found[:1] for at, value in series["values"]]
        return [(at, value) for at, value in points if math.isfinite(value)]

    async def value(self, query: str, at: float) -> float | None:
        """A query's only value at a time, None if there is none."""
        found = await self._get("query", {"query": query, "time": str(at)})
        value = float(found[0]["value"][1]) if found else math.nan
        return value if math.isfinite(value) else None

    async def scrapes(self, at: float) -> dict[str, float | None]:
        """What a scrape costs, the worst of those up to a time: its seconds, and the samples in it."""
        return {
            "seconds": await self.value("max_over_time(scrape_duration_seconds[10m])", at),
            "samples": await self.value("max_over_time(scrape_samples_scraped[10m])", at),
            "failed": await self.value("sum_over_time((1 - up)[10m:5s])", at),
        }

    async def _range(self, query: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        return await self._get(
            "query_range", {"query": query, "start": str(start), "end": str(end), "step": str(step)}
        )

    async def _get(self, what: str, parameters: dict[str, str]) -> list[dict[str, Any]]:
        url = f"{self._url}/api/v1/{what}"
        async with ClientSession() as session, session.get(url, params=parameters) as answer:
            content = await answer.json()
        if content["status"] != "success":
            raise CommandError(f"Prometheus does not answer {parameters['query']!r}: {content.get('error')}")
        return list(content["data"]["result"])

    async def _ready(self) -> bool:
        try:
            async with ClientSession() as session, session.get(f"{self._url}/-/ready") as answer:
                return answer.status == 200
        except OSError:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
