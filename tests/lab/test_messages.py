from __future__ import annotations

import pytest

from lab.accounts import Account
from lab.network import Lab
from lab.switchboard import devices_hash
from lab.wire import LIDS, SERVER, USERS, Jid, Node, node
from tests.lab.client import Client, Keys
from tests.lab.conftest import ANA, BIA, back, linked, online


def all_but(account: Account, *devices: int, server: str = LIDS) -> list[Jid]:
    return [jid for jid in account.device_jids(server) if jid.device not in devices]


async def test_a_message_reaches_all_devices_of_both_sides(lab: Lab, ana: Account, bia: Account) -> None:
    first, second = await online(lab, ANA), await online(lab, ANA)
    third, fourth = await online(lab, BIA), await online(lab, BIA)
    to = Jid(bia.lid, LIDS)
    await first.write("M1", to, [*all_but(ana, 1), *all_but(bia)])
    ack = await first.first("ack", id="M1")
    assert (ack.text("class"), ack.text("from"), ack.text("phash")) == ("message", str(to), "")
    for number, client in ((1, third), (2, fourth)):
        (message,) = await client.messages(1)
        assert message.jid("from") == Jid(ana.lid, LIDS, 1)
        assert message.jid("sender_pn") == Jid(ANA)
        assert message.text("notify") == "Ana"
        assert "recipient" not in message.attrs
        assert message.child("enc").data() == b"sealed" + str(Jid(bia.lid, LIDS, number)).encode()
    (own,) = await second.messages(1)
    assert (own.jid("from"), own.jid("recipient")) == (Jid(ana.lid, LIDS, 1), to)
    assert first.all("message") == []
    assert (ana.phone_received, bia.phone_received) == (1, 1)
    for client in (first, second, third, fourth):
        await client.close()


async def test_a_message_by_number_comes_from_a_number(lab: Lab, ana: Account, bia: Account) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    await writer.write("M1", Jid(BIA), [Jid(BIA, USERS, 1)])
    (message,) = await reader.messages(1)
    assert message.jid("from") == Jid(ANA, USERS, 1)
    assert message.jid("sender_lid") == Jid(ana.lid, LIDS)
    await writer.close()
    await reader.close()


async def test_the_sender_learns_that_its_list_of_devices_is_old(
    lab: Lab, ana: Account, bia: Account
) -> None:
    writer = await online(lab, ANA)
    await linked(lab, BIA)
    await writer.write("M1", Jid(bia.lid, LIDS), all_but(bia, 1))
    ack = await writer.first("ack", id="M1")
    assert ack.text("phash") == devices_hash([*ana.device_jids(LIDS), *bia.device_jids(LIDS)])
    await writer.close()


async def test_what_waits_is_announced_and_comes_in_order(lab: Lab, ana: Account, bia: Account) -> None:
    writer, keys = await online(lab, ANA), await linked(lab, BIA)
    ids = [f"M{number}" for number in range(200)]
    for id_ in ids:
        await writer.write(id_, Jid(bia.lid, LIDS), all_but(bia))
    await writer.first("ack", id=ids[-1])
    assert len(lab.device(BIA, 1).queue) == 200
    reader = await back(lab, keys)
    preview = (await reader.first("ib", "offline_preview")).child("offline_preview")
    end = (await reader.first("ib", "offline")).child("offline")
    assert (preview.text("count"), preview.text("message"), end.text("count")) == ("200", "200", "200")
    got = await reader.messages(200)
    assert [message.text("id") for message in got] == ids
    assert {message.text("offline") for message in got} == {"1"}
    order = [stanza.tag for stanza in reader.seen if stanza.tag in ("ib", "message")]
    assert order == ["ib", *["message"] * 200, "ib"]
    await writer.write("live", Jid(bia.lid, LIDS), all_but(bia))
    live = await reader.first("message", id="live")
    assert "offline" not in live.attrs
    await reader.close()
    await writer.close()


