"""Kinds that stand for more than a message in a chat: votes, what is seen once, what disappears, status."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from actors.events import EventType
from actors.instance.connection import engine_pb2 as pb
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
