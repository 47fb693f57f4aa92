"""Files that contacts send: told of at once, fetched beside the events, stored once, whatever fails."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from actors.events import Event, EventType
from actors.media.errors import Code, MediaError
from actors.settings import MediaSettings, Settings
from lab.attachments import KINDS, Attachment, Kind
from lab.contact import Contact
from lab.faults import BreakMedia, CorruptMedia, LoseMedia, SlowMedia
from lab.network import Lab
from tests.instance.conftest import PHONE, Running
from tests.wait import until

pytestmark = pytest.mark.engine
Own = Callable[..., Awaitable[Running]]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    media = MediaSettings(download_schedule=(0.1, 0.1, 0.1), download_bytes=1_000_000, download_bound=50)
    return settings.model_copy(update={"media": media})


@pytest.fixture
async def one(own: Own, friend: Contact) -> Running:
    running = await own()
    await running.pair()
    return running


OF_KINDS: dict[str, tuple[str, dict[str, bool]]] = {
    "voice": ("audio", {"voice": True}),
    "gif": ("video", {"gif": True}),
}
"""Kinds that are told apart by more than their field: the kind of file, and what is said of it."""


async def write(
    friend: Contact,
    folder: Path,
    kind: str = "document",
    said: dict[str, bool] | None = None,
    size: int = 70_001,
) -> bytes:
    path = (folder / "original").absolute()
    data = os.urandom(size)
    path.write_bytes(data)
    await friend.write_file(PHONE, path, Attachment(cast("Kind", kind), file_name="a.bin", **said or {}))
    return data


async def told(one: Running, kind: EventType, count: int = 1) -> list[Event]:
    async def look() -> list[Event] | None:
        found = await one.events(kind)
        return found if len(found) >= count else None

    return await until(look, what=f"{count} {kind}")


async def stored(one: Running, media_id: str) -> bytes:
    return b"".join([part async for part in one.instance._files.read(one.id, media_id)])


async def waiting(one: Running) -> int:
    return int(await one.store.redis.hlen(one.mailbox.key("downloads")))


def parts(settings: Settings) -> list[Path]:
    """Files that are being downloaded."""
    return [part for part in (settings.data_dir / "media").rglob(".*.part") if part.stat().st_size]


@pytest.mark.kinds(receive=("image", "video", "gif", "audio", "voice", "document", "sticker"))
@pytest.mark.parametrize("kind", [*KINDS, "voice", "gif"])
async def test_a_file_is_told_of_at_once_and_then_stored(
    one: Running, friend: Contact, tmp_path: Path, kind: str
) -> None:
    data = await write(friend, tmp_path, *OF_KINDS.get(kind, (kind, {})))
    [message] = await told(one, EventType.MESSAGE_RECEIVED)
    [ready] = await told(one, EventType.MEDIA_READY)
    media = message.data["content"]["media"]
    assert (message.data["content"]["type"], media["state"]) == (kind, "pending")
    assert ready.data["message_id"] == message.data["id"]
    assert ready.data["chat"] == message.data["chat"]
    assert (ready.chat_id, ready.data["media"]["id"]) == (message.chat_id, media["id"])
    assert ready.seq > message.seq
    assert ready.data["media"]["size"] == len(data)
    assert await stored(one, media["id"]) == data
    assert ready.data["media"]["url"].startswith(f"/v1/media/{one.id}/{media['id']}?expires=")
    assert await waiting(one) == 0
    assert list(one.instance._files.scratch.iterdir()) == []


async def test_a_file_that_is_gone(one: Running, friend: Contact, lab: Lab, tmp_path: Path) -> None:
    lab.faults.add(LoseMedia(code=410))
    await write(friend, tmp_path)
    [failed] = await told(one, EventType.MEDIA_FAILED)
    assert (failed.data["reason"], failed.data["attempts"]) == ("gone", 1)
    assert await waiting(one) == 0


async def test_a_file_that_is_not_what_its_sender_said(
    one: Running, friend: Contact, lab: Lab, tmp_path: Path
) -> None:
    lab.faults.add(CorruptMedia(times=1))
    data = await write(friend, tmp_path)
    [ready] = await told(one, EventType.MEDIA_READY)
    assert await stored(one, ready.data["media"]["id"]) == data
    lab.faults.add(CorruptMedia())
    await write(friend, tmp_path)
    [failed] = await told(one, EventType.MEDIA_FAILED)
    assert (failed.data["reason"], failed.data["attempts"]) == ("corrupt", 2)


async def test_a_file_that_breaks_off_every_time(
    one: Running, friend: Contact, lab: Lab, tmp_path: Path
) -> None:
    lab.faults.add(BreakMedia())
    await write(friend, tmp_path)
    [failed] = await told(one, EventType.MEDIA_FAILED)
    assert (failed.data["reason"], failed.data["attempts"]) == ("unavailable", 4)
    assert await waiting(one) == 0
    lab.faults.clear()
    lab.faults.add(BreakMedia(times=1))
    await write(friend, tmp_path)
    await told(one, EventType.MEDIA_READY)


async def test_a_file_that_is_too_large_is_not_fetched(one: Running, friend: Contact, tmp_path: Path) -> None:
    await write(friend, tmp_path, size=1_000_001)
    [message] = await told(one, EventType.MESSAGE_RECEIVED)
    media = message.data["content"]["media"]
    assert (media["state"], media["reason"]) == ("failed", "too_large")
    assert await waiting(one) == 0


async def test_an_instance_that_wants_no_files(one: Running, friend: Contact, tmp_path: Path) -> None:
    record = one.instance.record
    one.instance.configure(record.model_copy(update={"download": False, "revision": record.revision + 1}))
    await write(friend, tmp_path)
    [message] = await told(one, EventType.MESSAGE_RECEIVED)
    assert message.data["content"]["media"]["state"] == "off"
    assert await waiting(one) == 0


async def test_a_store_that_takes_nothing_costs_no_event(
    one: Running, friend: Contact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a full disk: tried again, and given up when it lasts; the instance goes on."""

    async def full(*args: object, **more: object) -> None:
        raise MediaError(Code.STORE, "the disk is full", again=True)

    monkeypatch.setattr(one.instance._files, "put", full)
    await write(friend, tmp_path)
    [failed] = await told(one, EventType.MEDIA_FAILED)
    assert (failed.data["reason"], failed.data["attempts"]) == ("unavailable", 4)
    monkeypatch.undo()
    await friend.write(PHONE, "hello")
    await until(lambda: _has(one, "hello"))
    await write(friend, tmp_path)
    await told(one, EventType.MEDIA_READY)