async def test_what_was_not_acknowledged_comes_again_in_order(lab: Lab, ana: Account, bia: Account) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    ids = [f"M{number}" for number in range(10)]
    for id_ in ids:
        await writer.write(id_, Jid(bia.lid, LIDS), all_but(bia))
    got = await reader.messages(10)
    for message in got[1::2]:
        await reader.ack(message)
    await reader.query("w:p", "get", None)
    await reader.close()
    again = await back(lab, reader.keys)
    redelivered = await again.messages(5)
    assert [message.text("id") for message in redelivered] == ids[0::2]
    for message in redelivered:
        receipt = {"id": message.text("id"), "to": message.attrs["from"], "type": "inactive"}
        await again.send(node("receipt", receipt))
    await again.query("w:p", "get", None)
    counters = lab.device(BIA, 1).counters
    assert (counters.sent, counters.redelivered, counters.acked) == (10, 5, 10)
    assert len(lab.device(BIA, 1).queue) == 0
    await again.close()
    nothing = await back(lab, reader.keys)
    assert nothing.all("message") == []
    await nothing.close()
    await writer.close()


async def test_the_same_id_twice_is_two_stanzas(lab: Lab, ana: Account, bia: Account) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    for text in (b"one", b"two"):
        await writer.write("M1", Jid(bia.lid, LIDS), all_but(bia), text)
    first, _ = await reader.messages(2)
    await reader.ack(first)
    await reader.query("w:p", "get", None)
    await reader.close()
    again = await back(lab, reader.keys)
    (left,) = await again.messages(1)
    assert left.child("enc").data().startswith(b"two")
    assert len(lab.device(BIA, 1).queue) == 1
    await again.close()
    await writer.close()


async def test_an_acknowledgement_of_something_else_changes_nothing(
    lab: Lab, ana: Account, bia: Account
) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    await writer.write("M1", Jid(bia.lid, LIDS), all_but(bia))
    (message,) = await reader.messages(1)
    sender = message.attrs["from"]
    for attrs in (
        {"class": "message", "id": "M2", "to": sender},
        {"class": "message", "id": "M1", "to": Jid(ana.lid, LIDS, 2)},
        {"class": "receipt", "id": "M1", "to": sender},
        {"class": "nonsense"},
    ):
        await reader.send(node("ack", attrs))
    await reader.send(node("receipt", {"id": "M1", "to": sender, "type": "retry"}))
    await reader.send(node("receipt", {"id": "M1", "to": sender, "type": "read"}))
    await reader.query("w:p", "get", None)
    assert len(lab.device(BIA, 1).queue) == 1
    await reader.close()
    await writer.close()


async def test_what_was_not_delivered_yet_cannot_be_acknowledged(
    lab: Lab, ana: Account, bia: Account
) -> None:
    writer, keys = await online(lab, ANA), await linked(lab, BIA)
    await writer.write("M1", Jid(bia.lid, LIDS), all_but(bia))
    await writer.first("ack", id="M1")
    reader = Client(lab.target, keys)
    await reader.open()
    await reader.first("success")
    await reader.send(node("ack", {"class": "message", "id": "M1", "to": writer.own()}))
    await reader.query("w:p", "get", None)
    assert len(lab.device(BIA, 1).queue) == 1
    await reader.close()
    await writer.close()


async def test_only_the_first_message_of_a_session_carries_the_identity(
    lab: Lab, ana: Account, bia: Account
) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    for number, kind in enumerate(("pkmsg", "msg")):
        copy = node("to", {"jid": Jid(bia.lid, LIDS, 1)}, node("enc", {"v": "2", "type": kind}, b"x"))
        content = [node("participants", {}, copy), node("device-identity", {}, b"signed")]
        await writer.send(node("message", {"id": f"M{number}", "to": Jid(bia.lid, LIDS)}, content))
    first, second = await reader.messages(2)
    assert first.child("device-identity").data() == b"signed"
    assert second.child("device-identity") is None
    await reader.close()
    await writer.close()


async def test_a_message_to_one_device_reaches_only_that(lab: Lab, ana: Account, bia: Account) -> None:
    writer, reader, other = await online(lab, ANA), await online(lab, BIA), await online(lab, BIA)
    enc = node("enc", {"v": "2", "type": "pkmsg", "count": "1"}, b"again")
    retried = {"id": "M1", "to": Jid(bia.lid, LIDS, 1), "type": "text", "device_fanout": "false"}
    await writer.send(node("message", retried, enc))
    (message,) = await reader.messages(1)
    assert message.child("enc").text("count") == "1"
    assert (await writer.first("ack", id="M1")).text("phash") == ""
    await other.query("w:p", "get", None)
    assert other.all("message") == []
    for client in (writer, reader, other):
        await client.close()


