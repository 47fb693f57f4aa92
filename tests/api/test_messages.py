"""Messages: queued, sent while the request waits, or later; and what they are refused for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import TypeAdapter
from yarl import URL

from actors.events import EventDraft, EventType
from actors.instance.connection import whatsapp_pb2 as wa
from actors.instance.errors import CallFailed
from actors.messages import content
from actors.messages.content import EXAMPLE_ID
from actors.messages.known import KnownMessage
from actors.registry import ConnectionState, now
from api.contents import ANSWERED, EXAMPLES, POLLED, SendMessage
from tests.api.world import Answered, Owner, World, running_world

HELLO = {"to": "+55 11 91234-5678", "text": "Hello"}
JID = "5511912345678@s.whatsapp.net"
AGO = 1_600_000_000_000
AnyContent: TypeAdapter[Any] = TypeAdapter(content.AnyContent)


async def post(world: World, iid: str, body: object = HELLO, query: str = "", **headers: str) -> Answered:
    return await world.ask(
        "POST",
        f"/v1/instances/{iid}/messages{query}",
        key=world.tokens[iid],
        json=body,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


async def test_sent_while_the_request_waits(world: World, iid: str, owner: Owner) -> None:
    asking = asyncio.create_task(post(world, iid))
    sent = await owner.send_next()
    answer = await asking
    assert answer.status == 201, answer.body
    message = answer.json
    assert (message["id"], message["status"], message["to"]) == (sent, "sent", JID)
    assert message["chat_id"] == JID
    assert message["sent_at"] is not None
    assert message["error"] is None
    assert ("ring_outbox", iid) in world.instances.calls
    shown = await world.ask("GET", answer.headers["Location"], key=world.tokens[iid])
    assert shown.json == message


async def test_queued_when_nobody_waits(world: World, iid: str, owner: Owner) -> None:
    answer = await post(world, iid, query="?wait=0")
    assert answer.status == 202
    assert answer.json["status"] == "queued"
    assert answer.json["attempts"] == 0
    sent = await owner.send_next()
    assert sent == answer.json["id"]
    later = await world.ask("GET", answer.headers["Location"])
    assert later.json["status"] == "sent"


async def test_queued_when_the_result_does_not_come_in_time(world: World, iid: str, owner: Owner) -> None:
    answer = await post(world, iid, query="?wait=0.05")
    assert answer.status == 202
    assert await owner.outbox.depth() == 1


@pytest.mark.parametrize(
    "failure", [CallFailed("not_connected", "x"), RuntimeError("x"), CallFailed("timeout", "x")]
)
async def test_an_instance_that_cannot_be_rung_loses_nothing(
    world: World, iid: str, owner: Owner, failure: Exception
) -> None:
    world.instances.failure = failure
    answer = await post(world, iid, query="?wait=0")
    assert answer.status == 202
    assert await owner.outbox.depth() == 1


async def test_an_instance_that_never_started_queues(world: World, iid: str) -> None:
    assert (await post(world, iid, query="?wait=0")).status == 202


async def test_a_disconnected_instance_queues_without_waiting(world: World, iid: str, owner: Owner) -> None:
    await world.ask("POST", f"/v1/instances/{iid}/disconnect")
    assert (await post(world, iid, query="?wait=10")).status == 202


async def test_a_failed_message_says_why(world: World, iid: str, owner: Owner) -> None:
    asking = asyncio.create_task(post(world, iid, Idempotency_Key="k"))
    failed = await owner.send_next({"code": "not_on_whatsapp", "message": "Nobody has this number"})
    answer = await asking
    document = answer.problem("send-failed")
    assert answer.status == 422
    assert document["code"] == "not_on_whatsapp"
    assert document["message_id"] == failed
    shown = (await world.ask("GET", f"/v1/instances/{iid}/messages/{failed}")).json
    assert shown["status"] == "failed"
    assert shown["error"] == {"code": "not_on_whatsapp", "message": "Nobody has this number"}
    again = await post(world, iid, Idempotency_Key="k")
    assert again.problem("send-failed")["message_id"] == failed


@pytest.mark.parametrize(
    ("state", "paired"),
    [
        (ConnectionState.LOGGED_OUT, False),
        (ConnectionState.BANNED, True),
        (ConnectionState.PAIRING, False),
        # Logged out, and told to disconnect or connect since: whoever is paired next is somebody else, maybe.
        (ConnectionState.DISCONNECTED, False),
        (ConnectionState.CONNECTING, False),
    ],
)
async def test_an_unpaired_instance_refuses(
    world: World, iid: str, state: ConnectionState, paired: bool
) -> None:
    owner = await world.owner(iid, state, paired=paired)
    answer = await post(world, iid)
    answer.problem("not-paired")
    assert answer.status == 409
    assert await owner.outbox.depth() == 0


@pytest.mark.parametrize(
    "state",
    [
        ConnectionState.CONNECTING,
        ConnectionState.DISCONNECTED,
        ConnectionState.PARKED,
        ConnectionState.CONFLICT,
    ],
)
async def test_an_instance_that_reconnects_queues(world: World, iid: str, state: ConnectionState) -> None:
    await world.owner(iid, state)
    assert (await post(world, iid, query="?wait=0")).status == 202


async def test_a_repeated_key_is_answered_as_then_whoever_is_paired(
    world: World, iid: str, owner: Owner
) -> None:
    first = await post(world, iid, query="?wait=0", Idempotency_Key="order-7")
    await owner.state(ConnectionState.LOGGED_OUT, device=None)
    again = await post(world, iid, query="?wait=0", Idempotency_Key="order-7")
    assert (again.status, again.json["id"]) == (202, first.json["id"])
    (await post(world, iid, query="?wait=0", Idempotency_Key="order-8")).problem("not-paired")


@pytest.mark.parametrize("key", [b"", b"k" * 256, b"caf\xe9"])
async def test_a_key_that_cannot_be_used(world: World, iid: str, owner: Owner, key: bytes) -> None:
    body = json.dumps(HELLO).encode()
    lines = [
        f"POST /v1/instances/{iid}/messages?wait=0 HTTP/1.1\r\nHost: malote".encode(),
        f"Authorization: Bearer {world.tokens[iid]}\r\nContent-Type: application/json".encode(),
        b"Idempotency-Key: " + key,
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode(),
    ]
    url = URL(world.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"\r\n".join(lines) + body)
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 422 "), answer
    assert b'"parameter":"Idempotency-Key"' in answer
    assert await owner.outbox.depth() == 0


async def test_a_repeated_key_sends_once(world: World, iid: str, owner: Owner) -> None:
    answers = await asyncio.gather(
        *(post(world, iid, query="?wait=0", Idempotency_Key="order-7") for _ in range(5))
    )
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert await owner.outbox.depth() == 1
    assert sum("Idempotency-Replayed" not in answer.headers for answer in answers) == 1
    await owner.send_next()
    again = await post(world, iid, Idempotency_Key="order-7")
    assert again.status == 201
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json["status"] == "sent"


async def test_a_key_belongs_to_one_message(world: World, iid: str, owner: Owner) -> None:
    first = await post(world, iid, query="?wait=0", Idempotency_Key="order-7")
    other = await post(world, iid, {**HELLO, "text": "Other"}, Idempotency_Key="order-7")
    document = other.problem("idempotency-key-reused")
    assert other.status == 422
    assert document["message_id"] == first.json["id"]


async def test_keys_are_of_one_instance(world: World, iid: str, owner: Owner) -> None:
    other = await world.instance()
    one = await post(world, iid, query="?wait=0", Idempotency_Key="k")
    two = await post(world, other, query="?wait=0", Idempotency_Key="k")
    assert one.json["id"] != two.json["id"]


async def test_a_full_outbox_is_explained(redis_url: str, prefix: str) -> None:
    async with running_world(redis_url, prefix) as world:
        iid = await world.instance()
        owner = await world.owner(iid)
        outbox = world.services.settings.outbox
        world.services.settings = world.settings.model_copy(
            update={"outbox": outbox.model_copy(update={"bound": 2})}
        )
        assert [(await post(world, iid, query="?wait=0")).status for _ in range(3)] == [202, 202, 429]
        answer = await post(world, iid)
        answer.problem("outbox-full")
        assert "Retry-After" in answer.headers
        await owner.send_next()
        assert (await post(world, iid, query="?wait=0")).status == 202


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"text": "x"}, "#/to"),
        ({"to": "x", "text": "x"}, "#/to"),
        ({"to": "", "text": "x"}, "#/to"),
        ({"to": "11 91234-5678", "text": "x"}, "#/to"),
        ({"to": "+55 11 9", "text": "x"}, "#/to"),
        ({"to": "+999 11 91234-5678", "text": "x"}, "#/to"),
        ({"to": 5511912345678, "text": "x"}, "#/to"),
        ({"to": "someone@example.com", "text": "x"}, "#/to"),
        ({"to": "+5511912345678"}, "#/text"),
        ({"to": "+5511912345678", "text": ""}, "#/text"),
        ({"to": "+5511912345678", "text": "x" * 65_537}, "#/text"),
        ({"to": "+5511912345678", "text": None}, "#/text"),
        ({"to": "+5511912345678", "type": "fax", "text": "x"}, "#/type"),
        ({"to": "+5511912345678", "type": None, "text": "x"}, "#/type"),
        ({"to": "+5511912345678", "text": "x", "delays": 5}, "#/delays"),
        ({"to": "+5511912345678", "text": "x", "delay": 61}, "#/delay"),
        ({"to": "+5511912345678", "text": "x", "typing": -1}, "#/typing"),
    ],
)
async def test_a_bad_message_is_explained(
    world: World, iid: str, owner: Owner, body: object, pointer: str
) -> None:
    answer = await post(world, iid, body)
    assert answer.status == 422
    assert [error["pointer"] for error in answer.problem("invalid")["errors"]] == [pointer]
    assert await owner.outbox.depth() == 0


async def test_the_longest_text(world: World, iid: str, owner: Owner) -> None:
    body = {**HELLO, "text": "ç" * 65_536}
    answer = await post(world, iid, body, query="?wait=0")
    assert answer.status == 202
    assert answer.json["text"] == body["text"]


@pytest.mark.parametrize("query", ["wait=-1", "wait=11", "wait=nan", "wait=inf", "wait=x", "waits=1"])
async def test_a_bad_wait_is_explained(world: World, iid: str, owner: Owner, query: str) -> None:
    document = (await post(world, iid, query=f"?{query}")).problem("invalid")
    assert document["errors"][0]["parameter"] == query.partition("=")[0]
    assert await owner.outbox.depth() == 0


async def test_a_bad_key_is_explained(world: World, iid: str, owner: Owner) -> None:
    document = (await post(world, iid, Idempotency_Key="x" * 256)).problem("invalid")
    assert document["errors"][0]["parameter"] == "Idempotency-Key"
    assert (await post(world, iid, Idempotency_Key="")).status == 422


@pytest.mark.parametrize(
    ("to", "jid"),
    [
        ("5511912345678", JID),
        ("5511912345678@c.us", JID),
        ("5511912345678:12@s.whatsapp.net", JID),
        ("123456789012345@lid", "123456789012345@lid"),
        ("120363000000000000@g.us", "120363000000000000@g.us"),
        ("5511912345678-1612345678@g.us", "5511912345678-1612345678@g.us"),
    ],
)
async def test_recipients(world: World, iid: str, owner: Owner, to: str, jid: str) -> None:
    answer = await post(world, iid, {"to": to, "text": "x"}, query="?wait=0")
    assert answer.json["to"] == jid


# ---- every kind -----------------------------------------------------------------------------------------


HI = wa.Message(conversation="hi")
QUESTION = wa.Message(
    poll_creation_message=wa.PollCreationMessage(
        name="When?", options=[wa.PollCreationMessage.Option(option_name="Friday")]
    )
)


async def remember(owner: Owner, message_id: str, message: wa.Message = HI, **more: Any) -> None:
    """The instance received or sent this message."""
    facts: dict[str, Any] = {
        "chat_id": JID,
        "chat": JID,
        "sender": JID,
        "from_me": True,
        "at_ms": AGO,
        **more,
    }
    known = KnownMessage(id=message_id, raw=message.SerializeToString(), **facts)
    draft = EventDraft(
        type=EventType.MESSAGE_SENT,
        dedupe_key=f"message:{message_id}",
        occurred_at=now(),
        received_at=now(),
        data={},
        memory=known.learnt(),
    )
    await owner.mailbox.append(owner.epoch, draft)


@pytest.mark.parametrize("name", [name for name, body in EXAMPLES.items() if "media" not in body])
async def test_the_example_of_each_kind_is_taken(world: World, iid: str, owner: Owner, name: str) -> None:
    now_ms = round(now().timestamp() * 1000)
    await remember(owner, ANSWERED, at_ms=now_ms)
    await remember(owner, EXAMPLE_ID, at_ms=now_ms)
    await remember(owner, POLLED, QUESTION, at_ms=now_ms)
    example = EXAMPLES[name]
    answer = await post(world, iid, example, query="?wait=0")
    assert answer.status == 202, answer.body
    assert answer.json["type"] == example["type"]
    # What can be looked up is what was asked for.
    shown = (await world.ask("GET", answer.headers["Location"])).json
    assert shown == answer.json
    queued = await owner.outbox.head()
    assert queued is not None
    assert queued.request.content == AnyContent.validate_python(shown["content"])
    assert (queued.request.delay, queued.request.typing) == (
        example.get("delay", 0),
        example.get("typing", 0),
    )


@pytest.mark.parametrize(
    "name", [name for name, body in EXAMPLES.items() if {"id", "url"} & body.get("media", {}).keys()]
)
async def test_a_file_that_cannot_be_had_is_told_at_once(
    world: World, iid: str, owner: Owner, name: str
) -> None:
    """The examples name files that are not stored, and servers that nobody may connect to."""
    body = {**EXAMPLES[name]}
    if "url" in body["media"]:
        body["media"] = {"url": "http://127.0.0.1:9/tour.mp4"}
    document = (await post(world, iid, body)).problem("media-refused")
    assert document["code"].startswith("media_")
    assert document["errors"][0]["pointer"] == "#/media"
    assert await owner.outbox.depth() == 0


@pytest.mark.parametrize(
    ("body", "known", "code", "pointer"),
    [
        ({"type": "edit", "message_id": "T", "text": "x"}, None, "message_unknown", "#/message_id"),
        ({"type": "edit", "message_id": "T", "text": "x"}, {"at_ms": AGO}, "too_old", "#/message_id"),
        ({"type": "edit", "message_id": "T", "text": "x"}, {"from_me": False}, "not_yours", "#/message_id"),
        ({"type": "edit", "message_id": "T", "text": "x"}, {"chat_id": "other@lid"}, "other_chat", "#/to"),
        ({"type": "delete", "message_id": "T"}, {"at_ms": AGO}, "too_old", "#/message_id"),
        ({"type": "reaction", "message_id": "T", "emoji": "👍"}, None, "message_unknown", "#/message_id"),
        ({"type": "forward", "message_id": "T"}, None, "message_unknown", "#/message_id"),
        ({"type": "text", "text": "x", "quote": "T"}, None, "message_unknown", "#/quote/message_id"),
    ],
)
async def test_what_another_message_does_not_allow_is_refused_at_once(
    world: World,
    iid: str,
    owner: Owner,
    body: dict[str, Any],
    known: dict[str, Any] | None,
    code: str,
    pointer: str,
) -> None:
    if known is not None:
        await remember(owner, "T", **{"at_ms": round(now().timestamp() * 1000), **known})
    document = (await post(world, iid, {"to": JID, **body})).problem("invalid")
    assert document["code"] == code
    assert document["errors"][0]["pointer"] == pointer
    assert await owner.outbox.depth() == 0


async def test_a_chat_is_known_by_every_address(world: World, iid: str, owner: Owner) -> None:
    await remember(owner, "T", chat_id="777777@lid", chat="777777@lid", from_me=False)
    like = {"to": JID, "type": "reaction", "message_id": "T", "emoji": "👍"}
    assert (await post(world, iid, like)).problem("invalid")["code"] == "other_chat"
    await owner.mailbox.append(
        owner.epoch,
        EventDraft(type=EventType.UNKNOWN, dedupe_key="k", occurred_at=now(), received_at=now(), data={}),
        aliases={JID: "777777@lid"},
    )
    assert (await post(world, iid, like, query="?wait=0")).status == 202


async def test_a_message_that_still_waits_can_be_edited(world: World, iid: str, owner: Owner) -> None:
    first = (await post(world, iid, query="?wait=0")).json["id"]
    change = {"to": JID, "type": "edit", "message_id": first, "text": "Bye"}
    assert (await post(world, iid, change, query="?wait=0")).status == 202


async def test_a_repeated_edit_is_answered_as_before(world: World, iid: str, owner: Owner) -> None:
    await remember(owner, "T", at_ms=round(now().timestamp() * 1000))
    change = {"to": JID, "type": "edit", "message_id": "T", "text": "Bye"}
    first = await post(world, iid, change, query="?wait=0", Idempotency_Key="k")
    # Meanwhile its time is over, or the message is gone.
    await owner.mailbox.store.redis.delete(owner.mailbox.key("known"))
    again = await post(world, iid, change, query="?wait=0", Idempotency_Key="k")
    assert (again.status, again.json["id"]) == (202, first.json["id"])


async def test_a_status(world: World, iid: str, owner: Owner) -> None:
    answer = await post(world, iid, {"to": "status", "text": "open"}, query="?wait=0")
    assert answer.json["to"] == "status@broadcast"
    poll = {"to": "status", "type": "poll", "question": "?", "options": ["a", "b"]}
    document = (await post(world, iid, poll)).problem("invalid")
    assert (document["code"], document["errors"][0]["pointer"]) == ("not_for_status", "#/type")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"type": "poll", "question": "?", "options": ["a"]}, "#/options"),
        ({"type": "location", "latitude": 100, "longitude": 0}, "#/latitude"),
        ({"type": "contact", "contacts": [{"name": "Ana", "phones": ["123"]}]}, "#/contacts/0/phones/0"),
        ({"type": "text", "text": "x", "quote": {"id": "T"}}, "#/quote/message_id"),
        ({"type": "text", "text": "x", "mentions": ["nobody"]}, "#/mentions/0"),
        ({"type": "reaction", "message_id": "T", "emoji": "yes"}, "#"),
        ({"type": "image"}, "#/media"),
        ({"type": "image", "media": {"id": "7"}}, "#/media/id"),
        ({"type": "location", "latitude": 1, "longitude": 1, "text": "x"}, "#/text"),
    ],
)
async def test_a_bad_content_is_explained_by_field(
    world: World, iid: str, owner: Owner, body: dict[str, Any], pointer: str
) -> None:
    document = (await post(world, iid, {"to": JID, **body})).problem("invalid")
    assert document["errors"][0]["pointer"] == pointer


async def test_a_type_that_does_not_exist_is_answered_with_those_that_do(
    world: World, iid: str, owner: Owner
) -> None:
    document = (await post(world, iid, {"to": JID, "type": "fax", "text": "x"})).problem("invalid")
    for kind in {body["type"] for body in EXAMPLES.values()}:
        assert kind in document["detail"]


def test_there_is_an_example_of_every_kind() -> None:
    kinds = {
        model.model_fields["type"].default for model in SendMessage.model_fields["root"].annotation.__args__
    }
    assert {body["type"] for body in EXAMPLES.values()} == kinds


async def test_unknown_messages_are_404(world: World, iid: str, owner: Owner) -> None:
    other = await world.instance()
    sent = (await post(world, iid, query="?wait=0")).json["id"]
    for path in (f"/v1/instances/{iid}/messages/nothing", f"/v1/instances/{other}/messages/{sent}"):
        (await world.ask("GET", path)).problem("not-found")
