"""One run from its start to its result."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from operator import truediv
from pathlib import Path
from statistics import median

from bench.delivery.machine import Busy
from bench.figures import percentile, spread
from bench.handoff.world import World
from bench.media.books import MediaBooks
from bench.media.memory import Memory
from bench.media.options import Options
from bench.media.report import Result, Side
from bench.media.traffic import Traffic
from tests.cluster.nodes import LocalCluster
from tests.wait import until

PATIENCE = 300.0
WARM = 3.0
"""Seconds of text before the first round."""


class Rounds:
    """Those of one kind: alone, or beside files."""

    def __init__(self) -> None:
        self.texts: list[Sequence[str]] = []
        self.memory = Memory()
        self.busy: list[float] = []


class Run:
    """One run. ``result`` is there when it is done."""

    def __init__(
        self, options: Options, cluster: LocalCluster, directory: Path, say: Callable[[str], None]
    ) -> None:
        self.result: Result | None = None
        self._options = options
        self._directory = directory
        self._say = say
        self._books = MediaBooks()
        self._world = World(cluster, directory, say, instances=1, contacts=3, books=self._books)

    async def run(self) -> None:
        """Start everything, measure, and end everything."""
        try:
            await self._world.start()
            await self._measure(Traffic(self._world))
        finally:
            self._say("Ending.")
            await self._world.stop()

    async def _measure(self, traffic: Traffic) -> None:
        options = self._options
        path = self._directory / "file.bin"
        path.write_bytes(random.Random(options.seed).randbytes(options.size))
        self._say("Uploading the file.")
        await traffic.upload(path, options.line)
        await traffic.write(options.rate, _for(WARM))
        alone, beside, took = Rounds(), Rounds(), list[float]()
        for number in range(1, options.rounds + 1):
            # By turns first: what changes during a run must not always favour the same.
            for files in (False, True) if number % 2 else (True, False):
                began = time.monotonic()
                await self._round(traffic, beside if files else alone, files=files)
                if files:
                    took.append(round(time.monotonic() - began, 1))
            self._say(
                f"  round {number}: p99 {self._p99(alone)} ms alone, {self._p99(beside)} ms beside files"
            )
        self.result = self._summary(traffic, alone, beside, took)

    async def _round(self, traffic: Traffic, rounds: Rounds, *, files: bool) -> None:
        options = self._options
        busy = Busy()
        # As many messages without files: a message takes its time, whatever is in it.
        passing = asyncio.create_task(traffic.pass_on(options.files, options.file_rate, files=files))
        enough = _for(PATIENCE)
        written = await self._written(
            traffic, rounds, lambda: enough() and not (passing.done() and self._ready(traffic))
        )
        await passing
        rounds.busy.append(busy.share() or 0.0)
        rounds.texts.append(written)
        await until(
            lambda: all(id_ in self._books.messages for id_ in written), timeout=PATIENCE, what="all texts"
        )

    async def _written(self, traffic: Traffic, rounds: Rounds, go_on: Callable[[], bool]) -> Sequence[str]:
        async with rounds.memory.watching():
            return await traffic.write(self._options.rate, go_on)

    def _ready(self, traffic: Traffic) -> bool:
        return all(id_ in self._books.ready or id_ in self._books.failed for id_ in traffic.files)

    def _latencies(self, texts: Sequence[str]) -> list[float]:
        messages = self._books.messages
        return [messages[id_].latency * 1000 for id_ in texts if id_ in messages]

    def _p99(self, rounds: Rounds) -> float:
        return round(percentile(self._latencies(rounds.texts[-1]), 0.99) or 0.0, 1)

    def _side(self, traffic: Traffic, rounds: Rounds) -> Side:
        messages = self._books.messages
        texts = [id_ for round_ in rounds.texts for id_ in round_]
        latency = spread(self._latencies(texts))
        whole = spread((messages[id_].at - traffic.texts[id_]) * 1000 for id_ in texts if id_ in messages)
        assert latency is not None
        assert whole is not None
        return Side(
            texts=len(texts),
            latency_ms=latency,
            whole_ms=whole,
            p99_rounds_ms=[
                round(percentile(self._latencies(round_), 0.99) or 0.0, 1) for round_ in rounds.texts
            ],
            memory=rounds.memory.most,
            busy=round(median(rounds.busy), 2),
        )

    def _summary(self, traffic: Traffic, alone: Rounds, beside: Rounds, took: list[float]) -> Result:
        books, options = self._books, self._options
        one, other = self._side(traffic, alone), self._side(traffic, beside)
        everything = [*traffic.texts, *traffic.files, *traffic.others]
        whole = [id_ for id_ in traffic.files if books.ready.get(id_, {}).get("size") == options.size]
        return Result(
            p50_ratio=round(other.latency_ms.p50 / one.latency_ms.p50, 2),
            p99_ratio=round(median(map(truediv, other.p99_rounds_ms, one.p99_rounds_ms)), 2),
            whole_p50_ratio=round(other.whole_ms.p50 / one.whole_ms.p50, 2),
            whole_p99_ratio=round(other.whole_ms.p99 / one.whole_ms.p99, 2),
            lost=sum(id_ not in books.messages for id_ in everything),
            unready=len(traffic.files) - len(whole),
            files=len(traffic.files),
            size=options.size,
            files_s=took,
            alone=one,
            beside=other,
            seed=options.seed,
        )


def _for(seconds: float) -> Callable[[], bool]:
    """True until these seconds are over."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until
