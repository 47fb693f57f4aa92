"""What healthy endpoints notice of bad ones: phases with and without them in turn, under the same load."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping

from pydantic import BaseModel

from bench.delivery.books import Appended, Count, count, latencies
from bench.delivery.machine import Busy
from bench.delivery.options import BAD, Options
from bench.delivery.world import Scene, Unsettled, World
from bench.figures import Spread, percentile, spread

CHATS = 50
PATIENCE = 30.0
STEP = 900.0
"""Seconds that the courier's clock is moved on at a time, so that retries are due."""
STEPS = 60
STEP_PATIENCE = 1.0


class Phases(BaseModel):
    """All phases of one kind together.

    Attributes:
        latency_ms: of the healthy endpoints, from the event to its 2xx.
        onset_ms: the same, in the seconds before: with bad endpoints, while they begin to be bad.
        p99_rounds_ms: p99 of the latencies in each round; how far these differ is the machine's noise.
        append_ms: of the mailbox, all instances.
        busy: share of the machine, median of the phases.
    """

    latency_ms: Spread | None
    onset_ms: Spread | None
    p99_rounds_ms: list[float]
    append_ms: Spread | None
    events: int
    busy: float | None


class Isolation(BaseModel):
    """What was found.

    Attributes:
        p99_ratio: of the latencies, with bad endpoints to without.
        append_p99_ratio: the same of the appends.
        came_to_bad: requests that the bad endpoints got while they were bad.
    """

    p99_ratio: float | None
    p50_ratio: float | None
    append_p99_ratio: float | None
    well: Phases
    bad: Phases
    endpoints: int
    bad_endpoints: int
    rate: float
    rounds: int
    seconds: float
    came_to_bad: dict[str, int]
    count: Count


class Samples:
    """What was measured in all phases of one kind, in seconds."""

    def __init__(self) -> None:
        self.latency: dict[str, list[float]] = defaultdict(list)
        self.rounds: list[list[float]] = []
        self.onset: list[float] = []
        self.append: list[float] = []
        self.busy: list[float] = []

    def pooled(self) -> list[float]:
        """The latencies of all healthy endpoints."""
        return [value for values in self.latency.values() for value in values]

    def phases(self) -> Phases:
        """In numbers."""
        return Phases(
            latency_ms=spread(value * 1000 for value in self.pooled()),
            onset_ms=spread(value * 1000 for value in self.onset),
            p99_rounds_ms=[round((percentile(one, 0.99) or 0.0) * 1000, 1) for one in self.rounds],
            append_ms=spread(value * 1000 for value in self.append),
            events=len(self.pooled()),
            busy=percentile(self.busy, 0.5),
        )


class Isolated:
    """The measurement, and its samples for a picture."""

    def __init__(self, world: World, options: Options) -> None:
        self.well, self.bad = Samples(), Samples()
        self._world = world
        self._options = options
        names = [f"inst-{number:02d}" for number in range(options.endpoints)]
        self.healthy = frozenset(names[len(BAD) :])
        self._manners = dict(zip(names, BAD, strict=False))
        self._came: dict[str, int] = defaultdict(int)
        self._scene = Scene(world, "isolation", {name: world.url(name) for name in names})

    async def measure(self) -> Isolation:
        """Measure it."""
        scene, options = self._scene, self._options
        await scene.open()
        await scene.start_courier()
        await scene.flow(options.rate, options.lead, CHATS, options.seed)
        for number in range(options.rounds):
            # The same events in both phases.
            await self._phase(self.well, options.seed + number)
            await scene.behave(self._manners)
            before = len(scene.arrivals)
            await self._phase(self.bad, options.seed + number)
            await scene.behave({})
            await self._recover()
            await scene.fetch()
            self._book(before)
            self._world.say(f"  round {number + 1}: {_said(self.well)} well, {_said(self.bad)} with bad ones")
        await scene.stop_courier()
        dead = await scene.dead()
        await scene.close()
        return self._result(count([event[:2] for event in scene.appended], scene.arrivals, dead))

    async def _phase(self, samples: Samples, seed: int) -> None:
        scene, options = self._scene, self._options
        flowing = asyncio.create_task(scene.flow(options.rate, options.lead + options.seconds, CHATS, seed))
        await asyncio.sleep(options.lead)
        busy = Busy()
        began, appended = await flowing
        samples.busy += [share for share in (busy.share(),) if share is not None]
        await scene.settle(PATIENCE, but=frozenset(self._manners))
        arrivals = await scene.fetch()
        onset = [event for event in appended if event.due < began + options.lead]
        measured = [event for event in appended if event.due >= began + options.lead]
        samples.rounds.append([])
        for name, values in latencies(self._of_healthy(measured), arrivals).items():
            samples.latency[name] += values
            samples.rounds[-1] += values
        samples.onset += [v for many in latencies(self._of_healthy(onset), arrivals).values() for v in many]
        samples.append += [event.ended - event.began for event in measured]

    def _of_healthy(self, events: Iterable[Appended]) -> list[Appended]:
        return [event for event in events if event.instance_id in self.healthy]

    async def _recover(self) -> None:
        # All are well again; what was refused is due as soon as the clock says so.
        for _ in range(STEPS):
            await self._scene.move_clock(STEP)
            try:
                await self._scene.settle(STEP_PATIENCE)
            except Unsettled:
                continue
            return
        # Counted as lost.
        self._world.say(f"  not delivered: {await self._scene.unsettled()}")

    def _book(self, before: int) -> None:
        for arrival in self._scene.arrivals[before:]:
            manner = self._manners.get(arrival.instance_id)
            if manner is not None and not arrival.taken:
                self._came[manner.value] += 1

    def _result(self, found: Count) -> Isolation:
        options = self._options
        return Isolation(
            p99_ratio=_ratio(self.bad.pooled(), self.well.pooled(), 0.99),
            p50_ratio=_ratio(self.bad.pooled(), self.well.pooled(), 0.5),
            append_p99_ratio=_ratio(self.bad.append, self.well.append, 0.99),
            well=self.well.phases(),
            bad=self.bad.phases(),
            endpoints=options.endpoints,
            bad_endpoints=len(self._manners),
            rate=options.rate,
            rounds=options.rounds,
            seconds=options.seconds,
            came_to_bad=dict(self._came),
            count=found,
        )


def by_endpoint(samples: Mapping[str, list[float]], share: float) -> list[float]:
    """A percentile of each endpoint in milliseconds, in the order of their names."""
    found = [percentile(samples[name], share) for name in sorted(samples)]
    return [value * 1000 for value in found if value is not None]


def _ratio(these: Iterable[float], those: Iterable[float], share: float) -> float | None:
    one, other = percentile(these, share), percentile(those, share)
    return round(one / other, 3) if one is not None and other else None


def _said(samples: Samples) -> str:
    p99 = percentile(samples.rounds[-1], 0.99)
    return "nothing" if p99 is None else f"p99 {p99 * 1000:.1f} ms"
