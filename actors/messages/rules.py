"""What may be sent where, and what may still be done to which message."""

from __future__ import annotations

from dataclasses import dataclass

from actors.instance.connection import whatsapp_pb2 as wa
from actors.messages.content import Content, Delete, Edit, Forward, Message, Reaction, Vote
from actors.messages.known import KnownMessage
from actors.messages.raw import POLLS, field_of, poll_of
from actors.messages.recipients import STATUS, is_group, is_newsletter

FORWARDABLE = frozenset(
    {
        "conversation",
        "extended_text_message",
        "image_message",
        "video_message",
        "ptv_message",
        "audio_message",
        "document_message",
        "sticker_message",
        "location_message",
        "contact_message",
        "contacts_array_message",
    }
)
EDITABLE = frozenset(
    {"conversation", "extended_text_message", "image_message", "video_message", "document_message"}
)

NOT_KNOWN = (
    "This instance knows no message with this id: it came before the instance was connected, or too many "
    "have come since. "
)


class Unsendable(Exception):
    """A message that cannot be sent as it is.

    Args:
        code: for programs.
        message: what is wrong and what to do.
        field: the field it is about.
    """

    def __init__(self, code: str, message: str, field: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.field = field


@dataclass(frozen=True, slots=True)
class Windows:
    """How long a message can be changed, in seconds."""

    edit: float
    delete: float


def about(content: Content) -> str | None:
    """The id of the message that this one answers, changes or repeats."""
    if isinstance(content, Message):
        return content.quote.message_id if content.quote else None
    return content.message_id if isinstance(content, Reaction | Edit | Delete | Forward | Vote) else None


def check_destination(content: Content, to: str) -> None:
    """See that this kind of content can go there.

    Raises:
        Unsendable
    """
    if to == STATUS and not content.fits_status:
        raise Unsendable(
            "not_for_status", "A status is a text, an image, a video, a gif or a voice note.", "type"
        )
    if is_newsletter(to) and not content.fits_newsletter:
        raise Unsendable("not_for_newsletter", "Only texts can be sent to a newsletter.", "type")


def check(
    content: Content, to: str, chat_id: str, target: KnownMessage | None, *, at_ms: int, windows: Windows
) -> None:
    """See that the message can be sent, given the one it is about.

    Args:
        to: where it goes, a JID.
        chat_id: the stable id of that chat.
        target: the message named by `about`, if it is known.
        at_ms: now, milliseconds since 1970.

    Raises:
        Unsendable
    """
    if isinstance(content, Message):
        if content.quote is not None:
            _check_quote(content.quote.sender, chat_id, target)
    elif isinstance(content, Reaction):
        if target is None and content.sender is None:
            raise Unsendable("message_unknown", f"{NOT_KNOWN}Give `sender`: who wrote it.", "message_id")
        _check_chat(chat_id, target)
    elif isinstance(content, Edit):
        _check_edit(chat_id, target, at_ms, windows.edit)
    elif isinstance(content, Delete):
        _check_delete(to, chat_id, target, at_ms, windows.delete)
    elif isinstance(content, Forward):
        _check_forward(target)
    elif isinstance(content, Vote):
        _check_vote(content, chat_id, target)


def _check_quote(sender: str | None, chat_id: str, target: KnownMessage | None) -> None:
    if target is None:
        if sender is None:
            raise Unsendable(
                "message_unknown", f"{NOT_KNOWN}Give `quote.sender`: who wrote it.", "quote/message_id"
            )
        return
    # Answering somebody's message to a group in private is the one case that phones have, too.
    if target.chat_id != chat_id and not is_group(target.chat):
        raise Unsendable(
            "other_chat",
            f"The message that is quoted stands in the chat {target.chat_id}. Send the answer there.",
            "quote/message_id",
        )


def _check_chat(chat_id: str, target: KnownMessage | None) -> None:
    if target is not None and target.chat_id != chat_id:
        raise Unsendable(
            "other_chat",
            f"The message stands in the chat {target.chat_id}. Give that as `to`.",
            "to",
        )


def _check_edit(chat_id: str, target: KnownMessage | None, at_ms: int, window: float) -> None:
    if target is None:
        raise Unsendable("message_unknown", f"{NOT_KNOWN}Send a new message instead.", "message_id")
    _check_chat(chat_id, target)
    if not target.from_me:
        raise Unsendable("not_yours", "Only messages of this account can be edited.", "message_id")
    _check_age(target, at_ms, window, "edited", "Send a new message instead.")
    message = target.message
    if message is None or field_of(message) not in EDITABLE:
        raise Unsendable(
            "not_editable",
            "Only texts, and captions of images, videos and documents can be edited. Delete the message and "
            "send another one.",
            "message_id",
        )


def _check_delete(to: str, chat_id: str, target: KnownMessage | None, at_ms: int, window: float) -> None:
    if target is None:
        raise Unsendable("message_unknown", f"{NOT_KNOWN}It can still be deleted on the phone.", "message_id")
    _check_chat(chat_id, target)
    if not target.from_me and not is_group(to):
        raise Unsendable(
            "not_yours",
            "Only messages of this account can be deleted for everyone; in groups, admins can delete "
            "those of others, too.",
            "message_id",
        )
    _check_age(target, at_ms, window, "deleted for everyone", "It can only be deleted on one's own devices.")


def _check_age(target: KnownMessage, at_ms: int, window: float, done: str, instead: str) -> None:
    if at_ms - target.at_ms > window * 1000:
        raise Unsendable(
            "too_old",
            f"WhatsApp lets a message be {done} for {_duration(window)} after it was sent. {instead}",
            "message_id",
        )


def _check_forward(target: KnownMessage | None) -> None:
    if target is None:
        raise Unsendable("message_unknown", f"{NOT_KNOWN}Send its content as a new message.", "message_id")
    message = target.message
    if message is None:
        raise Unsendable(
            "too_large", "The message is too large to be kept for this. Send it as a new one.", "message_id"
        )
    name = field_of(message)
    if name not in FORWARDABLE or _opens_once(message, name):
        kind = "A poll" if name in POLLS else "A message of this kind"
        raise Unsendable("not_forwardable", f"{kind} cannot be forwarded. Send a new one.", "message_id")


def _check_vote(content: Vote, chat_id: str, target: KnownMessage | None) -> None:
    if target is None:
        raise Unsendable("message_unknown", f"{NOT_KNOWN}Vote on the phone.", "message_id")
    _check_chat(chat_id, target)
    message = target.message
    poll = poll_of(message) if message is not None else None
    if poll is None:
        raise Unsendable("not_a_poll", "The message with this id is no poll.", "message_id")
    names = [option.option_name for option in poll.options]
    if unknown := [name for name in content.options if name not in names]:
        offered = ", ".join(repr(name) for name in names)
        raise Unsendable(
            "no_such_option", f"The poll has no option {unknown[0]!r}, but {offered}.", "options"
        )
    # WhatsApp's 0 is any number.
    if poll.selectable_options_count and len(content.options) > poll.selectable_options_count:
        most = poll.selectable_options_count
        raise Unsendable("too_many_options", f"One person may choose {most} at most.", "options")


def _opens_once(message: wa.Message, name: str) -> bool:
    return bool(getattr(getattr(message, name), "view_once", False))


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} seconds"
