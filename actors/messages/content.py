"""What can be sent: one model a kind, told apart by ``type``."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from actors.messages.phones import parse_phone
from actors.messages.recipients import parse_person

TEXT_MAX = 65_536
CAPTION_MAX = 4_096
MENTIONS_MAX = 1_024
CONTACTS_MAX = 50
DURATION_MAX = 60
"""Seconds of typing, or of delay."""

COLOUR = r"^#[0-9A-Fa-f]{6}$"
EXAMPLE_ID = "3EB0C7A1D2E3F4A5B6C7D8"

MessageId = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$", examples=[EXAMPLE_ID])
]
Phone = Annotated[
    str,
    AfterValidator(parse_phone),
    Field(description="With its country code, in any usual form", examples=["+55 11 91234-5678"]),
]
Person = Annotated[
    str,
    AfterValidator(parse_person),
    Field(
        description="A phone number with its country code in any usual form, or a person's JID from an event",
        examples=["+55 11 91234-5678", "123456789012345@lid"],
        min_length=1,
        max_length=200,
    ),
]
Mentions = Annotated[
    tuple[Person, ...],
    Field(
        max_length=MENTIONS_MAX,
        description="People who are told that they are meant. Shown where the text has `@` and the digits of "
        "the number, or of the LID",
    ),
]


class Part(BaseModel):
    """What a content is made of. Unknown members are errors, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Content(Part):
    """What a message says."""

    fits_status: ClassVar[bool] = False
    fits_newsletter: ClassVar[bool] = False


class Quote(Part):
    """The message that is answered."""

    message_id: MessageId
    sender: Person | None = Field(
        None, description="Who wrote it. Only needed if it was written before this instance was connected"
    )
    text: str | None = Field(
        None, max_length=1_024, description="Shown as its text, if the message itself is no longer known"
    )


def _as_quote(value: Any) -> Any:
    return {"message_id": value} if isinstance(value, str) else value


class Message(Content):
    """What stands in a chat by itself, as opposed to what changes another message."""

    quote: Annotated[
        Quote | None, BeforeValidator(_as_quote, json_schema_input_type=MessageId | Quote | None)
    ] = Field(None, description="The message that is answered: its id, or its id and who wrote it")
    expires_in: Literal[86_400, 604_800, 7_776_000] | None = Field(
        None,
        description="Seconds after which it disappears: a day, a week or 90 days. Give what the chat is set "
        "to: phones warn of anything else",
    )


# ---- texts ----------------------------------------------------------------------------------------------


class Preview(Part):
    """What is shown of a link. Malote does not look at the link itself."""

    url: str = Field(
        pattern=r"^https?://\S+$", max_length=2_048, description="A link that stands in the text"
    )
    title: str = Field(min_length=1, max_length=300)
    description: str | None = Field(None, max_length=1_000)


class Text(Message):
    """A text. WhatsApp's own marks format it: `*bold*`, `_italic_`, `~struck~`, and its lists and code."""

    fits_status = True
    fits_newsletter = True
    type: Literal["text"] = "text"
    text: str = Field(min_length=1, max_length=TEXT_MAX, examples=["Hello from Malote"])
    mentions: Mentions = ()
    preview: Preview | None = None
    background: str | None = Field(
        None, pattern=COLOUR, description="Of a status: its colour", examples=["#1F7A5C"]
    )

    @model_validator(mode="after")
    def _preview_is_of_the_text(self) -> Text:
        if self.preview is not None and self.preview.url not in self.text:
            raise ValueError("preview.url has to stand in the text, exactly as it is written there")
        return self


# ---- media ----------------------------------------------------------------------------------------------


class MediaSource(Part):
    """Where a file comes from. Exactly one of `id`, `url` and `base64`."""

    id: str | None = Field(
        None, pattern=r"^med_\w{1,64}$", description="Of a stored file", examples=["med_0a1b2c3d"]
    )
    url: str | None = Field(None, pattern=r"^https?://\S+$", max_length=2_048)
    base64: str | None = Field(None, min_length=4, description="The file itself, for small ones")
    mime_type: str | None = Field(None, max_length=200, description="Unset: as the file says")
    file_name: str | None = Field(None, max_length=255)

    @model_validator(mode="after")
    def _one_source(self) -> MediaSource:
        if sum(source is not None for source in (self.id, self.url, self.base64)) != 1:
            raise ValueError("give exactly one of id, url and base64")
        return self


class MediaMessage(Message):
    """A file that is shown in the chat."""

    media: MediaSource


class Captioned(MediaMessage):
    """A file with a text below."""

    caption: str | None = Field(None, min_length=1, max_length=CAPTION_MAX)
    mentions: Mentions = ()


class Image(Captioned):
    """A picture."""

    fits_status = True
    fits_newsletter = True
    type: Literal["image"] = "image"
    view_once: bool = Field(False, description="It can be opened once")


class Video(Captioned):
    """A video."""

    fits_status = True
    fits_newsletter = True
    type: Literal["video"] = "video"
    view_once: bool = Field(False, description="It can be opened once")


class Gif(Captioned):
    """A short video without sound that plays over and over."""

    fits_status = True
    fits_newsletter = True
    type: Literal["gif"] = "gif"


