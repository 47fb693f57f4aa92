"""Bodies of messages to send: a content, where it goes, and when. A model a kind, told apart by ``type``."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, RootModel

from actors.instance.outbox import SendRequest
from actors.messages import content as c
from actors.messages.recipients import parse_destination
from api.fields import EXAMPLE_JID, Body

Destination = Annotated[
    str,
    AfterValidator(parse_destination),
    Field(
        description="A phone number with its country code in any usual form, a chat's id from an event, or "
        "`status` for the account's status",
        examples=["+55 11 91234-5678", EXAMPLE_JID, "120363000000000000@g.us", "status"],
        min_length=1,
        max_length=200,
    ),
]


class Addressed(Body):
    """Where a message goes, and when."""

    to: Destination
    delay: float = Field(
        0,
        ge=0,
        le=c.DURATION_MAX,
        description="Seconds to wait before it is sent. An instance sends in order: what is queued behind it "
        "waits, too",
    )


class Typed(Addressed):
    """A message that is typed, or recorded, before it is sent."""

    typing: float = Field(
        0,
        ge=0,
        le=c.DURATION_MAX,
        description="Seconds for which the chat shows, after `delay`, that the account types, or records",
    )


class SendText(c.Text, Typed):
    """A text. WhatsApp's own marks format it: `*bold*`, `_italic_`, `~struck~`, and its lists and code."""


class SendImage(c.Image, Typed):
    """A picture."""


class SendVideo(c.Video, Typed):
    """A video."""


class SendGif(c.Gif, Typed):
    """A short video without sound that plays over and over."""


class SendAudio(c.Audio, Typed):
    """A piece of sound, shown as a file."""


class SendVoice(c.Voice, Typed):
    """A voice note."""


class SendDocument(c.Document, Typed):
    """Any file."""


class SendSticker(c.Sticker, Typed):
    """A sticker."""


class SendLocation(c.Location, Typed):
    """A place."""


class SendContact(c.Contact, Typed):
    """Cards of people."""


class SendPoll(c.Poll, Typed):
    """A question to vote on. Votes come as events, `poll.vote`."""


class SendReaction(c.Reaction, Addressed):
    """An emoji under a message; an empty one takes it back."""


class SendEdit(c.Edit, Addressed):
    """Another text for a message of this account, or another caption, within 15 minutes."""


class SendDelete(c.Delete, Addressed):
    """A message taken back for everyone, within two and a half days. Admins can take back others', too."""


class SendForward(c.Forward, Addressed):
    """A message that was received or sent, once more, marked as forwarded."""


class SendVote(c.Vote, Addressed):
    """A vote in a poll; without options it is taken back."""


class SendMessage(
    RootModel[
        Annotated[
            SendText | SendImage | SendVideo | SendGif | SendAudio | SendVoice | SendDocument | SendSticker
            | SendLocation | SendContact | SendPoll | SendReaction | SendEdit | SendDelete | SendForward
            | SendVote,
            Field(discriminator="type"),
        ]
    ]
):  # fmt: skip
    """A message to send. `type` says which kind; it may be left out for a text."""

    usual_type: ClassVar[str] = "text"

    def request(self) -> SendRequest:
        """It, as the outbox keeps it."""
        return SendRequest.model_validate(self.root.model_dump())


TO = "+55 11 91234-5678"
GROUP = "120363000000000000@g.us"
POLLED = "3EB0D4C3B2A190807060"
ANSWERED = "3EB0A1B2C3D4E5F60718"
MEDIA = {"id": "med_0a1b2c3d4e5f"}

EXAMPLES: dict[str, dict[str, Any]] = {
    "text": {"to": TO, "type": "text", "text": "Hello from Malote"},
    "text with everything": {
        "to": GROUP,
        "type": "text",
        "text": "@5511912345678 *thank you*, see https://example.com/orders/7",
        "mentions": [TO],
        "preview": {"url": "https://example.com/orders/7", "title": "Order 7", "description": "On its way"},
        "quote": {"message_id": "3EB0F1E2D3C4B5A69788", "sender": TO, "text": "Where is it?"},
        "expires_in": 604_800,
        "delay": 1,
        "typing": 3,
    },
    "answer": {"to": TO, "type": "text", "text": "Yes", "quote": ANSWERED},
    "status": {"to": "status", "type": "text", "text": "Open until eight", "background": "#1F7A5C"},
    "image": {"to": TO, "type": "image", "media": MEDIA, "caption": "The *new* one", "view_once": False},
    "image to be seen once": {"to": TO, "type": "image", "media": MEDIA, "view_once": True},
    "video": {"to": TO, "type": "video", "media": {"url": "https://example.com/tour.mp4"}},
    "gif": {"to": TO, "type": "gif", "media": {"url": "https://example.com/wave.mp4"}},
    "audio": {"to": TO, "type": "audio", "media": MEDIA},
    "voice": {"to": TO, "type": "voice", "media": MEDIA, "typing": 4},
    "document": {
        "to": TO,
        "type": "document",
        "media": {"base64": "JVBERi0xLjQK", "mime_type": "application/pdf"},
        "file_name": "invoice-7.pdf",
        "caption": "Due on Friday",
    },
    "sticker": {"to": TO, "type": "sticker", "media": MEDIA},
    "location": {
        "to": TO,
        "type": "location",
        "latitude": -23.5613,
        "longitude": -46.6565,
        "name": "MASP",
        "address": "Avenida Paulista, 1578, São Paulo",
    },
    "contact": {
        "to": TO,
        "type": "contact",
        "contacts": [{"name": "Ana Souza", "phones": ["+55 11 98765-4321"], "company": "Padaria Souza"}],
    },
    "poll": {
        "to": GROUP,
        "type": "poll",
        "question": "When shall we meet?",
        "options": ["Monday", "Tuesday", "Friday"],
        "max_selections": 2,
    },
    "reaction": {"to": TO, "type": "reaction", "message_id": ANSWERED, "emoji": "👍"},
    "reaction taken back": {"to": TO, "type": "reaction", "message_id": ANSWERED, "emoji": ""},
    "edit": {"to": TO, "type": "edit", "message_id": c.EXAMPLE_ID, "text": "Hello again from Malote"},
    "delete": {"to": TO, "type": "delete", "message_id": c.EXAMPLE_ID},
    "vote": {"to": TO, "type": "poll_vote", "message_id": POLLED, "options": ["Friday"]},
    "forward": {"to": GROUP, "type": "forward", "message_id": ANSWERED},
}
"""A body for each kind, and for what several kinds can have."""
