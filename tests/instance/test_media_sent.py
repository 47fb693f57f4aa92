"""Files that are sent: uploaded before their message, and downloaded by a contact with its own client."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from actors.events import EventType
from actors.instance.outbox import QueuedMessage, SendRequest
from actors.media.kinds import Kind
from actors.settings import Settings
from api.intake import Intake
from lab.contact import Contact
from lab.faults import RefuseUpload, SlowMedia
from lab.network import Lab
from tests.instance.conftest import FRIEND, PHONE, Running
from tests.media import files
from tests.wait import until

pytestmark = pytest.mark.engine
Own = Callable[..., Awaitable[Running]]


class Desk:
    """An instance, and what a gateway does for it."""

    def __init__(self, one: Running, settings: Settings, lab: Lab) -> None:
        self.one = one
        self.lab = lab
        self.files = one.instance._files
        self.intake = Intake(settings, self.files)

    async def queue(self, kind: str, source: Path, **members: Any) -> str:
        """What a POST with this file does."""
        media = await self.files.put(self.one.id, source, mime_type="application/octet-stream")
        request = SendRequest.model_validate(
            {"to": f"{FRIEND}@s.whatsapp.net", "type": kind, "media": {"id": media.id}, **members}
        )
        taken = await self.intake.take(self.one.id, request.content)  # type: ignore[arg-type]
        message_id, _ = await self.one.outbox.enqueue(request, file=taken.file)
        self.one.instance.ring_outbox()
        return message_id

    async def file(self, message_id: str) -> bytes:
        """The stored file of a message that waits."""
        message = await self.one.outbox.get(message_id)
        assert message is not None
        assert message.file is not None
        return b"".join([part async for part in self.files.read(self.one.id, message.file.id)])

    async def result(self, message_id: str) -> QueuedMessage:
        async def look() -> QueuedMessage | None:
            message = await self.one.outbox.get(message_id)
            return message if message and message.result is not None else None

        return await until(look, what="a result")

    def uploads(self) -> int:
        """Files that the account has uploaded."""
        return len(self.lab.board.media.all())

    def drafts(self) -> list[Path]:
        """Files that are being uploaded."""
        return list((self.lab.state_dir / "media").glob("*.draft"))


@pytest.fixture
async def desk(own: Own, settings: Settings, lab: Lab) -> AsyncIterator[Desk]:
    one = await own()
    await one.pair()
    made = Desk(one, settings, lab)
    yield made
    await made.intake.close()


def source(kind: str, folder: Path) -> Path:
    match Kind(kind):
        case Kind.IMAGE | Kind.STICKER | Kind.DOCUMENT:
            return files.picture(folder / "source.bmp")
        case Kind.VIDEO:
            return files.film(folder / "source.mp4")
        case Kind.GIF:
            return files.animation(folder / "source.gif")
        case _:
            return files.tone(folder / "source.wav", "pcm_s16le")


async def arrives(friend: Contact, message_id: str) -> None:
    await until(lambda: any(one.id == message_id for one in friend.arrivals()), what=message_id)


@pytest.mark.kinds(send=("image", "video", "gif", "audio", "voice", "document", "sticker"))
@pytest.mark.parametrize("kind", [kind.value for kind in Kind])
async def test_every_kind_arrives_whole(desk: Desk, friend: Contact, tmp_path: Path, kind: str) -> None:
    await desk.one.instance.quiesce()
    captioned = {"caption": "look"} if kind in ("image", "video", "gif", "document") else {}
    message_id = await desk.queue(kind, source(kind, tmp_path), **captioned)
    whole = await desk.file(message_id)
    desk.one.instance.resume()
    message = await desk.result(message_id)
    assert message.status != "failed", message.result
    await arrives(friend, message_id)
    assert await friend.fetch(message_id) == whole
    [told] = await desk.one.events(EventType.MESSAGE_SENT)
    content = told.data["content"]
    assert (content["type"], content["media"]["state"]) == (kind, "ready")
    assert content["media"]["size"] == len(whole)
    assert content.get("caption") == captioned.get("caption")
    # Nothing but the id of the file is kept with the message.
    assert (message.file, message.upload) == (None, None)


async def test_a_file_is_forwarded_without_being_uploaded_again(
    desk: Desk, friend: Contact, tmp_path: Path
) -> None:
    first = await desk.queue("image", source("image", tmp_path))
    await desk.result(first)
    forward = SendRequest.model_validate(
        {"to": f"{FRIEND}@s.whatsapp.net", "type": "forward", "message_id": first}
    )
    second, _ = await desk.one.outbox.enqueue(forward)
    desk.one.instance.ring_outbox()
    for message_id in (first, second):
        await arrives(friend, message_id)
    assert await friend.fetch(first) == await friend.fetch(second)
    assert desk.uploads() == 1


async def test_a_file_that_whatsapp_does_not_take(
    desk: Desk, friend: Contact, lab: Lab, tmp_path: Path
) -> None:
    lab.faults.add(RefuseUpload(phone=PHONE, code=413))
    message = await desk.result(await desk.queue("document", source("document", tmp_path)))
    assert (message.status, message.attempts) == ("failed", 0)
    [told] = await desk.one.events(EventType.MESSAGE_FAILED)
    assert told.data["error"]["code"] == "upload_failed"
    assert told.data["error"]["server_code"] == 413
    # Those behind it are sent.
    assert (await desk.result(await desk.one.send("text"))).status != "failed"


async def test_an_upload_that_is_refused_once_is_tried_again(
    desk: Desk, friend: Contact, lab: Lab, tmp_path: Path
) -> None:
    lab.faults.add(RefuseUpload(phone=PHONE, code=500, times=1))
    message_id = await desk.queue("document", source("document", tmp_path))
    assert (await desk.result(message_id)).status != "failed"
    await arrives(friend, message_id)


async def test_a_file_that_is_no_longer_stored(desk: Desk, tmp_path: Path) -> None:
    await desk.one.instance.quiesce()
    message_id = await desk.queue("document", source("document", tmp_path))
    queued = await desk.one.outbox.get(message_id)
    assert queued is not None
    assert queued.file is not None
    await desk.files.delete(desk.one.id, queued.file.id)
    desk.one.instance.resume()
    assert ((await desk.result(message_id)).result or {})["error"]["code"] == "media_not_found"


async def test_a_handoff_with_an_upload_in_flight(
    desk: Desk, own: Own, friend: Contact, lab: Lab, tmp_path: Path
) -> None:
    slow = lab.faults.add(SlowMedia(bytes_per_second=1_000))
    message_id = await desk.queue("document", source("document", tmp_path))
    await until(desk.drafts, what="an upload in flight")
    # Well within the deadline of a quiesce, though the upload would take longer.
    async with asyncio.timeout(5):
        await desk.one.instance.quiesce()
    queued = await desk.one.outbox.head()
    assert queued is not None
    assert (queued.id, queued.status, queued.attempts) == (message_id, "queued", 0)
    async with asyncio.timeout(10):
        await desk.one.instance.drain()
    lab.faults.remove(slow)
    successor = await own()
    assert successor.instance.epoch == desk.one.instance.epoch + 1
    assert (await desk.result(message_id)).status != "failed"
    await arrives(friend, message_id)
    assert [one.id for one in friend.arrivals()] == [message_id]
    assert await friend.fetch(message_id) == (await _stored(desk, message_id))


async def test_an_engine_that_is_killed_amid_an_upload(
    desk: Desk, friend: Contact, lab: Lab, tmp_path: Path
) -> None:
    lab.faults.add(SlowMedia(bytes_per_second=5_000, times=1))
    message_id = await desk.queue("document", source("document", tmp_path))
    await until(desk.drafts, what="an upload in flight")
    os.kill(desk.one.engine_pid, signal.SIGKILL)
    assert (await desk.result(message_id)).status != "failed"
    await arrives(friend, message_id)
    assert [one.id for one in friend.arrivals()] == [message_id]


async def _stored(desk: Desk, message_id: str) -> bytes:
    message = await desk.one.outbox.get(message_id)
    assert message is not None
    media_id = message.request.content.media.id  # type: ignore[union-attr]
    assert media_id is not None
    return b"".join([part async for part in desk.files.read(desk.one.id, media_id)])
