"""The history that a phone offers: off unless wanted, then told page by page, each once, whatever fails."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from actors.events import Event, EventType
from actors.instance.history import HistoryReader
from actors.registry import History
from actors.settings import HistorySettings, Settings
from actors.store import StoreUnavailable
from lab import wa_pb2 as wa
from lab.attachments import Attachment, message_with
from lab.contact import Contact
from lab.faults import LoseMedia, SlowMedia
from lab.network import Lab
from lab.past import PastChat, PastMessage
from tests.api.world import running_world
from tests.instance.conftest import FRIEND, PHONE, Running
from tests.instance.http import Gateway
from tests.store.samples import raise_floor
from tests.wait import until

pytestmark = pytest.mark.engine
Own = Callable[..., Awaitable[Running]]
GROUP = "120363000000000001@g.us"
COUNT = 60


@pytest.fixture
def settings(settings: Settings) -> Settings:
    history = HistorySettings(page_bytes=1000, schedule=(0.1, 0.1), pause=0.05)
    return settings.model_copy(update={"history": history})


@pytest.fixture
def past(lab: Lab) -> list[str]:
    """Gives the phone a past; its texts."""
    lab.account(PHONE)
    lab.account(FRIEND)
    chats = [
        PastChat(chat=FRIEND, messages=[PastMessage(text=f"{n} of before") for n in range(COUNT)]),
        PastChat(chat=GROUP, messages=[PastMessage(text="in a group", sender=FRIEND)]),
    ]
    lab.board.phones.pasts.set(PHONE, chats)
    return [message.text for chat in chats for message in chat.messages]


def want(one: Running, history: History) -> None:
    record = one.instance.record
    one.instance.configure(record.model_copy(update={"history": history, "revision": record.revision + 1}))


async def told(one: Running, kind: EventType, count: int = 1) -> list[Event]:
    async def look() -> list[Event] | None:
        found = await one.events(kind)
        return found if len(found) >= count else None

    return await until(look, what=f"{count} {kind}")


async def last_page(one: Running, sync: str) -> list[Event]:
    """Wait for the last page of a kind; all pages of that kind."""

    async def look() -> list[Event] | None:
        pages = [page for page in await one.events(EventType.HISTORY_MESSAGES) if page.data["sync"] == sync]
        return pages if pages and pages[-1].data["last"] else None

    return await until(look, what=f"the last page of {sync}")


def texts(pages: list[Event]) -> list[str]:
    return [message["text"] for page in pages for message in page.data["messages"]]


def whole(pages: list[Event], past: list[str]) -> None:
    """Every message once, the pages without a gap."""
    assert sorted(texts(pages)) == sorted(past)
    assert [page.data["page"] for page in pages] == list(range(1, len(pages) + 1))
    assert [page.data["last"] for page in pages] == [False] * (len(pages) - 1) + [True]


async def waiting(one: Running) -> int:
    return int(await one.store.redis.hlen(one.mailbox.key("history")))


async def paired(own: Own, history: History = History.RECENT) -> Running:
    one = await own()
    want(one, history)
    await one.pair()
    return one


def kinds(lab: Lab) -> list[str]:
    """Of the files on WhatsApp's servers."""
    return [blob.kind for blob in lab.board.media.all()]


async def test_it_is_told_of_and_not_read_unless_it_is_wanted(own: Own, lab: Lab, past: list[str]) -> None:
    one = await paired(own, History.OFF)
    bootstrap, recent = await told(one, EventType.HISTORY_OFFERED, 2)
    assert (bootstrap.data["sync"], recent.data["sync"]) == ("initial_bootstrap", "recent")
    assert {bootstrap.data["state"], recent.data["state"]} == {"off"}
    assert await waiting(one) == 0
    assert kinds(lab).count("md-msg-hist") == 1, "nothing was fetched, and so nothing removed"
    assert await one.events(EventType.HISTORY_MESSAGES) == []


