"""Polls: votes are encrypted under a key that only those have who have seen the poll."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from pathlib import Path

import pytest

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import whatsapp_pb2 as wa
from lab.network import Lab
from tests.engine.conftest import ANA, BIA, MakeDevice
from tests.engine.device import Device, refused
from tests.engine.postgres import Postgres
from tests.wait import until

pytestmark = pytest.mark.engine

TO_ANA, TO_BIA = f"{ANA}@s.whatsapp.net", f"{BIA}@s.whatsapp.net"
TEA, COFFEE = (hashlib.sha256(name.encode()).digest() for name in ("tea", "coffee"))


def poll() -> bytes:
    """A poll with the options tea and coffee."""
    message = wa.Message(message_context_info=wa.MessageContextInfo(message_secret=os.urandom(32)))
    message.poll_creation_message.name = "What shall it be?"
    for name in ("tea", "coffee"):
        message.poll_creation_message.options.add(option_name=name)
    return message.SerializeToString()


def vote(poll_id: str, author: str, payload: bytes, nonce: bytes) -> bytes:
    """A vote as whoever wants to can make it up."""

    def field(number: int, content: bytes) -> bytes:
        head = number << 3 | 2
        assert len(content) < 128
        return (
            (bytes((head,)) if head < 128 else bytes((head & 127 | 128, head >> 7)))
            + bytes((len(content),))
            + content
        )

    key = field(1, author.encode()) + field(3, poll_id.encode())
    return field(50, field(1, key) + field(2, field(1, payload) + field(2, nonce)))


async def messages(device: Device, count: int) -> list[pb.Message]:
    def found() -> list[pb.Message]:
        return [event for event in device.raw if isinstance(event, pb.Message)]

    await until(lambda: len(found()) >= count, what=f"{count} messages")
    return found()


async def votes(device: Device, count: int) -> list[pb.Message]:
    def found() -> list[pb.Message]:
        events = [event for event in device.raw if isinstance(event, pb.Message)]
        return [event for event in events if event.kind == "pollUpdateMessage"]

    await until(lambda: len(found()) >= count, what=f"{count} votes")
    return found()


async def test_a_vote_reaches_who_asked(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.engine.send(TO_BIA, "P1", poll())
    [asked] = await messages(bia, 1)
    assert (asked.kind, asked.info.type) == ("pollCreationMessage", "poll")
    sent = await bia.engine.vote(TO_ANA, "P1", ["tea"], "V1", sender=TO_ANA)
    assert sent.timestamp_ms > 0
    [answered] = await votes(ana, 1)
    assert (answered.info.id, answered.info.type) == ("V1", "poll")
    assert (answered.target_id, answered.vote, answered.undecrypted) == ("P1", True, False)
    assert list(answered.vote_options) == [TEA]
    assert answered.info.sender.phone == BIA


async def test_a_vote_is_changed_and_taken_back(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.engine.send(TO_BIA, "P1", poll())
    await messages(bia, 1)
    choices = [["tea"], ["coffee"], ["tea", "coffee"], []]
    for number, options in enumerate(choices):
        await bia.engine.vote(TO_ANA, "P1", options, f"V{number}", sender=TO_ANA)
    heard = await votes(ana, len(choices))
    assert [list(one.vote_options) for one in heard] == [[TEA], [COFFEE], [TEA, COFFEE], []]
    assert all(one.vote and not one.undecrypted for one in heard)


@pytest.mark.parametrize("server", ["s.whatsapp.net", "lid"])
async def test_both_names_of_a_person_do(device: MakeDevice, lab: Lab, server: str) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.engine.send(TO_BIA, "P1", poll())
    await messages(bia, 1)
    author = TO_ANA if server == "s.whatsapp.net" else f"{lab.account(ANA).lid}@lid"
    await bia.engine.vote(author, "P1", ["tea"], "V1", sender=author)
    assert list((await votes(ana, 1))[0].vote_options) == [TEA]


async def test_a_vote_in_ones_own_poll(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.engine.send(TO_BIA, "P1", poll())
    await messages(bia, 1)
    await ana.engine.vote(TO_BIA, "P1", ["coffee"], "V1")
    [heard] = await votes(bia, 1)
    assert (heard.vote, list(heard.vote_options)) == (True, [COFFEE])


async def test_a_vote_on_another_device_of_the_account(device: MakeDevice) -> None:
    ana = await device(ANA)
    here, there = await device(BIA, name="here"), await device(BIA, name="there")
    await ana.engine.send(TO_BIA, "P1", poll())
    for one in (here, there):
        await messages(one, 1)
    await there.engine.vote(TO_ANA, "P1", ["tea"], "V1", sender=TO_ANA)
    [heard] = await votes(here, 1)
    assert heard.info.from_me
    assert (heard.vote, list(heard.vote_options)) == (True, [TEA])


async def test_votes_keep_their_place_among_messages(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.engine.send(TO_BIA, "P1", poll())
    await messages(bia, 1)
    await bia.send(ANA, "before", "M1")
    await bia.engine.vote(TO_ANA, "P1", ["tea"], "V1", sender=TO_ANA)
    await bia.send(ANA, "after", "M2")
    assert [message.info.id for message in await messages(ana, 3)] == ["M1", "V1", "M2"]


async def test_a_vote_under_the_same_id_is_the_same_vote(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.engine.send(TO_BIA, "P1", poll())
    await messages(bia, 1)
    for _ in range(2):
        await bia.engine.vote(TO_ANA, "P1", ["tea"], "V1", sender=TO_ANA)
    assert {one.info.id for one in await votes(ana, 2)} == {"V1"}
    assert ana.repeated == 1


async def test_a_poll_that_was_never_seen(device: MakeDevice) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.engine.send(TO_BIA, "P1", poll())
    await messages(bia, 1)
    vote = bia.engine.vote
    assert (await refused(vote(TO_ANA, "P2", ["tea"], "V1", sender=TO_ANA))).code == "poll_unknown"
    assert (await refused(vote(TO_ANA, "P1", ["tea"], "V1"))).code == "poll_unknown", "it is not hers"
    assert (await refused(vote("nobody", "P1", [], "V1", sender=TO_ANA))).code == "bad_request"
    assert (await refused(vote(TO_ANA, "P1", [], "V1", sender="nobody"))).code == "bad_request"
    assert (await refused(vote(TO_ANA, "", [], "V1", sender=TO_ANA))).code == "bad_request"
    assert (await refused(vote(TO_ANA, "P1", [], "", sender=TO_ANA))).code == "bad_request"


FORGED = {
    "of an unknown poll": vote("P2", TO_ANA, b"x" * 40, bytes(12)),
    "of another's making": vote("P1", TO_ANA, b"x" * 40, bytes(12)),
    "with a bad nonce": vote("P1", TO_ANA, b"x" * 40, bytes(5)),
    "with an id that no database holds": vote("P\x001", TO_ANA, b"x" * 40, bytes(12)),
    "of a person that no database holds": vote("P1", "1\x002@lid", b"x" * 40, bytes(12)),
    "without anything": b"\x92\x03\x00",
}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_votes_that_cannot_be_read_are_passed_on(
    device: MakeDevice, request: pytest.FixtureRequest, kind: str
) -> None:
    """Whoever sends nonsense is heard, and neither parks its reader nor ends it."""
    store = ""
    if kind == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        store = server.url
    ana, bia = await device(ANA, store=store), await device(BIA)
    await ana.engine.send(TO_BIA, "P1", poll())
    await messages(bia, 1)
    for number, message in enumerate(FORGED.values()):
        await bia.engine.send(TO_ANA, f"F{number}", message)
    for one in await votes(ana, len(FORGED)):
        assert (one.vote, one.undecrypted, list(one.vote_options)) == (False, True, [])
    assert [one.target_id for one in await votes(ana, len(FORGED))][:2] == ["P2", "P1"]
    await bia.engine.vote(TO_ANA, "P1", ["tea"], "V1", sender=TO_ANA)
    assert (await votes(ana, len(FORGED) + 1))[-1].vote
    assert not ana.signals_of(pb.Parked)


async def test_a_store_that_fails_is_no_vote_that_cannot_be_read(device: MakeDevice, tmp_path: Path) -> None:
    ana, bia = await device(ANA), await device(BIA)
    await ana.engine.send(TO_BIA, "P1", poll())
    await messages(bia, 1)
    rename = "ALTER TABLE {} RENAME TO {}"
    with sqlite3.connect(tmp_path / f"{ANA}.db") as database:
        database.execute(rename.format("whatsmeow_message_secrets", "hidden"))
    database.close()
    await bia.engine.vote(TO_ANA, "P1", ["tea"], "V1", sender=TO_ANA)
    parked = await ana.signal(pb.Parked)
    assert (parked.cause, "whatsmeow_message_secrets" in parked.detail) == ("store", True)
    with sqlite3.connect(tmp_path / f"{ANA}.db") as database:
        database.execute(rename.format("hidden", "whatsmeow_message_secrets"))
    database.close()
    await ana.connect()
    [heard] = await votes(ana, 1)
    assert (heard.vote, list(heard.vote_options), heard.undecrypted) == (True, [TEA], False)