class Audio(MediaMessage):
    """A piece of sound, shown as a file."""

    type: Literal["audio"] = "audio"


class Voice(MediaMessage):
    """A voice note."""

    fits_status = True
    fits_newsletter = True
    type: Literal["voice"] = "voice"
    view_once: bool = Field(False, description="It can be played once")


class Document(Captioned):
    """Any file."""

    type: Literal["document"] = "document"
    file_name: str | None = Field(None, min_length=1, max_length=255, description="Unset: the file's own")


class Sticker(MediaMessage):
    """A sticker."""

    fits_newsletter = True
    type: Literal["sticker"] = "sticker"


# ---- places, people, polls ------------------------------------------------------------------------------


class Location(Message):
    """A place."""

    type: Literal["location"] = "location"
    latitude: float = Field(ge=-90, le=90)
    longitude: float = Field(ge=-180, le=180)
    name: str | None = Field(None, min_length=1, max_length=1_000)
    address: str | None = Field(None, min_length=1, max_length=1_000)


class ContactCard(Part):
    """A person's card: a name with phone numbers, or a vCard as it is."""

    name: str = Field(min_length=1, max_length=300)
    phones: tuple[Phone, ...] = Field((), max_length=20)
    company: str | None = Field(None, min_length=1, max_length=300)
    vcard: str | None = Field(
        None, max_length=32_768, description="A whole vCard, in the place of phones and company"
    )

    @model_validator(mode="after")
    def _phones_or_vcard(self) -> ContactCard:
        if (self.vcard is None) is not bool(self.phones):
            raise ValueError("give phones, or a vcard")
        if self.vcard is not None:
            if self.company is not None:
                raise ValueError("a vcard says the company itself")
            if not re.fullmatch(r"(?is)\s*BEGIN:VCARD\r?\n.*\nEND:VCARD\s*", self.vcard):
                raise ValueError("a vcard begins with BEGIN:VCARD and ends with END:VCARD, each on a line")
        return self


class Contact(Message):
    """Cards of people."""

    type: Literal["contact"] = "contact"
    contacts: list[ContactCard] = Field(min_length=1, max_length=CONTACTS_MAX)


class Poll(Message):
    """A question to vote on."""

    type: Literal["poll"] = "poll"
    question: str = Field(min_length=1, max_length=255)
    options: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(min_length=2, max_length=12)
    max_selections: int = Field(1, ge=1, le=12, description="How many options one person may choose")

    @model_validator(mode="after")
    def _options_differ(self) -> Poll:
        if len(set(self.options)) != len(self.options):
            raise ValueError("no two options may be equal: votes could not be told apart")
        if self.max_selections > len(self.options):
            raise ValueError(f"max_selections: there are only {len(self.options)} options")
        return self


# ---- what is done to another message --------------------------------------------------------------------


class Reaction(Content):
    """An emoji under a message."""

    type: Literal["reaction"] = "reaction"
    message_id: MessageId
    emoji: str = Field(max_length=40, description="One emoji; empty takes the reaction back", examples=["👍"])
    sender: Person | None = Field(
        None,
        description="Who wrote the message. Only needed if it was written before this instance was connected",
    )

    @model_validator(mode="after")
    def _one_emoji(self) -> Reaction:
        if self.emoji and not may_be_emoji(self.emoji):
            raise ValueError("emoji: one emoji, as in 👍, or nothing to take the reaction back")
        return self


def may_be_emoji(text: str) -> bool:
    """False for what is surely none."""
    # Digits, # and * are the beginnings of keycaps; the letter is the sign of an information.
    letters = any(sign.isalpha() and sign != "ℹ" for sign in text)
    plain = any(sign.isspace() or (sign.isascii() and sign not in "0123456789#*") for sign in text)
    return not letters and not plain and not text.isascii()


class Edit(Content):
    """Another text for a message of this account, or another caption."""

    type: Literal["edit"] = "edit"
    message_id: MessageId
    text: str = Field(min_length=1, max_length=TEXT_MAX)
    mentions: Mentions = ()


class Delete(Content):
    """A message taken back, for everyone. In a group, admins can take back those of others, too."""

    fits_status = True
    type: Literal["delete"] = "delete"
    message_id: MessageId


class Forward(Content):
    """A message that was received or sent, once more."""

    type: Literal["forward"] = "forward"
    message_id: MessageId
    expires_in: Literal[86_400, 604_800, 7_776_000] | None = Field(
        None, description="As of any other message"
    )


class Vote(Content):
    """A vote in a poll of this chat. Each one replaces the vote before."""

    type: Literal["poll_vote"] = "poll_vote"
    message_id: MessageId = Field(description="Of the poll")
    options: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(
        max_length=12, description="By name; none takes the vote back"
    )

    @model_validator(mode="after")
    def _options_differ(self) -> Vote:
        if len(set(self.options)) != len(self.options):
            raise ValueError("no option can be chosen twice")
        return self


AnyContent = Annotated[
    Text | Image | Video | Gif | Audio | Voice | Document | Sticker | Location | Contact | Poll | Reaction
    | Edit | Delete | Forward | Vote,
    Field(discriminator="type"),
]  # fmt: skip