async def _has(one: Running, text: str) -> bool:
    return text in await one.received()


async def test_texts_pass_a_file_that_comes_slowly(
    one: Running, friend: Contact, lab: Lab, settings: Settings, tmp_path: Path
) -> None:
    await _begin_slowly(one, friend, lab, settings, tmp_path)
    await friend.write(PHONE, "meanwhile")
    await until(lambda: _has(one, "meanwhile"))
    assert await one.events(EventType.MEDIA_READY) == []


async def test_an_engine_that_is_killed_amid_a_download(
    one: Running, friend: Contact, lab: Lab, settings: Settings, tmp_path: Path
) -> None:
    data = await _begin_slowly(one, friend, lab, settings, tmp_path)
    os.kill(one.engine_pid, signal.SIGKILL)
    lab.faults.clear()
    [ready] = await told(one, EventType.MEDIA_READY)
    assert await stored(one, ready.data["media"]["id"]) == data
    assert len(await one.events(EventType.MESSAGE_RECEIVED)) == 1


async def test_an_owner_that_dies_amid_a_download(
    one: Running, own: Own, friend: Contact, lab: Lab, settings: Settings, tmp_path: Path
) -> None:
    """As after a SIGKILL of its process: nothing is finished, and nothing is told to anybody."""
    data = await _begin_slowly(one, friend, lab, settings, tmp_path)
    os.kill(one.engine_pid, signal.SIGKILL)
    one.task.cancel()
    await asyncio.gather(one.task, return_exceptions=True)
    assert await waiting(one) == 1
    lab.faults.clear()
    successor = await own()
    [ready] = await told(successor, EventType.MEDIA_READY)
    assert await stored(successor, ready.data["media"]["id"]) == data
    assert ready.epoch == one.instance.epoch + 1
    assert await waiting(successor) == 0


async def test_a_handoff_amid_a_download(
    one: Running, own: Own, friend: Contact, lab: Lab, settings: Settings, tmp_path: Path
) -> None:
    data = await _begin_slowly(one, friend, lab, settings, tmp_path)
    async with asyncio.timeout(10):
        await one.instance.drain()
    lab.faults.clear()
    successor = await own()
    [ready] = await told(successor, EventType.MEDIA_READY)
    assert await stored(successor, ready.data["media"]["id"]) == data
    assert len(await successor.events(EventType.MESSAGE_RECEIVED)) == 1


async def _begin_slowly(one: Running, friend: Contact, lab: Lab, settings: Settings, folder: Path) -> bytes:
    await one.instance._downloads.pause()
    data = await write(friend, folder, size=500_000)
    await told(one, EventType.MESSAGE_RECEIVED)
    lab.faults.add(SlowMedia(bytes_per_second=50_000))
    one.instance._downloads.resume()
    await until(lambda: parts(settings), what="a download in flight")
    return data


async def test_what_waits_survives_a_crash_right_after_the_event(
    one: Running, own: Own, friend: Contact, tmp_path: Path
) -> None:
    await one.instance._downloads.pause()
    data = await write(friend, tmp_path)
    await told(one, EventType.MESSAGE_RECEIVED)
    assert await waiting(one) == 1
    one.task.cancel()
    await asyncio.gather(one.task, return_exceptions=True)
    successor = await own()
    [ready] = await told(successor, EventType.MEDIA_READY)
    assert await stored(successor, ready.data["media"]["id"]) == data


async def test_files_whose_time_is_over_go_and_those_that_wait_stay(
    one: Running, friend: Contact, tmp_path: Path
) -> None:
    await write(friend, tmp_path)
    [ready] = await told(one, EventType.MEDIA_READY)
    upkeep = one.instance._upkeep
    await upkeep.turn()
    assert await stored(one, ready.data["media"]["id"])
    upkeep._settings = upkeep._settings.model_copy(update={"retention": 0.0})
    upkeep._needed = lambda: _set(ready.data["media"]["id"])
    await upkeep.turn()
    assert await stored(one, ready.data["media"]["id"])
    upkeep._needed = lambda: _set()
    await upkeep.turn()
    assert [entry async for entry in one.instance._files.entries(one.id)] == []


async def _set(*ids: str) -> set[str]:
    return set(ids)
