from __future__ import annotations

import base64
import hashlib
import ssl

import aiohttp
import pytest

from lab import wa_pb2 as wa
from lab.accounts import Account
from lab.network import Lab
from lab.noise import public_bytes
from lab.switchboard import LOW_PREKEYS
from lab.trust import verify
from lab.wire import LIDS, SERVER, USERS, Jid, Node, node
from tests.lab.client import Client
from tests.lab.conftest import ANA, BIA, back, linked, online

JPEG = b"\xff\xd8\xff\xe0 a picture"


def error_of(answer: Node) -> tuple[str, str]:
    error = answer.child("error")
    assert answer.text("type") == "error"
    return error.text("code"), error.text("text")


async def bundle(client: Client, jid: Jid) -> Node:
    user = node("user", {"jid": jid, "reason": "identity"})
    answer = await client.query("encrypt", "get", node("key", {}, user))
    return answer.child("list", "user")


async def lookup(client: Client, users: list[Node], *protocols: Node) -> list[Node]:
    content = [node("query", {}, list(protocols)), node("list", {}, users)]
    attrs = {"sid": "1", "mode": "query", "last": "true", "index": "0", "context": "message"}
    answer = await client.query("usync", "get", node("usync", attrs, content))
    return answer.child("usync", "list").children("user")


# ---- keys ------------------------------------------------------------------------------------------------


async def test_every_one_time_key_is_given_out_once(lab: Lab, ana: Account, bia: Account) -> None:
    owner, peer = await online(lab, ANA), await online(lab, BIA)
    # The phone takes one of them, to share its keys with.
    assert (await owner.upload_prekeys(1, 13)).text("type") == "result"
    count = await owner.query("encrypt", "get", node("count"))
    assert count.child("count").text("value") == "12"
    given = [await bundle(peer, owner.own()) for _ in range(13)]
    ids = [part.child("key", "id").data() for part in given[:12]]
    assert len(set(ids)) == 12
    assert given[12].child("key") is None
    assert given[0].child("identity").data() == public_bytes(owner.keys.identity)
    assert given[0].child("registration").data() == b"\0\0\1\2"
    signed = given[0].child("skey")
    public = signed.child("value").data()
    assert verify(public_bytes(owner.keys.identity), b"\5" + public, signed.child("signature").data())
    proof = wa.SignedDeviceIdentity.FromString(given[0].child("device-identity").data())
    assert proof.account_signature_key == ana.identity_public
    await owner.close()
    await peer.close()


async def test_a_phone_has_a_signed_key_too(lab: Lab, ana: Account, bia: Account) -> None:
    peer = await online(lab, BIA)
    given = await bundle(peer, Jid(ana.lid, LIDS))
    signed = given.child("skey")
    assert given.child("identity").data() == ana.identity_public
    assert verify(ana.identity_public, b"\5" + signed.child("value").data(), signed.child("signature").data())
    await peer.close()


