"""What a message of WhatsApp's says, as events tell of it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from actors.instance.connection import whatsapp_pb2 as wa
from actors.messages import vcard
from actors.messages.content import Content
from actors.messages.raw import POLLS, context_of, field_of, unwrap
from actors.messages.received import (
    MediaReference,
    ShownAudio,
    ShownButtonReply,
    ShownCard,
    ShownContact,
    ShownDelete,
    ShownDocument,
    ShownEdit,
    ShownGif,
    ShownGroupInvite,
    ShownImage,
    ShownLiveLocation,
    ShownLocation,
    ShownMedia,
    ShownPoll,
    ShownPreview,
    ShownQuote,
    ShownReaction,
    ShownSticker,
    ShownText,
    ShownUnsupported,
    ShownVideo,
    ShownVoice,
    ShownVote,
    Standing,
)

Described = Standing | ShownReaction | ShownEdit | ShownDelete | ShownVote
Media = wa.ImageMessage | wa.VideoMessage | wa.AudioMessage | wa.DocumentMessage | wa.StickerMessage

_MEDIA_KINDS: dict[str, Literal["image", "video", "audio", "document", "sticker"]] = {
    "image_message": "image",
    "video_message": "video",
    "ptv_message": "video",
    "audio_message": "audio",
    "document_message": "document",
    "sticker_message": "sticker",
}


@dataclass(frozen=True, slots=True)
class Expiration:
    """Messages of the chat disappear from now on after so many seconds; 0: they stay."""

    seconds: int


def describe(message: wa.Message, *, view_once: bool = False) -> Described | Expiration | None:
    """What a message says. It has been unwrapped.

    Args:
        view_once: its wrapper said that it can be opened once.

    Returns:
        None for what is between devices, or between a device and WhatsApp, and says nothing to people.
    """
    name = field_of(message)
    if name == "protocol_message":
        return _protocol(message.protocol_message)
    if name == "reaction_message":
        reaction = message.reaction_message
        return ShownReaction(
            message_id=reaction.key.id, sender=reaction.key.participant or None, emoji=reaction.text
        )
    if name == "enc_reaction_message":
        key = message.enc_reaction_message.target_message_key
        return ShownReaction(message_id=key.id, sender=key.participant or None, emoji=None)
    if name == "poll_update_message":
        # The vote itself is encrypted: who has decrypted it fills in the options.
        return ShownVote(message_id=message.poll_update_message.poll_creation_message_key.id, options=None)
    if name == "secret_encrypted_message":
        return ShownEdit(message_id=message.secret_encrypted_message.target_message_key.id, text=None)
    return _standing(message, name, view_once)


def text_of(content: Described | Content) -> str | None:
    """What is written in it: the text, or the caption."""
    text: str | None = getattr(content, "text", None) or getattr(content, "caption", None)
    return text


def media_of(message: wa.Message) -> MediaReference | None:
    """Where the file of an unwrapped message can be fetched, and with which key; newsletters have none."""
    name = field_of(message)
    kind = _MEDIA_KINDS.get(name or "")
    if name is None or kind is None:
        return None
    media: Media = getattr(message, name)
    if not media.direct_path or not (media.media_key or media.file_sha256):
        return None
    return MediaReference(
        kind=kind,
        direct_path=media.direct_path,
        media_key=_base64(media.media_key),
        file_sha256=_base64(media.file_sha256),
        file_enc_sha256=_base64(media.file_enc_sha256) if media.media_key else "",
        mime_type=media.mimetype or None,
        size=media.file_length if media.HasField("file_length") else None,
        file_name=getattr(media, "file_name", None) or None,
    )


# ---- what stands in a chat ------------------------------------------------------------------------------


def _standing(message: wa.Message, name: str | None, view_once: bool) -> Standing:
    common = _common(context_of(message))
    if name in POLLS:
        return _poll(getattr(message, name), common)
    if name in _MEDIA_KINDS:
        return _media(name, getattr(message, name), view_once, common)
    make = _MAKERS.get(name or "")
    return make(getattr(message, name), common) if make and name else ShownUnsupported(**common)


def _common(context: wa.ContextInfo | None) -> dict[str, Any]:
    if context is None:
        return {}
    common: dict[str, Any] = {
        "mentions": tuple(context.mentioned_jid),
        "forwarded": context.forwarding_score or int(context.is_forwarded),
        "expires_in": context.expiration or None,
    }
    if context.stanza_id:
        common["quote"] = ShownQuote(message_id=context.stanza_id, sender=context.participant or None)
    return common


def _conversation(text: str, common: dict[str, Any]) -> Standing:
    return ShownText(text=text, **common)


def _extended_text(message: wa.ExtendedTextMessage, common: dict[str, Any]) -> Standing:
    preview = None
    if message.title or message.description:
        preview = ShownPreview(
            url=message.matched_text, title=message.title or None, description=message.description or None
        )
    background = f"#{message.background_argb & 0xFFFFFF:06X}" if message.HasField("background_argb") else None
    return ShownText(text=message.text, preview=preview, background=background, **common)


def _media(name: str, media: Media, view_once: bool, common: dict[str, Any]) -> Standing:
    facts: dict[str, Any] = {
        "media": _file(media),
        "caption": getattr(media, "caption", None) or None,
        "view_once": view_once or bool(getattr(media, "view_once", False)),
        **common,
    }
    if isinstance(media, wa.ImageMessage):
        return ShownImage(**facts)
    if isinstance(media, wa.VideoMessage):
        if media.gif_playback:
            return ShownGif(**facts)
        return ShownVideo(round=name == "ptv_message", **facts)
    if isinstance(media, wa.AudioMessage):
        return ShownVoice(**facts) if media.ptt else ShownAudio(**facts)
    if isinstance(media, wa.StickerMessage):
        return ShownSticker(animated=media.is_animated, **facts)
    return ShownDocument(**facts)


def _file(media: Media) -> ShownMedia:
    def of(name: str) -> Any:
        known = name in media.DESCRIPTOR.fields_by_name
        return (getattr(media, name) or None) if known else None

    return ShownMedia(
        mime_type=media.mimetype or None,
        size=media.file_length if media.HasField("file_length") else None,
        sha256=media.file_sha256.hex() or None,
        width=of("width"),
        height=of("height"),
        seconds=of("seconds"),
        pages=of("page_count"),
        file_name=of("file_name") or of("title"),
    )


def _location(message: wa.LocationMessage, common: dict[str, Any]) -> Standing:
    return ShownLocation(
        latitude=message.degrees_latitude,
        longitude=message.degrees_longitude,
        name=message.name or None,
        address=message.address or None,
        **common,
    )


def _live_location(message: wa.LiveLocationMessage, common: dict[str, Any]) -> Standing:
    return ShownLiveLocation(
        latitude=message.degrees_latitude,
        longitude=message.degrees_longitude,
        accuracy=message.accuracy_in_meters or None,
        caption=message.caption or None,
        **common,
    )


def _contact(message: wa.ContactMessage, common: dict[str, Any]) -> Standing:
    return ShownContact(contacts=(_card(message),), **common)


def _contacts(message: wa.ContactsArrayMessage, common: dict[str, Any]) -> Standing:
    return ShownContact(contacts=tuple(_card(card) for card in message.contacts), **common)


def _card(message: wa.ContactMessage) -> ShownCard:
    name, phones, company = vcard.read(message.vcard)
    return ShownCard(
        name=message.display_name or name or "", phones=phones, company=company, vcard=message.vcard
    )


def _poll(message: wa.PollCreationMessage, common: dict[str, Any]) -> Standing:
    options = tuple(option.option_name for option in message.options)
    most = message.selectable_options_count or len(options)
    return ShownPoll(question=message.name, options=options, max_selections=most, **common)


def _group_invite(message: wa.GroupInviteMessage, common: dict[str, Any]) -> Standing:
    return ShownGroupInvite(
        group=message.group_jid,
        code=message.invite_code,
        name=message.group_name or None,
        caption=message.caption or None,
        expires_at=message.invite_expiration or None,
        **common,
    )


def _buttons(message: wa.ButtonsResponseMessage, common: dict[str, Any]) -> Standing:
    return ShownButtonReply(
        id=message.selected_button_id, text=message.selected_display_text or None, **common
    )


def _template(message: wa.TemplateButtonReplyMessage, common: dict[str, Any]) -> Standing:
    return ShownButtonReply(id=message.selected_id, text=message.selected_display_text or None, **common)


def _list(message: wa.ListResponseMessage, common: dict[str, Any]) -> Standing:
    chosen = message.single_select_reply.selected_row_id
    return ShownButtonReply(id=chosen, text=message.title or None, **common)


_MAKERS: dict[str, Callable[[Any, dict[str, Any]], Standing]] = {
    "conversation": _conversation,
    "extended_text_message": _extended_text,
    "location_message": _location,
    "live_location_message": _live_location,
    "contact_message": _contact,
    "contacts_array_message": _contacts,
    "group_invite_message": _group_invite,
    "buttons_response_message": _buttons,
    "template_button_reply_message": _template,
    "list_response_message": _list,
}


# ---- what is done to another message, or to the chat ----------------------------------------------------


def _protocol(message: wa.ProtocolMessage) -> Described | Expiration | None:
    # Kinds that are not known are not set either, and the first one would be taken for them.
    if not message.HasField("type"):
        return None
    if message.type == wa.ProtocolMessage.EPHEMERAL_SETTING:
        return Expiration(message.ephemeral_expiration)
    if message.type == wa.ProtocolMessage.MESSAGE_EDIT:
        inner = unwrap(message.edited_message).message
        new = _standing(inner, field_of(inner), False)
        return ShownEdit(message_id=message.key.id, text=text_of(new), mentions=new.mentions)
    return ShownDelete(message_id=message.key.id, sender=message.key.participant or None)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
