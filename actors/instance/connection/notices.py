"""Events without a kind of their own in the engine's protocol: whatsmeow's, as JSON."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

from actors.events import EventDraft, EventType, Party, utc
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.chats import ChatIds, chat_of, kind_of
from actors.instance.connection.own_notices import blocklist_changes, privacy_changes
from actors.instance.connection.parts import digest, moment, party, party_of_jid
from actors.messages.notices import (
    CallNotice,
    ChatChanges,
    ContactChanges,
    GroupChanges,
    GroupMember,
    JoinedGroup,
    NewsletterChanges,
)

log = logging.getLogger(__name__)

_CONTACT_KINDS = frozenset(
    {"contact", "push_name", "business_name", "picture", "user_about", "identity_change", "user_status_mute"}
)
_CALLS = {
    "call_offer": (EventType.CALL_RECEIVED, "ringing"),
    "call_offer_notice": (EventType.CALL_RECEIVED, "ringing"),
    "call_accept": (EventType.CALL_ACCEPTED, "accepted"),
    "call_reject": (EventType.CALL_REJECTED, "rejected"),
    "call_terminate": (EventType.CALL_ENDED, "ended"),
}


_NEWSLETTERS = frozenset({"newsletter_join", "newsletter_leave", "newsletter_mute_change"})
_CHAT_SETTINGS = {"archive": "archived", "pin": "pinned", "mute": "muted", "mark_chat_as_read": "read"}
"""What the devices of an account tell each other of a chat, and the member of the action that says it."""


def notice(event: pb.Other, chats: ChatIds, received_at_ms: int) -> EventDraft:
    """The event to append for what whatsmeow reported."""
    body = _parse(event.json)
    data: dict[str, Any] = {"kind": event.kind, "event": body}
    chat_id = None
    if event.chat.jid:
        chat = chat_of(event.chat, chats)
        chat_id = chat.id
        data["chat"] = chat.model_dump()
    if event.sender.jid:
        data["sender"] = party(event.sender)
    kind = _type_of(event)
    data |= _typed(kind, event, body)
    # Without a key it cannot be told from an equal event: better twice than not at all.
    key = event.key or f"{received_at_ms}:{digest(event.json.decode(errors='replace'))}"
    return EventDraft(
        type=kind,
        dedupe_key=f"{event.kind}:{key}",
        occurred_at=moment(event.timestamp_ms or received_at_ms),
        received_at=moment(received_at_ms),
        chat_id=chat_id,
        data=data,
    )


def _type_of(event: pb.Other) -> EventType:
    kind = event.kind
    if kind == "joined_group":
        return EventType.GROUP_JOINED
    if kind == "group_info" or (kind == "picture" and kind_of(event.chat.jid) == "group"):
        return EventType.GROUP_CHANGED
    if kind in _CONTACT_KINDS:
        return EventType.CONTACT_CHANGED
    if kind in _CALLS:
        return _CALLS[kind][0]
    if kind in ("privacy_settings", "push_name_setting"):
        return EventType.ACCOUNT_CHANGED
    if kind == "blocklist":
        return EventType.BLOCKLIST_CHANGED
    if kind in _CHAT_SETTINGS:
        return EventType.CHAT_UPDATED
    if kind == "star":
        return EventType.MESSAGE_STARRED
    if kind in _NEWSLETTERS:
        return EventType.NEWSLETTER_CHANGED
    return EventType.UNKNOWN


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {"undecodable": base64.b64encode(body).decode()}


def _typed(kind: EventType, event: pb.Other, body: Any) -> dict[str, Any]:
    try:
        if kind is EventType.GROUP_CHANGED:
            changes = _picture(body) if event.kind == "picture" else _changes(event, body)
            return {
                "changes": {name: value for name, value in changes.model_dump().items() if value is not None}
            }
        if kind is EventType.CONTACT_CHANGED:
            return {"changes": _of_contact(event.kind, body).model_dump(exclude_none=True)}
        if kind is EventType.GROUP_JOINED:
            return {"group": _joined(body).model_dump()}
        if kind is EventType.ACCOUNT_CHANGED:
            named = {"name": body["Action"]["name"]} if event.kind == "push_name_setting" else {}
            return {"changes": {"privacy": privacy_changes(body), **named}}
        if kind is EventType.BLOCKLIST_CHANGED:
            return {"changes": blocklist_changes(body)}
        if kind is EventType.CHAT_UPDATED:
            setting = _chat_setting(event.kind, body).model_dump(exclude_none=True)
            return {"changes": setting, "initial": bool(body.get("FromFullSync"))}
        if kind is EventType.MESSAGE_STARRED:
            starred = bool(body["Action"].get("starred"))
            return {"message_id": body["MessageID"], "from_me": body["IsFromMe"], "starred": starred}
        if kind is EventType.NEWSLETTER_CHANGED:
            return {"changes": _of_newsletter(event.kind, body).model_dump(exclude_none=True)}
        if event.kind in _CALLS:
            return {"call": _call(event, body).model_dump()}
    except (AttributeError, KeyError, TypeError, ValueError):
        # What came is in the event all the same.
        log.warning("a notice was not understood: %s", event.kind)
    return {}


def _chat_setting(kind: str, body: Any) -> ChatChanges:
    action = body["Action"]
    member = _CHAT_SETTINGS[kind]
    value = bool(action.get(member))
    until = action.get("muteEndTimestamp") or 0
    ends = utc(moment(until)) if kind == "mute" and value and until > 0 else None
    return ChatChanges.model_validate({member: value, "muted_until": ends})


def _of_newsletter(kind: str, body: Any) -> NewsletterChanges:
    if kind == "newsletter_mute_change":
        return NewsletterChanges(muted=body["mute"] == "on")
    return NewsletterChanges(followed=kind == "newsletter_join")


def _changes(event: pb.Other, body: Any) -> GroupChanges:
    def of(name: str, member: str) -> Any:
        return body[name][member] if body.get(name) else None

    def people(name: str) -> tuple[Party, ...] | None:
        return tuple(party_of_jid(jid) for jid in body[name]) if body.get(name) else None

    expiring = of("Ephemeral", "IsEphemeral")
    unnamed = {change["Tag"]: change for change in body.get("UnknownChanges") or ()}
    approval = of("MembershipApprovalMode", "IsJoinApprovalRequired")
    suspended = True if body.get("Suspended") else False if body.get("Unsuspended") else None
    return GroupChanges(
        name=of("Name", "Name"),
        topic="" if of("Topic", "TopicDeleted") else of("Topic", "Topic"),
        locked=of("Locked", "IsLocked"),
        announce=of("Announce", "IsAnnounce"),
        members_add=_members_add(unnamed.get("member_add_mode")),
        join_approval=False if "not_membership_approval_mode" in unnamed else approval,
        expires_in=None if expiring is None else of("Ephemeral", "DisappearingTimer") if expiring else 0,
        invite_link=body.get("NewInviteLink"),
        joined=people("Join"),
        join_reason=body.get("JoinReason") or None,
        requested=_requested(event) if "created_membership_requests" in unnamed else None,
        left=people("Leave"),
        promoted=people("Promote"),
        demoted=people("Demote"),
        deleted=of("Delete", "Deleted"),
        suspended=suspended,
    )


def _members_add(change: Any) -> bool | None:
    """What whatsmeow passes on as it came: bytes, which JSON has as base64."""
    if change is None:
        return None
    return base64.b64decode(change["Content"]) == b"all_member_add"


def _requested(event: pb.Other) -> tuple[Party, ...] | None:
    return (Party.model_validate(party(event.sender)),) if event.sender.jid else None


def _picture(body: Any) -> GroupChanges:
    return GroupChanges(picture="" if body["Remove"] else body["PictureID"])


def _of_contact(kind: str, body: Any) -> ContactChanges:
    match kind:
        case "push_name":
            return ContactChanges(name=body["NewPushName"])
        case "business_name":
            return ContactChanges(verified_name=body["NewBusinessName"])
        case "user_about":
            return ContactChanges(about=body["Status"])
        case "picture":
            return ContactChanges(picture_id="" if body["Remove"] else body["PictureID"])
    return ContactChanges()


def _joined(body: Any) -> JoinedGroup:
    return JoinedGroup(
        name=body["Name"],
        topic=body.get("Topic") or None,
        new=body.get("Type") == "new",
        reason=body.get("Reason") or None,
        members=tuple(_member(member) for member in body.get("Participants") or ()),
    )


def _member(member: Any) -> GroupMember:
    known = [party_of_jid(member.get(name) or "") for name in ("JID", "PhoneNumber", "LID")]
    return GroupMember(
        phone=next((one.phone for one in known if one.phone), None),
        lid=next((one.lid for one in known if one.lid), None),
        name=member.get("DisplayName") or None,
        admin=member["IsAdmin"],
        owner=member["IsSuperAdmin"],
    )


def _call(event: pb.Other, body: Any) -> CallNotice:
    media = body.get("Media")
    offered = (body.get("Data") or {}).get("Content") if event.kind == "call_offer" else None
    video = None
    if media:
        video = media == "video"
    elif isinstance(offered, list):
        video = any(part.get("Tag") == "video" for part in offered)
    status: Any = _CALLS[event.kind][1]
    return CallNotice(
        id=body["CallID"],
        status=status,
        caller=Party.model_validate(party(event.sender)) if event.sender.jid else None,
        group=bool(body.get("GroupJID")) or body.get("Type") == "group",
        video=video,
        platform=body.get("RemotePlatform") or None,
        reason=body.get("Reason") or None,
    )
