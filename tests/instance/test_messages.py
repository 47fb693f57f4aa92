"""Every kind of message, between an instance and another client, through the lab's network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from actors.events import Event, EventDraft, EventType
from actors.instance.connection import whatsapp_pb2 as wa
from actors.instance.outbox import QueuedMessage, SendRequest
from actors.messages.compose import Facts, compose
from actors.messages.content import AnyContent
from actors.messages.known import KnownMessage
from actors.registry import now
from lab.contacts import ENGINE
from lab.network import Lab
from tests.engine.device import Device
from tests.instance.conftest import FRIEND, PHONE, Running
from tests.wait import until

pytestmark = pytest.mark.engine
Own = Callable[..., Awaitable[Running]]
FRIEND_JID, MY_JID = f"{FRIEND}@s.whatsapp.net", f"{PHONE}@s.whatsapp.net"


class Pair:
    """An instance, and the client that it writes with."""

    def __init__(self, one: Running, friend: Device) -> None:
        self.one = one
        self.friend = friend

    async def send(self, **members: Any) -> QueuedMessage:
        """Send through the outbox, and wait for the result."""
        request = SendRequest.model_validate({"to": FRIEND_JID, **members})
        message_id, _ = await self.one.outbox.enqueue(request)
        self.one.instance.ring_outbox()

        async def look() -> QueuedMessage | None:
            message = await self.one.outbox.get(message_id)
            return message if message and message.result is not None else None

        return await until(look, what="a result")

    async def arrives(self, message_id: str) -> EventDraft:
        """What the friend's client makes of it."""

        def look() -> EventDraft | None:
            return next(
                (draft for draft in self.friend.drafts.values() if draft.data.get("id") == message_id), None
            )

        return await until(look, what=f"{message_id} at the friend")

    async def sent(self, **members: Any) -> tuple[QueuedMessage, EventDraft]:
        message = await self.send(**members)
        assert message.status != "failed", message.result
        return message, await self.arrives(message.id)

    async def writes(self, own_id: str, target: KnownMessage | None = None, **members: Any) -> Event:
        """Let the friend send; the instance's event of it."""
        content = TypeAdapter[Any](AnyContent).validate_python(members)
        facts = Facts(to=MY_JID, made_at_ms=round(now().timestamp() * 1000), secret=b"s" * 32, target=target)
        body = compose(content, facts).SerializeToString()
        await self.friend.engine.send(MY_JID, own_id, body)
        return await self.event(own_id)

    async def event(self, message_id: str) -> Event:
        async def look() -> Event | None:
            return next((e for e in await self.one.events() if e.data.get("id") == message_id), None)

        return await until(look, what=f"an event of {message_id}")


@pytest.fixture
async def pair(own: Own, lab: Lab, tmp_path: Path) -> AsyncIterator[Pair]:
    one = await own()
    await one.pair()
    lab.account(FRIEND, "Ana")
    friend = Device(ENGINE, lab, FRIEND, f"sqlite:{tmp_path / 'friend.db'}", "friend")
    await friend.start()
    await friend.connect()
    yield Pair(one, friend)
    await friend.close()


def with_type(**members: Any) -> dict[str, Any]:
    return {"type": "text", **members}


STANDING = [
    with_type(text="plain"),
    with_type(text="*look* @5511900000002", mentions=[FRIEND_JID]),
    with_type(
        text="see https://example.com/a",
        preview={"url": "https://example.com/a", "title": "A page", "description": "about a"},
        expires_in=86_400,
    ),
    {"type": "location", "latitude": -23.5, "longitude": -46.6, "name": "MASP", "address": "Paulista"},
    {"type": "contact", "contacts": [{"name": "Ana; Souza", "phones": ["+5511987654321"]}]},
    {
        "type": "contact",
        "contacts": [
            {"name": "Ana", "phones": ["+5511987654321"], "company": "Padaria"},
            {"name": "Bia", "vcard": "BEGIN:VCARD\nVERSION:3.0\nFN:Bia\nEND:VCARD"},
        ],
    },
    {"type": "poll", "question": "When?", "options": ["now", "later"], "max_selections": 2},
]


@pytest.mark.kinds(send=("text", "mentions", "link preview", "expires_in", "location", "contact", "poll"))
async def test_what_stands_in_a_chat_arrives_as_it_was_sent(pair: Pair) -> None:
    for members in STANDING:
        message, arrived = await pair.sent(**members)
        assert arrived.type is EventType.MESSAGE_RECEIVED
        told = (await pair.event(message.id)).data
        assert told["source"] == "api"
        for content in (arrived.data["content"], told["content"]):
            assert content["type"] == members["type"]
            for name in members.keys() - {"contacts", "preview"}:
                assert content[name] == members[name], (name, members)
        # Both sides tell of it in the same words.
        assert arrived.data["content"] == told["content"]
        assert (arrived.data["kind"], arrived.data["text"]) == (told["kind"], told["text"])


@pytest.mark.kinds(receive=("text", "mentions", "link preview", "expires_in", "location", "contact", "poll"))
async def test_what_stands_in_a_chat_is_received_as_it_was_sent(pair: Pair) -> None:
    for number, members in enumerate(STANDING):
        event = await pair.writes(f"IN{number}", **members)
        assert event.type is EventType.MESSAGE_RECEIVED
        assert event.data["content"]["type"] == members["type"]
        assert event.data["sender"]["phone"] == f"+{FRIEND}"
        for name in members.keys() - {"contacts"}:
            assert event.data["content"][name] == members[name], (name, members)
        cards = [card["name"] for card in event.data["content"].get("contacts", ())]
        assert cards == [card["name"] for card in members.get("contacts", ())]


