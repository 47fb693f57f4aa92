"""One run from its start to its result."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import ClientError

from bench.figures import spread
from bench.handoff.books import Books
from bench.handoff.traffic import Traffic
from bench.handoff.world import World
from bench.incident.books import Healthy
from bench.incident.endpoint import Endpoint
from bench.incident.options import Options
from bench.incident.picture import Curve, Mark, Span, draw
from bench.incident.prometheus import SCRAPE, Prometheus
from bench.incident.report import Result
from deploy.demo.clients import Refused
from tests.cluster.nodes import LocalCluster

QUESTIONS = ("usync", "w:profile:picture", "w:g2", "status")
"""What WhatsApp is asked about people and groups, and does not answer."""
ASK_EVERY = 1.0
DRAIN_AT = 0.4
"""Of the incident, when a node begins to be emptied."""
DRAIN_TIMEOUT = 120.0
SETTLE_PATIENCE = 600.0
"""Seconds until the endpoint has everything: what it refused twice is due again only minutes later."""
AFTER = 2 * SCRAPE
SHOWN_AFTER = 60.0
APPEND = "malote_event_append_seconds_bucket"
OLDEST = "max(malote_oldest_undelivered_event_seconds)"


class Run:
    """One run. ``result`` is there when it is done."""

    def __init__(
        self, options: Options, cluster: LocalCluster, directory: Path, say: Callable[[str], None]
    ) -> None:
        self.result: Result | None = None
        self._options = options
        self._directory = directory
        self._say = say
        self._healthy, self._slow = Healthy(), Books()
        self._world = World(
            cluster, directory, say, instances=options.instances, contacts=3, books=self._healthy
        )
        self._endpoint = Endpoint(self._slow, self._world.secret)
        self._answers: Counter[str] = Counter()
        self._drained: tuple[float, float] | None = None

    async def run(self) -> None:
        """Start everything, let it happen, count, and end everything."""
        prometheus: Prometheus | None = None
        try:
            await self._world.start()
            await self._endpoint.start()
            assert self._world.local is not None
            gateway = urlsplit(self._world.local.gateway_url).netloc
            prometheus = Prometheus(self._directory / "prometheus", gateway)
            await prometheus.start()
            await self._measure(prometheus)
        finally:
            self._say("Ending.")
            if prometheus is not None:
                await prometheus.stop()
            await self._world.stop()
            await self._endpoint.stop()

    async def _measure(self, prometheus: Prometheus) -> None:
        options, world = self._options, self._world
        first = next(iter(world.instances))
        hook = {"url": self._endpoint.url(first), "secret": world.secret}
        await world.api.call("POST", f"/v1/instances/{first}/webhooks", hook)
        traffic = world.traffic(write_interval=len(world.contacts) / options.rate, send_interval=3.0)
        async with traffic.watching():
            async with traffic.flowing(), self._asking():
                self._say(f"Messages flow; all is well for {options.calm:.0f} s.")
                await asyncio.sleep(options.calm)
                calm = len(world.books.latencies)
                start = time.time()
                await self._incident()
                end = time.time()
                hung = len(world.books.latencies)
                self._say("It is over.")
                await asyncio.sleep(AFTER)
            finished = await world.settled() and await self._slow_has_all()
        await asyncio.sleep(AFTER)
        self.result = await self._summary(prometheus, traffic, start, end, (calm, hung), finished)
        if options.picture is not None:
            options.picture.write_text(await self._picture(prometheus, start, end))

    async def _incident(self) -> None:
        options, world = self._options, self._world
        self._say(f"The endpoint hangs, and WhatsApp answers no question, for {options.hangs:.0f} s.")
        self._endpoint.hang()
        for query in QUESTIONS:
            await world.lab.call("POST", "/faults", {"kind": "ignore_query", "query": query})
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(options.hangs))
            group.create_task(self._drain(options.hangs * DRAIN_AT))
        self._endpoint.recover()
        await world.lab.call("DELETE", "/faults")

    async def _drain(self, delay: float) -> None:
        await asyncio.sleep(delay)
        places = Counter(node for node in (await self._world.places()).values() if node)
        [(node, count)] = places.most_common(1)
        self._say(f"A node with {count} instances is emptied.")
        began = time.time()
        path = f"/v1/nodes/{node}/drain?wait={DRAIN_TIMEOUT:.0f}"
        await self._world.api.call("POST", path)
        self._drained = (began, time.time())

    @contextlib.asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """Somebody looks people up, all the time."""
        asker = asyncio.create_task(self._ask())
        try:
            yield
        finally:
            asker.cancel()
            await asyncio.gather(asker, return_exceptions=True)

    async def _ask(self) -> None:
        world = self._world
        for instance_id in cycle(world.instances):
            for contact in world.contacts:
                try:
                    await world.api.call(
                        "GET", f"/v1/instances/{instance_id}/contacts/{contact}?refresh=true"
                    )
                    self._answers["answered"] += 1
                except Refused as refusal:
                    self._answers[str(refusal.status)] += 1
                except (ClientError, TimeoutError):
                    self._answers["none"] += 1
                await asyncio.sleep(ASK_EVERY)

    async def _slow_has_all(self) -> bool:
        deadline = time.monotonic() + SETTLE_PATIENCE
        while time.monotonic() < deadline:
            if not self._slow_gaps(await self._world.newest()):
                return True
            await asyncio.sleep(0.5)
        return False

    def _slow_gaps(self, newest: Mapping[str, int]) -> int:
        first = next(iter(self._world.instances))
        return self._slow.gaps({first: newest[first]}) - len(self._healthy.news)

    # ---- afterwards ----------------------------------------------------------------------------------

    async def _summary(
        self,
        prometheus: Prometheus,
        traffic: Traffic,
        start: float,
        end: float,
        counts: tuple[int, int],
        finished: bool,
    ) -> Result:
        books, now = self._world.books, time.time()
        latencies = list(books.latencies)
        calm, hung = counts
        fired = await prometheus.fired(start - self._options.calm, now)
        scrapes = await prometheus.scrapes(now)
        newest = await self._world.newest()
        return Result(
            lost=len(books.inbound.missing) + len(books.outbound.missing),
            gaps=books.gaps(newest) + self._slow_gaps(newest),
            duplicated=len(books.duplicates),
            reordered=len(books.reordered) + len(self._slow.reordered),
            finished=finished,
            send_errors=len(traffic.send_errors),
            append_p99_ms=(
                await self._append_p99(prometheus, start, self._options.calm - SCRAPE),
                await self._append_p99(prometheus, end, end - start),
            ),
            delivered_ms=(
                spread(value * 1000 for value in latencies[:calm]),
                spread(value * 1000 for value in latencies[calm:hung]),
            ),
            held=self._endpoint.held,
            slow_delivered=self._slow.deliveries,
            slow_duplicates=len(self._slow.duplicates),
            questions=dict(self._answers),
            drain_s=round(self._drained[1] - self._drained[0], 1) if self._drained else None,
            alerts_s={
                name: round(at - start, 1) for name, at in sorted(fired.items(), key=lambda item: item[1])
            },
            scrape=scrapes,
            incident_s=round(end - start, 1),
            instances=self._options.instances,
        )

    async def _append_p99(self, prometheus: Prometheus, at: float, seconds: float) -> float | None:
        window = f"{max(2 * SCRAPE, int(seconds))}s"
        query = f"histogram_quantile(0.99, sum by (le) (increase({APPEND}[{window}])))"
        value = await prometheus.value(query, at)
        return round(value * 1000, 1) if value is not None else None

    async def _picture(self, prometheus: Prometheus, start: float, end: float) -> str:
        assert self.result is not None
        first, last = start - self._options.calm, min(time.time(), end + SHOWN_AFTER)
        window = f"{4 * SCRAPE}s"
        p99 = f"histogram_quantile(0.99, sum by (le) (rate({APPEND}[{window}])))"
        curves = []
        for name, query in (
            ("stored, p99 after receipt", p99),
            ("oldest undelivered event", OLDEST),
        ):
            points = await prometheus.curve(query, first + 4 * SCRAPE, last)
            curves.append(Curve(name, [(at - start, value) for at, value in points]))
        spans = [
            Span("an endpoint hangs", 0.0, end - start),
            Span("WhatsApp answers no question", 0.0, end - start),
        ]
        if self._drained:
            spans.append(Span("a node is emptied", *(at - start for at in self._drained)))
        alerts = self.result.alerts_s.items()
        marks = [Mark(name.removeprefix("Malote"), at) for name, at in alerts if start + at < last]
        return draw(-self._options.calm, last - start, spans, marks, curves)
