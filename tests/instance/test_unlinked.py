"""A device that the phone unlinks while nobody listens: the instance says so, and can be paired again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from actors.instance.connector import SESSION_LOST
from actors.instance.errors import CallFailed
from actors.registry import ConnectionState, InstanceState
from lab.network import Lab
from tests.instance.conftest import PHONE, Running
from tests.wait import until

pytestmark = pytest.mark.engine
Own = Callable[..., Awaitable[Running]]


async def end(one: Running) -> None:
    one.task.cancel()
    await asyncio.gather(one.task, return_exceptions=True)


def move(here: Path, there: Path) -> None:
    """Put the session store elsewhere."""
    there.mkdir(exist_ok=True)
    for file in here.glob("session.db*"):
        file.rename(there / file.name)


async def unlinked(lab: Lab, tmp_path: Path) -> None:
    """The phone unlinks the device, and the engine has forgotten it."""

    def devices() -> int:
        with sqlite3.connect(tmp_path / "session.db") as database:
            return int(database.execute("select count(*) from whatsmeow_device").fetchone()[0])

    lab.log_out(PHONE, 1)
    await until(lambda: devices() == 0, what="the engine forgets the device")


async def paired_again(one: Running) -> None:
    """Log it out if it does not know yet, and pair it."""

    async def told() -> InstanceState | None:
        state = await one.state()
        return state if state.device is None or SESSION_LOST in (state.reason or "") else None

    if (await until(told, what="it says what is wrong")).device is not None:
        await one.instance.logout()
    await until(lambda: _unpaired(one), what="it has forgotten the device")
    assert (await one.state()).phone is None
    record = one.instance.record
    one.instance.configure(record.model_copy(update={"revision": record.revision + 1}))
    await one.pair()


async def _unpaired(one: Running) -> bool:
    return (await one.state()).device is None


async def test_while_it_is_disconnected_by_request(own: Own, lab: Lab) -> None:
    one = await own()
    await one.pair()
    lab.log_out(PHONE, 1)
    one.instance._connector.want(False)
    await asyncio.sleep(0.5)  # whichever of both comes first
    one.instance._connector.want(True)
    await paired_again(one)


async def test_while_it_is_handed_over(own: Own, lab: Lab) -> None:
    one = await own()
    await one.pair()
    lab.log_out(PHONE, 1)
    await one.instance.quiesce()
    await one.instance.disconnect()
    await end(one)
    await paired_again(await own())


async def test_and_its_owner_is_killed_before_that_is_written_down(
    own: Own, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await own()
    await one.pair()
    monkeypatch.setattr(one.instance._announcer, "change", lambda *_, **__: None)
    await unlinked(lab, tmp_path)
    await end(one)
    assert (await one.state()).device is not None
    await paired_again(await own())


async def test_a_session_that_was_away_is_found_again(own: Own, tmp_path: Path) -> None:
    """As when the session store was another one for a while: nobody has to do anything."""
    one = await own()
    await one.pair()
    await end(one)
    device = (await one.state()).device
    away = tmp_path / "away"
    move(tmp_path, away)
    other = await own()

    async def lost() -> bool:
        return SESSION_LOST in ((await other.state()).reason or "")

    await until(lost, what="it says that its session is lost")
    state = await other.state()
    assert (state.connection, state.device) == (ConnectionState.CONNECTING, device)
    move(tmp_path, tmp_path / "other")
    move(away, tmp_path)
    assert (await other.reach(ConnectionState.CONNECTED)).device == device
    with pytest.raises(CallFailed, match="paired"):
        await other.instance.pair_phone(PHONE)
