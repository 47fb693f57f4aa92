"""The incident before a real courier, ten times as fast: what is measured of it, and when it is alerted.

An endpoint hangs, and so do all questions to WhatsApp, while messages flow. Every 1.5 s what is measured is
written down as Prometheus would have read it after 15 s, and then Prometheus' own tool judges by the rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from actors import metrics
from actors.courier import measured as of_courier
from actors.courier.courier import Courier
from actors.instance import measured as of_instance
from actors.settings import CourierSettings, Settings
from actors.store import Store
from actors.supervisor.census import Census
from tests.courier.conftest import Account
from tests.courier.receiver import Got, Receiver
from tests.prometheus.tools import SCRAPE, look, run, scenario, suite

FASTER = 10
DEADLINE = 15 / FASTER
BEFORE, AFTER = 3, 9
"""Scrapes: 135 s of the incident in all."""
ALERTED = {"MaloteAttemptsNearDeadline": 45, "MaloteQueryTimeouts": 45, "MaloteOldestUndelivered": 105}
"""Seconds into the incident at which each fires at the latest: a scrape later than on a quiet machine."""
STAYS_SILENT = ("MaloteEventHandlerHangs", "MaloteAppendsSlow", "MaloteMailboxFills", "MaloteInstanceParks")
"""What would mean that the events themselves are held up, as they were then."""

Series = dict[str, list[float]]


def scrape(into: Series) -> None:
    """Add what is measured now, in seconds as slow as Prometheus' are to be."""
    for family in metrics.REGISTRY.collect():
        slower = FASTER if family.type == "gauge" and family.name.endswith("_seconds") else 1
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            name = f"{sample.name}{{{labels}}}"
            into.setdefault(name, []).append(sample.value * slower)


@contextlib.asynccontextmanager
async def working(*work: object) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one) for one in work]  # type: ignore[arg-type]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_incident_as_it_is_measured(promtool: str, tmp_path: Path, store: Store) -> None:
    settings = Settings(
        courier=CourierSettings(
            allow_private=True,
            timeout=DEADLINE,
            sweep=0.2,
            schedule=(0.5, 3, 12, 60),
            breaker_first=3.0,
            breaker_longest=30.0,
        )
    )
    receiver, hangs, series = Receiver(), asyncio.Event(), Series()
    await receiver.start()
    courier = Courier(store, settings, 0, (0,))
    census, handlers = Census(settings, store), of_instance.Handlers()
    hung, healthy = Account(store, settings, "hung"), Account(store, settings, "healthy")
    for account in (hung, healthy):
        await account.open()
        await account.endpoints.create(receiver.url(f"/{account.id}"))

    async def answer(got: Got, request: web.Request) -> web.Response | None:
        if hangs.is_set():
            await asyncio.Event().wait()
        return None

    async def write(account: Account) -> None:
        for number in itertools.count():
            with handlers.one():
                await account.append(chat=f"chat-{number % 8}")
            await asyncio.sleep(0.1)

    async def ask() -> None:
        while True:
            await hangs.wait()
            with contextlib.suppress(TimeoutError):
                async with of_instance.query("picture"), asyncio.timeout(DEADLINE):
                    await asyncio.Event().wait()

    receiver.answer(answer, "/hung")
    async with working(courier.run(), write(hung), write(healthy), *(ask() for _ in range(4))):
        for number in range(BEFORE + AFTER):
            if number == BEFORE:
                hangs.set()
            await asyncio.sleep(SCRAPE / FASTER)
            await census.turn()
            handlers.sample()
            of_courier.sample(courier, settings.metrics)
            metrics.sample()
            scrape(series)
        delivered = len(receiver.seqs("/healthy"))
        appended = (await healthy.mailbox.extent())[1]
    await receiver.stop()
    assert appended - delivered < 20, "who has a healthy endpoint notices nothing"

    # Series that began later have no value before that.
    scrapes = BEFORE + AFTER
    values = {
        name: " ".join(["_"] * (scrapes - len(found)) + [f"{value:g}" for value in found])
        for name, found in series.items()
        if "_bucket" not in name
    }
    begins = (BEFORE - 1) * SCRAPE
    looks = [look(alert, begins + seconds, True) for alert, seconds in ALERTED.items()]
    looks += [look(alert, begins, False) for alert in ALERTED]
    looks += [look(alert, begins + at, False) for alert in STAYS_SILENT for at in (45, 105, 135)]
    run(promtool, "test", "rules", suite(tmp_path, [scenario("incident", values, looks)], 5))
