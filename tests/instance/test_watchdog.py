"""A connection on which WhatsApp fell silent is found and replaced; one that is only quiet is not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from actors.events import EventType
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import ConnectionError
from actors.instance.connection.engine import EngineConnection
from actors.registry import ConnectionState
from actors.settings import InstanceSettings, Settings
from lab.contacts import Contact
from lab.faults import IgnoreQuery, StopWriting
from lab.network import Lab
from tests.instance.conftest import PHONE, Running
from tests.wait import until

pytestmark = pytest.mark.engine
Own = Callable[..., Awaitable[Running]]

NEVER = 3600.0
"""A silence that no test lives to see."""


class Pings:
    """How the engines' pings ended, in order."""

    def __init__(self) -> None:
        self.started = 0
        self.ends: list[str] = []

    def count(self, end: str) -> int:
        return self.ends.count(end)


@pytest.fixture
def pings(monkeypatch: pytest.MonkeyPatch) -> Pings:
    """Sees every ping of this process's engines."""
    seen, ping = Pings(), EngineConnection.ping

    async def watched(self: EngineConnection, timeout: float) -> None:
        seen.started += 1
        try:
            await ping(self, timeout)
        except ConnectionError as error:
            seen.ends.append(error.code)
            raise
        except asyncio.CancelledError:
            seen.ends.append("cancelled")
            raise
        seen.ends.append("answered")

    monkeypatch.setattr(EngineConnection, "ping", watched)
    return seen


@pytest.fixture
def watchdog() -> dict[str, float]:
    """How the instance is set; a test that wants it otherwise is parametrized."""
    return {"watchdog_silence": 0.1, "watchdog_timeout": 0.5, "watchdog_failures": 2}


@pytest.fixture
def settings(settings: Settings, watchdog: dict[str, float]) -> Settings:
    instance = InstanceSettings(**{**settings.instance.model_dump(), **watchdog})
    return settings.model_copy(update={"instance": instance})


def logins(lab: Lab) -> int:
    return lab.device(PHONE, 1).counters.logins


async def reasons(one: Running) -> list[str]:
    events = await one.events(EventType.CONNECTION_CHANGED)
    return [event.data["reason"] for event in events if event.data["reason"]]


async def has(one: Running, texts: list[str]) -> bool:
    return len(await one.received()) >= len(texts)


async def write(friend: Contact, count: int, prefix: str) -> list[str]:
    written = await friend.write(PHONE, prefix + "-{n}", count=count)
    assert written.error is None
    return [f"{prefix}-{number}" for number in range(1, count + 1)]


async def test_a_silent_connection_is_replaced_and_nothing_is_lost(
    own: Own, friend: Contact, lab: Lab
) -> None:
    one = await own()
    await one.pair()
    expected = await write(friend, 5, "before")
    await until(lambda: has(one, expected))
    before = logins(lab)
    assert lab.freeze(PHONE, 1)
    sent = [await one.send(f"answer-{number}") for number in range(3)]
    expected += await write(friend, 20, "during")
    await until(lambda: logins(lab) > before, what="another login")
    await until(lambda: has(one, expected), what="every message in the mailbox")
    assert await one.received() == expected
    await until(lambda: len(friend.arrivals()) == 3, what="every answer at the contact")
    assert [arrival.id for arrival in friend.arrivals()] == sent
    assert any(reason.startswith("WhatsApp said nothing") for reason in await reasons(one))
    await one.reach(ConnectionState.CONNECTED)


@pytest.mark.parametrize(
    "watchdog", [{"watchdog_silence": 0.1, "watchdog_timeout": 0.5, "login_timeout": 1.0}]
)
async def test_a_network_that_answers_nothing_is_left_until_it_does(
    own: Own, friend: Contact, lab: Lab
) -> None:
    """New connections are silent, too, for a while: the attempts go on."""
    one = await own()
    await one.pair()
    fault = lab.faults.add(StopWriting(phone=PHONE))
    expected = await write(friend, 10, "unheard")
    await until(lambda: lab.device(PHONE, 1).counters.connections > 3, what="repeated attempts")
    lab.faults.remove(fault)
    await until(lambda: has(one, expected), what="every message in the mailbox")
    assert await one.received() == expected


@pytest.mark.parametrize("watchdog", [{"watchdog_silence": 0.05, "watchdog_timeout": 30.0}])
async def test_a_quiet_connection_is_left_alone(own: Own, lab: Lab, pings: Pings) -> None:
    one = await own()
    await one.pair()
    before, changes = logins(lab), len(await one.events(EventType.CONNECTION_CHANGED))
    await until(lambda: pings.count("answered") >= 10, what="ten signs of life")
    assert set(pings.ends) == {"answered"}
    assert logins(lab) == before
    assert len(await one.events(EventType.CONNECTION_CHANGED)) == changes


@pytest.mark.parametrize("watchdog", [{"watchdog_silence": NEVER, "watchdog_timeout": 30.0}])
async def test_a_failed_keepalive_is_looked_into_at_once(own: Own, lab: Lab, pings: Pings) -> None:
    one = await own()
    await one.pair()
    before = logins(lab)
    assert pings.started == 0
    one.instance._connector.on_signal(pb.KeepAlive(ok=True))
    one.instance._connector.on_signal(pb.KeepAlive(ok=False, failures=1))
    await until(lambda: pings.ends == ["answered"], what="a sign of life")
    assert logins(lab) == before, "one failed keepalive is no reason to reconnect"
    await one.reach(ConnectionState.CONNECTED)


@pytest.mark.parametrize("watchdog", [{"watchdog_silence": 0.05, "watchdog_timeout": 30.0}])
async def test_a_handoff_does_not_wait_for_a_sign_of_life(
    own: Own, friend: Contact, lab: Lab, pings: Pings
) -> None:
    one = await own()
    await one.pair()
    lab.faults.add(IgnoreQuery(phone=PHONE, query="w:p"))
    await until(lambda: pings.started > len(pings.ends), what="a question on its way")
    await one.instance.quiesce()
    await one.instance.disconnect()
    assert pings.ends[-1] == "cancelled"
    asked, before = pings.started, logins(lab)
    lab.faults.clear()
    expected = await write(friend, 3, "while suspended")
    assert (pings.started, logins(lab)) == (asked, before), "nobody is asked while suspended"
    one.instance.resume()
    await until(lambda: has(one, expected))
    assert await one.received() == expected
    await until(lambda: pings.started > asked, what="the watchdog after the resumption")
