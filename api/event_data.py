"""What is in ``data`` of each type of event."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from actors.events import Chat, Party
from actors.messages.notices import (
    CallNotice,
    ChatChanges,
    ContactChanges,
    GroupChanges,
    JoinedGroup,
    NewsletterChanges,
)
from actors.messages.received import (
    ShownContent,
    ShownDelete,
    ShownEdit,
    ShownReaction,
    ShownVote,
    StandingContent,
)


class Data(BaseModel):
    """What happened. New members may be added."""

    model_config = ConfigDict(extra="allow")


# ---- messages -------------------------------------------------------------------------------------------


class Quoted(Data):
    """The message that is answered, with both identities of who wrote it."""

    id: str
    sender: Party


class MessageFacts(Data):
    """Which message, where, by whom, when."""

    id: str = Field(description="WhatsApp's id of it")
    chat: Chat
    sender: Party
    from_me: bool = Field(description="This account wrote it, with another device")
    timestamp: str | None = Field(description="WhatsApp's time of it")
    push_name: str | None = None
    offline: bool = Field(False, description="It had waited for the instance to connect")


class MessageData(MessageFacts):
    """A message as it came."""

    kind: str = Field(description="WhatsApp's name of what it consists of", examples=["conversation"])
    text: str | None = Field(description="What is written in it: the text, or the caption")
    source: Literal["device"] | None = None
    quoted: Quoted | None = None
    edit: bool = False
    ephemeral: bool = False
    view_once: bool = False
    retried: bool = Field(
        False, description="It could be read only now: there may be a `message.undecryptable` of the same id"
    )
    undecrypted: bool = Field(
        False,
        description="It came, but what it says could not be decrypted: what it is about is not known here",
    )
    protocol_type: str | None = None
    target_id: str | None = None
    raw: str | None = Field(
        None, description="All of it: a waE2E.Message without the keys of its files, as base64"
    )


class ReceivedData(MessageData):
    """A message that somebody sent."""

    content: StandingContent


class EditedData(MessageData):
    """An edit."""

    content: ShownEdit


class DeletedData(MessageData):
    """A deletion for everyone."""

    content: ShownDelete


class ReactionData(MessageData):
    """A reaction, or one that was taken back."""

    content: ShownReaction


class VoteData(MessageData):
    """A vote in a poll. `sender` is who voted."""

    content: ShownVote


class ChatChangedData(MessageData):
    """A setting of the chat."""

    expires_in: int = Field(description="Messages disappear after so many seconds; 0: they stay")


class SentData(Data):
    """A message of this account: sent through the API, or by another of its devices."""

    id: str
    chat: Chat
    from_me: Literal[True]
    source: Literal["api", "device"]
    kind: str
    text: str | None
    content: ShownContent


class Reason(Data):
    """Why a message was not sent, and what to do."""

    code: str = Field(examples=["not_on_whatsapp"])
    message: str
    server_code: int = Field(0, description="WhatsApp's own code, 0: none")


class FailedData(Data):
    """A message that is not tried again."""

    id: str
    to: str
    type: str
    error: Reason
    attempts: int


class StatusData(Data):
    """How far messages have come."""

    ids: list[str]
    chat: Chat
    sender: Party = Field(description="Who has them, or read or played them")
    from_me: bool = Field(description="Another device of this account did")
    status: str = Field(
        description="`delivered`, `read` or `played`; or another of WhatsApp's receipts, as `retry`",
        examples=["read"],
    )
    timestamp: str | None


class StoredFile(Data):
    """A file that was fetched."""

    id: str
    mime_type: str
    size: int = Field(description="Bytes")
    sha256: str
    file_name: str | None
    url: str = Field(description="Where it can be fetched without a key, for a time")
    expires_at: str


class MediaFacts(Data):
    """Which message a file belongs to."""

    message_id: str
    chat: Chat
    sender: Party
    from_me: bool


class MediaReadyData(MediaFacts):
    """The file of a message is stored."""

    media: StoredFile


class MediaReference(Data):
    """A file that was not fetched."""

    id: str


class MediaFailedData(MediaFacts):
    """The file of a message is not fetched, and not tried again."""

    media: MediaReference
    reason: str = Field(
        description="`gone`: WhatsApp no longer has it. `corrupt`: it is not what its sender said. "
        "`too_large`. `unavailable`: it could not be fetched, or stored, for too long",
        examples=["gone"],
    )
    message: str
    attempts: int


# ---- history --------------------------------------------------------------------------------------------


class HistoryPart(Data):
    """A part of the account's history."""

    id: str = Field(description="Of the part")
    sync: str = Field(
        description="`initial_bootstrap`: the newest of each chat. `recent`, `full`: what `history` of the "
        "instance says. `on_demand`: what was asked for. Other kinds bring no messages",
        examples=["recent"],
    )
    chunk: int | None = Field(description="The phone's number of it among the parts of this kind")
    request_id: str | None = Field(None, description="Of the request that it answers: the phone's own name")


