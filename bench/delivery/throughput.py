"""How much one courier delivers, beside a client that does nothing but post."""

from __future__ import annotations

import random
from collections.abc import Sequence
from operator import truediv
from statistics import median

from pydantic import BaseModel

from bench.delivery.books import Arrival, Count, count, latencies
from bench.delivery.couriers import Load
from bench.delivery.instances import chat_id
from bench.delivery.machine import Busy
from bench.delivery.options import Options
from bench.delivery.worker import WorkerFailed
from bench.delivery.world import Scene, World
from bench.figures import Spread, spread

ENDPOINTS = 8
CHATS = 200
"""Of each instance: enough that the order within a chat is not what limits."""
TOGETHER = (8, 16, 32, 64, 128, 256)
"""What the plain loop may choose from: at most as many as the courier may have open to so many endpoints."""
PATIENCE = 120.0


class Throughput(BaseModel):
    """What was found.

    Attributes:
        ratio: of a courier's rate to the plain loop's, median of the rounds. Each round has both, one right
            after the other: a machine that others use changes less between these than from round to round.
        courier_per_s, plain_per_s: median of the rounds.
        courier_cpu_us, plain_cpu_us: time of the processor per event, in the delivering process alone.
        courier_open: attempts that a courier had open, or not written down yet, at a time, at most.
        plain_together: requests at a time with which the plain loop was fastest.
        latency_ms: from the event to its 2xx, at ``rate`` events per second.
        busy: share of the machine at that rate.
    """

    ratio: float
    courier_per_s: float
    plain_per_s: float
    courier_rounds: list[float]
    plain_rounds: list[float]
    courier_cpu_us: float
    plain_cpu_us: float
    courier_open: int
    plain_together: int
    endpoints: int
    backlog: int
    latency_ms: Spread | None
    rate: float
    busy: float | None
    count: Count


async def measure(world: World, options: Options) -> Throughput:
    """Measure it."""
    dice = random.Random(options.seed)
    names = [f"inst-{number:02d}" for number in range(ENDPOINTS)]
    couriers: list[tuple[float, Load]] = []
    plains: list[tuple[float, Load]] = []
    total = Count()
    together = 0
    for number in range(options.rounds):
        scene = await _backlog(world, f"throughput-{number}", names, options.backlog, dice)
        await world.plain.ask("load", scene.prefix, scene.urls)
        if not together:
            together = await _best(scene)
        # By turns first: what warms up during a round must not always favour the same one.
        for courier_now in (True, False) if number % 2 else (False, True):
            if courier_now:
                couriers.append(await _courier(scene, options.backlog))
                total += count([event[:2] for event in scene.appended], scene.arrivals)
            else:
                plains.append(await _plain(scene, together))
        await scene.close()
        world.say(f"  round {number + 1}: courier {couriers[-1][0]:.0f}/s, plain loop {plains[-1][0]:.0f}/s")
    if options.profile is not None:
        await _profile(world, names, options, dice)
    found, latency, busy = await _latency(world, names, options)
    courier_rounds, plain_rounds = ([round(rate, 1) for rate, _ in rounds] for rounds in (couriers, plains))
    return Throughput(
        ratio=round(median(map(truediv, courier_rounds, plain_rounds)), 3),
        courier_per_s=median(courier_rounds),
        plain_per_s=median(plain_rounds),
        courier_rounds=courier_rounds,
        plain_rounds=plain_rounds,
        courier_cpu_us=_cpu_us(couriers, options.backlog),
        plain_cpu_us=_cpu_us(plains, options.backlog),
        courier_open=max(load.most_open for _, load in couriers),
        plain_together=together,
        endpoints=ENDPOINTS,
        backlog=options.backlog,
        latency_ms=latency,
        rate=options.rate,
        busy=busy,
        count=total + found,
    )


async def _backlog(world: World, prefix: str, names: Sequence[str], size: int, dice: random.Random) -> Scene:
    scene = Scene(world, prefix, {name: world.url(name) for name in names})
    await scene.open()
    await scene.fill([(names[n % len(names)], chat_id(dice.randrange(CHATS))) for n in range(size)])
    return scene


async def _courier(scene: Scene, size: int, *, profiled: bool = False) -> tuple[float, Load]:
    await scene.start_courier(profiled=profiled)
    await scene.world.receiver.ask("wait", size, PATIENCE)
    await scene.settle(PATIENCE)
    load = await scene.stop_courier()
    return _per_second(await scene.fetch()), load


async def _plain(scene: Scene, together: int) -> tuple[float, Load]:
    load: Load = await scene.world.plain.ask("run", together)
    # Not the scene's: these are no deliveries.
    arrivals: list[Arrival] = await scene.world.receiver.ask("take")
    if count([event[:2] for event in scene.appended], arrivals).lost:
        raise WorkerFailed("the plain loop did not post everything")
    return _per_second(arrivals), load


async def _best(scene: Scene) -> int:
    """How many requests at a time suit the plain loop best."""
    rates = {together: (await _plain(scene, together))[0] for together in TOGETHER}
    best = max(TOGETHER, key=lambda together: rates[together])
    scene.world.say(
        "  plain loop: " + ", ".join(f"{rate:.0f}/s with {together}" for together, rate in rates.items())
    )
    return best


async def _profile(world: World, names: Sequence[str], options: Options, dice: random.Random) -> None:
    assert options.profile is not None
    scene = await _backlog(world, "throughput-profile", names, options.backlog, dice)
    rate, load = await _courier(scene, options.backlog, profiled=True)
    await scene.close()
    head = (
        f"{options.backlog} events, {rate:.0f}/s and {load.cpu:.1f} s of the processor under the profiler\n"
    )
    options.profile.write_text(head + await world.courier.ask("profile"))


async def _latency(
    world: World, names: Sequence[str], options: Options
) -> tuple[Count, Spread | None, float | None]:
    scene = Scene(world, "latency", {name: world.url(name) for name in names})
    await scene.open()
    await scene.start_courier()
    await scene.flow(options.rate, options.lead, CHATS, options.seed)
    busy = Busy()
    _, appended = await scene.flow(options.rate, options.seconds, CHATS, options.seed + 1)
    share = busy.share()
    await scene.settle(PATIENCE)
    await scene.stop_courier()
    await scene.fetch()
    await scene.close()
    found = count([event[:2] for event in scene.appended], scene.arrivals)
    seconds = [one for many in latencies(appended, scene.arrivals).values() for one in many]
    return found, spread(value * 1000 for value in seconds), share


def _per_second(arrivals: Sequence[Arrival]) -> float:
    times = [arrival.at for arrival in arrivals]
    return (len(times) - 1) / (max(times) - min(times))


def _cpu_us(rounds: Sequence[tuple[float, Load]], events: int) -> float:
    return round(median(load.cpu for _, load in rounds) / events * 1e6, 1)
