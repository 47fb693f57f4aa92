"""A message of WhatsApp's from what is to be sent. Composed again, it is the same."""

from __future__ import annotations

from dataclasses import dataclass

from actors.instance.connection import whatsapp_pb2 as wa
from actors.messages import content as c
from actors.messages import vcard
from actors.messages.compose_media import Uploaded, captioned, compose_media
from actors.messages.known import KnownMessage
from actors.messages.raw import context_of, field_of
from actors.messages.recipients import is_group


@dataclass(frozen=True, slots=True)
class Facts:
    """What a message depends on besides its content.

    Args:
        to: where it goes, a JID.
        made_at_ms: when it was queued, milliseconds since 1970.
        secret: 32 random bytes that belong to this message: votes in a poll are encrypted with them.
        target: the message that it answers, changes or repeats, if it is known.
        media: the file of a content with one.
    """

    to: str
    made_at_ms: int
    secret: bytes = b""
    target: KnownMessage | None = None
    media: Uploaded | None = None


def compose(content: c.Content, facts: Facts) -> wa.Message:
    """The message, as it goes to WhatsApp.

    What the content may refer to has been checked (`rules.check`).

    Raises:
        NoMedia: it has a file, which is missing among the facts.
    """
    match content:
        case c.Reaction():
            return _reaction(content, facts)
        case c.Edit():
            return _edit(content, facts)
        case c.Delete():
            revoke = wa.ProtocolMessage(type=wa.ProtocolMessage.REVOKE, key=_key(content.message_id, facts))
            return wa.Message(protocol_message=revoke)
        case c.Vote():
            # Only its outside: the engine encrypts what was voted for.
            update = wa.PollUpdateMessage(poll_creation_message_key=_key(content.message_id, facts))
            return wa.Message(poll_update_message=update)
        case c.Forward():
            return _forward(content, facts)
        case c.Text():
            return _text(content, _context(content, facts, content.mentions))
        case c.Location():
            return wa.Message(
                location_message=wa.LocationMessage(
                    degrees_latitude=content.latitude,
                    degrees_longitude=content.longitude,
                    name=content.name,
                    address=content.address,
                    context_info=_context(content, facts),
                )
            )
        case c.Contact():
            return _contact(content, _context(content, facts))
        case c.Poll():
            return _poll(content, facts)
        case c.MediaMessage():
            mentions = content.mentions if isinstance(content, c.Captioned) else ()
            return compose_media(content, facts.media, facts.made_at_ms, _context(content, facts, mentions))
    raise TypeError(f"no content: {type(content).__name__}")


# ---- how it stands to others ----------------------------------------------------------------------------


def _context(content: c.Message, facts: Facts, mentions: tuple[str, ...] = ()) -> wa.ContextInfo | None:
    quote = content.quote
    if quote is None and not mentions and content.expires_in is None:
        return None
    context = wa.ContextInfo(mentioned_jid=mentions, expiration=content.expires_in)
    if quote is not None:
        target = facts.target
        context.stanza_id = quote.message_id
        context.participant = target.sender if target else quote.sender or ""
        context.quoted_message.CopyFrom(_quoted(target, quote.text))
        if target is not None and is_group(target.chat) and target.chat != facts.to:
            context.remote_jid = target.chat
    return context


def _quoted(target: KnownMessage | None, text: str | None) -> wa.Message:
    message = target.message if target else None
    if message is None:
        return wa.Message(conversation=text or "")
    context = context_of(message)
    if context is not None:
        context.Clear()
    return message


def _key(message_id: str, facts: Facts, sender: str | None = None) -> wa.MessageKey:
    target = facts.target
    key = wa.MessageKey(
        remote_jid=target.chat if target else facts.to,
        from_me=target.from_me if target else False,
        id=message_id,
    )
    if not key.from_me and is_group(facts.to):
        key.participant = target.sender if target else sender or ""
    return key


# ---- what stands in a chat ------------------------------------------------------------------------------


