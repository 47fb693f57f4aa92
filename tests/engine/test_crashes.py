"""Engines that die, at any moment, lose nothing."""

from __future__ import annotations

import asyncio
import random

import pytest

from actors.instance.connection.base import Gone
from tests.engine.conftest import ANA, BIA, MakeDevice
from tests.engine.device import numbered

pytestmark = pytest.mark.engine

MESSAGES = 1200
KILLS = 12


@pytest.mark.timeout(300)
async def test_killing_the_receiver(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.send(BIA, "first", "F")
    await bia.received(1)

    async def store(_: object) -> None:
        # Long enough that most kills hit an event that is shown but not answered.
        await asyncio.sleep(0.003)

    bia.before_storing = store
    texts = numbered(MESSAGES)
    writing = asyncio.create_task(ana.write(BIA, texts))
    dice = random.Random(7)
    for kill in range(1, KILLS + 1):
        await bia.received(kill * MESSAGES // (KILLS + 2))
        await asyncio.sleep(dice.random() * 0.01)
        bia.kill()
        await bia.signal(Gone, count=kill)
        await bia.restart()
    await writing
    received = await bia.received(MESSAGES + 1, timeout=120)
    assert received[1:] == texts
    # Stored, but killed before the answer was passed on: at most one for each kill.
    assert bia.repeated <= KILLS


@pytest.mark.timeout(300)
async def test_killing_the_sender(device: MakeDevice) -> None:
    """What has no result is sent again under the same id; the receiver sees each once."""
    ana, bia = await device(ANA), await device(BIA)
    texts = numbered(300)
    open_ = dict.fromkeys(texts)

    async def send(text: str) -> None:
        await ana.send(BIA, text, f"S{text}")
        del open_[text]

    for kill in range(1, 5):
        batch = list(open_)[:100]
        sending = asyncio.gather(*(send(text) for text in batch), return_exceptions=True)
        await asyncio.sleep(0.15)
        ana.kill()
        await ana.signal(Gone, count=kill)
        await sending
        await ana.restart()
    for text in list(open_):
        await send(text)
    assert sorted(await bia.received(len(texts))) == texts


async def test_the_engine_ends_with_its_actor(device: MakeDevice) -> None:
    """End of stdin is all that a killed actor leaves behind; the event it did not answer comes again."""
    ana, bia = await device(ANA), await device(BIA)
    shown = asyncio.Event()

    async def never(_: object) -> None:
        shown.set()
        await asyncio.Event().wait()

    bia.before_storing = never
    await ana.send(BIA, "unanswered", "U1")
    await shown.wait()
    await bia.engine.close()
    assert bia.engine.pid is None
    bia.before_storing = None
    await bia.start()
    await bia.connect()
    assert await bia.received(1) == ["unanswered"]