async def test_a_message_for_the_own_phone_stays_there(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    enc = node("enc", {"v": "2", "type": "msg"}, b"request")
    await client.send(node("message", {"id": "P1", "to": Jid(ANA), "category": "peer"}, enc))
    assert (await client.first("ack", id="P1")).text("error") == ""
    assert ana.phone_received == 1
    await client.close()


@pytest.mark.parametrize(
    ("attrs", "content", "error"),
    [
        ({"to": Jid("5511900009999")}, node("enc", {}, b"x"), "404"),
        ({"to": Jid("123", "g.us")}, node("enc", {}, b"x"), "404"),
        ({"to": Jid(BIA)}, None, "400"),
        ({}, node("enc", {}, b"x"), "400"),
    ],
)
async def test_a_message_that_cannot_be_delivered_is_refused(
    lab: Lab, ana: Account, bia: Account, attrs: dict[str, Jid], content: Node | None, error: str
) -> None:
    writer = await online(lab, ANA)
    await writer.send(node("message", {"id": "M1", **attrs}, content))
    assert (await writer.first("ack", id="M1")).text("error") == error
    await writer.close()


async def test_who_is_blocked_is_not_heard(lab: Lab, ana: Account, bia: Account) -> None:
    writer, reader = await online(lab, ANA), await online(lab, BIA)
    item = node("item", {"jid": Jid(ana.lid, LIDS), "action": "block"})
    listed = (await reader.query("blocklist", "set", item)).child("list", "item")
    assert listed.jid("jid") == Jid(ana.lid, LIDS)
    await writer.write("M1", Jid(bia.lid, LIDS), all_but(bia))
    await writer.first("ack", id="M1")
    item.attrs["action"] = "unblock"
    assert (await reader.query("blocklist", "set", item)).child("list", "item") is None
    await writer.write("M2", Jid(bia.lid, LIDS), all_but(bia))
    await reader.first("message", id="M2")
    assert [message.text("id") for message in reader.all("message")] == ["M2"]
    await reader.close()
    await writer.close()


# ---- receipts --------------------------------------------------------------------------------------------


async def receipt(client: Client, id_: str, to: Jid, kind: str = "", content: Node | None = None) -> Node:
    await client.send(node("receipt", {"id": id_, "to": to, "type": kind or None}, content))
    return await client.first("ack", **{"class": "receipt", "id": id_, "type": kind})


@pytest.mark.parametrize("kind", ["", "inactive", "server-error"])
async def test_a_delivery_receipt_reaches_all_devices_of_the_sender(
    lab: Lab, ana: Account, bia: Account, kind: str
) -> None:
    first, second, reader = await online(lab, ANA), await online(lab, ANA), await online(lab, BIA)
    ack = await receipt(reader, "M1", Jid(ana.lid, LIDS, 1), kind)
    assert ack.jid("from") == Jid(ana.lid, LIDS, 1)
    for client in (first, second):
        got = await client.first("receipt", id="M1")
        assert (got.jid("from"), got.text("type")) == (Jid(bia.lid, LIDS, 1), kind)
    for client in (first, second, reader):
        await client.close()


async def test_a_read_receipt_reaches_the_sender_and_the_own_other_devices(
    lab: Lab, ana: Account, bia: Account
) -> None:
    writer, reader, other = await online(lab, ANA), await online(lab, BIA), await online(lab, BIA)
    listed = node("list", {}, [node("item", {"id": "M2"}), node("item", {"id": "M3"})])
    await receipt(reader, "M1", Jid(ana.lid, LIDS), "read", listed)
    got = await writer.first("receipt", id="M1")
    assert (got.jid("from"), got.text("type")) == (Jid(bia.lid, LIDS), "read")
    assert [item.text("id") for item in got.child("list").children("item")] == ["M2", "M3"]
    own = await other.first("receipt", id="M1")
    assert (own.jid("from"), own.jid("recipient")) == (Jid(bia.lid, LIDS, 1), Jid(ana.lid, LIDS))
    for client in (writer, reader, other):
        await client.close()


async def test_who_hides_that_it_reads_tells_only_its_own_devices(
    lab: Lab, ana: Account, bia: Account
) -> None:
    writer, reader, other = await online(lab, ANA), await online(lab, BIA), await online(lab, BIA)
    lab.set_privacy(BIA, "readreceipts", "none")
    await receipt(reader, "M1", Jid(ana.lid, LIDS), "read")
    await receipt(reader, "M2", Jid(ana.lid, LIDS), "read-self")
    assert (await other.first("receipt", id="M1")).text("type") == "read"
    assert (await other.first("receipt", id="M2")).text("type") == "read-self"
    await writer.query("w:p", "get", None)
    assert writer.all("receipt") == []
    for client in (writer, reader, other):
        await client.close()


async def test_a_retry_receipt_reaches_the_one_device_that_sent(lab: Lab, ana: Account, bia: Account) -> None:
    first, second, reader = await online(lab, ANA), await online(lab, ANA), await online(lab, BIA)
    retry = [node("retry", {"count": "1", "id": "M1", "v": "1"}), node("registration", {}, b"\0\0\1\2")]
    attrs = {"id": "M1", "to": Jid(ana.lid, LIDS, 2), "type": "retry"}
    await reader.send(node("receipt", attrs, retry))
    got = await second.first("receipt", id="M1", type="retry")
    assert got.child("registration").data() == b"\0\0\1\2"
    await first.query("w:p", "get", None)
    assert first.all("receipt") == []
    assert lab.device(BIA, 1).counters.retries == 1
    for client in (first, second, reader):
        await client.close()


async def test_a_receipt_for_an_own_message_reaches_the_own_device_that_sent(lab: Lab, ana: Account) -> None:
    first, second, third = await online(lab, ANA), await online(lab, ANA), await online(lab, ANA)
    await receipt(second, "M1", Jid(ana.lid, LIDS, 1), "sender")
    assert (await first.first("receipt", id="M1")).jid("from") == Jid(ana.lid, LIDS, 2)
    await third.query("w:p", "get", None)
    assert third.all("receipt") == []
    for client in (first, second, third):
        await client.close()


async def test_receipts_wait_for_a_sender_that_is_away(lab: Lab, ana: Account, bia: Account) -> None:
    keys, reader = await linked(lab, ANA), await online(lab, BIA)
    await receipt(reader, "M1", Jid(ana.lid, LIDS, 1))
    await receipt(reader, "M1", Jid(ana.lid, LIDS), "read")
    writer = await back(lab, keys)
    preview = (await writer.first("ib", "offline_preview")).child("offline_preview")
    assert (preview.text("count"), preview.text("receipt")) == ("2", "2")
    delivered, read = [stanza for stanza in writer.seen if stanza.tag == "receipt"]
    await writer.ack(read)
    await writer.query("w:p", "get", None)
    assert lab.device(ANA, 1).queue.kinds() == {"receipt": 1}
    await writer.ack(delivered)
    await writer.query("w:p", "get", None)
    assert len(lab.device(ANA, 1).queue) == 0
    await reader.close()
    await writer.close()


async def test_a_receipt_to_nobody_is_acknowledged_all_the_same(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    await receipt(client, "M1", Jid("5511900009999"))
    await client.send(node("receipt", {"id": "M2"}))
    await client.first("ack", id="M2")
    await client.send(node("receipt", {"id": "M3", "to": SERVER}))
    await client.first("ack", id="M3")
    await client.close()


async def test_changed_devices_are_told_to_those_who_asked(lab: Lab, ana: Account, bia: Account) -> None:
    watcher, own = await online(lab, ANA), await online(lab, BIA)
    query = node("query", {}, node("devices", {"version": "2"}))
    users = node("list", {}, node("user", {"jid": Jid(bia.lid, LIDS)}))
    await watcher.query("usync", "get", node("usync", {"sid": "1"}, [query, users]))
    keys: Keys = await linked(lab, BIA)
    added = await watcher.first("notification", "add", type="devices")
    assert added.jid("from") == Jid(bia.lid, LIDS)
    assert added.child("add", "device").jid("jid") == keys.lid
    assert added.child("add").text("device_hash") == devices_hash(bia.device_jids(LIDS))
    listed = await own.first("notification", "devices", type="account_sync")
    assert [device.jid("jid") for device in listed.child("devices").children("device")] == [
        Jid(BIA),
        Jid(BIA, device=1),
        Jid(BIA, device=2),
    ]
    lab.log_out(BIA, 2)
    removed = await watcher.first("notification", "remove", type="devices")
    assert removed.child("remove", "device").jid("jid") == keys.lid
    await watcher.close()
    await own.close()