@pytest.mark.kinds(send=("quote", "reaction", "edit", "delete", "forward"))
async def test_answers_reactions_edits_forwards_and_deletions_arrive(pair: Pair) -> None:
    original, _ = await pair.sent(text="helo")
    _, arrived = await pair.sent(text="and more", quote=original.id)
    quoting = wa.Message.FromString(_raw(pair.friend, arrived)).extended_text_message.context_info
    assert arrived.data["content"]["quote"]["message_id"] == original.id
    assert quoting.quoted_message == wa.Message(conversation="helo")

    _, arrived = await pair.sent(type="edit", message_id=original.id, text="hello")
    assert arrived.type is EventType.MESSAGE_EDITED
    assert arrived.data["content"]["message_id"] == original.id
    assert arrived.data["text"] == "hello"

    _, arrived = await pair.sent(type="reaction", message_id=original.id, emoji="👍")
    assert arrived.type is EventType.MESSAGE_REACTION
    assert (arrived.data["content"]["message_id"], arrived.data["content"]["emoji"]) == (original.id, "👍")

    _, arrived = await pair.sent(type="forward", message_id=original.id)
    assert arrived.type is EventType.MESSAGE_RECEIVED
    assert (arrived.data["text"], arrived.data["content"]["forwarded"]) == ("hello", 1)

    _, arrived = await pair.sent(type="delete", message_id=original.id)
    assert arrived.type is EventType.MESSAGE_DELETED
    assert arrived.data["content"]["message_id"] == original.id

    late = await pair.send(type="edit", message_id=original.id, text="too late")
    assert (late.result or {})["error"]["code"] == "message_unknown"


@pytest.mark.kinds(receive=("quote", "reaction", "edit", "delete"))
async def test_what_others_do_to_messages_is_told(pair: Pair) -> None:
    mine, arrived = await pair.sent(text="shall we?")
    assert arrived.chat_id is not None
    # As the friend knows it: in the chat with me, written by me.
    chat = pair.friend.lab.account(PHONE).lid + "@lid"
    theirs_of_mine = KnownMessage(
        id=mine.id,
        chat_id=chat,
        chat=chat,
        sender=chat,
        from_me=False,
        at_ms=0,
        raw=wa.Message(conversation="shall we?").SerializeToString(),
    )
    answer = await pair.writes("IN1", theirs_of_mine, type="text", text="yes", quote=mine.id)
    assert answer.data["content"]["quote"]["message_id"] == mine.id
    like = await pair.writes("IN2", theirs_of_mine, type="reaction", message_id=mine.id, emoji="❤️")
    assert like.type == EventType.MESSAGE_REACTION
    assert like.data["content"]["message_id"] == mine.id

    own = theirs_of_mine.model_copy(update={"id": "IN1", "from_me": True})
    edit = await pair.writes("IN3", own, type="edit", message_id="IN1", text="yes!")
    assert edit.type == EventType.MESSAGE_EDITED
    assert (edit.data["content"]["message_id"], edit.data["text"]) == ("IN1", "yes!")
    # From now on it is quoted as it reads now.
    _, arrived = await pair.sent(text="good", quote="IN1")
    context = wa.Message.FromString(_raw(pair.friend, arrived)).extended_text_message.context_info
    assert context.quoted_message == wa.Message(conversation="yes!")

    gone = await pair.writes("IN4", own, type="delete", message_id="IN1")
    assert gone.type == EventType.MESSAGE_DELETED
    assert gone.data["content"]["message_id"] == "IN1"
    late = await pair.send(text="what was it?", quote="IN1")
    assert (late.result or {})["error"]["code"] == "message_unknown"


def _raw(device: Device, draft: EventDraft) -> bytes:
    """The message as the client's engine reported it."""
    found = next(
        event for event in device.raw if getattr(getattr(event, "info", None), "id", "") == draft.data["id"]
    )
    return bytes(found.message)  # type: ignore[union-attr]


@pytest.mark.kinds(send="typing")
async def test_typing_is_seen_before_the_message(pair: Pair) -> None:
    await pair.friend.engine.presence(available=True)
    message, _ = await pair.sent(text="now", typing=0.5)
    await until(lambda: pair.friend.of(EventType.CHAT_PRESENCE), what="typing")
    kinds = [draft.type for draft in pair.friend.drafts.values()]
    assert kinds.index(EventType.CHAT_PRESENCE) < kinds.index(EventType.MESSAGE_RECEIVED)
    assert message.status != "failed"


@pytest.mark.kinds(send="delay")
async def test_a_drain_leaves_a_message_that_waits_to_the_successor(pair: Pair, own: Own) -> None:
    request = SendRequest.model_validate({"to": FRIEND_JID, "text": "patience", "delay": 2})
    message_id, _ = await pair.one.outbox.enqueue(request)
    pair.one.instance.ring_outbox()
    await until(lambda: not pair.one.instance._sender._idle.is_set())
    async with asyncio.timeout(30):
        await pair.one.instance.drain()
    waiting = await pair.one.outbox.get(message_id)
    assert waiting is not None
    assert (waiting.status, waiting.attempts) == ("queued", 0)
    await own()
    arrived = await pair.arrives(message_id)
    assert arrived.data["text"] == "patience"
