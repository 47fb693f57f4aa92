"""What `/metrics` answers: this node's processes, put together in a thread beside the event loop."""

from __future__ import annotations

import asyncio
import time

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from actors import metrics
from actors.metrics_files import exposition
from actors.metrics_node import Exporter

CONTENT_TYPE = CONTENT_TYPE_LATEST
FRESH = 1.0
"""Seconds for which an answer is given again: anybody may ask, and it costs reading many files."""


class Exposition:
    """Answers scrapes, one at a time.

    Until it is given an exporter, it tells of this process alone.
    """

    def __init__(self) -> None:
        self.exporter: Exporter | None = None
        self._turn = asyncio.Lock()
        self._answer = (float("-inf"), b"")

    async def text(self) -> bytes:
        """The metrics in Prometheus' text format."""
        exporter = self.exporter
        if exporter is None:
            metrics.sample()
            return generate_latest(metrics.REGISTRY)
        async with self._turn:
            made, body = self._answer
            if time.monotonic() < made + FRESH:
                return body
            # This process's own, fresh as of now; on the loop, which changes them.
            exporter.write()
            started = time.perf_counter()
            body = await asyncio.to_thread(exposition, exporter.folder)
            metrics.SCRAPE_SECONDS.observe(time.perf_counter() - started)
            self._answer = (time.monotonic(), body)
            return body
