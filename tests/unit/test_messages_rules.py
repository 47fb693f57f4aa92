"""What may be sent where, and what is refused, with what to do instead."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from actors.instance.connection import whatsapp_pb2 as wa
from actors.instance.connection.base import ConnectionError
from actors.instance.refusals import refusal_of
from actors.messages import vcard
from actors.messages.content import AnyContent, Content
from actors.messages.known import KnownMessage
from actors.messages.raw import to_keep, without_secrets
from actors.messages.recipients import STATUS
from actors.messages.rules import Unsendable, Windows, about, check, check_destination

CHAT, OTHER, GROUP = "77777@lid", "88888@lid", "120363000000000000@g.us"
NOW = 1_700_000_000_000
MINUTE, HOUR = 60_000, 3_600_000
WINDOWS = Windows(edit=900, delete=216_000)
TEXT = wa.Message(conversation="hi")
IMAGE = wa.Message(image_message=wa.ImageMessage(caption="hi"))


def content(**members: Any) -> Content:
    made: Content = TypeAdapter(AnyContent).validate_python(members)
    return made


def known(message: wa.Message = TEXT, chat: str = CHAT, age: int = 0, **more: Any) -> KnownMessage:
    facts: dict[str, Any] = {"id": "T1", "from_me": True, "sender": CHAT, "at_ms": NOW - age, **more}
    return KnownMessage(chat_id=chat, chat=chat, raw=to_keep(message, 8_192), **facts)


def refused(what: Content, target: KnownMessage | None, to: str = CHAT) -> str:
    with pytest.raises(Unsendable) as error:
        check(what, to, to, target, at_ms=NOW, windows=WINDOWS)
    assert error.value.message.endswith(".")
    return error.value.code


def allowed(what: Content, target: KnownMessage | None, to: str = CHAT) -> None:
    check(what, to, to, target, at_ms=NOW, windows=WINDOWS)


EDIT = content(type="edit", message_id="T1", text="new")
DELETE = content(type="delete", message_id="T1")
FORWARD = content(type="forward", message_id="T1")
LIKE = content(type="reaction", message_id="T1", emoji="👍")
ANSWER = content(type="text", text="yes", quote="T1")


def test_which_message_it_is_about() -> None:
    assert [about(what) for what in (EDIT, DELETE, FORWARD, LIKE, ANSWER)] == ["T1"] * 5
    assert about(content(type="text", text="x")) is None


def test_edits() -> None:
    allowed(EDIT, known())
    allowed(EDIT, known(IMAGE, age=15 * MINUTE))
    assert refused(EDIT, None) == "message_unknown"
    assert refused(EDIT, known(age=15 * MINUTE + 1)) == "too_old"
    assert refused(EDIT, known(from_me=False)) == "not_yours"
    assert refused(EDIT, known(chat=OTHER)) == "other_chat"
    assert refused(EDIT, known(wa.Message(sticker_message=wa.StickerMessage()))) == "not_editable"


def test_deletions() -> None:
    allowed(DELETE, known(age=60 * HOUR))
    allowed(DELETE, known(chat=GROUP, from_me=False), GROUP)
    assert refused(DELETE, None) == "message_unknown"
    assert refused(DELETE, known(age=60 * HOUR + 1)) == "too_old"
    assert refused(DELETE, known(from_me=False)) == "not_yours"
    assert refused(DELETE, known(chat=OTHER)) == "other_chat"


def test_forwards() -> None:
    # From any chat into any other, whoever wrote it.
    allowed(FORWARD, known(IMAGE, chat=OTHER, from_me=False))
    assert refused(FORWARD, None) == "message_unknown"
    assert refused(FORWARD, known(wa.Message(conversation="x" * 9_000))) == "too_large"
    once = wa.Message(image_message=wa.ImageMessage(view_once=True))
    assert refused(FORWARD, known(once)) == "not_forwardable"
    poll = wa.Message(poll_creation_message=wa.PollCreationMessage(name="?"))
    assert refused(FORWARD, known(poll)) == "not_forwardable"


def test_reactions() -> None:
    allowed(LIKE, known(from_me=False))
    allowed(content(type="reaction", message_id="T1", emoji="", sender=OTHER), None)
    assert refused(LIKE, None) == "message_unknown"
    assert refused(LIKE, known(chat=OTHER)) == "other_chat"


def test_answers() -> None:
    allowed(ANSWER, known())
    allowed(content(type="text", text="yes", quote={"message_id": "T1", "sender": OTHER}), None)
    # In private, to what somebody wrote to a group.
    allowed(ANSWER, known(chat=GROUP, from_me=False))
    assert refused(ANSWER, None) == "message_unknown"
    # What one person wrote is not shown to another.
    assert refused(ANSWER, known(chat=OTHER)) == "other_chat"


@pytest.mark.parametrize("kind", ["location", "contact", "poll", "edit", "reaction", "forward"])
def test_what_is_no_status(kind: str) -> None:
    examples: dict[str, dict[str, Any]] = {
        "location": {"latitude": 0, "longitude": 0},
        "contact": {"contacts": [{"name": "Ana", "phones": ["+5511912345678"]}]},
        "poll": {"question": "?", "options": ["a", "b"]},
        "edit": {"message_id": "T1", "text": "x"},
        "reaction": {"message_id": "T1", "emoji": "👍"},
        "forward": {"message_id": "T1"},
    }
    what = content(type=kind, **examples[kind])
    check_destination(what, CHAT)
    with pytest.raises(Unsendable):
        check_destination(what, STATUS)
    check_destination(content(type="text", text="x"), STATUS)


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"type": "poll", "question": "?", "options": ["a"]}, ("poll", "options")),
        ({"type": "poll", "question": "?", "options": [str(n) for n in range(13)]}, ("poll", "options")),
        ({"type": "poll", "question": "?", "options": ["a", "a"]}, ("poll",)),
        ({"type": "poll", "question": "?", "options": ["a", "b"], "max_selections": 3}, ("poll",)),
        ({"type": "location", "latitude": 91, "longitude": 0}, ("location", "latitude")),
        ({"type": "location", "latitude": float("nan"), "longitude": 0}, ("location", "latitude")),
        ({"type": "contact", "contacts": []}, ("contact", "contacts")),
        ({"type": "contact", "contacts": [{"name": "Ana"}]}, ("contact", "contacts", 0)),
        ({"type": "contact", "contacts": [{"name": "A", "vcard": "x"}]}, ("contact", "contacts", 0)),
        ({"type": "text", "text": "x", "mentions": [GROUP]}, ("text", "mentions", 0)),
        ({"type": "text", "text": "x", "expires_in": 5}, ("text", "expires_in")),
        ({"type": "text", "text": "x", "quote": {"sender": CHAT}}, ("text", "quote", "message_id")),
        ({"type": "text", "text": "x", "quote": ""}, ("text", "quote", "message_id")),
        ({"type": "text", "text": "x", "preview": {"url": "https://a.b", "title": "t"}}, ("text",)),
        ({"type": "image", "media": {}}, ("image", "media")),
        ({"type": "image", "media": {"id": "med_1", "url": "https://a.b"}}, ("image", "media")),
        ({"type": "edit", "message_id": "a b", "text": "x"}, ("edit", "message_id")),
    ],
)
def test_what_is_wrong_is_named(members: dict[str, Any], place: tuple[object, ...]) -> None:
    with pytest.raises(ValidationError) as error:
        content(**members)
    assert [item["loc"] for item in error.value.errors()] == [place]


# ---- cards ----------------------------------------------------------------------------------------------


def test_a_card_as_phones_write_it() -> None:
    card = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Souza;Ana;;;\r\nFN:Ana Souza\r\nORG:Padaria\\, Filhos;Loja\r\n"
        "item1.TEL;waid=5511912345678:+55 11\r\n  91234-5678\r\nTEL;type=HOME:(11) 3333-4444\r\nEND:VCARD"
    )
    assert vcard.read(card) == ("Ana Souza", ("+5511912345678", "(11) 3333-4444"), "Padaria, Filhos")


def test_a_name_cannot_add_lines_to_a_card() -> None:
    card = vcard.write("Ana\nTEL:+666;,\\", ["+5511912345678"])
    assert vcard.read(card) == ("Ana\nTEL:+666;,\\", ("+5511912345678",), None)


# ---- what is kept, and what is shown --------------------------------------------------------------------


def test_pictures_go_first_when_a_message_is_too_large_to_be_kept() -> None:
    image = wa.Message(image_message=wa.ImageMessage(caption="hi", jpeg_thumbnail=b"j" * 1_000))
    assert to_keep(image, 2_000) == image.SerializeToString()
    kept = to_keep(image, 500)
    assert kept is not None
    assert wa.Message.FromString(kept) == IMAGE
    assert to_keep(image, 1) is None


def test_keys_are_taken_out_wherever_they_are() -> None:
    keyed = wa.Message(image_message=wa.ImageMessage(media_key=b"KEY", caption="hi"))
    answer = wa.ExtendedTextMessage(text="x", context_info=wa.ContextInfo(quoted_message=keyed))
    edit = wa.ProtocolMessage(edited_message=keyed)
    for message in (
        keyed,
        wa.Message(extended_text_message=answer),
        wa.Message(view_once_message=wa.Wrapper(message=keyed)),
        wa.Message(edited_message=wa.Wrapper(message=wa.Message(protocol_message=edit))),
        wa.Message(message_context_info=wa.MessageContextInfo(message_secret=b"KEY"), conversation="hi"),
    ):
        shown = without_secrets(message.SerializeToString())
        assert b"KEY" not in shown
        assert b"hi" in shown


def test_what_is_not_understood_is_shown_as_it_came() -> None:
    # Field 121, which nobody here knows, beside a key that has to go.
    unknown = b"\xca\x07\x03new"
    keyed = wa.Message(image_message=wa.ImageMessage(media_key=b"KEY")).SerializeToString()
    assert without_secrets(unknown) == unknown
    assert unknown in without_secrets(keyed + unknown)


# ---- what the engine refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "to", "code", "final"),
    [
        (ConnectionError("not_on_whatsapp", "no LID found"), CHAT, "not_on_whatsapp", True),
        (ConnectionError("rejected", "x", 404), GROUP, "group_unknown", True),
        (ConnectionError("rejected", "x", 403), GROUP, "group_unknown", True),
        (ConnectionError("rejected", "x", 404), CHAT, "rejected", False),
        (ConnectionError("rejected", "x", 500), GROUP, "rejected", False),
        (ConnectionError("bad_request", "x"), CHAT, "bad_request", True),
        (ConnectionError("rate_limited", "x", 429), CHAT, "rate_limited", False),
        (TimeoutError(), CHAT, "timeout", False),
    ],
)
def test_refusals(error: ConnectionError | TimeoutError, to: str, code: str, final: bool) -> None:
    refusal = refusal_of(error, to)
    assert (refusal.code, refusal.final) == (code, final)
    assert refusal.message
