"""The types of events, for the documentation: what each means, what is in it, and an example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from actors.events import EventType
from api import event_data as d
from api.fields import EXAMPLE_INSTANCE, EXAMPLE_JID, EXAMPLE_NEWSLETTER, EXAMPLE_TIME


@dataclass(frozen=True, slots=True)
class EventKind:
    """One type of event.

    Args:
        meaning: one sentence.
        data: what is in its ``data``.
        example: of its ``data``.
    """

    meaning: str
    data: type[d.Data]
    example: Mapping[str, Any]


ANA = {"phone": "+5511912345678", "lid": "123456789012345@lid", "name": "Ana"}
DIRECT = {
    "id": "123456789012345@lid",
    "kind": "direct",
    "phone": "+5511912345678",
    "lid": "123456789012345@lid",
    "name": "Ana",
}
GROUP = {
    "id": "120363000000000000@g.us",
    "kind": "group",
    "phone": None,
    "lid": None,
    "name": "Friends",
}
NEWSLETTER = {
    "id": EXAMPLE_NEWSLETTER,
    "kind": "newsletter",
    "phone": None,
    "lid": None,
    "name": None,
}
MESSAGE = {
    "id": "3EB0A1B2C3D4E5F60718",
    "chat": DIRECT,
    "sender": ANA,
    "from_me": False,
    "timestamp": EXAMPLE_TIME,
    "push_name": "Ana",
}
TARGET = "3EB0C7A1D2E3F4A5B6C7D8"
FILE_OF = {"message_id": MESSAGE["id"], "chat": DIRECT, "sender": ANA, "from_me": False}
ENDPOINT = {
    "endpoint_id": "ep_0a1b2c3d4e5f6a7b8c9d0e1f",
    "url": "https://example.com/hook",
    "description": None,
}
PART = {"id": TARGET, "sync": "recent", "chunk": 1, "request_id": None}
CALL = {"id": "5A1B2C", "caller": ANA, "group": False, "video": False, "platform": "android"}


def _message(kind: str, **content: Any) -> dict[str, Any]:
    return {**MESSAGE, "kind": kind, "text": content.get("text"), "content": content}


def _notice(kind: str, chat: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"kind": kind, "event": {}, "chat": chat, "sender": ANA, **more}


KINDS: dict[EventType, EventKind] = {
    EventType.MESSAGE_RECEIVED: EventKind(
        "Somebody sent a message.",
        d.ReceivedData,
        _message("conversation", type="text", text="Good morning"),
    ),
    EventType.MESSAGE_SENT: EventKind(
        "A message of this account is sent: one from the API, or one of another of its devices.",
        d.SentData,
        {
            "id": TARGET,
            "chat": DIRECT,
            "from_me": True,
            "source": "api",
            "kind": "conversation",
            "text": "Hello from Malote",
            "content": {"type": "text", "text": "Hello from Malote"},
        },
    ),
    EventType.MESSAGE_FAILED: EventKind(
        "A message from the API was not sent, and is not tried again.",
        d.FailedData,
        {
            "id": TARGET,
            "to": EXAMPLE_JID,
            "type": "text",
            "error": {"code": "not_on_whatsapp", "message": "Nobody on WhatsApp has this number"},
            "attempts": 1,
        },
    ),
    EventType.MESSAGE_STATUS: EventKind(
        "Somebody has messages, has read or played them. In a group, it comes for each member.",
        d.StatusData,
        {
            "ids": [TARGET],
            "chat": DIRECT,
            "sender": ANA,
            "from_me": False,
            "status": "read",
            "timestamp": EXAMPLE_TIME,
        },
    ),
    EventType.MESSAGE_EDITED: EventKind(
        "Somebody edited a message.",
        d.EditedData,
        _message("protocolMessage", type="edit", message_id=TARGET, text="Good evening"),
    ),
    EventType.MESSAGE_DELETED: EventKind(
        "Somebody deleted a message for everyone.",
        d.DeletedData,
        _message("protocolMessage", type="delete", message_id=TARGET),
    ),
    EventType.MESSAGE_REACTION: EventKind(
        "Somebody reacted to a message, or took the reaction back.",
        d.ReactionData,
        _message("reactionMessage", type="reaction", message_id=TARGET, emoji="👍"),
    ),
    EventType.MESSAGE_STARRED: EventKind(
        "A message got a star, or lost it, on any device of this account; nobody else sees that.",
        d.StarredData,
        {**_notice("star", DIRECT), "message_id": TARGET, "from_me": False, "starred": True},
    ),
    EventType.MESSAGE_UNDECRYPTABLE: EventKind(
        "A message came that cannot be read, or not yet.",
        d.UndecryptableData,
        {
            **MESSAGE,
            "reason": "undecryptable",
            "unavailable": False,
            "unavailable_type": None,
            "hidden": False,
        },
    ),
    EventType.MEDIA_READY: EventKind(
        "The file of a message is stored and can be fetched.",
        d.MediaReadyData,
        {
            **FILE_OF,
            "media": {
                "id": "med_0a1b2c3d4e5f60718293a4b5c6d7e8f9",
                "mime_type": "image/jpeg",
                "size": 48_213,
                "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "file_name": None,
                "url": "https://wa.example.com/v1/media/inst_1/med_0a1b…?expires=1767225600&signature=…",
                "expires_at": EXAMPLE_TIME,
            },
        },
    ),
    EventType.MEDIA_FAILED: EventKind(
        "The file of a message could not be fetched, and is not tried again.",
        d.MediaFailedData,
        {
            **FILE_OF,
            "media": {"id": "med_0a1b2c3d4e5f60718293a4b5c6d7e8f9"},
            "reason": "gone",
            "message": "WhatsApp no longer has this file",
            "attempts": 1,
        },
    ),
    EventType.POLL_VOTE: EventKind(
        "Somebody voted in a poll.",
        d.VoteData,
        _message(
            "pollUpdateMessage",
            type="poll_vote",
            message_id=TARGET,
            question="When shall we meet?",
            options=["Monday", "Friday"],
        ),
    ),
    EventType.CONNECTION_CHANGED: EventKind(
        "The connection to WhatsApp changed.",
        d.ConnectionData,
        {"state": "connected", "reason": None, "phone": "+5511900000000", "lid": "987654321098765@lid"},
    ),
    EventType.CONNECTION_QR: EventKind(
        "There is a new QR code to scan.", d.QrData, {"code": "2@abc,def,ghi", "expires_at": EXAMPLE_TIME}
    ),
    EventType.CHAT_CHANGED: EventKind(
        "Disappearing messages were switched on or off in a chat.",
        d.ChatChangedData,
        {**MESSAGE, "kind": "protocolMessage", "text": None, "expires_in": 604_800},
    ),
    EventType.CHAT_UPDATED: EventKind(
        "A chat was archived, pinned, muted or marked as read, on the phone or by any other device.",
        d.ChatUpdatedData,
        {**_notice("archive", DIRECT), "sender": None, "changes": {"archived": True}, "initial": False},
    ),
    EventType.CHAT_PRESENCE: EventKind(
        "Somebody types or records, or stopped.",
        d.ChatPresenceData,
        {"chat": DIRECT, "sender": ANA, "state": "composing"},
    ),
    EventType.CONTACT_PRESENCE: EventKind(
        "Somebody came online, or left.",
        d.ContactPresenceData,
        {"sender": ANA, "available": False, "last_seen": EXAMPLE_TIME},
    ),
    EventType.CONTACT_CHANGED: EventKind(
        "A contact's name, picture, about text or identity changed.",
        d.ContactChangedData,
        _notice("push_name", DIRECT, changes={"name": "Ana Souza"}),
    ),
    EventType.ACCOUNT_CHANGED: EventKind(
        "The name or privacy settings of this account were changed, on the phone or by another device.",
        d.AccountChangedData,
        {"kind": "privacy_settings", "event": {}, "changes": {"privacy": ["last_seen"]}},
    ),
    EventType.BLOCKLIST_CHANGED: EventKind(
        "Somebody was blocked or unblocked, on the phone or by another device.",
        d.BlocklistChangedData,
        {"kind": "blocklist", "event": {}, "changes": {"blocked": [ANA], "unblocked": []}},
    ),
    EventType.GROUP_JOINED: EventKind(
        "This account came into a group.",
        d.GroupJoinedData,
        _notice("joined_group", GROUP, group={"name": "Friends", "new": True, "members": [ANA]}),
    ),
    EventType.GROUP_CHANGED: EventKind(
        "A group's members or settings changed.",
        d.GroupChangedData,
        _notice("group_info", GROUP, changes={"name": "Old friends", "left": [ANA]}),
    ),
    EventType.NEWSLETTER_CHANGED: EventKind(
        "The account follows a newsletter, or mutes it, or no longer does, with any of its devices.",
        d.NewsletterChangedData,
        {**_notice("newsletter_join", NEWSLETTER), "sender": None, "changes": {"followed": True}},
    ),
    EventType.CALL_RECEIVED: EventKind(
        "Somebody calls.",
        d.CallData,
        _notice("call_offer", DIRECT, call={**CALL, "status": "ringing"}),
    ),
    EventType.CALL_ACCEPTED: EventKind(
        "A call was accepted with another device of this account.",
        d.CallData,
        _notice("call_accept", DIRECT, call={**CALL, "status": "accepted"}),
    ),
    EventType.CALL_REJECTED: EventKind(
        "A call was rejected.",
        d.CallData,
        _notice("call_reject", DIRECT, call={**CALL, "status": "rejected"}),
    ),
    EventType.CALL_ENDED: EventKind(
        "A call ended, or was given up.",
        d.CallData,
        _notice("call_terminate", DIRECT, call={**CALL, "status": "ended", "reason": "timeout"}),
    ),
    EventType.HISTORY_OFFERED: EventKind(
        "The phone offers a part of the account's history.",
        d.HistoryOfferedData,
        {
            **PART,
            "progress": 100,
            "size": 48_213,
            "oldest_message_at": EXAMPLE_TIME,
            "state": "pending",
        },
    ),
    EventType.HISTORY_MESSAGES: EventKind(
        "A page of a part of the account's history, with messages of before.",
        d.HistoryMessagesData,
        {
            **PART,
            "progress": 100,
            "page": 1,
            "last": False,
            "chats": [
                {
                    "chat": DIRECT,
                    "name": "Ana",
                    "unread": 0,
                    "archived": False,
                    "pinned": False,
                    "muted_until": None,
                    "last_message_at": EXAMPLE_TIME,
                    "complete": False,
                }
            ],
            "messages": [
                {
                    "type": "message.received",
                    **_message("conversation", type="text", text="See you tomorrow"),
                }
            ],
            "skipped": 0,
        },
    ),
    EventType.HISTORY_FAILED: EventKind(
        "A part of the account's history is not read, or not to its end, and not tried again.",
        d.HistoryFailedData,
        {
            **PART,
            "reason": "gone",
            "message": "WhatsApp no longer has this file",
            "attempts": 1,
            "pages": 0,
        },
    ),
    EventType.WEBHOOK_FAILING: EventKind("An endpoint fails.", d.WebhookData, ENDPOINT),
    EventType.WEBHOOK_RECOVERED: EventKind("An endpoint works again.", d.WebhookData, ENDPOINT),
    EventType.WEBHOOK_DISABLED: EventKind(
        "An endpoint was switched off.", d.WebhookData, {**ENDPOINT, "reason": "failing"}
    ),
    EventType.WEBHOOK_TEST: EventKind(
        "A test of an endpoint.", d.WebhookData, {"endpoint_id": ENDPOINT["endpoint_id"]}
    ),
    EventType.UNKNOWN: EventKind(
        "Something that this version has no type for.", d.Data, {"kind": "call_transport", "event": {}}
    ),
}


def example(kind: EventType) -> dict[str, Any]:
    """An event of this type, as endpoints receive it."""
    data = KINDS[kind].example
    chat = data.get("chat")
    return {
        "id": "evt_0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d",
        "instance_id": EXAMPLE_INSTANCE,
        "seq": 42,
        "type": kind.value,
        "occurred_at": EXAMPLE_TIME,
        "received_at": EXAMPLE_TIME,
        "epoch": 1,
        "chat_id": chat["id"] if chat else None,
        "data": dict(data),
    }
