"""Chats as the events tell of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from actors.events import Event, EventType
from actors.instance.chats.queries import commands
from actors.instance.chats.record import ChatRecord, applied, chat_in

START = datetime(2026, 1, 1, tzinfo=UTC)
CHAT = {"id": "1@lid", "kind": "direct", "phone": "+5511999990000", "lid": "1@lid"}


def event(kind: EventType | str, seq: int = 1, at: int = 0, **data: Any) -> Event:
    moment = START + timedelta(seconds=at)
    return Event(
        id=f"evt_{seq}",
        instance_id="i",
        seq=seq,
        type=kind,
        occurred_at=moment,
        received_at=moment,
        epoch=1,
        data={"chat": CHAT, **data},
    )


def received(at: int, id_: str = "M") -> Event:
    return event(EventType.MESSAGE_RECEIVED, at=at, id=id_, from_me=False, sender={"lid": "1@lid"})


@given(st.lists(st.integers(0, 1_000), min_size=1))
def test_the_last_message_is_the_newest_in_whichever_order_they_come(times: list[int]) -> None:
    record: ChatRecord | None = None
    for place, at in enumerate(times):
        record = applied(record, received(at, f"M{place}"))
    assert record
    assert record.last
    newest = max(times)
    assert record.at_ms == int((START.timestamp() + newest) * 1000)
    assert record.last.id in [f"M{place}" for place, at in enumerate(times) if at == newest]
    assert record.unread == len(times)


@given(st.lists(st.sampled_from(["come", "read 2", "mark", "read all"])))
def test_unread_is_never_negative(steps: list[str]) -> None:
    record, unread, marked = ChatRecord(id="1@lid", kind="direct"), 0, False
    for step in steps:
        match step:
            case "come":
                happened, unread = received(0), unread + 1
            case "read 2":
                happened = event(EventType.MESSAGE_STATUS, ids=["A", "B"], from_me=True, status="read_self")
                unread, marked = max(unread - 2, 0), False
            case "mark":
                happened, marked = event(EventType.CHAT_UPDATED, changes={"read": False}), True
            case _:
                happened, unread, marked = event(EventType.CHAT_UPDATED, changes={"read": True}), 0, False
        assert chat_in(happened) == "1@lid"
        record = applied(record, happened)
        assert (record.unread, record.marked_unread) == (unread, marked)


def test_settings_stay_until_they_are_changed() -> None:
    record = applied(None, event(EventType.CHAT_UPDATED, changes={"archived": True, "muted": True}))
    record = applied(record, event(EventType.CHAT_UPDATED, changes={"pinned": False}))
    assert (record.archived, record.pinned, record.muted_until_ms) == (True, False, -1)
    until = {"muted": True, "muted_until": "2026-01-31T12:00:00Z"}
    record = applied(record, event(EventType.CHAT_UPDATED, changes=until))
    assert record.muted_until_ms == 1_769_860_800_000
    record = applied(record, event(EventType.CHAT_UPDATED, changes={"muted": False}))
    assert (record.archived, record.muted_until_ms) == (True, 0)


def test_what_is_not_of_a_chat_changes_none() -> None:
    status = {"id": "status@broadcast", "kind": "status"}
    assert chat_in(event(EventType.MESSAGE_RECEIVED, chat=status)) is None
    assert chat_in(event(EventType.MESSAGE_STATUS, ids=["A"], from_me=False, status="read")) is None
    assert chat_in(event(EventType.CONNECTION_CHANGED, chat=None)) is None
    assert chat_in(event("of.another.version")) is None


def test_a_pin_is_set_after_archiving_has_taken_it_off() -> None:
    made = commands("1@lid", {"pinned": True, "archived": True, "muted": False})
    assert [command.WhichOneof("change") for command in made] == ["archived", "pinned", "muted_until_ms"]
    assert made[2].muted_until_ms == 0