@pytest.mark.kinds(receive="history")
async def test_it_is_told_page_by_page(own: Own, lab: Lab, past: list[str]) -> None:
    one = await paired(own)
    pages = await last_page(one, "recent")
    whole(pages, past)
    assert len(pages) > 3
    friend = lab.account(FRIEND)
    message = pages[0].data["messages"][0]
    assert (message["type"], message["content"]["text"]) == ("message.received", f"{COUNT - 1} of before")
    assert message["chat"] == {
        "id": f"{friend.lid}@lid", "kind": "direct", "phone": f"+{FRIEND}", "lid": f"{friend.lid}@lid",
        "name": None,
    }  # fmt: skip
    assert [chat["chat"]["id"] for page in pages for chat in page.data["chats"]] == [
        f"{friend.lid}@lid",
        GROUP,
    ]
    assert await one.events(EventType.MESSAGE_RECEIVED) == []
    await until(lambda: "md-msg-hist" not in kinds(lab), what="the file removed")
    assert await waiting(one) == 0


async def test_what_comes_meanwhile_passes_it(own: Own, lab: Lab, friend: Contact, past: list[str]) -> None:
    lab.faults.add(SlowMedia(bytes_per_second=300))
    one = await paired(own)
    await told(one, EventType.HISTORY_OFFERED, 2)
    await friend.write(PHONE, "meanwhile")
    await told(one, EventType.MESSAGE_RECEIVED)
    assert [page.data["sync"] for page in await one.events(EventType.HISTORY_MESSAGES)] == [
        "initial_bootstrap"
    ]


async def amid(
    own: Own, monkeypatch: pytest.MonkeyPatch, happens: Callable[[Running], Awaitable[Any]]
) -> Running:
    """Let something happen once two pages of the recent part are stored."""
    one = await own()
    want(one, History.RECENT)
    real, done = HistoryReader._page, asyncio.Event()

    async def page(self: HistoryReader, part: Any) -> Any:
        if part.sync == "recent" and part.pages == 2 and not done.is_set():
            done.set()
            await happens(one)
        return await real(self, part)

    monkeypatch.setattr(HistoryReader, "_page", page)
    await one.pair()
    await asyncio.wait_for(done.wait(), 30)
    return one


