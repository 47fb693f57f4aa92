"""What flows between the actors and out to the world: events and the identities in them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class EventType(StrEnum):
    """The kinds of event an endpoint can subscribe to."""

    MESSAGE_RECEIVED = "message.received"
    MESSAGE_SENT = "message.sent"
    MESSAGE_FAILED = "message.failed"
    MESSAGE_STATUS = "message.status"
    MESSAGE_EDITED = "message.edited"
    MESSAGE_DELETED = "message.deleted"
    MESSAGE_REACTION = "message.reaction"
    MESSAGE_STARRED = "message.starred"
    MESSAGE_UNDECRYPTABLE = "message.undecryptable"
    MEDIA_READY = "media.ready"
    MEDIA_FAILED = "media.failed"
    POLL_VOTE = "poll.vote"
    CONNECTION_CHANGED = "connection.changed"
    CONNECTION_QR = "connection.qr"
    CHAT_CHANGED = "chat.changed"
    CHAT_UPDATED = "chat.updated"
    CHAT_PRESENCE = "chat.presence"
    CONTACT_PRESENCE = "contact.presence"
    CONTACT_CHANGED = "contact.changed"
    ACCOUNT_CHANGED = "account.changed"
    BLOCKLIST_CHANGED = "blocklist.changed"
    GROUP_JOINED = "group.joined"
    GROUP_CHANGED = "group.changed"
    NEWSLETTER_CHANGED = "newsletter.changed"
    CALL_RECEIVED = "call.received"
    CALL_ACCEPTED = "call.accepted"
    CALL_REJECTED = "call.rejected"
    CALL_ENDED = "call.ended"
    HISTORY_OFFERED = "history.offered"
    HISTORY_MESSAGES = "history.messages"
    HISTORY_FAILED = "history.failed"
    WEBHOOK_FAILING = "webhook.failing"
    WEBHOOK_RECOVERED = "webhook.recovered"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_TEST = "webhook.test"
    UNKNOWN = "unknown"


EPHEMERAL = frozenset({EventType.CHAT_PRESENCE, EventType.CONTACT_PRESENCE, EventType.CONNECTION_QR})
"""Kinds that lose their meaning within seconds: above the mailbox's soft bound they are no longer kept."""


class Party(BaseModel):
    """A person, by both identities as far as they are known."""

    model_config = ConfigDict(frozen=True)

    phone: str | None = Field(None, description="E.164, as in +5511999999999", examples=["+5511999999999"])
    lid: str | None = Field(None, description="WhatsApp's linked identity, as in 123456789012345@lid")
    name: str | None = Field(None, description="The name the person chose (push name), if it is known")


class Chat(BaseModel):
    """A conversation. ``id`` never changes, also when a second identity of the same person becomes known."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="Stable; can be used as the recipient of a message")
    kind: Literal["direct", "group", "status", "broadcast", "newsletter"]
    phone: str | None = None
    lid: str | None = None
    name: str | None = Field(
        None, description="The person's name or the group's, if it was known when the event came"
    )


class Memory(BaseModel):
    """What an event changes in what is known of messages (`actors.messages.known`).

    ``learn`` keeps what is known under this id already: ids are chosen by the sender's device, and nobody may
    take the place of another's message. ``change`` and ``forget`` are of a message that was looked up.
    """

    model_config = ConfigDict(frozen=True)

    step: Literal["learn", "change", "forget"]
    id: str
    record: str = Field("", description="A KnownMessage, as JSON")


WorkList = Literal["downloads", "history"]


class Waiting(BaseModel):
    """Work that an event brings: it waits to be done from then on (`actors.instance.jobs`)."""

    model_config = ConfigDict(frozen=True)

    work: WorkList
    key: str = Field(description="Id of the job among those of its kind")
    job: str = Field(description="The job, as JSON")


class EventDraft(BaseModel):
    """An event before it is in the mailbox: no sequence number yet.

    ``dedupe_key`` identifies what happened, not this report of it: WhatsApp delivers again what was not
    acknowledged, and a second append under the same key changes nothing.
    """

    type: EventType
    dedupe_key: str
    occurred_at: datetime
    received_at: datetime
    data: dict[str, Any]
    chat_id: str | None = Field(None, description="Orders deliveries: events of one chat stay in order")
    status_of: dict[str, str] = Field(
        default_factory=dict, description="Message id to new status, for messages that we sent"
    )
    memory: Memory | None = None
    waiting: Waiting | None = None

    @property
    def ephemeral(self) -> bool:
        """True if the mailbox may refuse it above its soft bound."""
        return self.type in EPHEMERAL


class Event(BaseModel):
    """One thing that happened to an instance, as the mailbox keeps it and endpoints receive it."""

    id: str = Field(description="Unique and stable over redeliveries: deduplicate by it")
    instance_id: str
    seq: int = Field(description="Gapless per instance, from 1: a gap means something to fetch with ?after=")
    type: EventType | str = Field(
        union_mode="left_to_right", description="A kind this version does not know is kept as it is"
    )
    occurred_at: datetime = Field(description="When it happened, by WhatsApp's clock where it says so")
    received_at: datetime = Field(description="When Malote had it")
    epoch: int = Field(description="The owner of the instance that stored it")
    chat_id: str | None = None
    data: dict[str, Any]


def utc(moment: datetime) -> str:
    """A time as events have it in JSON, the same wherever they are shown: RFC 3339, in UTC, with a Z."""
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def new_event_id() -> str:
    """A fresh event id. Random: a restored backup may hand out a sequence number twice, never an id."""
    return f"evt_{uuid.uuid4().hex}"
