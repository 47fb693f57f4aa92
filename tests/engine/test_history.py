"""The history that a phone offers: offered durably, read in pages, by whichever engine."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import ConnectionError
from lab.faults import CorruptMedia, LoseMedia
from lab.history import Part
from lab.network import Lab
from lab.past import PastChat, PastMessage
from tests.engine.conftest import ANA, BIA, CAIO, MakeDevice
from tests.engine.device import Device
from tests.wait import until

pytestmark = pytest.mark.engine
GROUP = "120363000000000001@g.us"


def past(count: int = 40) -> list[PastChat]:
    own = [PastMessage(text=f"bia {n}", from_me=n % 3 == 0, name="Bia") for n in range(count)]
    group = [PastMessage(text=f"group {n}", sender=CAIO) for n in range(5)]
    return [
        PastChat(chat=BIA, unread=2, pinned=True, messages=own),
        PastChat(chat=GROUP, name="Friends", archived=True, messages=group),
        PastChat(chat=CAIO),
    ]


def offers(device: Device) -> list[pb.Message]:
    return [event for event in device.raw if isinstance(event, pb.Message) and event.history]


async def offered(device: Device, count: int) -> list[pb.Message]:
    return await until(lambda: len(offers(device)) >= count and offers(device), what=f"{count} offers")


async def read(
    device: Device, offer: pb.Message, folder: Path, *, start: int = 0, max_bytes: int = 2000
) -> pb.HistoryPage:
    return await device.engine.history.read(
        offer.history, start=start, max_bytes=max_bytes, max_part_bytes=1 << 20, folder=folder
    )


async def pages(device: Device, offer: pb.Message, folder: Path) -> list[pb.HistoryPage]:
    found = [await read(device, offer, folder)]
    while not found[-1].done:
        found.append(await read(device, offer, folder, start=found[-1].next))
    return found


def texts(found: list[pb.HistoryPage]) -> list[str]:
    return [message.text for page in found for message in page.messages]


def leftovers(folder: Path) -> list[Path]:
    return list(folder.glob(".*.history"))


async def test_a_phone_offers_its_past_to_a_device_that_it_links(
    lab: Lab, device: MakeDevice, tmp_path: Path
) -> None:
    lab.board.phones.pasts.set(ANA, past())
    ana = await device(ANA)
    bootstrap, recent = await offered(ana, 2)
    assert bootstrap.secret
    assert recent.secret
    [first] = await pages(ana, bootstrap, tmp_path)
    assert (first.sync, first.progress) == ("initial_bootstrap", 100)
    assert texts([first]) == ["bia 39", "group 4"]
    found = await pages(ana, recent, tmp_path)
    assert len(found) > 2
    assert found[0].sync == "recent"
    assert texts(found) == [f"bia {n}" for n in reversed(range(40))] + [
        f"group {n}" for n in reversed(range(5))
    ]
    chats = [chat for page in found for chat in page.chats]
    assert [chat.name for chat in chats] == ["", "Friends", ""]
    bia = lab.account(BIA)
    assert (chats[0].chat.phone, chats[0].chat.lid) == (BIA, bia.lid)
    assert (chats[0].unread, chats[0].pinned, chats[0].archived, chats[0].complete) == (2, True, False, True)
    by = [message.info for page in found for message in page.messages]
    assert (by[0].from_me, by[0].sender.phone) == (True, ANA)
    assert (by[1].from_me, by[1].sender.phone, by[1].push_name) == (False, BIA, "Bia")
    assert (by[-1].chat.jid, by[-1].sender.phone, by[-1].group) == (GROUP, CAIO, True)
    assert all(sum(m.ByteSize() for m in page.messages) <= 2000 for page in found)
    assert leftovers(tmp_path) == []


async def test_a_device_asks_for_all_of_it_when_it_is_paired(lab: Lab, engine: Path, tmp_path: Path) -> None:
    old = PastMessage(text="years ago", timestamp=1_500_000_000)
    new = PastMessage(text="today", timestamp=1_700_000_000)
    lab.board.phones.pasts.set(ANA, [PastChat(chat=BIA, messages=[old, new])])
    for full, sync, told, complete in (
        (False, "recent", ["today"], False),
        (True, "full", ["today", "years ago"], True),
    ):
        ana = Device(engine, lab, ANA, f"sqlite:{tmp_path / sync}.db", sync)
        ana.full_history = full
        try:
            await ana.start()
            await ana.connect()
            _, offer = await offered(ana, 2)
            [page] = await pages(ana, offer, tmp_path)
        finally:
            await ana.close()
        assert (page.sync, texts([page]), page.chats[0].complete) == (sync, told, complete)


async def test_another_engine_goes_on_in_the_middle(lab: Lab, device: MakeDevice, tmp_path: Path) -> None:
    lab.board.phones.pasts.set(ANA, past())
    ana = await device(ANA)
    _, offer = await offered(ana, 2)
    first = await read(ana, offer, tmp_path)
    ana.kill()
    await ana.restart()
    rest = [await read(ana, offer, tmp_path, start=first.next)]
    while not rest[-1].done:
        rest.append(await read(ana, offer, tmp_path, start=rest[-1].next))
    assert texts([first, *rest]) == texts(await pages(ana, offer, tmp_path))
    again = await read(ana, offer, tmp_path, start=first.next)
    assert again == rest[0]
    with pytest.raises(ConnectionError) as error:
        await read(ana, offer, tmp_path, start=1000)
    assert error.value.code == "bad_request"


async def test_an_offer_is_confirmed_only_when_it_is_stored(lab: Lab, device: MakeDevice) -> None:
    ana = await device(ANA)
    lab.board.phones.pasts.set(ANA, past(3))
    refused: list[object] = []

    async def refuse(draft: object) -> bool:
        refused.append(draft)
        # Time for a receipt that does not wait.
        await asyncio.sleep(0.3)
        return False

    ana.before_storing = refuse
    [linked] = lab.account(ANA).devices.values()
    [part] = lab.board.phones.offer(linked, "recent")
    await ana.signal(pb.Parked)
    assert len(refused) == 1
    assert linked.queue.holds("message", part.message_id)
    ana.before_storing = None
    await ana.connect()
    [offer] = await offered(ana, 1)
    assert offer.info.id == part.message_id
    assert offer.info.category == "peer"
    await until(lambda: not linked.queue.holds("message", part.message_id), what="the receipt")


async def test_what_is_wrong_with_a_part(lab: Lab, device: MakeDevice, tmp_path: Path) -> None:
    ana = await device(ANA)
    lab.board.phones.pasts.set(ANA, past(200))
    [linked] = lab.account(ANA).devices.values()
    part: Part
    [part] = lab.board.phones.offer(linked, "recent")
    [offer] = await offered(ana, 1)

    async def failure(**more: int) -> str:
        with pytest.raises(ConnectionError) as error:
            await ana.engine.history.read(
                more.pop("notification", offer.history),  # type: ignore[arg-type]
                **{"start": 0, "max_bytes": 1000, "max_part_bytes": 1 << 20, **more},
                folder=tmp_path,
            )
        return error.value.code

    lab.faults.add(CorruptMedia(times=1))
    assert await failure() == "media_corrupt"
    assert await failure(max_part_bytes=2000) == "media_too_large"
    lab.faults.add(LoseMedia(code=410, times=1))
    assert await failure() == "media_gone"
    assert await failure(notification=b"\xff") == "bad_request"  # type: ignore[arg-type]
    assert len(texts(await pages(ana, offer, tmp_path))) == 205
    await ana.engine.history.finish(offer.history, offer.info.id)
    assert part.media is not None
    assert lab.board.media.find(part.media) is None


async def test_older_messages_are_asked_for(lab: Lab, device: MakeDevice, tmp_path: Path) -> None:
    lab.board.phones.pasts.set(ANA, past())
    ana = await device(ANA)
    [_, recent] = await offered(ana, 2)
    oldest = (await read(ana, recent, tmp_path)).messages[3].info
    for count in (3, 4):
        await ana.engine.history.ask(
            oldest.chat.jid, oldest.id, from_me=oldest.from_me, timestamp_ms=oldest.timestamp_ms, count=count
        )
        offer = (await offered(ana, count))[-1]
        [page] = await pages(ana, offer, tmp_path)
        assert page.sync == "on_demand"
        assert texts([page]) == [f"bia {n}" for n in (35, 34, 33, 32)][:count]
        assert not page.chats[0].complete


async def test_a_phone_that_was_never_heard_of_cannot_be_asked(
    device: MakeDevice, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A phone that is off, or slow: the key of shared settings is the first that it sends.
    monkeypatch.setattr(lab.board.phones, "_share_key", lambda device: None)
    ana = await device(ANA)
    with pytest.raises(ConnectionError) as error:
        await ana.engine.history.ask(
            f"{BIA}@s.whatsapp.net", "A", from_me=False, timestamp_ms=1_700_000_000_000, count=5
        )
    assert error.value.code == "rejected"


async def test_a_device_that_wrote_first_is_understood(lab: Lab, device: MakeDevice, tmp_path: Path) -> None:
    """What it writes to others it writes to its phone, too, in a session that it has begun."""
    ana = await device(ANA)
    lab.board.phones.pasts.set(ANA, past())
    await ana.write(BIA, ["hello"])
    await ana.engine.history.ask(
        f"{BIA}@s.whatsapp.net", "unknown", from_me=False, timestamp_ms=1_800_000_000_000, count=2
    )
    [offer] = await offered(ana, 1)
    assert texts(await pages(ana, offer, tmp_path)) == ["bia 39", "bia 38"]
    await ana.write(BIA, ["hello"])
    await ana.engine.history.ask(
        f"{BIA}@s.whatsapp.net", f"PAST{BIA}000002", from_me=False, timestamp_ms=1_700_000_000_000, count=2
    )
    [_, offer] = await offered(ana, 2)
    [page] = await pages(ana, offer, tmp_path)
    assert texts([page]) == ["bia 0"]
    assert page.chats[0].complete
