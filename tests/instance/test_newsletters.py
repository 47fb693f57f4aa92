"""Newsletters through the API, with somebody else's client as a reader or a writer."""

from __future__ import annotations

from typing import Any

import pytest

from actors.events import EventType
from lab.network import Lab
from tests.engine.device import Device
from tests.instance.conftest import FRIEND, PHONE
from tests.instance.http import Gateway
from tests.instance.test_groups import friend as friend
from tests.instance.test_groups import gateway as gateway
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