class HistoryOfferedData(HistoryPart):
    """The phone offers a part."""

    progress: int | None = Field(description="Per cent of the history that it completes, as the phone says")
    size: int | None = Field(description="Bytes of its file, packed")
    oldest_message_at: str | None = None
    state: Literal["pending", "off", "failed"] = Field(
        description="`pending`: it is read, `history.messages` will tell. `off`: the instance does not want "
        "it. `failed`: it is not read, see `reason`"
    )
    reason: str | None = Field(None, description="`busy`: too many parts wait")


class HistoryChat(Data):
    """A chat as the phone has it."""

    chat: Chat
    name: str | None
    unread: int
    archived: bool
    pinned: bool
    muted_until: str | None = Field(description="A time, or `forever`; null: it is not muted")
    last_message_at: str | None
    complete: bool = Field(description="The phone has no older messages of it than those of this part")


class HistoryMessage(MessageData):
    """A message of before, as its own event would have told of it when it came."""

    type: str = Field(description="Of that event", examples=["message.received"])
    content: ShownContent | None = None


class HistoryMessagesData(HistoryPart):
    """A page of a part."""

    progress: int | None = Field(description="Per cent of the history that the part completes")
    page: int = Field(description="From 1")
    last: bool = Field(description="The part has no further pages")
    chats: list[HistoryChat] = Field(description="Those whose messages begin in this page")
    messages: list[HistoryMessage] = Field(description="Newest first within a chat")
    skipped: int = Field(description="Entries that are no messages to people, or could not be read")


class HistoryFailedData(HistoryPart):
    """A part that is not read, or not to its end, and not tried again."""

    reason: str = Field(
        description="`gone`: WhatsApp no longer has it. `corrupt`. `too_large`. `unavailable`: it could not "
        "be read for too long. `other_account`: it is of the account that was paired before",
        examples=["gone"],
    )
    message: str
    attempts: int
    pages: int = Field(description="Pages of it that were told of before")


class UndecryptableData(MessageFacts):
    """A message that cannot be read yet. If it can be later, it comes as `message.received` with this id."""

    reason: Literal["undecryptable", "unavailable", "view_once"] = Field(
        description="`undecryptable`: its sender was asked to send it again. `unavailable`: this device is "
        "not given it. `view_once`: it can be opened on the phone only"
    )
    unavailable: bool
    unavailable_type: str | None
    hidden: bool = Field(description="Its sender wants no trace of it to be shown")


# ---- groups, calls, people ------------------------------------------------------------------------------


class NoticeData(Data):
    """What WhatsApp told, as whatsmeow has it."""

    kind: str = Field(description="`looked_up`: Malote asked, and found a change")
    event: Any
    chat: Chat | None = None
    sender: Party | None = None


class ChatUpdatedData(NoticeData):
    """A setting that the devices of the account share."""

    changes: ChatChanges | None = None
    initial: bool = Field(False, description="It was so before this device was linked")


class StarredData(NoticeData):
    """A message that was marked for oneself. `sender` wrote it, in groups."""

    message_id: str
    from_me: bool = Field(description="This account wrote it")
    starred: bool


class NewsletterChangedData(NoticeData):
    """What this account is to a newsletter."""

    changes: NewsletterChanges | None = None


class GroupChangedData(NoticeData):
    """A change of a group. `sender` made it, if that is known."""

    changes: GroupChanges | None = None


class ContactChangedData(NoticeData):
    """A change of a person."""

    changes: ContactChanges | None = None


class GroupJoinedData(NoticeData):
    """A group that this account came into."""

    group: JoinedGroup | None = None


class CallData(NoticeData):
    """A call."""

    call: CallNotice | None = None
    automatic: bool = Field(False, description="The instance rejected it, as its `calls` say")


class ChatPresenceData(Data):
    """Somebody types, or no longer."""

    chat: Chat
    sender: Party
    state: str = Field(examples=["composing", "recording", "paused"])


class ContactPresenceData(Data):
    """Somebody is online, or no longer."""

    sender: Party
    available: bool
    last_seen: str | None


class AccountChanges(Data):
    """What changed of the account."""

    privacy: list[str] = Field(description="Settings that changed, by their names; read them to know how")
    name: str | None = Field(None, description="The name that the account shows from now on, if it changed")


class AccountChangedData(NoticeData):
    """A change of the account; one of its name comes also when this device made it."""

    changes: AccountChanges | None = None


class BlocklistChanges(Data):
    """Both empty: WhatsApp did not say who, read the list."""

    blocked: list[Party]
    unblocked: list[Party]


class BlocklistChangedData(NoticeData):
    """A change of whom the account has blocked, made on the phone or by another device."""

    changes: BlocklistChanges | None = None


# ---- the instance ---------------------------------------------------------------------------------------


class ConnectionData(Data):
    """Where the connection stands."""

    state: str
    reason: str | None
    phone: str | None
    lid: str | None


class QrData(Data):
    """A code to scan."""

    code: str
    expires_at: str


class WebhookData(Data):
    """An endpoint."""

    endpoint_id: str
    url: str | None = None
    description: str | None = None
    reason: str | None = None
