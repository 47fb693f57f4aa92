"""Kinds that stand for more than a message in a chat: votes, what is seen once, what disappears, status."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

from actors.events import Event, EventDraft, EventType
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import whatsapp_pb2 as wa
from actors.messages.compose import Facts, compose
from actors.messages.compose_media import Uploaded
from actors.messages.content import Image, MediaSource, Text
from actors.settings import Settings
from lab.network import Lab
from tests.api.world import running_world
from tests.instance.conftest import FRIEND, PHONE
from tests.instance.http import Gateway
from tests.instance.test_media_sent import Desk, source
from tests.instance.test_messages import Pair
from tests.instance.test_messages import pair as pair
from tests.wait import until

pytestmark = pytest.mark.engine
POLL = {"type": "poll", "question": "When?", "options": ["now", "later"], "max_selections": 1}


@pytest.mark.kinds(send="poll_vote")
async def test_a_vote_is_sent_replaced_and_taken_back(pair: Pair) -> None:
    await pair.writes("P1", **POLL)
    for options in (["now"], ["later"], []):
        message = await pair.send(type="poll_vote", message_id="P1", options=options)
        assert message.status != "failed", message.result

        def heard(message_id: str = message.id) -> pb.Message | None:
            votes = [event for event in pair.friend.raw if isinstance(event, pb.Message)]
            return next((event for event in votes if event.info.id == message_id), None)

        vote = await until(heard, what="the vote at the friend")
        assert (vote.vote, vote.target_id) == (True, "P1")
        assert list(vote.vote_options) == [sha256(option.encode()).digest() for option in options]
        told = (await pair.event(message.id)).data["content"]
        assert (told["type"], told["message_id"], told["question"]) == ("poll_vote", "P1", "When?")
        assert told["options"] == options


async def test_a_vote_in_ones_own_poll_is_sent(pair: Pair) -> None:
    poll, _ = await pair.sent(**POLL)
    message = await pair.send(type="poll_vote", message_id=poll.id, options=["later"])
    assert message.status != "failed", message.result
    arrived = await pair.arrives(message.id)
    assert (arrived.type, arrived.data["content"]["message_id"]) == (EventType.POLL_VOTE, poll.id)


async def test_a_vote_that_cannot_be_is_refused(pair: Pair) -> None:
    await pair.writes("P1", **POLL)
    await pair.writes("T1", type="text", text="When?")
    for code, message_id, options in (
        ("message_unknown", "P2", ["now"]),
        ("not_a_poll", "T1", ["now"]),
        ("no_such_option", "P1", ["never"]),
        ("too_many_options", "P1", ["now", "later"]),
    ):
        message = await pair.send(type="poll_vote", message_id=message_id, options=options)
        assert message.status == "failed"
        assert message.result
        assert message.result["error"]["code"] == code


@pytest.mark.kinds(send="view_once", receive="view_once")
async def test_what_is_seen_once_says_so_at_both_ends(
    pair: Pair, settings: Settings, lab: Lab, tmp_path: Path
) -> None:
    desk = Desk(pair.one, settings, lab)
    message_id = await desk.queue("image", source("image", tmp_path), view_once=True)
    message = await desk.result(message_id)
    await desk.intake.close()
    assert message.status != "failed", message.result
    arrived = await pair.arrives(message_id)
    for content in (arrived.data["content"], (await pair.event(message_id)).data["content"]):
        assert (content["type"], content["view_once"]) == ("image", True)
    key = b"k" * 32
    file = Uploaded("", "/v/t62.7118-24/gone", key, key, key, 3, "image/jpeg")
    once = Image(media=MediaSource(id="med_0a1b2c3d4e5f"), view_once=True)
    body = compose(once, Facts(to=f"{PHONE}@s.whatsapp.net", made_at_ms=1, media=file)).SerializeToString()
    await pair.friend.engine.send(f"{PHONE}@s.whatsapp.net", "O1", body)
    event = await pair.event("O1")
    assert (event.type, event.data["content"]["view_once"]) == (EventType.MESSAGE_RECEIVED, True)


@pytest.mark.kinds(send="status", receive="status")
async def test_a_status_is_sent_and_received(pair: Pair, lab: Lab) -> None:
    for phone, reader in ((PHONE, FRIEND), (FRIEND, PHONE)):
        lab.account(phone).record.status_audience = "whitelist"
        lab.account(phone).record.status_people = [reader]
    status = {"to": "status@broadcast", "type": "text", "text": "aberto", "background": "#1F7A5C"}
    message, arrived = await pair.sent(**status)
    assert (arrived.data["chat"]["kind"], arrived.data["text"]) == ("status", "aberto")
    told = (await pair.event(message.id)).data
    assert (told["chat"]["kind"], told["content"]["text"]) == ("status", "aberto")
    body = compose(Text(text="na praia"), Facts(to="status@broadcast", made_at_ms=1)).SerializeToString()
    await pair.friend.engine.send("status@broadcast", "S1", body)
    event = await pair.event("S1")
    assert (event.data["chat"]["kind"], event.data["text"]) == ("status", "na praia")
    assert event.data["sender"]["phone"] == f"+{FRIEND}"


@pytest.mark.kinds(send="disappearing chats", receive="disappearing chats")
async def test_messages_of_a_chat_disappear_if_either_side_wants_it(
    pair: Pair, redis_url: str, prefix: str
) -> None:
    async with running_world(redis_url, prefix) as world:
        gateway = Gateway(world, pair.one)
        await gateway.good("PATCH", f"chats/{FRIEND}", {"expires_in": 604_800})
        (heard,) = await until(lambda: pair.friend.of(EventType.CHAT_CHANGED), what="the timer at the friend")
        assert heard.data["expires_in"] == 604_800
        await pair.friend.engine.profile.set_disappearing(86_400, chat=f"{PHONE}@s.whatsapp.net")

        async def changed() -> bool:
            told = await pair.one.events(EventType.CHAT_CHANGED)
            return [event.data["expires_in"] for event in told] == [86_400]

        await until(changed, what="the timer of the friend")
        await gateway.refused("invalid", "PATCH", f"chats/{FRIEND}", {"expires_in": 5})
    message, arrived = await pair.sent(type="text", text="soon gone", expires_in=86_400)
    for content in (arrived.data["content"], (await pair.event(message.id)).data["content"]):
        assert content["expires_in"] == 86_400


@pytest.mark.kinds(receive="poll_vote")
async def test_a_vote_is_told_by_the_names_of_its_options(pair: Pair, lab: Lab) -> None:
    poll, _ = await pair.sent(**POLL)
    me = f"{lab.account(PHONE).lid}@lid"
    for number, options in enumerate((["later"], [])):
        await pair.friend.engine.vote(me, poll.id, options, f"V{number}", sender=me)
        told = await pair.event(f"V{number}")
        content = told.data["content"]
        assert (told.type, content["message_id"]) == (EventType.POLL_VOTE, poll.id)
        assert (content["question"], content["options"]) == ("When?", options)


@pytest.mark.kinds(receive="forward")
async def test_a_message_that_was_forwarded_says_so(pair: Pair) -> None:
    body = wa.Message()
    body.extended_text_message.text = "pass it on"
    body.extended_text_message.context_info.is_forwarded = True
    body.extended_text_message.context_info.forwarding_score = 4
    await pair.friend.engine.send(f"{PHONE}@s.whatsapp.net", "F1", body.SerializeToString())
    event = await pair.event("F1")
    assert (event.type, event.data["content"]["forwarded"]) == (EventType.MESSAGE_RECEIVED, 4)


@pytest.mark.kinds(receive=("live_location", "group_invite", "button_reply", "unsupported"))
async def test_what_only_apps_send_is_told(pair: Pair) -> None:
    live, invite, reply, other = wa.Message(), wa.Message(), wa.Message(), wa.Message()
    live.live_location_message.degrees_latitude = -23.5
    live.live_location_message.degrees_longitude = -46.5
    live.live_location_message.accuracy_in_meters = 7
    invite.group_invite_message.group_jid = "120363000000000001@g.us"
    invite.group_invite_message.invite_code = "AbCd"
    invite.group_invite_message.group_name = "Family"
    reply.buttons_response_message.selected_button_id = "b1"
    reply.buttons_response_message.selected_display_text = "Yes"
    # A field that no description knows: whatever WhatsApp comes to next.
    other.ParseFromString(b"\x9a\x3f\x04\x0a\x02hi")
    expected = (
        (live, {"type": "live_location", "latitude": -23.5, "longitude": -46.5, "accuracy": 7}),
        (invite, {"type": "group_invite", "code": "AbCd", "name": "Family"}),
        (reply, {"type": "button_reply", "id": "b1", "text": "Yes"}),
        (other, {"type": "unsupported"}),
    )
    for number, (message, content) in enumerate(expected):
        body = message.SerializeToString()
        await pair.friend.engine.send(f"{PHONE}@s.whatsapp.net", f"A{number}", body)
        event = await pair.event(f"A{number}")
        assert event.type is EventType.MESSAGE_RECEIVED
        assert event.data["content"] | content == event.data["content"]
        # The sending client adds to a message what it needs: what was in it is in it still.
        assert wa.Message.FromString(base64.b64decode(event.data["raw"])).SerializeToString()
        assert message.SerializeToString()[:20] in base64.b64decode(event.data["raw"])


@pytest.mark.kinds(send="receipts", receive="receipts")
async def test_who_has_read_and_played_what_is_told_at_both_ends(
    pair: Pair, lab: Lab, redis_url: str, prefix: str
) -> None:
    sent, _ = await pair.sent(text="listen")
    me = f"{lab.account(PHONE).lid}@lid"
    await pair.friend.engine.mark_read(me, [sent.id])
    await pair.friend.engine.mark_read(me, [sent.id], played=True)

    async def told() -> list[str]:
        found = [event.data["status"] for event in await pair.one.events(EventType.MESSAGE_STATUS)]
        return found if "played" in found else []

    assert await until(told, what="played") == ["delivered", "read", "played"]
    message = await pair.one.outbox.get(sent.id)
    assert message is not None
    assert message.status == "played"
    event = await pair.writes("IN1", type="text", text="and you?")
    async with running_world(redis_url, prefix) as world:
        gateway = Gateway(world, pair.one)
        for played in (False, True):
            body = {"message_ids": [event.data["id"]], "played": played}
            await gateway.good("POST", f"chats/{event.chat_id}/read", body)

    def heard() -> list[str]:
        found = [draft.data["status"] for draft in pair.friend.of(EventType.MESSAGE_STATUS)]
        return found if "played" in found else []

    assert await until(heard, what="played at the friend") == ["delivered", "read", "played"]


@pytest.mark.kinds(send="typing", receive="typing")
async def test_typing_and_recording_are_seen_at_both_ends(
    pair: Pair, lab: Lab, redis_url: str, prefix: str
) -> None:
    event = await pair.writes("IN1", type="text", text="hello")
    await pair.friend.engine.presence(available=True)
    states = ("composing", "recording", "paused")
    async with running_world(redis_url, prefix) as world:
        gateway = Gateway(world, pair.one)
        for state in states:
            await gateway.good("POST", f"chats/{event.chat_id}/typing", {"state": state})
            seen = partial(_states, pair.friend.drafts.values(), state)
            await until(seen, what=f"{state} at the friend")
        await gateway.configure({"show_online": True})
        connection = lab.board.online(lab.account(PHONE))
        await until(lambda: any(peer.available for peer in connection), what="the account online")

    for state in states:
        await pair.friend.engine.chat_presence(f"{PHONE}@s.whatsapp.net", state)

        async def told(state: str = state) -> bool:
            return _states(await pair.one.events(EventType.CHAT_PRESENCE), state)

        await until(told, what=f"{state} of the friend")


def _states(events: Iterable[EventDraft | Event], state: str) -> bool:
    return any(event.type is EventType.CHAT_PRESENCE and event.data["state"] == state for event in events)


@pytest.mark.kinds(receive="undecryptable")
async def test_what_cannot_be_read_is_told_and_completed_when_it_comes_again(
    pair: Pair, tmp_path: Path
) -> None:
    await pair.writes("IN1", type="text", text="before")
    with closing(sqlite3.connect(tmp_path / "session.db", isolation_level=None)) as database:
        database.execute("DELETE FROM whatsmeow_sessions")
    body = compose(Text(text="what?"), Facts(to=f"{PHONE}@s.whatsapp.net", made_at_ms=1)).SerializeToString()
    await pair.friend.engine.send(f"{PHONE}@s.whatsapp.net", "IN2", body)

    async def completed() -> list[Event]:
        events = [event for event in await pair.one.events() if event.data.get("id") == "IN2"]
        return events if events and events[-1].type is EventType.MESSAGE_RECEIVED else []

    first, *_, last = await until(completed, what="the message, readable")
    assert (first.type, first.data["reason"]) == (EventType.MESSAGE_UNDECRYPTABLE, "undecryptable")
    assert (last.data["text"], last.data["retried"]) == ("what?", True)
