"""What a message says, as events tell of it: received ones, and those that this account sent."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

JID = Annotated[str, Field(examples=["123456789012345@lid", "5511912345678@s.whatsapp.net"])]


class Shown(BaseModel):
    """A part of an event. New members may be added to it."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class ShownQuote(Shown):
    """The message that is answered."""

    message_id: str
    sender: JID | None = Field(None, description="Who wrote it")


class ShownMessage(Shown):
    """What stands in a chat by itself."""

    quote: ShownQuote | None = None
    mentions: tuple[JID, ...] = ()
    forwarded: int = Field(
        0, description="How often it was forwarded, as far as WhatsApp counts; 5: many times"
    )
    expires_in: int | None = Field(None, description="Seconds after which it disappears")


class ShownPreview(Shown):
    """What is shown of a link in the text."""

    url: str
    title: str | None = None
    description: str | None = None


class ShownText(ShownMessage):
    """A text, with WhatsApp's marks as they are: `*bold*`, `_italic_`."""

    type: Literal["text"] = "text"
    text: str
    preview: ShownPreview | None = None
    background: str | None = Field(None, description="Colour of a status, as in #1F7A5C")


class ShownMedia(Shown):
    """A file. Its keys are not shown: Malote fetches it with them."""

    id: str | None = Field(None, description="Of the stored file: known before it is stored")
    state: Literal["pending", "ready", "off", "on_demand", "failed"] | None = Field(
        None,
        description="`pending`: it is being fetched; `media.ready` or `media.failed` will tell. `ready`: it "
        "is stored. `off`: files of this instance are not fetched. `on_demand`: of a message of before, "
        "fetched when it is asked for. `failed`: it will not be, see `reason`",
    )
    reason: str | None = Field(
        None, description="Why it is not fetched: `too_large`, `busy`; or as `media.failed` tells it"
    )
    url: str | None = Field(
        None, description="Where it is, until `expires_at`: only for webhooks that wait for media"
    )
    expires_at: str | None = Field(None, description="Of `url`")
    mime_type: str | None = None
    size: int | None = Field(None, description="Bytes")
    sha256: str | None = Field(None, description="Of the file, as hexadecimal digits")
    width: int | None = None
    height: int | None = None
    seconds: int | None = None
    pages: int | None = None
    file_name: str | None = None


class ShownMediaMessage(ShownMessage):
    """A file that is shown in the chat."""

    media: ShownMedia
    caption: str | None = None
    view_once: bool = False


class ShownImage(ShownMediaMessage):
    """A picture."""

    type: Literal["image"] = "image"


class ShownVideo(ShownMediaMessage):
    """A video."""

    type: Literal["video"] = "video"
    round: bool = Field(False, description="A video note, shown as a circle")


class ShownGif(ShownMediaMessage):
    """A short video that plays over and over."""

    type: Literal["gif"] = "gif"


class ShownAudio(ShownMediaMessage):
    """A piece of sound."""

    type: Literal["audio"] = "audio"


class ShownVoice(ShownMediaMessage):
    """A voice note."""

    type: Literal["voice"] = "voice"


class ShownDocument(ShownMediaMessage):
    """Any file."""

    type: Literal["document"] = "document"


class ShownSticker(ShownMediaMessage):
    """A sticker."""

    type: Literal["sticker"] = "sticker"
    animated: bool = False


class ShownLocation(ShownMessage):
    """A place."""

    type: Literal["location"] = "location"
    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None


class ShownLiveLocation(ShownMessage):
    """Where somebody is, for a while."""

    type: Literal["live_location"] = "live_location"
    latitude: float
    longitude: float
    accuracy: int | None = Field(None, description="Metres")
    caption: str | None = None


class ShownCard(Shown):
    """A person's card."""

    name: str
    phones: tuple[str, ...] = Field((), description="E.164 where the card says so, else as they are written")
    company: str | None = None
    vcard: str


class ShownContact(ShownMessage):
    """Cards of people."""

    type: Literal["contact"] = "contact"
    contacts: tuple[ShownCard, ...]


class ShownPoll(ShownMessage):
    """A question to vote on."""

    type: Literal["poll"] = "poll"
    question: str
    options: tuple[str, ...]
    max_selections: int


class ShownGroupInvite(ShownMessage):
    """An invitation to a group."""

    type: Literal["group_invite"] = "group_invite"
    group: str = Field(description="JID of the group")
    code: str
    name: str | None = None
    caption: str | None = None
    expires_at: int | None = Field(None, description="Seconds since 1970")


class ShownButtonReply(ShownMessage):
    """What was chosen of a business's buttons or list."""

    type: Literal["button_reply"] = "button_reply"
    id: str
    text: str | None = None


class ShownUnsupported(ShownMessage):
    """A kind that Malote does not know. The event's `kind` names it, and `raw` has all of it."""

    type: Literal["unsupported"] = "unsupported"


class ShownReaction(Shown):
    """An emoji under a message."""

    type: Literal["reaction"] = "reaction"
    message_id: str = Field(description="The message that is reacted to")
    sender: JID | None = Field(None, description="Who wrote that message, in a group")
    emoji: str | None = Field(description="Empty: taken back. Null: it could not be decrypted")


class ShownEdit(Shown):
    """Another text for a message, or another caption."""

    type: Literal["edit"] = "edit"
    message_id: str = Field(description="The message that was edited")
    text: str | None = Field(description="Null: it could not be decrypted, or is no text")
    mentions: tuple[JID, ...] = ()


class ShownDelete(Shown):
    """A message taken back for everyone."""

    type: Literal["delete"] = "delete"
    message_id: str = Field(description="The message that was deleted")
    sender: JID | None = Field(None, description="Who wrote it, if an admin of the group deleted it")


class ShownVote(Shown):
    """A vote in a poll. Each one replaces the same person's vote before."""

    type: Literal["poll_vote"] = "poll_vote"
    message_id: str = Field(description="The poll")
    question: str | None = Field(None, description="Of the poll, if it is known")
    options: tuple[str, ...] | None = Field(
        description="What was voted for; none: taken back. Null: the vote could not be decrypted, or the "
        "poll is not known"
    )
    option_hashes: tuple[str, ...] | None = Field(
        None, description="Of options that are not known by name: SHA-256 of the name, as hexadecimal digits"
    )


Standing = (
    ShownText | ShownImage | ShownVideo | ShownGif | ShownAudio | ShownVoice | ShownDocument | ShownSticker
    | ShownLocation | ShownLiveLocation | ShownContact | ShownPoll | ShownGroupInvite | ShownButtonReply
    | ShownUnsupported
)  # fmt: skip
"""What stands in a chat by itself."""

StandingContent = Annotated[Standing, Field(discriminator="type")]
ShownContent = Annotated[
    Standing | ShownReaction | ShownEdit | ShownDelete | ShownVote, Field(discriminator="type")
]


class MediaReference(BaseModel):
    """Where WhatsApp has a file, and its key: a secret, never a part of an event.

    The hashes and the key are base64.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["image", "video", "audio", "document", "sticker"]
    direct_path: str
    media_key: str
    file_sha256: str
    file_enc_sha256: str
    mime_type: str | None = None
    size: int | None = None
    file_name: str | None = None
