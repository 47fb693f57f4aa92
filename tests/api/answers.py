"""What an instance answers when it is asked about groups, people and its account."""

from __future__ import annotations

from typing import Any

GROUP_ID = "120363000000000000@g.us"
LINK = "https://chat.whatsapp.com/AbCdEfGhIjKlMnOpQrStUv"
ANA = {"phone": "+5511912345678", "lid": "123456789012345@lid", "name": None}

GROUP: dict[str, Any] = {
    "id": GROUP_ID,
    "name": "Friends",
    "topic": None,
    "owner": ANA,
    "created_at": "2026-01-31T12:00:00Z",
    "locked": False,
    "announce": False,
    "members_add": True,
    "join_approval": False,
    "expires_in": 0,
    "community": False,
    "parent": None,
    "size": 1,
    "members": [{**ANA, "admin": True, "owner": True}],
}


NEWSLETTER: dict[str, Any] = {
    "id": "120363000000000001@newsletter",
    "name": "News",
    "description": None,
    "link": None,
    "followers": 1,
    "created_at": "2026-01-31T12:00:00Z",
    "verified": False,
    "role": "owner",
    "muted": False,
    "state": "active",
}


NEWSLETTER_MESSAGE: dict[str, Any] = {
    "number": 17,
    "id": "3EB0C7A1D2E3F4A5B6C7D8",
    "timestamp": "2026-01-31T12:00:00Z",
    "views": 12,
    "reactions": {"👍": 3},
    "text": "fresh",
    "content": {"type": "text", "text": "fresh"},
}


def outcome(phone: str, **more: Any) -> dict[str, Any]:
    """What became of one person: done, unless told otherwise."""
    return {
        "phone": phone,
        "lid": None,
        "done": True,
        "code": None,
        "detail": None,
        "server_code": 0,
        **more,
    }


ANSWERS: dict[tuple[str, str], Any] = {
    ("groups", "all"): [GROUP],
    ("groups", "get"): GROUP,
    ("made_groups", "once"): {**GROUP, "refused": [], "replayed": False},
    ("groups", "create"): {**GROUP, "refused": []},
    ("groups", "change"): GROUP,
    ("groups", "change_people"): [outcome("+5511912345678")],
    ("groups", "join_requests"): [{**ANA, "requested_at": "2026-01-31T12:00:00Z"}],
    ("groups", "invite"): LINK,
    ("groups", "reset_invite"): LINK,
    ("groups", "inspect"): {**GROUP, "members": []},
    ("groups", "join"): {"group_id": GROUP_ID, "joined": True},
    ("people", "get"): {**ANA, "about": "At work", "picture_id": "7", "verified_name": None},
    ("people", "blocklist"): [ANA],
    ("people", "block"): [ANA],
    ("account", "get"): {**ANA, "name": "Shop", "about": None, "picture_id": None},
    ("account", "privacy"): {"last_seen": "contacts", "profile": "all", "group_add": "contact_blacklist"},
    ("history", "older"): None,
    ("chats", "change"): None,
    ("newsletters", "all"): [],
    ("newsletters", "posts"): [NEWSLETTER_MESSAGE],
    **{("newsletters", method): None for method in ("react", "view")},
    **{("newsletters", method): NEWSLETTER for method in ("get", "inspect", "create")},
    ("presence", "watch"): None,
    ("account", "set_name"): None,
    ("files", "fetch"): {"media_id": "med_0a1b2c3d4e5f"},
    ("account", "set_privacy"): {"last_seen": "none"},
}
