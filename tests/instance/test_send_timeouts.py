"""Messages that WhatsApp leaves unanswered: given up here and in the engine, in front of nobody else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from actors.settings import OutboxSettings, Settings
from lab.contact import Contact
from lab.faults import IgnoreQuery
from lab.network import Lab
from tests.instance.conftest import FRIEND, PHONE, Running
from tests.wait import until

pytestmark = pytest.mark.engine
NEVER_WRITTEN_TO = "5511900000088"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"outbox": OutboxSettings(send_timeout=2.0, attempts=2)})


async def status(one: Running, message_id: str) -> str | None:
    message = await one.outbox.get(message_id)
    return message.status if message is not None and message.result is not None else None


async def test_what_was_given_up_does_not_make_others_late(
    own: Callable[..., Awaitable[Running]], friend: Contact, lab: Lab
) -> None:
    one = await own()
    await one.pair()
    lab.account(NEVER_WRITTEN_TO)
    first = await one.send("his devices are known from now on")
    await until(lambda: status(one, first), what="the first message")
    lab.faults.add(IgnoreQuery(phone=PHONE, query="usync"))
    stuck = await one.send("whose devices are they?", f"{NEVER_WRITTEN_TO}@s.whatsapp.net")
    fine = await one.send("hello", f"{FRIEND}@s.whatsapp.net")
    assert await until(lambda: status(one, stuck), what="an end") == "failed"
    assert await until(lambda: status(one, fine), what="the message behind it") in ("sent", "delivered")
