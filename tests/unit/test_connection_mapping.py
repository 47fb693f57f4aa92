"""What an engine's events become."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.events import EventType
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import messages
from actors.instance.connection import whatsapp_pb2 as wa
from actors.instance.connection.mapping import ChatIds, chat_of, draft_of, text_message

NOW = 1_700_000_000_123
PHONE, LID = "5511999999999", "777"
BOTH = pb.Identity(jid=f"{PHONE}@s.whatsapp.net", phone=PHONE, lid=LID)
PHONE_ONLY = pb.Identity(jid=f"{PHONE}@s.whatsapp.net", phone=PHONE)
LID_ONLY = pb.Identity(jid=f"{LID}@lid", lid=LID)
GROUP = pb.Identity(jid="123-456@g.us")

numbers = st.text("0123456789", min_size=1, max_size=15)
identities = st.one_of(
    st.builds(lambda n: pb.Identity(jid=f"{n}@g.us"), numbers),
    st.builds(
        lambda phone, lid: pb.Identity(jid=f"{lid}@lid", phone=phone, lid=lid), st.just("") | numbers, numbers
    ),
    st.builds(
        lambda phone, lid: pb.Identity(jid=f"{phone}@s.whatsapp.net", phone=phone, lid=lid),
        numbers,
        st.just("") | numbers,
    ),
)
times = st.integers(0, 4_000_000_000_000)
infos = st.builds(
    pb.MessageInfo,
    id=st.text(max_size=20),
    chat=identities,
    sender=identities,
    from_me=st.booleans(),
    timestamp_ms=times,
    push_name=st.text(max_size=10),
)
events = st.one_of(
    st.builds(
        pb.Message,
        info=infos,
        message=st.binary(max_size=50),
        text=st.text(max_size=20),
        kind=st.text(max_size=10),
        secret=st.booleans(),
        history=st.just(b"") | st.binary(max_size=10),
        quoted_id=st.text(max_size=5),
    ),
    st.builds(
        pb.Receipt,
        message_ids=st.lists(st.text(max_size=10), max_size=4),
        chat=identities,
        sender=identities,
        from_me=st.booleans(),
        timestamp_ms=times,
        type=st.sampled_from(["delivered", "read", "played", "retry", "inactive", "sender", "novel"]),
    ),
    st.builds(pb.Undecryptable, info=infos, unavailable=st.booleans()),
    st.builds(
        pb.Other,
        kind=st.text(max_size=20),
        json=st.binary(max_size=40),
        chat=st.just(pb.Identity()) | identities,
        sender=st.just(pb.Identity()) | identities,
        timestamp_ms=times,
        key=st.text(max_size=8),
    ),
    st.builds(pb.ChatPresenceEvent, chat=identities, sender=identities, state=st.text(max_size=9)),
    st.builds(pb.PresenceEvent, sender=identities, available=st.booleans(), last_seen_ms=times),
)


def message(**fields: object) -> pb.Message:
    info = pb.MessageInfo(id="A1", chat=BOTH, sender=BOTH, timestamp_ms=NOW - 1000, push_name="Ana")
    made = pb.Message(info=info, message=text_message("olá"), text="olá", kind="conversation")
    made.MergeFrom(pb.Message(**fields))  # type: ignore[arg-type]
    return made


# ---- properties -----------------------------------------------------------------------------------------


@given(events, times)
def test_every_event_becomes_one_of_ours(event: pb.Message, received: int) -> None:
    chats = ChatIds()
    draft = draft_of(event, chats, received)
    json.dumps(draft.model_dump(mode="json"))
    assert draft.dedupe_key
    assert draft.received_at == datetime.fromtimestamp(received / 1000, UTC)
    # Reported again, later: the same key, unless it loses its meaning anyway.
    again = draft_of(event, chats, received + 1)
    keyless = isinstance(event, pb.Other) and not event.key
    assert (again.dedupe_key == draft.dedupe_key) is not (draft.ephemeral or keyless)
    assert again.chat_id == draft.chat_id


@given(st.lists(identities, max_size=30))
def test_a_chats_id_never_changes(seen: list[pb.Identity]) -> None:
    chats = ChatIds()
    given_: dict[str, str] = {}
    for identity in seen:
        chat = chat_of(identity, chats)
        aliases = [identity.jid] if identity.jid.endswith("@g.us") else []
        aliases += [f"{identity.phone}@s.whatsapp.net"] if identity.phone else []
        aliases += [f"{identity.lid}@lid"] if identity.lid else []
        known = {given_[alias] for alias in aliases if alias in given_}
        assert not known or chat.id in known
        for alias in aliases:
            given_.setdefault(alias, chat.id)
    # A successor that loads what was saved gives the same ids.
    successor = ChatIds()
    successor.load(chats.unsaved())
    for identity in seen:
        assert chat_of(identity, successor).id == chat_of(identity, chats).id
    assert successor.unsaved() == {}


# ---- chats ----------------------------------------------------------------------------------------------


def test_a_new_chat_is_named_by_its_lid() -> None:
    chats = ChatIds()
    assert chat_of(BOTH, chats).model_dump() == {
        "id": f"{LID}@lid",
        "kind": "direct",
        "phone": f"+{PHONE}",
        "lid": f"{LID}@lid",
        "name": None,
    }
    assert chat_of(PHONE_ONLY, chats).id == f"{LID}@lid"


def test_a_chat_named_by_its_phone_number_keeps_that_name() -> None:
    chats = ChatIds()
    assert chat_of(PHONE_ONLY, chats).id == f"{PHONE}@s.whatsapp.net"
    assert chat_of(BOTH, chats).id == f"{PHONE}@s.whatsapp.net"
    assert chat_of(LID_ONLY, chats).id == f"{PHONE}@s.whatsapp.net"


def test_aliases_are_reported_until_saved() -> None:
    chats = ChatIds()
    chat_of(PHONE_ONLY, chats)
    first = chats.unsaved()
    assert first == {f"{PHONE}@s.whatsapp.net": f"{PHONE}@s.whatsapp.net"}
    chat_of(BOTH, chats)
    chats.saved(first)
    assert chats.unsaved() == {f"{LID}@lid": f"{PHONE}@s.whatsapp.net"}
    chat_of(GROUP, chats)
    assert len(chats.unsaved()) == 1


@pytest.mark.parametrize(
    ("jid", "kind"),
    [
        ("1-2@g.us", "group"),
        ("status@broadcast", "status"),
        ("123@broadcast", "broadcast"),
        ("123@newsletter", "newsletter"),
        ("123@lid", "direct"),
        ("123@s.whatsapp.net", "direct"),
    ],
)
def test_kinds_of_chats(jid: str, kind: str) -> None:
    assert chat_of(pb.Identity(jid=jid), ChatIds()).kind == kind


# ---- messages -------------------------------------------------------------------------------------------


def test_a_received_message() -> None:
    draft = draft_of(message(quoted_id="Q", quoted_sender=LID_ONLY), ChatIds(), NOW)
    assert draft.type is EventType.MESSAGE_RECEIVED
    assert draft.chat_id == f"{LID}@lid"
    assert draft.dedupe_key == f"message:{LID}@lid:them:A1"
    assert draft.occurred_at < draft.received_at
    data = draft.data
    assert data["sender"] == {"phone": f"+{PHONE}", "lid": f"{LID}@lid", "name": "Ana"}
    assert (data["text"], data["kind"], data["from_me"]) == ("olá", "conversation", False)
    assert base64.b64decode(data["raw"]) == text_message("olá")
    assert data["quoted"] == {"id": "Q", "sender": {"phone": None, "lid": f"{LID}@lid", "name": None}}
    assert "edit" not in data


def test_own_message_from_another_device() -> None:
    draft = draft_of(message(info=pb.MessageInfo(from_me=True)), ChatIds(), NOW)
    assert draft.type is EventType.MESSAGE_SENT
    assert draft.data["source"] == "device"
    assert draft.dedupe_key.split(":")[2] == "me"


def test_the_same_id_of_two_people_in_a_group_is_two_messages() -> None:
    chats = ChatIds()
    keys = {
        draft_of(pb.Message(info=pb.MessageInfo(id="X", chat=GROUP, sender=sender)), chats, NOW).dedupe_key
        for sender in (BOTH, pb.Identity(jid="888@lid", lid="888"))
    }
    assert len(keys) == 2


def test_keys_of_the_account_are_withheld() -> None:
    draft = draft_of(message(secret=True, kind="protocolMessage"), ChatIds(), NOW)
    assert draft.type is EventType.UNKNOWN
    assert draft.data["raw"] is None


def test_an_offer_of_history() -> None:
    notice = wa.HistorySyncNotification(sync_type="RECENT", chunk_order=2, progress=40, file_length=900)
    body = notice.SerializeToString() + b"\x1a\x06secret"
    offer = message(history=body, secret=True)
    assert draft_of(offer, ChatIds(), NOW).type is EventType.UNKNOWN, "somebody else's"
    offer.info.from_me = True
    draft = draft_of(offer, ChatIds(), NOW)
    assert draft.type is EventType.HISTORY_OFFERED
    facts = {name: draft.data[name] for name in ("sync", "chunk", "progress", "size", "request_id")}
    assert facts == {"sync": "recent", "chunk": 2, "progress": 40, "size": 900, "request_id": None}
    # What the part can be read with stays here.
    assert "secret" not in draft.model_dump_json()
    assert base64.b64encode(b"secret").decode() not in draft.model_dump_json()


def test_an_undecryptable_message() -> None:
    event = pb.Undecryptable(info=message().info, unavailable=True, fail_mode="hide")
    draft = draft_of(event, ChatIds(), NOW)
    assert draft.type is EventType.MESSAGE_UNDECRYPTABLE
    assert draft.data["unavailable"]
    assert draft.data["hidden"]
    # It may still arrive: that is another event.
    assert draft.dedupe_key != draft_of(message(), ChatIds(), NOW).dedupe_key


# ---- receipts and the rest ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("type_", "from_me", "status_of"),
    [
        ("delivered", False, {"A": "delivered", "B": "delivered"}),
        ("inactive", False, {"A": "delivered", "B": "delivered"}),
        ("read", False, {"A": "read", "B": "read"}),
        ("played", False, {"A": "played", "B": "played"}),
        ("retry", False, {}),
        ("read", True, {}),
        ("sender", True, {}),
    ],
)
def test_receipts(type_: str, from_me: bool, status_of: dict[str, str]) -> None:
    event = pb.Receipt(
        message_ids=["A", "B"], chat=BOTH, sender=BOTH, type=type_, from_me=from_me, timestamp_ms=NOW
    )
    draft = draft_of(event, ChatIds(), NOW)
    assert draft.type is EventType.MESSAGE_STATUS
    assert draft.status_of == status_of
    assert draft.data["ids"] == ["A", "B"]


@pytest.mark.parametrize(
    ("kind", "chat", "type_"),
    [
        ("group_info", GROUP, EventType.GROUP_CHANGED),
        ("picture", GROUP, EventType.GROUP_CHANGED),
        ("picture", BOTH, EventType.CONTACT_CHANGED),
        ("push_name", BOTH, EventType.CONTACT_CHANGED),
        ("call_offer", BOTH, EventType.CALL_RECEIVED),
        ("something_new", BOTH, EventType.UNKNOWN),
    ],
)
def test_other_events(kind: str, chat: pb.Identity, type_: EventType) -> None:
    event = pb.Other(kind=kind, json=b'{"a": 1}', chat=chat, key="k", timestamp_ms=NOW)
    draft = draft_of(event, ChatIds(), NOW)
    assert draft.type is type_
    assert draft.data["kind"] == kind
    assert draft.data["event"] == {"a": 1}
    assert draft.dedupe_key == f"{kind}:k"


def test_recording_is_told_from_typing() -> None:
    typing = pb.ChatPresenceEvent(chat=BOTH, sender=BOTH, state="composing")
    recording = pb.ChatPresenceEvent(chat=BOTH, sender=BOTH, state="composing", media="audio")
    assert draft_of(typing, ChatIds(), NOW).data["state"] == "composing"
    assert draft_of(recording, ChatIds(), NOW).data["state"] == "recording"
    assert draft_of(typing, ChatIds(), NOW).ephemeral


@pytest.mark.parametrize("when", [-5, 2**62])
def test_impossible_times(when: int) -> None:
    draft = draft_of(message(info=pb.MessageInfo(timestamp_ms=when)), ChatIds(), NOW)
    assert draft.type is EventType.MESSAGE_RECEIVED


def test_what_cannot_be_mapped_is_kept_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr(messages, "message", broken)
    draft = draft_of(message(), ChatIds(), NOW)
    assert draft.type is EventType.UNKNOWN
    assert draft.data["error"] == "ValueError: odd"
    assert pb.Message.FromString(base64.b64decode(draft.data["raw"])) == message()
    assert draft.dedupe_key == draft_of(message(), ChatIds(), NOW + 5).dedupe_key
    assert draft_of(message(secret=True), ChatIds(), NOW).data["raw"] is None


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(TypeError):
        draft_of(pb.Qr(), ChatIds(), NOW)  # type: ignore[arg-type]
