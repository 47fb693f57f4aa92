"""What is composed says what was sent: every kind, through WhatsApp's form and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from actors.instance.connection import whatsapp_pb2 as wa
from actors.messages import content as c
from actors.messages.compose import Facts, compose
from actors.messages.compose_media import NoMedia, Uploaded
from actors.messages.describe import describe, media_of
from actors.messages.known import KnownMessage
from actors.messages.raw import context_of, to_keep, unwrap, without_secrets
from actors.messages.received import ShownCard, ShownContent, ShownPreview, ShownQuote

CHAT, GROUP = "5511999999999@s.whatsapp.net", "120363000000000000@g.us"
ANA = "77777@lid"
NOW = 1_700_000_000_123
KEY = b"the key of this very file: a sec"

# Lone surrogates are no text that JSON or WhatsApp could carry; cards have no control characters.
letters = st.characters(exclude_categories=["Cs", "Cc"])
words = st.text(letters, min_size=1, max_size=50)
maybe_words = st.none() | words
ids = st.text("0123456789ABCDEF", min_size=1, max_size=20)
people = st.integers(10_000, 10**15).map(lambda number: f"{number}@lid")
phones = st.integers(11_900_000_000, 11_999_999_999).map(lambda number: f"+55{number}")
common: dict[str, Any] = {
    "quote": st.none() | st.builds(c.Quote, message_id=ids, sender=people),
    "expires_in": st.sampled_from([None, 86_400, 604_800, 7_776_000]),
}
mentions = st.lists(people, max_size=3).map(tuple)
captioned: dict[str, Any] = {
    **common,
    "media": st.builds(c.MediaSource, id=st.just("med_1")),
    "caption": maybe_words,
    "mentions": mentions,
}
silent: dict[str, Any] = {**common, "media": captioned["media"]}
cards = st.one_of(
    st.builds(
        c.ContactCard,
        name=words,
        phones=st.lists(phones, min_size=1, max_size=3).map(tuple),
        company=maybe_words,
    ),
    st.builds(c.ContactCard, name=words, vcard=st.just("BEGIN:VCARD\nVERSION:3.0\nFN:Bia\nEND:VCARD")),
)
polls = st.lists(st.text(letters, min_size=1, max_size=20), min_size=2, max_size=12, unique=True).flatmap(
    lambda options: st.builds(
        c.Poll,
        question=words,
        options=st.just(options),
        max_selections=st.integers(1, len(options)),
        **common,
    )
)
standing = st.one_of(
    st.builds(
        c.Text,
        text=words.map(lambda text: f"{text} https://example.com/a"),
        mentions=mentions,
        preview=st.none()
        | st.builds(c.Preview, url=st.just("https://example.com/a"), title=words, description=maybe_words),
        background=st.none() | st.integers(0, 0xFFFFFF).map(lambda colour: f"#{colour:06X}"),
        **common,
    ),
    st.builds(
        c.Location,
        latitude=st.floats(-90, 90),
        longitude=st.floats(-180, 180),
        name=maybe_words,
        address=maybe_words,
        **common,
    ),
    st.builds(c.Contact, contacts=st.lists(cards, min_size=1, max_size=3), **common),
    polls,
    st.builds(c.Image, view_once=st.booleans(), **captioned),
    st.builds(c.Video, view_once=st.booleans(), **captioned),
    st.builds(c.Gif, **captioned),
    st.builds(c.Document, file_name=maybe_words, **captioned),
    st.builds(c.Audio, **silent),
    st.builds(c.Voice, view_once=st.booleans(), **silent),
    st.builds(c.Sticker, **silent),
)
uploads = st.builds(
    Uploaded,
    url=st.just("https://mmg.whatsapp.net/x"),
    direct_path=st.just("/x"),
    media_key=st.just(KEY),
    file_sha256=st.binary(min_size=32, max_size=32),
    file_enc_sha256=st.binary(min_size=32, max_size=32),
    file_length=st.integers(0, 2**40),
    mime_type=st.just("image/jpeg"),
    width=st.none() | st.integers(1, 9999),
    height=st.none() | st.integers(1, 9999),
    seconds=st.none() | st.integers(1, 9999),
    waveform=st.none() | st.binary(min_size=64, max_size=64),
    thumbnail=st.none() | st.binary(min_size=1, max_size=99),
    file_name=maybe_words,
    pages=st.none() | st.integers(1, 99),
    animated=st.booleans(),
)


def known(message: wa.Message, *, chat: str = CHAT, from_me: bool = True, **more: Any) -> KnownMessage:
    facts: dict[str, Any] = {"id": "T1", "chat_id": chat, "chat": chat, "sender": ANA, "at_ms": NOW, **more}
    return KnownMessage(from_me=from_me, raw=to_keep(message, 8_192), **facts)


def through(content: c.Content, **facts: Any) -> tuple[wa.Message, Any]:
    """The message on the wire, unwrapped, and what it says."""
    sent = compose(content, Facts(to=facts.pop("to", CHAT), made_at_ms=NOW, **facts))
    found = unwrap(wa.Message.FromString(sent.SerializeToString()))
    return found.message, describe(found.message, view_once=found.view_once)


@given(standing, uploads)
def test_what_is_sent_is_what_is_described(content: Any, upload: Uploaded) -> None:
    media = isinstance(content, c.MediaMessage)
    message, shown = through(content, media=upload if media else None, secret=b"s" * 32)
    assert shown.type == content.type
    assert shown.expires_in == content.expires_in
    quote = content.quote
    assert shown.quote == (ShownQuote(message_id=quote.message_id, sender=quote.sender) if quote else None)
    same = type(content).model_fields.keys() & type(shown).model_fields.keys() - {"quote", "media"}
    if isinstance(content, c.Poll):
        assert shown.options == tuple(content.options)
    for name in same - {"preview", "contacts", "options", "file_name"}:
        assert getattr(shown, name) == getattr(content, name), name
    if isinstance(content, c.Text):
        preview = content.preview
        assert shown.preview == (ShownPreview(**preview.model_dump()) if preview else None)
    if isinstance(content, c.Contact):
        for card, sent in zip(shown.contacts, content.contacts, strict=True):
            assert isinstance(card, ShownCard)
            assert (card.name, card.phones) == (sent.name, sent.phones)
            assert card.company == sent.company or sent.vcard == card.vcard
    if media:
        assert shown.media.sha256 == upload.file_sha256.hex()
        assert shown.media.size == upload.file_length
        reference = media_of(message)
        assert reference is not None
        assert reference.direct_path == upload.direct_path
        # The key is nowhere in what an event shows.
        assert reference.media_key not in shown.model_dump_json()
        assert upload.media_key not in without_secrets(message.SerializeToString())
    assert TypeAdapter(ShownContent).validate_json(shown.model_dump_json()) == shown


@given(standing, uploads)
def test_composing_again_is_the_same_message(content: Any, upload: Uploaded) -> None:
    facts = Facts(to=CHAT, made_at_ms=NOW, secret=b"s" * 32, media=upload)
    first, second = (compose(content, facts).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second


def test_a_plain_text_is_nothing_but_a_text() -> None:
    assert compose(c.Text(text="olá"), Facts(CHAT, NOW)) == wa.Message(conversation="olá")


def test_media_is_not_composed_without_its_file() -> None:
    with pytest.raises(NoMedia):
        compose(c.Image(media=c.MediaSource(id="med_1")), Facts(CHAT, NOW))


# ---- about another message ------------------------------------------------------------------------------


@given(standing, uploads)
def test_an_answer_carries_what_it_answers(quoted: Any, upload: Uploaded) -> None:
    original, shown = through(quoted, media=upload, secret=b"s" * 32)
    target = known(original, from_me=False)
    message, answer = through(c.Text(text="yes", quote="T1"), target=target)
    assert answer.quote == ShownQuote(message_id="T1", sender=ANA)
    context = context_of(message)
    assert context is not None
    inside = describe(context.quoted_message)
    assert inside is not None
    assert inside.type == shown.type  # type: ignore[union-attr]
    # An answer to an answer does not carry the whole conversation.
    assert not (context_of(context.quoted_message) or wa.ContextInfo()).HasField("quoted_message")
    assert b"s" * 32 not in message.SerializeToString()


def test_an_answer_to_what_is_not_known_says_what_it_is_told() -> None:
    content = c.Text(text="yes", quote=c.Quote(message_id="T1", sender="+55 11 91234-5678", text="sure?"))
    message, shown = through(content)
    assert shown.quote.sender == "5511912345678@s.whatsapp.net"
    context = context_of(message)
    assert context is not None
    assert context.quoted_message.conversation == "sure?"


def test_a_private_answer_names_the_group() -> None:
    target = known(wa.Message(conversation="hi"), chat=GROUP, from_me=False)
    message, _ = through(c.Text(text="psst", quote="T1"), target=target)
    context = context_of(message)
    assert context is not None
    assert context.remote_jid == GROUP


@pytest.mark.parametrize("emoji", ["👍", "❤️", "👨‍👩‍👧‍👦", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "✍🏽", ""])
def test_a_reaction(emoji: str) -> None:
    target = known(wa.Message(conversation="hi"), chat=GROUP, from_me=False)
    message, shown = through(c.Reaction(message_id="T1", emoji=emoji), to=GROUP, target=target)
    assert (shown.message_id, shown.emoji, shown.sender) == ("T1", emoji, ANA)
    key = message.reaction_message.key
    assert (key.remote_jid, key.from_me) == (GROUP, False)


def test_a_reaction_to_what_is_not_known() -> None:
    content = c.Reaction(message_id="T1", emoji="👍", sender=ANA)
    in_group, _ = through(content, to=GROUP)
    assert in_group.reaction_message.key.participant == ANA
    direct, _ = through(content)
    assert not direct.reaction_message.key.HasField("participant")
    assert direct.reaction_message.key.remote_jid == CHAT


def test_a_reaction_to_an_own_message() -> None:
    target = known(wa.Message(conversation="hi"), chat=GROUP)
    message, _ = through(c.Reaction(message_id="T1", emoji="👍"), to=GROUP, target=target)
    assert message.reaction_message.key.from_me
    assert not message.reaction_message.key.HasField("participant")


@pytest.mark.parametrize("emoji", ["a", "ok", "👍 ", "+1", "7", "12", " ", "é", "👍x", "x" * 50])
def test_what_is_no_emoji(emoji: str) -> None:
    with pytest.raises(ValidationError):
        c.Reaction(message_id="T1", emoji=emoji)


@given(words, mentions)
def test_an_edit_of_a_text(text: str, mentioned: tuple[str, ...]) -> None:
    content = c.Edit(message_id="T1", text=text, mentions=mentioned)
    message, shown = through(content, target=known(wa.Message(conversation="before")))
    assert (shown.type, shown.message_id, shown.text, shown.mentions) == ("edit", "T1", text, mentioned)
    assert message.protocol_message.key.from_me


@given(st.sampled_from([c.Image, c.Video, c.Document]), maybe_words, words, uploads)
def test_an_edit_of_a_caption_keeps_the_file(
    kind: type[c.Captioned], before: str | None, after: str, upload: Uploaded
) -> None:
    original, _ = through(kind(media=c.MediaSource(id="med_1"), caption=before), media=upload)
    message, shown = through(c.Edit(message_id="T1", text=after), target=known(original))
    assert shown.text == after
    new = unwrap(message.protocol_message.edited_message).message
    assert media_of(new) == media_of(original)


def test_a_deletion() -> None:
    target = known(wa.Message(conversation="hi"), chat=GROUP, from_me=False)
    _, by_admin = through(c.Delete(message_id="T1"), to=GROUP, target=target)
    assert (by_admin.type, by_admin.message_id, by_admin.sender) == ("delete", "T1", ANA)
    _, own = through(c.Delete(message_id="T1"), target=known(wa.Message(conversation="hi")))
    assert own.sender is None


@given(standing.filter(lambda content: content.type != "poll"), uploads, st.integers(0, 3))
def test_a_forward_says_the_same_and_counts(content: Any, upload: Uploaded, times: int) -> None:
    message, before = through(content, media=upload)
    for _ in range(times + 1):
        message, shown = through(c.Forward(message_id="T1"), target=known(message))
    assert shown.forwarded == times + 1
    assert shown.quote is None
    plain = {"quote": None, "mentions": (), "expires_in": None, "forwarded": times + 1}
    assert shown.model_copy(update={"view_once": False}) == before.model_copy(
        update={**plain, "view_once": False}
    )
    assert media_of(message) == media_of(unwrap(compose(content, Facts(CHAT, NOW, media=upload))).message)