async def test_there_are_no_keys_of_a_device_that_does_not_exist(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    for jid in (Jid(ANA, USERS, 7), Jid("5511900009999", USERS, 1), Jid("1", LIDS, 1)):
        assert (await bundle(client, jid)).child("error").text("code") == "404"
    await client.close()


async def test_a_device_is_asked_for_keys_before_they_run_out(lab: Lab, ana: Account, bia: Account) -> None:
    owner, peer = await online(lab, ANA), await online(lab, BIA)
    await owner.upload_prekeys(1, LOW_PREKEYS + 1)  # the phone takes one of them
    await bundle(peer, owner.own())
    notice = await owner.first("notification", type="encrypt")
    assert notice.jid("from") == SERVER
    assert notice.child("count").text("value") == str(LOW_PREKEYS - 1)
    await bundle(peer, owner.own())
    await owner.query("w:p", "get", None)
    assert len(owner.all("notification")) == 1
    await owner.ack(notice)
    await owner.query("w:p", "get", None)
    await bundle(peer, owner.own())
    await owner.wait(lambda stanza: stanza.tag == "notification", count=2)
    await owner.close()
    await peer.close()


async def test_a_signed_key_can_be_changed(lab: Lab, ana: Account, bia: Account) -> None:
    owner, peer = await online(lab, ANA), await online(lab, BIA)
    owner.keys.signed = type(owner.keys)().signed
    assert (await owner.query("encrypt", "set", node("rotate", {}, owner.keys.signed_node()))).text(
        "type"
    ) == "result"
    given = await bundle(peer, owner.own())
    assert given.child("skey", "value").data() == public_bytes(owner.keys.signed)
    await owner.close()
    await peer.close()


@pytest.mark.parametrize("content", [None, node("list", {}, node("key")), node("rotate", {}, node("skey"))])
async def test_an_incomplete_upload_is_refused(lab: Lab, ana: Account, content: Node | None) -> None:
    client = await online(lab, ANA)
    assert error_of(await client.query("encrypt", "set", content)) == ("400", "bad-request")
    await client.close()


# ---- users -----------------------------------------------------------------------------------------------


async def test_numbers_are_looked_up_as_typed(lab: Lab, ana: Account, bia: Account) -> None:
    client = await online(lab, ANA)
    typed = [f"+{BIA}", f"{BIA}@c.us", "+5511900009999"]
    users = [node("user", {}, node("contact", {}, text)) for text in typed]
    found = await lookup(client, users, node("contact"))
    assert [user.jid("jid") for user in found] == [Jid(BIA), Jid(BIA), Jid("5511900009999")]
    contacts = [user.child("contact") for user in found]
    assert [(contact.text("type"), contact.data().decode()) for contact in contacts] == [
        ("in", typed[0]),
        ("in", typed[1]),
        ("out", typed[2]),
    ]
    (by_lid,) = await lookup(client, users[:1], node("contact", {"addressing_mode": "lid"}))
    assert (by_lid.jid("jid"), by_lid.jid("pn_jid")) == (Jid(bia.lid, LIDS), Jid(BIA))
    await client.close()


async def test_devices_are_listed_under_the_address_asked_for(lab: Lab, ana: Account, bia: Account) -> None:
    client = await online(lab, ANA)
    await linked(lab, BIA)
    await linked(lab, BIA)
    users = [node("user", {"jid": jid}) for jid in (Jid(BIA), Jid(bia.lid, LIDS), Jid("1", LIDS))]
    by_number, by_lid, nobody = await lookup(client, users, node("devices", {"version": "2"}))
    assert (by_number.jid("jid"), by_lid.jid("jid")) == (Jid(BIA), Jid(bia.lid, LIDS))
    for user in (by_number, by_lid):
        listed = user.child("devices", "device-list").children("device")
        assert [(device.text("id"), device.text("key-index")) for device in listed] == [
            ("0", ""),
            ("1", "1"),
            ("2", "2"),
        ]
        signed = wa.SignedKeyIndexList.FromString(user.child("devices", "key-index-list").data())
        assert verify(bia.identity_public, b"\x06\x02" + signed.details, signed.account_signature)
        assert list(wa.KeyIndexList.FromString(signed.details).valid_indexes) == [1, 2]
    assert nobody.child("devices") is None
    await client.close()


async def test_facts_about_a_user(lab: Lab, ana: Account, bia: Account) -> None:
    client = await online(lab, ANA)
    lab.set_picture(BIA, JPEG)
    user = node("user", {"jid": Jid(BIA)})
    protocols = [node(tag) for tag in ("lid", "status", "picture", "business")]
    (found,) = await lookup(client, [user], *protocols)
    assert found.child("lid").jid("val") == Jid(bia.lid, LIDS)
    assert found.child("status").data().decode() == bia.record.about
    assert found.child("picture").text("id") == bia.picture[0]
    lab.set_privacy(BIA, "profile", "none")
    lab.set_privacy(BIA, "status", "none")
    (hidden,) = await lookup(client, [user], *protocols)
    assert [fact.tag for fact in hidden.children()] == ["lid"]
    await client.close()


async def test_an_incomplete_look_up_is_refused(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    for content in (None, node("usync"), node("usync", {}, node("query"))):
        assert error_of(await client.query("usync", "get", content)) == ("400", "bad-request")
    assert await lookup(client, [node("user")], node("contact")) == []
    await client.close()


# ---- pictures, privacy, the rest -------------------------------------------------------------------------


async def picture(client: Client, target: Jid, **attrs: str) -> Node:
    content = node("picture", {"query": "url", "type": "preview", **attrs})
    return await client.query("w:profile:picture", "get", content, target=target)


async def test_a_picture_is_found_and_can_be_fetched(lab: Lab, ana: Account, bia: Account) -> None:
    client = await online(lab, ANA)
    assert error_of(await picture(client, Jid(BIA))) == ("404", "item-not-found")
    lab.set_picture(BIA, JPEG)
    found = (await picture(client, Jid(bia.lid, LIDS))).child("picture")
    assert found.text("type") == "preview"
    assert base64.b64decode(found.text("hash")) == hashlib.sha256(JPEG).digest()
    context = ssl.create_default_context(cadata=lab.target.tls_ca_pem.decode())
    connector = aiohttp.TCPConnector(ssl=context)
    async with aiohttp.ClientSession(connector=connector) as session:
        async with session.get(found.text("url")) as answer:
            assert (await answer.read(), answer.content_type) == (JPEG, "image/jpeg")
        async with session.get(found.text("url") + "x") as answer:
            assert answer.status == 404
    same = (await picture(client, Jid(BIA), id=found.text("id"))).child("picture")
    assert same.text("status") == "304"
    assert "url" not in same.attrs
    lab.set_privacy(BIA, "profile", "none")
    assert error_of(await picture(client, Jid(BIA))) == ("401", "not-authorized")
    lab.set_picture(BIA, None)
    lab.set_privacy(BIA, "profile", "all")
    assert error_of(await picture(client, Jid(BIA))) == ("404", "item-not-found")
    await client.close()


async def test_a_changed_picture_is_told_to_those_who_know_the_user(
    lab: Lab, ana: Account, bia: Account
) -> None:
    client, other = await online(lab, ANA), await online(lab, BIA)
    await lookup(client, [node("user", {"jid": Jid(BIA)})], node("devices"))
    answer = await other.query("w:profile:picture", "set", node("picture", {"type": "image"}, JPEG))
    id_ = answer.child("picture").text("id")
    for watcher in (client, other):
        notice = await watcher.first("notification", "set", type="picture")
        assert (notice.child("set").text("id"), notice.child("set").jid("jid")) == (id_, Jid(BIA))
    lab.set_picture(BIA, None)
    assert (await client.first("notification", "delete", type="picture")).jid("from") == Jid(BIA)
    await client.close()
    await other.close()


async def test_privacy_is_read_and_changed(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)

    async def settings(kind: str, content: Node) -> dict[str, str]:
        answer = await client.query("privacy", kind, content)
        listed = answer.child("privacy").children("category")
        return {category.text("name"): category.text("value") for category in listed}

    assert await settings("get", node("privacy")) == ana.record.privacy
    change = node("privacy", {}, node("category", {"name": "last", "value": "none"}))
    assert (await settings("set", change))["last"] == "none"
    assert ana.record.privacy["last"] == "none"
    unknown = node("privacy", {}, node("category", {"name": "colour", "value": "none"}))
    assert error_of(await client.query("privacy", "set", unknown)) == ("400", "bad-request")
    await client.close()


async def test_a_token_of_trust_reaches_the_contact(lab: Lab, ana: Account, bia: Account) -> None:
    client, other = await online(lab, ANA), await online(lab, BIA)
    token = node("token", {"jid": Jid(bia.lid, LIDS), "t": "1", "type": "trusted_contact"})
    assert (await client.query("privacy", "set", node("tokens", {}, token))).text("type") == "result"
    notice = await other.first("notification", type="privacy_token")
    assert (notice.jid("from"), notice.jid("sender_lid")) == (Jid(ANA), Jid(ana.lid, LIDS))
    assert len(notice.child("tokens", "token").data()) == 16
    await client.close()
    await other.close()


async def test_small_queries(lab: Lab, ana: Account, bia: Account) -> None:
    client = await online(lab, ANA)
    media = await client.query("w:m", "set", node("media_conn"))
    assert media.child("media_conn", "host").text("hostname") == lab.target.address
    sync = node("sync", {}, node("collection", {"name": "regular", "version": "0"}))
    state = await client.query("w:sync:app:state", "set", sync)
    assert state.child("sync", "collection").text("name") == "regular"
    assert error_of(await client.query("w:sync:app:state", "set", None)) == ("400", "bad-request")
    await client.query("status", "set", node("status", {}, "busy"))
    about = await client.query("status", "get", node("status", {}, node("user", {"jid": Jid(ANA)})))
    assert about.child("status", "user").data() == b"busy"
    assert error_of(await client.query("md", "set", node("nonsense"))) == ("400", "bad-request")
    await client.close()


async def test_a_query_that_the_network_does_not_know_is_counted(lab: Lab, ana: Account) -> None:
    client = await online(lab, ANA)
    for _ in range(2):
        assert error_of(await client.query("w:pay", "get", None)) == ("501", "feature-not-implemented")
    assert lab.board.unknown_queries == {"w:pay": 2}
    await client.close()


async def test_a_stanza_the_lab_fails_on_is_reported_and_the_connection_lives(
    lab: Lab, ana: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await online(lab, ANA)

    def broken(*_: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("lab.stanzas.messages.handle", broken)
    await client.send(node("message", {"id": "M1"}))
    await client.query("w:p", "get", None)
    assert list(lab.board.errors) == ["message : KeyError('a defect')"]
    lab.board.errors.clear()
    await client.close()


# ---- presence --------------------------------------------------------------------------------------------


async def test_presence_is_seen_by_those_who_asked(lab: Lab, ana: Account, bia: Account) -> None:
    watcher, other = await online(lab, ANA), await online(lab, BIA)
    await watcher.send(node("presence", {"type": "subscribe", "to": Jid(bia.lid, LIDS)}))
    first = await watcher.first("presence", type="unavailable")
    assert (first.jid("from"), first.text("last")) == (Jid(bia.lid, LIDS), "deny")
    await other.send(node("presence", {"type": "available", "name": "Beatriz"}))
    await watcher.first("presence", type="")
    assert bia.record.push_name == "Beatriz"
    await other.close()
    (_, gone) = await watcher.wait(lambda s: s.text("type") == "unavailable", count=2)
    assert gone.text("last") == str(bia.record.last_seen)
    again = await back(lab, other.keys)
    await watcher.send(node("presence", {"type": "unsubscribe", "to": Jid(bia.lid, LIDS)}))
    await watcher.query("w:p", "get", None)
    seen = len(watcher.all("presence"))
    await again.send(node("presence", {"type": "available"}))
    await again.query("w:p", "get", None)
    await watcher.query("w:p", "get", None)
    assert len(watcher.all("presence")) == seen
    await watcher.close()
    await again.close()


async def test_two_devices_are_one_presence(lab: Lab, ana: Account, bia: Account) -> None:
    watcher, first, second = await online(lab, ANA), await online(lab, BIA), await online(lab, BIA)
    await watcher.send(node("presence", {"type": "subscribe", "to": Jid(BIA)}))
    for client in (first, second):
        await client.send(node("presence", {"type": "available"}))
        await client.query("w:p", "get", None)
    await first.send(node("presence", {"type": "unavailable"}))
    await first.query("w:p", "get", None)
    await second.send(node("presence", {"type": "unavailable"}))
    await watcher.wait(lambda s: s.tag == "presence", count=3)
    kinds = [stanza.text("type") for stanza in watcher.all("presence")]
    assert kinds == ["unavailable", "", "unavailable"]
    for client in (watcher, first, second):
        await client.close()


async def test_typing_is_seen_by_devices_in_use_and_never_kept(lab: Lab, ana: Account, bia: Account) -> None:
    writer, used, idle = await online(lab, ANA), await online(lab, BIA), await online(lab, BIA)
    await used.send(node("presence", {"type": "available"}))
    await used.query("w:p", "get", None)
    state = node("chatstate", {"to": Jid(bia.lid, LIDS)}, node("composing", {"media": "audio"}))
    await writer.send(state)
    seen = await used.first("chatstate")
    assert (seen.jid("from"), seen.child("composing").text("media")) == (Jid(ana.lid, LIDS, 1), "audio")
    await idle.query("w:p", "get", None)
    assert idle.all("chatstate") == []
    assert all("chatstate" not in device.queue.kinds() for device in bia.devices.values())
    for client in (writer, used, idle):
        await client.close()
