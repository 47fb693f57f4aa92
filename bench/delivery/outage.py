"""An endpoint that is away for days of the courier's clock, while events go on to come in."""

from __future__ import annotations

import asyncio
import random
import time

from pydantic import BaseModel

from bench.delivery.books import Count, count
from bench.delivery.instances import chat_id
from bench.delivery.options import Options
from bench.delivery.receiver import Manner
from bench.delivery.world import Scene, World

AWAY = "inst-00"
HEALTHY = ("inst-01", "inst-02", "inst-03", "inst-04")
CHATS = 20
STEP = 1800.0
"""Seconds that the clock is moved on at a time."""
PATIENCE = 30.0
RECOVERY_STEPS = 200
LOOK = 0.01
CALM = 3
"""Looks in a row without an open attempt after which none is expected before the clock moves on."""


class Outage(BaseModel):
    """What was found.

    Attributes:
        virtual_days: that the endpoint was away: first nobody listened there, then it answered 500.
        recovery_hours: of the courier's clock, from its return until all was delivered.
        failed_attempts: that the courier counted for it.
        real_s: seconds that all of this took.
    """

    virtual_days: float
    recovery_hours: float
    failed_attempts: int
    real_s: float
    events_away: int
    events_healthy: int
    count: Count


async def measure(world: World, options: Options) -> Outage:
    """Measure it."""
    began = time.monotonic()
    dice = random.Random(options.seed)
    names = (AWAY, *HEALTHY)
    urls = {name: world.url(name, dark=name == AWAY) for name in names}
    scene = Scene(world, "outage", urls)
    await scene.open()
    await scene.behave({AWAY: Manner.FAIL})
    await scene.start_courier()
    steps = max(2, round(options.days * 86_400 / STEP))
    for step in range(steps):
        if step == steps // 2:
            await world.receiver.ask("light")
        size = options.events * (step + 1) // steps - options.events * step // steps
        await scene.fill([(dice.choice(names), chat_id(dice.randrange(CHATS))) for _ in range(size)])
        await _calm(scene)
        await scene.move_clock(STEP)
        await _calm(scene)
    await scene.behave({})
    recovery = await _recover(scene)
    failed = await scene.failed_attempts(AWAY)
    await scene.stop_courier()
    await scene.fetch()
    dead = await scene.dead()
    await scene.close()
    away = sum(event.instance_id == AWAY for event in scene.appended)
    return Outage(
        virtual_days=round(steps * STEP / 86_400, 2),
        recovery_hours=recovery / 3600,
        failed_attempts=failed,
        real_s=round(time.monotonic() - began, 1),
        events_away=away,
        events_healthy=len(scene.appended) - away,
        count=count([event[:2] for event in scene.appended], scene.arrivals, dead),
    )


async def _calm(scene: Scene) -> None:
    # What could be delivered is, and no attempt is open: at this time of the clock there is no more to come.
    await scene.settle(PATIENCE, but=frozenset({AWAY}))
    calm = 0
    while calm < CALM:
        await asyncio.sleep(LOOK)
        calm = 0 if await scene.world.courier.ask("open_attempts") else calm + 1


async def _recover(scene: Scene) -> float:
    """Move the clock on until all is delivered. Returns by how many seconds."""
    for step in range(RECOVERY_STEPS):
        await _calm(scene)
        if not await scene.unsettled():
            return step * STEP
        await scene.move_clock(STEP)
    # Counted as lost.
    scene.world.say(f"  not delivered: {await scene.unsettled()}")
    return RECOVERY_STEPS * STEP
