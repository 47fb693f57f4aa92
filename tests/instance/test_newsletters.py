"""Newsletters through the API, with somebody else's client as a reader or a writer."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from actors.events import EventType
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import whatsapp_pb2 as wa
from actors.settings import Settings
from lab.attachments import file_in
from lab.network import Lab
from tests.engine.device import Device, refused
from tests.instance.conftest import FRIEND, PHONE
from tests.instance.http import Gateway
from tests.instance.test_groups import friend as friend
from tests.instance.test_groups import gateway as gateway
from tests.instance.test_media_sent import Desk, source
from tests.wait import until

pytestmark = pytest.mark.engine
UNKNOWN = "120363000000000009@newsletter"


async def changes(gateway: Gateway) -> list[dict[str, Any]]:
    events = await gateway.one.events(EventType.NEWSLETTER_CHANGED)
    return [event.data["changes"] for event in events]


@pytest.mark.kinds(receive=("newsletters", "messages in newsletters"))
async def test_a_newsletter_is_found_followed_and_read(gateway: Gateway, friend: Device) -> None:
    made = await friend.engine.newsletters.create("Padaria", "O que há de novo")
    link = f"https://whatsapp.com/channel/{made.invite}"
    behind = await gateway.good("GET", "newsletters/invite", link=link)
    assert (behind["id"], behind["name"], behind["role"]) == (made.jid, "Padaria", None)
    assert (behind["link"], behind["description"]) == (link, "O que há de novo")
    assert (await gateway.good("GET", f"newsletters/{made.jid}"))["role"] == "guest"
    assert (await gateway.good("GET", "newsletters"))["items"] == []
    await friend.send(made.jid, "nobody reads this", "N0")
    for _ in range(2):
        await gateway.good("PUT", f"newsletters/{made.jid}/follow")
    [shown] = (await gateway.good("GET", "newsletters"))["items"]
    assert (shown["id"], shown["role"], shown["muted"], shown["followers"]) == (
        made.jid,
        "subscriber",
        False,
        1,
    )
    await friend.send(made.jid, "pão quente", "N1")

    async def read() -> bool:
        return await gateway.one.received() == ["pão quente"]

    await until(read, what="what is written")
    [event] = await gateway.one.events(EventType.MESSAGE_RECEIVED)
    assert (event.data["id"], event.chat_id, event.data["chat"]["kind"]) == ("N1", made.jid, "newsletter")
    assert event.data["content"] | {"type": "text", "text": "pão quente"} == event.data["content"]
    await gateway.good("PUT", f"newsletters/{made.jid}/mute")
    assert (await gateway.good("GET", f"newsletters/{made.jid}"))["muted"]
    await gateway.good("DELETE", f"newsletters/{made.jid}/mute")
    for _ in range(2):
        await gateway.good("DELETE", f"newsletters/{made.jid}/follow")
    told = [{"followed": True}, {"muted": True}, {"muted": False}, {"followed": False}]

    async def all_told() -> bool:
        return await changes(gateway) == told

    await until(all_told, what="every change")
    assert (await gateway.good("GET", "newsletters"))["items"] == []


@pytest.mark.kinds(send=("newsletters", "messages in newsletters"))
async def test_the_own_newsletter_is_created_and_written_in(
    gateway: Gateway, friend: Device, lab: Lab
) -> None:
    made = await gateway.good("POST", "newsletters", {"name": "News", "description": "Fresh"})
    assert (made["role"], made["followers"], made["state"]) == ("owner", 0, "active")
    await friend.engine.newsletters.follow(made["id"], followed=True)
    sent = await gateway.good("POST", "messages", {"to": made["id"], "text": "olá a todos"})
    assert (sent["status"], sent["chat_id"]) == ("sent", made["id"])
    await until(lambda: "olá a todos" in friend.texts(), what="what was written")
    assert [draft.chat_id for draft in friend.of(EventType.MESSAGE_RECEIVED)] == [made["id"]]
    body = {"to": made["id"], "type": "location", "latitude": 1, "longitude": 2}
    problem = await gateway.refused("invalid", "POST", "messages", body)
    assert problem["code"] == "not_for_newsletter"
    assert lab.account(PHONE).phone in lab.board.newsletters.of(lab.account(FRIEND))[0].readers


async def test_what_is_not_there_or_not_theirs(gateway: Gateway, friend: Device) -> None:
    theirs = (await friend.engine.newsletters.create("Theirs", "")).jid
    for method, path in (
        ("GET", f"newsletters/{UNKNOWN}"),
        ("PUT", f"newsletters/{UNKNOWN}/follow"),
        ("PUT", f"newsletters/{UNKNOWN}/mute"),
    ):
        problem = await gateway.refused("not-found", method, path)
        assert problem["code"] == "newsletter_unknown"
    link = "https://whatsapp.com/channel/AbCdEfGhIjKlMnOpQrStUv"
    problem = await gateway.refused("not-found", "GET", "newsletters/invite", link=link)
    assert problem["server_code"] == 404
    own = await gateway.good("POST", "newsletters", {"name": "Mine"})
    problem = await gateway.refused("newsletter-forbidden", "DELETE", f"newsletters/{own['id']}/follow")
    assert problem["status"] == 403
    for newsletter in (theirs, UNKNOWN):
        problem = await gateway.refused("send-failed", "POST", "messages", {"to": newsletter, "text": "hi"})
        assert problem["code"] == "newsletter_forbidden"
    for wrong in ("1@g.us", "5511900000001", "@newsletter"):
        await gateway.refused("invalid", "GET", f"newsletters/{wrong}")


@pytest.mark.kinds(receive="messages in newsletters")
async def test_a_file_in_a_newsletter_is_fetched_although_it_has_no_key(
    gateway: Gateway, friend: Device, tmp_path: Path
) -> None:
    made = await friend.engine.newsletters.create("Padaria", "")
    await gateway.good("PUT", f"newsletters/{made.jid}/follow")
    plain, path = os.urandom(5_000), (tmp_path / "plain.jpg").absolute()
    path.write_bytes(plain)
    uploaded = await friend.engine.upload(path, "image", plain=True)
    assert (uploaded.media_key, uploaded.file_sha256) == (b"", sha256(plain).digest())
    message = wa.Message()
    message.image_message.mimetype = "image/jpeg"
    message.image_message.caption = "fresh"
    message.image_message.direct_path = uploaded.direct_path
    message.image_message.file_sha256 = uploaded.file_sha256
    message.image_message.file_length = len(plain)
    body = message.SerializeToString()
    assert (await refused(friend.engine.send(made.jid, "N0", body))).server_code == 400
    await friend.engine.send(made.jid, "N1", body, media_handle=uploaded.handle)
    [ready] = await until(lambda: gateway.one.events(EventType.MEDIA_READY), what="the file")
    assert ready.data["message_id"] == "N1"
    parts = gateway.one.instance._files.read(gateway.one.id, ready.data["media"]["id"])
    assert b"".join([part async for part in parts]) == plain


@pytest.mark.kinds(send="messages in newsletters")
@pytest.mark.parametrize("kind", ["image", "voice", "sticker"])
async def test_a_file_is_sent_to_a_newsletter_as_it_is(
    gateway: Gateway, friend: Device, lab: Lab, settings: Settings, tmp_path: Path, kind: str
) -> None:
    made = await gateway.good("POST", "newsletters", {"name": "News"})
    await friend.engine.newsletters.follow(made["id"], followed=True)
    desk = Desk(gateway.one, settings, lab)
    await gateway.one.instance.quiesce()
    message_id = await desk.queue(kind, source(kind, tmp_path), to=made["id"])
    whole = await desk.file(message_id)
    gateway.one.instance.resume()
    result = await desk.result(message_id)
    await desk.intake.close()
    assert result.status != "failed", result.result

    def arrived() -> pb.Message | None:
        found = (event for event in friend.raw if isinstance(event, pb.Message))
        return next((event for event in found if event.info.id == message_id), None)

    message = await until(arrived, what="the message")
    path = tmp_path / "fetched"
    await friend.engine.fetch_media(path, **file_in(message.message))
    assert path.read_bytes() == whole
    body = {"to": made["id"], "type": "image", "media": {"id": "med_1"}, "view_once": True}
    problem = await gateway.refused("invalid", "POST", "messages", body)
    assert problem["code"] == "not_for_newsletter"


@pytest.mark.kinds(send="newsletter messages", receive="newsletter messages")
async def test_views_and_reactions_are_counted(gateway: Gateway, friend: Device) -> None:
    made = await friend.engine.newsletters.create("Padaria", "")
    for number in (1, 2, 3):
        await friend.send(made.jid, f"pão {number}", f"N{number}")
    path = f"newsletters/{made.jid}/messages"
    [third, second] = (await gateway.good("GET", path, limit="2"))["items"]
    assert (third["number"], third["id"], third["text"]) == (3, "N3", "pão 3")
    assert (second["views"], second["reactions"], second["content"]["type"]) == (0, {}, "text")
    [first] = (await gateway.good("GET", path, before=str(second["number"])))["items"]
    assert (first["id"], first["number"]) == ("N1", 1)
    like, post = {"emoji": "👍"}, f"{path}/3"
    problem = await gateway.refused("newsletter-forbidden", "PUT", f"{post}/reaction", like)
    assert problem["server_code"] == 403, "it is not followed"
    await gateway.good("PUT", f"newsletters/{made.jid}/follow")
    await friend.engine.newsletters.react(made.jid, 3, "🥖")
    await gateway.good("PUT", f"{post}/reaction", {"emoji": "🥖"})
    await gateway.good("PUT", f"{post}/reaction", like)
    for _ in range(2):
        await gateway.good("PUT", f"{post}/view")

    async def counted() -> Any:
        [seen] = await friend.engine.newsletters.posts(made.jid, count=1)
        return (seen.views, dict(seen.reactions))

    assert await counted() == (1, {"🥖": 1, "👍": 1}), "as the writer sees it"
    [shown] = (await gateway.good("GET", path, limit="1"))["items"]
    assert (shown["views"], shown["reactions"]) == await counted()
    for _ in range(2):
        await gateway.good("DELETE", f"{post}/reaction")
    assert await counted() == (1, {"🥖": 1})
    problem = await gateway.refused("not-found", "PUT", f"{path}/99/reaction", like)
    assert problem["code"] == "newsletter_unknown"
    for wrong in ("0", "x", "99999999999"):
        await gateway.refused("invalid", "PUT", f"{path}/{wrong}/view")
    await gateway.refused("invalid", "PUT", f"{post}/reaction", {"emoji": "no"})
    await gateway.refused("not-found", "GET", f"newsletters/{UNKNOWN}/messages")