def _text(content: c.Text, context: wa.ContextInfo | None) -> wa.Message:
    if context is None and content.preview is None and content.background is None:
        return wa.Message(conversation=content.text)
    text = wa.ExtendedTextMessage(text=content.text, context_info=context)
    if content.preview is not None:
        text.matched_text = content.preview.url
        text.title = content.preview.title
        if content.preview.description:
            text.description = content.preview.description
    if content.background is not None:
        text.background_argb = 0xFF000000 | int(content.background[1:], 16)
        text.text_argb = 0xFFFFFFFF
    return wa.Message(extended_text_message=text)


def _contact(content: c.Contact, context: wa.ContextInfo | None) -> wa.Message:
    cards = [
        wa.ContactMessage(
            display_name=card.name, vcard=card.vcard or vcard.write(card.name, card.phones, card.company)
        )
        for card in content.contacts
    ]
    if len(cards) == 1:
        if context is not None:
            cards[0].context_info.CopyFrom(context)
        return wa.Message(contact_message=cards[0])
    # Phones show the first name themselves; this is what those that cannot are given.
    name = f"{len(cards)} contacts"
    return wa.Message(
        contacts_array_message=wa.ContactsArrayMessage(
            display_name=name, contacts=cards, context_info=context
        )
    )


def _poll(content: c.Poll, facts: Facts) -> wa.Message:
    poll = wa.PollCreationMessage(
        name=content.question,
        options=[wa.PollCreationMessage.Option(option_name=name) for name in content.options],
        selectable_options_count=content.max_selections,
        context_info=_context(content, facts),
    )
    message = wa.Message(poll_creation_message=poll)
    message.message_context_info.message_secret = facts.secret
    return message


# ---- what is done to another message --------------------------------------------------------------------


def _reaction(content: c.Reaction, facts: Facts) -> wa.Message:
    key = _key(content.message_id, facts, content.sender)
    return wa.Message(
        reaction_message=wa.ReactionMessage(key=key, text=content.emoji, sender_timestamp_ms=facts.made_at_ms)
    )


def _edit(content: c.Edit, facts: Facts) -> wa.Message:
    edit = wa.ProtocolMessage(
        type=wa.ProtocolMessage.MESSAGE_EDIT,
        key=_key(content.message_id, facts),
        edited_message=edited(content.text, content.mentions, facts.target),
        timestamp_ms=facts.made_at_ms,
    )
    return wa.Message(edited_message=wa.Wrapper(message=wa.Message(protocol_message=edit)))


def edited(text: str, mentions: tuple[str, ...], target: KnownMessage | None) -> wa.Message:
    """What a message is after its text, or its caption, was edited."""
    message = target.message if target else None
    name = field_of(message) if message is not None else None
    if message is None or name in (None, "conversation", "extended_text_message"):
        if not mentions:
            return wa.Message(conversation=text)
        context = wa.ContextInfo(mentioned_jid=mentions)
        return wa.Message(extended_text_message=wa.ExtendedTextMessage(text=text, context_info=context))
    media = getattr(message, name)
    media.caption = text
    media.context_info.ClearField("mentioned_jid")
    media.context_info.mentioned_jid.extend(mentions)
    return captioned(message)


def _forward(content: c.Forward, facts: Facts) -> wa.Message:
    message = facts.target.message if facts.target else None
    if message is None:
        raise TypeError("a message is forwarded that is not known")
    before = context_of(message)
    # What came as forwarded without a count was forwarded once.
    score = (before.forwarding_score or int(before.is_forwarded)) if before else 0
    context = wa.ContextInfo(is_forwarded=True, forwarding_score=score + 1, expiration=content.expires_in)
    if message.HasField("conversation"):
        text = wa.ExtendedTextMessage(text=message.conversation)
        message = wa.Message(extended_text_message=text)
    getattr(message, field_of(message) or "").context_info.CopyFrom(context)
    return captioned(message)
