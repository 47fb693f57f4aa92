"""What messages, group notices and calls become: typed, each under a type of its own."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from actors.events import EventDraft, EventType
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection import whatsapp_pb2 as wa
from actors.instance.connection.mapping import ChatIds, draft_of, refers_to
from actors.messages.known import KnownMessage
from api.event_kinds import KINDS

NOW = 1_700_000_000_123
PHONE, LID = "5511999999999", "77777"
ANA = pb.Identity(jid=f"{LID}@lid", phone=PHONE, lid=LID)
BIA = pb.Identity(jid="88888@lid", lid="88888")
ME = pb.Identity(jid="99999@lid", phone="5511900000000", lid="99999")
GROUP = pb.Identity(jid="120363000000000000@g.us")
KEY = wa.MessageKey(id="T1", participant="99999@lid")


def received(
    message: wa.Message, *, chat: pb.Identity = ANA, from_me: bool = False, **more: Any
) -> pb.Message:
    sender = ME if from_me else ANA
    info = pb.MessageInfo(id="A1", chat=chat, sender=sender, from_me=from_me, timestamp_ms=NOW - 5)
    return pb.Message(info=info, message=message.SerializeToString(), **more)


def draft(event: Any, target: KnownMessage | None = None, chats: ChatIds | None = None) -> EventDraft:
    made = draft_of(event, chats or ChatIds(), NOW, target)
    # Whatever is told, is told in the documented shape.
    KINDS[made.type].data.model_validate_json(json.dumps(made.data), strict=True)
    return made


def remembered(made: EventDraft) -> KnownMessage:
    assert made.memory is not None
    assert made.memory.step in ("learn", "change")
    return KnownMessage.model_validate_json(made.memory.record)


TEXT = wa.Message(conversation="olá")
IMAGE = wa.ImageMessage(
    mimetype="image/jpeg",
    caption="look",
    file_length=5,
    file_sha256=b"\x01" * 32,
    file_enc_sha256=b"\x02" * 32,
    media_key=b"a key of thirty-two bytes length",
    direct_path="/v/x",
    width=3,
    height=4,
    jpeg_thumbnail=b"j",
)
POLL = wa.Message(
    poll_creation_message_v3=wa.PollCreationMessage(
        name="When?", options=[wa.PollCreationMessage.Option(option_name=name) for name in ("now", "later")]
    )
)


# ---- what stands in a chat ------------------------------------------------------------------------------


def test_a_text_is_told_and_remembered() -> None:
    made = draft(received(TEXT, text="olá", kind="conversation"))
    assert made.type is EventType.MESSAGE_RECEIVED
    assert made.data["text"] == "olá"
    assert made.data["content"] == {
        "type": "text",
        "text": "olá",
        "preview": None,
        "background": None,
        "quote": None,
        "mentions": [],
        "forwarded": 0,
        "expires_in": None,
    }
    known = remembered(made)
    assert made.memory is not None
    assert made.memory.step == "learn"
    assert (known.id, known.chat_id, known.chat, known.sender) == (
        "A1",
        f"{LID}@lid",
        f"{LID}@lid",
        f"{LID}@lid",
    )
    assert (known.from_me, known.at_ms, known.message) == (False, NOW - 5, TEXT)


def test_a_file_is_told_without_its_key_which_is_remembered() -> None:
    made = draft(received(wa.Message(image_message=IMAGE), kind="imageMessage"))
    content = made.data["content"]
    assert content["media"] == {
        "id": None,
        "state": None,
        "reason": None,
        "mime_type": "image/jpeg",
        "size": 5,
        "sha256": "01" * 32,
        "width": 3,
        "height": 4,
        "seconds": None,
        "pages": None,
        "file_name": None,
        "url": None,
        "expires_at": None,
    }
    assert (content["caption"], made.data["text"]) == ("look", "look")
    assert IMAGE.media_key not in base64.b64decode(made.data["raw"])
    assert base64.b64encode(IMAGE.media_key).decode() not in json.dumps(made.data)
    media = remembered(made).media
    assert media is not None
    assert base64.b64decode(media.media_key) == IMAGE.media_key
    assert (media.direct_path, media.kind, media.size) == ("/v/x", "image", 5)


def test_a_file_that_can_be_opened_once() -> None:
    made = draft(received(wa.Message(image_message=IMAGE), view_once=True))
    assert made.data["content"]["view_once"]


@pytest.mark.parametrize(
    ("message", "content"),
    [
        (
            wa.Message(live_location_message=wa.LiveLocationMessage(degrees_latitude=1, degrees_longitude=2)),
            {"type": "live_location", "latitude": 1.0, "longitude": 2.0},
        ),
        (
            wa.Message(group_invite_message=wa.GroupInviteMessage(group_jid="1@g.us", invite_code="c")),
            {"type": "group_invite", "group": "1@g.us", "code": "c"},
        ),
        (
            wa.Message(
                list_response_message=wa.ListResponseMessage(
                    title="Yes",
                    single_select_reply=wa.ListResponseMessage.SingleSelectReply(selected_row_id="y"),
                )
            ),
            {"type": "button_reply", "id": "y", "text": "Yes"},
        ),
        (
            wa.Message(
                buttons_response_message=wa.ButtonsResponseMessage(
                    selected_button_id="y", selected_display_text="Yes"
                )
            ),
            {"type": "button_reply", "id": "y", "text": "Yes"},
        ),
        (wa.Message(ptv_message=wa.VideoMessage(seconds=3)), {"type": "video", "round": True}),
        (wa.Message(video_message=wa.VideoMessage(gif_playback=True)), {"type": "gif"}),
        (wa.Message(audio_message=wa.AudioMessage(ptt=True)), {"type": "voice"}),
        (POLL, {"type": "poll", "question": "When?", "options": ["now", "later"], "max_selections": 2}),
        (wa.Message(), {"type": "unsupported"}),
    ],
)
def test_other_kinds(message: wa.Message, content: dict[str, Any]) -> None:
    made = draft(received(message))
    assert made.type is EventType.MESSAGE_RECEIVED
    assert made.data["content"].items() >= content.items()


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xff",
        wa.Message(
            location_message=wa.LocationMessage(degrees_latitude=float("nan"), degrees_longitude=1)
        ).SerializeToString(),
        b"\x0a\x02\xff\xfe",
    ],
    ids=["no message", "a place that is none", "no text"],
)
def test_a_message_made_to_confuse_is_a_message_all_the_same(body: bytes) -> None:
    event = received(TEXT, kind="somethingNew")
    event.message = body
    made = draft(event)
    assert made.type is EventType.MESSAGE_RECEIVED
    assert made.data["content"]["type"] == "unsupported"
    assert base64.b64decode(made.data["raw"]) == body
    json.loads(json.dumps(made.data, allow_nan=False))


def test_a_message_that_arrives_in_the_end_is_of_the_same_id() -> None:
    undecryptable = pb.Undecryptable(info=received(TEXT).info)
    first, then = draft(undecryptable), draft(received(TEXT, retry_count=1))
    assert first.type is EventType.MESSAGE_UNDECRYPTABLE
    assert (first.data["reason"], then.data["retried"]) == ("undecryptable", True)
    assert first.data["id"] == then.data["id"]
    assert first.dedupe_key != then.dedupe_key


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"unavailable": True}, "unavailable"),
        ({"unavailable": True, "unavailable_type": "view_once_unavailable_fanout"}, "view_once"),
        ({}, "undecryptable"),
    ],
)
def test_why_a_message_cannot_be_read(facts: dict[str, Any], reason: str) -> None:
    assert draft(pb.Undecryptable(info=received(TEXT).info, **facts)).data["reason"] == reason


# ---- what is done to another message --------------------------------------------------------------------


def target(message: wa.Message = TEXT, *, from_me: bool = False, chat: str = f"{LID}@lid") -> KnownMessage:
    sender = "99999@lid" if from_me else f"{PHONE}@s.whatsapp.net"
    return KnownMessage(
        id="T1",
        chat_id=chat,
        chat=chat,
        sender=sender,
        from_me=from_me,
        at_ms=NOW,
        raw=message.SerializeToString(),
    )


def edit(new: wa.Message) -> wa.Message:
    change = wa.ProtocolMessage(type=wa.ProtocolMessage.MESSAGE_EDIT, key=KEY, edited_message=new)
    return wa.Message(protocol_message=change)


def edit_event(new: wa.Message, **more: Any) -> pb.Message:
    return received(edit(new), protocol_type="MESSAGE_EDIT", target_id="T1", **more)


def test_an_edit() -> None:
    event = edit_event(wa.Message(conversation="new"))
    assert refers_to(event) == "T1"
    made = draft(event, target())
    assert made.type is EventType.MESSAGE_EDITED
    assert made.data["content"] == {"type": "edit", "message_id": "T1", "text": "new", "mentions": []}
    assert made.data["text"] == "new"
    assert made.memory is not None
    assert made.memory.step == "change"
    assert remembered(made).message == wa.Message(conversation="new")


def test_an_edit_that_came_encrypted() -> None:
    # The engine undoes it, and what is left is the new message by itself.
    event = received(wa.Message(conversation="new"), edit=True, target_id="T1")
    made = draft(event, target())
    assert made.type is EventType.MESSAGE_EDITED
    assert (made.data["content"]["message_id"], made.data["content"]["text"]) == ("T1", "new")


def test_an_edit_of_a_caption() -> None:
    new = wa.Message(image_message=wa.ImageMessage(caption="other"))
    made = draft(edit_event(new), target(wa.Message(image_message=IMAGE)))
    assert made.data["content"]["text"] == "other"
    known = remembered(made).message
    assert known is not None
    assert (known.image_message.caption, known.image_message.media_key) == ("other", IMAGE.media_key)


def test_nobody_edits_another_s_message() -> None:
    assert draft(edit_event(TEXT), target(from_me=True)).memory is None
    assert draft(edit_event(TEXT), target(chat="other@lid")).memory is None
    assert draft(edit_event(TEXT, from_me=True), target()).memory is None
    assert draft(edit_event(TEXT)).memory is None


def test_a_deletion() -> None:
    revoke = wa.Message(protocol_message=wa.ProtocolMessage(type=wa.ProtocolMessage.REVOKE, key=KEY))
    event = received(revoke, protocol_type="REVOKE", target_id="T1")
    made = draft(event, target())
    assert made.type is EventType.MESSAGE_DELETED
    assert made.data["content"] == {"type": "delete", "message_id": "T1", "sender": "99999@lid"}
    assert made.memory is not None
    assert (made.memory.step, made.memory.id) == ("forget", "T1")
    assert draft(event).memory is None


def test_only_who_wrote_a_message_deletes_it_but_for_admins_of_groups() -> None:
    revoke = wa.Message(protocol_message=wa.ProtocolMessage(type=wa.ProtocolMessage.REVOKE, key=KEY))
    event = received(revoke, protocol_type="REVOKE", target_id="T1")
    assert draft(event, target(from_me=True)).memory is None
    event.info.group = True
    assert draft(event, target(from_me=True)).memory is not None, "who is an admin is not known"


@pytest.mark.parametrize("from_me", [False, True])
def test_a_reaction(from_me: bool) -> None:
    message = wa.Message(reaction_message=wa.ReactionMessage(key=KEY, text="👍"))
    made = draft(received(message, from_me=from_me))
    assert made.type is EventType.MESSAGE_REACTION
    assert made.data["content"] == {
        "type": "reaction",
        "message_id": "T1",
        "sender": "99999@lid",
        "emoji": "👍",
    }
    assert made.memory is None
    assert made.data.get("source") == ("device" if from_me else None)


def vote(*hashes: bytes, decrypted: bool = True) -> pb.Message:
    message = wa.Message(poll_update_message=wa.PollUpdateMessage(poll_creation_message_key=KEY))
    return received(message, target_id="T1", vote=decrypted, vote_options=hashes, undecrypted=not decrypted)


def sha256(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def test_a_vote_is_told_by_the_names_of_the_options() -> None:
    event = vote(sha256("later"))
    assert refers_to(event) == "T1"
    made = draft(event, target(POLL))
    assert made.type is EventType.POLL_VOTE
    assert made.data["content"] == {
        "type": "poll_vote",
        "message_id": "T1",
        "question": "When?",
        "options": ["later"],
        "option_hashes": None,
    }
    assert made.data["sender"]["phone"] == f"+{PHONE}"
    assert draft(vote(), target(POLL)).data["content"]["options"] == []


def test_a_vote_in_a_poll_that_is_not_known() -> None:
    content = draft(vote(sha256("later"))).data["content"]
    assert (content["options"], content["option_hashes"]) == (None, [sha256("later").hex()])
    added = draft(vote(sha256("later"), sha256("never")), target(POLL)).data["content"]
    assert (added["options"], added["option_hashes"]) == (["later"], [sha256("never").hex()])


@pytest.mark.parametrize(
    ("message", "type_", "member"),
    [
        (vote(decrypted=False), EventType.POLL_VOTE, "options"),
        (
            received(
                wa.Message(enc_reaction_message=wa.EncReactionMessage(target_message_key=KEY)),
                undecrypted=True,
            ),
            EventType.MESSAGE_REACTION,
            "emoji",
        ),
        (
            received(
                wa.Message(secret_encrypted_message=wa.SecretEncryptedMessage(target_message_key=KEY)),
                undecrypted=True,
            ),
            EventType.MESSAGE_EDITED,
            "text",
        ),
    ],
)
def test_what_could_not_be_decrypted_says_so(message: pb.Message, type_: EventType, member: str) -> None:
    made = draft(message)
    assert made.type is type_
    assert made.data["undecrypted"]
    assert (made.data["content"]["message_id"], made.data["content"][member]) == ("T1", None)


def test_disappearing_messages_switched_on() -> None:
    setting = wa.ProtocolMessage(type=wa.ProtocolMessage.EPHEMERAL_SETTING, ephemeral_expiration=86_400)
    made = draft(received(wa.Message(protocol_message=setting), kind="protocolMessage"))
    assert made.type is EventType.CHAT_CHANGED
    assert made.data["expires_in"] == 86_400
    assert "content" not in made.data


def test_what_devices_tell_each_other_is_no_message() -> None:
    # APP_STATE_SYNC_KEY_REQUEST: a type that is not known here must not be taken for a deletion.
    body = b"\x62\x06\x10\x07\x0a\x02\x1a\x00"
    event = received(TEXT, kind="protocolMessage")
    event.message = body
    made = draft(event)
    assert made.type is EventType.UNKNOWN
    assert made.memory is None


# ---- receipts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chat", [GROUP, pb.Identity(jid="status@broadcast")])
@pytest.mark.parametrize("type_", ["delivered", "read", "played"])
def test_one_of_many_does_not_speak_for_all(chat: pb.Identity, type_: str) -> None:
    made = draft(pb.Receipt(message_ids=["A"], chat=chat, sender=ANA, type=type_, timestamp_ms=NOW))
    assert made.status_of == {}
    assert (made.data["status"], made.data["sender"]["lid"]) == (type_, f"{LID}@lid")


# ---- groups and calls -----------------------------------------------------------------------------------


def other(
    kind: str, body: dict[str, Any], chat: pb.Identity = GROUP, sender: pb.Identity = ANA
) -> EventDraft:
    event = pb.Other(
        kind=kind, json=json.dumps(body).encode(), chat=chat, sender=sender, key="k", timestamp_ms=NOW
    )
    return draft(event)


ANA_SHOWN = {"phone": None, "lid": f"{LID}@lid", "name": None}


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ({"Name": {"Name": "New", "NameSetBy": ""}}, {"name": "New"}),
        ({"Topic": {"Topic": "about", "TopicDeleted": False}}, {"topic": "about"}),
        ({"Topic": {"Topic": "", "TopicDeleted": True}}, {"topic": ""}),
        (
            {"Locked": {"IsLocked": True}, "Announce": {"IsAnnounce": False}},
            {"locked": True, "announce": False},
        ),
        ({"Ephemeral": {"IsEphemeral": True, "DisappearingTimer": 86400}}, {"expires_in": 86_400}),
        ({"Ephemeral": {"IsEphemeral": False, "DisappearingTimer": 0}}, {"expires_in": 0}),
        ({"MembershipApprovalMode": {"IsJoinApprovalRequired": True}}, {"join_approval": True}),
        ({"NewInviteLink": "https://chat.whatsapp.com/x"}, {"invite_link": "https://chat.whatsapp.com/x"}),
        ({"Join": [f"{LID}@lid"], "JoinReason": "invite"}, {"joined": [ANA_SHOWN], "join_reason": "invite"}),
        (
            {"Leave": [f"{PHONE}@s.whatsapp.net"]},
            {"left": [{"phone": f"+{PHONE}", "lid": None, "name": None}]},
        ),
        ({"Promote": [f"{LID}@lid"], "Demote": None}, {"promoted": [ANA_SHOWN]}),
        ({"Demote": [f"{LID}@lid"]}, {"demoted": [ANA_SHOWN]}),
        ({"Delete": {"Deleted": True, "DeleteReason": ""}}, {"deleted": True}),
        ({"Suspended": True}, {"suspended": True}),
        ({}, {}),
    ],
)
def test_a_group_changes(body: dict[str, Any], changes: dict[str, Any]) -> None:
    made = other("group_info", {"JID": GROUP.jid, "Join": None, "JoinReason": "", **body})
    assert made.type is EventType.GROUP_CHANGED
    assert json.loads(json.dumps(made.data["changes"])) == changes


def test_a_group_has_a_new_picture() -> None:
    made = other("picture", {"JID": GROUP.jid, "Remove": False, "PictureID": "7"})
    assert made.data["changes"] == {"picture": "7"}
    assert other("picture", {"Remove": True, "PictureID": ""}).data["changes"] == {"picture": ""}


def test_a_group_is_joined() -> None:
    member = {"JID": f"{LID}@lid", "PhoneNumber": f"{PHONE}@s.whatsapp.net", "LID": f"{LID}@lid"}
    body = {
        "Name": "Friends",
        "Topic": "",
        "Type": "new",
        "Reason": "",
        "Participants": [{**member, "IsAdmin": True, "IsSuperAdmin": True, "DisplayName": ""}],
    }
    made = other("joined_group", body)
    assert made.type is EventType.GROUP_JOINED
    group = made.data["group"]
    assert (group["name"], group["new"]) == ("Friends", True)
    assert group["members"][0] == {
        "phone": f"+{PHONE}",
        "lid": f"{LID}@lid",
        "name": None,
        "admin": True,
        "owner": True,
    }


@pytest.mark.parametrize(
    ("kind", "more", "type_", "facts"),
    [
        (
            "call_offer",
            {
                "Data": {"Tag": "offer", "Content": [{"Tag": "audio"}, {"Tag": "video"}]},
                "RemotePlatform": "android",
            },
            EventType.CALL_RECEIVED,
            {"status": "ringing", "video": True, "platform": "android"},
        ),
        (
            "call_offer",
            {"Data": {"Tag": "offer", "Content": [{"Tag": "audio"}]}},
            EventType.CALL_RECEIVED,
            {"video": False, "group": False},
        ),
        (
            "call_offer_notice",
            {"Media": "audio", "Type": "group"},
            EventType.CALL_RECEIVED,
            {"video": False, "group": True},
        ),
        ("call_accept", {}, EventType.CALL_ACCEPTED, {"status": "accepted", "video": None}),
        ("call_reject", {}, EventType.CALL_REJECTED, {"status": "rejected"}),
        (
            "call_terminate",
            {"Reason": "timeout"},
            EventType.CALL_ENDED,
            {"status": "ended", "reason": "timeout"},
        ),
    ],
)
def test_calls(kind: str, more: dict[str, Any], type_: EventType, facts: dict[str, Any]) -> None:
    made = other(kind, {"From": f"{LID}@lid", "CallID": "C1", "GroupJID": "", **more}, chat=ANA)
    assert made.type is type_
    assert made.data["call"].items() >= {"id": "C1", **facts}.items()
    assert made.data["call"]["caller"]["phone"] == f"+{PHONE}"


@pytest.mark.parametrize("kind", ["call_transport", "call_relay_latency", "call_pre_accept"])
def test_the_machinery_of_calls_is_no_call(kind: str) -> None:
    assert other(kind, {"CallID": "C1"}, chat=ANA).type is EventType.UNKNOWN


@pytest.mark.parametrize("kind", ["group_info", "joined_group", "call_offer", "picture"])
@pytest.mark.parametrize("body", [{"Name": 5}, {"Join": 7}, {"a": 1}, []])
def test_a_notice_that_is_not_understood_is_told_as_it_came(kind: str, body: Any) -> None:
    made = other(kind, body)
    assert made.data["event"] == body