async def test_an_engine_that_is_killed_amid_a_part(
    own: Own, past: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def kill(one: Running) -> None:
        os.kill(one.engine_pid, signal.SIGKILL)

    one = await amid(own, monkeypatch, kill)
    killed = one.engine_pid
    whole(await last_page(one, "recent"), past)
    assert one.engine_pid != killed
    assert await waiting(one) == 0


async def test_an_owner_that_dies_amid_a_part(
    own: Own, past: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a SIGKILL of its process: nothing is finished, and nothing is told to anybody."""
    stuck = asyncio.Event()

    async def die(one: Running) -> None:
        os.kill(one.engine_pid, signal.SIGKILL)
        stuck.set()
        await asyncio.Event().wait()

    one = await amid(own, monkeypatch, die)
    await stuck.wait()
    one.task.cancel()
    await asyncio.gather(one.task, return_exceptions=True)
    monkeypatch.undo()
    assert await waiting(one) == 1
    before = len(await one.events(EventType.HISTORY_MESSAGES))
    successor = await own()
    pages = await last_page(successor, "recent")
    whole(pages, past)
    assert before == 3  # one of the bootstrap, two of this part
    assert {page.epoch for page in pages} == {one.instance.epoch, successor.instance.epoch}
    assert await waiting(successor) == 0


async def test_a_handoff_amid_a_part(own: Own, past: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    drained = asyncio.Event()

    async def hand_over(one: Running) -> None:
        drained.set()
        await asyncio.Event().wait()

    one = await amid(own, monkeypatch, hand_over)
    async with asyncio.timeout(10):
        await one.instance.drain()
    monkeypatch.undo()
    successor = await own()
    whole(await last_page(successor, "recent"), past)
    assert len(await successor.events(EventType.HISTORY_OFFERED)) == 2


async def test_a_page_whose_answer_from_redis_is_lost(
    own: Own, past: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await own()
    want(one, History.RECENT)
    parts = one.instance._history._parts
    real, lost = parts.finish, []

    async def finish(*args: Any, **more: Any) -> bool:
        stored = await real(*args, **more)
        if len(lost) < 2:
            lost.append(stored)
            raise StoreUnavailable("the answer was lost")
        return stored

    monkeypatch.setattr(parts, "finish", finish)
    await one.pair()
    whole(await last_page(one, "recent"), past)
    assert lost == [True, True]


async def test_it_waits_while_the_mailbox_fills(own: Own, settings: Settings, past: list[str]) -> None:
    one = await own()
    want(one, History.RECENT)
    one.mailbox.settings = one.instance._mailbox.settings = settings.mailbox.model_copy(
        update={"soft_bound": 3}
    )
    await raise_floor(one.mailbox, 0)
    await one.pair()
    await told(one, EventType.HISTORY_OFFERED, 2)
    # The events of the connection alone are that many.
    assert await one.events(EventType.HISTORY_MESSAGES) == []
    assert await waiting(one) == 2
    await raise_floor(one.mailbox, 1 << 40)
    whole(await last_page(one, "recent"), past)


async def test_a_part_that_is_gone(own: Own, lab: Lab, past: list[str]) -> None:
    lab.faults.add(LoseMedia(code=410))
    one = await paired(own)
    [failed] = await told(one, EventType.HISTORY_FAILED)
    assert (failed.data["reason"], failed.data["sync"], failed.data["pages"]) == ("gone", "recent", 0)
    assert await waiting(one) == 0


async def test_a_part_that_cannot_be_fetched_for_long(own: Own, lab: Lab, past: list[str]) -> None:
    lab.faults.add(LoseMedia(code=500))
    one = await paired(own)
    [failed] = await told(one, EventType.HISTORY_FAILED)
    assert (failed.data["reason"], failed.data["attempts"]) == ("unavailable", 3)


@pytest.mark.kinds(send="history")
async def test_older_messages_come_when_they_are_asked_for(own: Own, past: list[str]) -> None:
    one = await paired(own, History.OFF)
    await told(one, EventType.HISTORY_OFFERED, 2)
    chat = f"{FRIEND}@s.whatsapp.net"
    await one.instance.ask("history", "older", chat, f"PAST{FRIEND}000011", False, 1_700_000_000_000, 4)
    [page] = await last_page(one, "on_demand")
    assert texts([page]) == [f"{n} of before" for n in (9, 8, 7, 6)]
    offers = await one.events(EventType.HISTORY_OFFERED)
    assert page.data["request_id"] == offers[-1].data["request_id"] is not None


@pytest.mark.kinds(receive="files of before")
async def test_files_of_before_are_fetched_when_they_are_asked_for(
    own: Own, lab: Lab, friend: Contact, tmp_path: Path, redis_url: str, prefix: str
) -> None:
    lab.account(PHONE)
    messages, contents = [], []
    for number in range(2):
        path = (tmp_path / f"{number}.jpg").absolute()
        contents.append(os.urandom(5_000))
        path.write_bytes(contents[-1])
        uploaded = await friend._engine().upload(path, "image")
        body = message_with(Attachment("image", caption=f"picture {number}"), uploaded)
        messages.append(PastMessage(id=f"OLD{number}", message=base64.b64encode(body)))
    lab.board.phones.pasts.set(PHONE, [PastChat(chat=FRIEND, messages=messages)])
    one = await paired(own)
    pages = await last_page(one, "recent")
    told_of = {
        message["id"]: message["content"]["media"] for page in pages for message in page.data["messages"]
    }
    assert [told_of[f"OLD{number}"]["state"] for number in range(2)] == ["on_demand"] * 2
    assert await one.events(EventType.MEDIA_READY) == []
    async with running_world(redis_url, prefix) as world:
        gateway = Gateway(world, one)
        for number in range(2):
            asked = await gateway.ask("POST", f"messages/OLD{number}/media")
            assert (asked.status, asked.json["media_id"]) == (202, told_of[f"OLD{number}"]["id"])
        ready = await told(one, EventType.MEDIA_READY, 2)
        for event in ready:
            number = int(event.data["message_id"][-1])
            media_id = event.data["media"]["id"]
            stored = b"".join([part async for part in one.instance._files.read(one.id, media_id)])
            assert (media_id, stored) == (told_of[f"OLD{number}"]["id"], contents[number])
            assert event.data["chat"]["phone"] == f"+{FRIEND}"
        # What is lost is told each time.
        assert await one.instance._files.delete(one.id, told_of["OLD0"]["id"])
        lab.faults.add(LoseMedia(code=410))
        for count in (1, 2):
            await gateway.ask("POST", "messages/OLD0/media")
            failed = await told(one, EventType.MEDIA_FAILED, count)
            assert failed[-1].data["reason"] == "gone"
        problem = await gateway.refused("not-found", "POST", "messages/OLD9/media")
        assert problem["code"] == "message_unknown"


async def test_a_file_that_only_the_phone_has_is_uploaded_again(
    own: Own, lab: Lab, friend: Contact, tmp_path: Path
) -> None:
    lab.account(PHONE)
    path = (tmp_path / "old.jpg").absolute()
    messages, whole = [], b""
    for number in range(2):
        path.write_bytes(os.urandom(5_000))
        uploaded = await friend._engine().upload(path, "image")
        body = message_with(Attachment("image"), uploaded)
        messages.append(PastMessage(id=f"OLD{number}", message=base64.b64encode(body)))
        if number == 0:
            lab.board.phones.pasts.set(PHONE, [PastChat(chat=FRIEND, messages=messages)])
            lab.board.phones.files.keep(PHONE)
            whole = path.read_bytes()
    lab.board.phones.pasts.set(PHONE, [PastChat(chat=FRIEND, messages=messages)])
    for blob in lab.board.media.all():
        lab.board.media.delete(blob.name)
    one = await paired(own)
    await last_page(one, "recent")
    await one.instance.ask("files", "fetch", "OLD0")
    [ready] = await told(one, EventType.MEDIA_READY)
    parts = one.instance._files.read(one.id, ready.data["media"]["id"])
    assert b"".join([part async for part in parts]) == whole
    await one.instance.ask("files", "fetch", "OLD1")
    [failed] = await told(one, EventType.MEDIA_FAILED)
    assert (failed.data["message_id"], failed.data["reason"]) == ("OLD1", "gone")
    assert "phone" in failed.data["message"]


async def test_the_file_of_a_message_that_is_known_is_fetched_again(
    own: Own, friend: Contact, tmp_path: Path, redis_url: str, prefix: str
) -> None:
    one = await own()
    await one.pair()
    record = one.instance.record
    one.instance.configure(record.model_copy(update={"download": False, "revision": record.revision + 1}))
    path = (tmp_path / "original").absolute()
    path.write_bytes(b"what was not fetched")
    await friend.write_file(PHONE, path, Attachment("document"))
    [message] = await told(one, EventType.MESSAGE_RECEIVED)
    await friend.write(PHONE, "no file")
    await told(one, EventType.MESSAGE_RECEIVED, 2)
    async with running_world(redis_url, prefix) as world:
        gateway = Gateway(world, one)
        media_id = (await gateway.ask("POST", f"messages/{message.data['id']}/media")).json["media_id"]
        [ready] = await told(one, EventType.MEDIA_READY)
        assert (ready.data["message_id"], ready.data["media"]["id"]) == (message.data["id"], media_id)
        assert ready.data["chat"]["id"] == message.chat_id
        assert (await one.instance._files.get(one.id, media_id)).size == 20
        last = (await one.events(EventType.MESSAGE_RECEIVED))[-1]
        await gateway.refused("not-found", "POST", f"messages/{last.data['id']}/media")


async def test_what_others_offer_is_no_history_of_ours(own: Own, lab: Lab, friend: Contact) -> None:
    """Only the account's own phone knows its past: others would write it, and say whose number is whose."""
    one = await paired(own, History.FULL)
    victim = "5511977776666"
    pasts = lab.board.phones.pasts
    pasts.set(FRIEND, [PastChat(chat=victim, messages=[PastMessage(text="never written")])])
    ((address, chat),) = pasts.of(FRIEND).items()
    part = wa.HistorySync(
        sync_type=wa.ON_DEMAND,
        conversations=[pasts.conversation(address, chat, chat.messages, more=False)],
        mappings=[wa.HistorySync.PhoneNumberToLid(phone=str(address), lid="888888888888888@lid")],
    )
    offer = wa.ProtocolMessage(
        type=wa.ProtocolMessage.HISTORY_SYNC_NOTIFICATION,
        history_sync_notification=wa.HistorySyncNotification(
            sync_type=wa.ON_DEMAND, inline_payload=zlib.compress(part.SerializeToString())
        ),
    )
    body = wa.PeerMessage(protocol_message=offer).SerializeToString()
    await friend.write_message(PHONE, body, "OFFER")
    await friend.write(PHONE, "good morning", count=1)
    await told(one, EventType.MESSAGE_RECEIVED)
    assert "OFFER" in {event.data.get("id") for event in await one.events(EventType.UNKNOWN)}
    assert "OFFER" not in {event.data["id"] for event in await one.events(EventType.HISTORY_OFFERED)}
    assert "never written" not in texts(await one.events(EventType.HISTORY_MESSAGES))
    assert await waiting(one) == 0
