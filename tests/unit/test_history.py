"""Which parts of the history are read, and what events tell of their pages."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.events import EventDraft, EventType
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import whatsapp_pb2 as wa
from actors.instance.connection.mapping import ChatIds, draft_of
from actors.instance.history_offers import Part, with_part
from actors.instance.history_pages import failure_of, page_of
from actors.registry import History

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
BIA = pb.Identity(jid="5511900000002@s.whatsapp.net", phone="5511900000002", lid="22")
PART = Part(
    id="H1", sync="recent", chunk=2, request_id=None, notification="CgA=", offered_at=5.0, start=7, pages=3
)


def offer(sync: str) -> tuple[EventDraft, pb.Message]:
    notice = wa.HistorySyncNotification(sync_type=sync.upper(), chunk_order=1)
    event = pb.Message(
        info=pb.MessageInfo(id="H1", timestamp_ms=1, from_me=True),
        history=notice.SerializeToString(),
        secret=True,
    )
    return draft_of(event, ChatIds(), 2), event


def text(id_: str, body: str = "hello", **more: object) -> pb.Message:
    info = pb.MessageInfo(id=id_, chat=BIA, sender=BIA, timestamp_ms=1_700_000_000_000, push_name="Bia")
    message = wa.Message(conversation=body).SerializeToString()
    return pb.Message(info=info, message=message, kind="conversation", text=body, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("history", "read"),
    [
        (History.OFF, {"on_demand"}),
        (History.RECENT, {"on_demand", "initial_bootstrap", "recent"}),
        (History.FULL, {"on_demand", "initial_bootstrap", "recent", "full"}),
    ],
)
def test_what_is_read_of_what_is_offered(history: History, read: set[str]) -> None:
    for sync in (name.lower() for name in wa.HistorySyncNotification.Type.keys()):  # noqa: SIM118
        draft = with_part(*offer(sync), history, room=True, account=None)
        assert draft.data["state"] == ("pending" if sync in read else "off")
        assert (draft.waiting is not None) == (sync in read)


def test_a_part_waits_with_all_that_it_is_read_with() -> None:
    draft, event = offer("recent")
    pending = with_part(draft, event, History.RECENT, room=True, account=None)
    assert pending.waiting is not None
    part = Part.model_validate_json(pending.waiting.job)
    assert (pending.waiting.work, pending.waiting.key, part.id) == ("history", "H1", "H1")
    assert part.offer == event.history
    assert (part.start, part.pages, part.attempts) == (0, 0, 0)
    assert base64.b64encode(event.history).decode() not in str(pending.data)


def test_too_many_parts_wait() -> None:
    draft = with_part(*offer("recent"), History.RECENT, room=False, account=None)
    assert (draft.data["state"], draft.data["reason"], draft.waiting) == ("failed", "busy", None)


def test_messages_are_told_as_their_own_events_would() -> None:
    chats = ChatIds()
    # A protocol message of the kind that asks for keys.
    between_devices = pb.Message(info=text("C").info, message=b"\x62\x02\x10\x07", kind="protocolMessage")
    page = pb.HistoryPage(
        sync="recent",
        chunk=2,
        progress=40,
        chats=[pb.HistoryChat(chat=BIA, name="Bia", unread=2, pinned=True, muted_until_ms=-1, complete=True)],
        messages=[text("A"), text("B", "secret", secret=True), between_devices],
        next=12,
        skipped=2,
    )
    draft = page_of("ins_1", PART, page, chats, AT).draft
    assert draft.type is EventType.HISTORY_MESSAGES
    assert draft.dedupe_key == "history:H1:7"
    own = draft_of(text("A"), chats, 0)
    first = draft.data["messages"][0]
    assert first == {"type": "message.received", **own.data}
    assert [one["id"] for one in draft.data["messages"]] == ["A"]
    assert draft.data["skipped"] == 4
    [chat] = draft.data["chats"]
    assert chat["chat"]["id"] == own.chat_id == "22@lid"
    assert (chat["muted_until"], chat["last_message_at"], chat["complete"]) == ("forever", None, True)
    known = {name: draft.data[name] for name in ("id", "sync", "chunk", "progress", "page", "last")}
    assert known == {"id": "H1", "sync": "recent", "chunk": 2, "progress": 40, "page": 4, "last": False}
    assert chats.unsaved() == {"22@lid": "22@lid", "5511900000002@s.whatsapp.net": "22@lid"}


@given(st.lists(st.binary(max_size=40), max_size=5), st.booleans())
def test_no_message_keeps_a_page_from_being_told(bodies: list[bytes], done: bool) -> None:
    messages = [pb.Message(info=text(str(n)).info, message=body) for n, body in enumerate(bodies)]
    draft = page_of("ins_1", PART, pb.HistoryPage(messages=messages, done=done), ChatIds(), AT).draft
    assert len(draft.data["messages"]) + draft.data["skipped"] == len(bodies)
    assert draft.data["last"] is done
    assert draft.model_dump_json()


def test_a_failure_says_how_far_it_came() -> None:
    draft = failure_of(PART.model_copy(update={"attempts": 2}), "gone", "no longer there", AT)
    assert draft.type is EventType.HISTORY_FAILED
    assert (draft.data["reason"], draft.data["attempts"], draft.data["pages"]) == ("gone", 2, 3)
    assert "CgA=" not in draft.model_dump_json()
