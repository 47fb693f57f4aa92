"""What other devices of the account, or its phone, changed of the account itself."""

from __future__ import annotations

from typing import Any

from actors.instance.connection.parts import party_of_jid

_PRIVACY = {
    "GroupAdd": "group_add",
    "LastSeen": "last_seen",
    "Status": "status",
    "Profile": "profile",
    "ReadReceipts": "read_receipts",
    "Online": "online",
    "CallAdd": "call_add",
    "Messages": "messages",
    "Defense": "defense",
    "Stickers": "stickers",
}
"""Names of settings, WhatsApp's and ours, as reading them gives them."""


def privacy_changes(body: Any) -> list[str]:
    """Which privacy settings changed. What they are now has to be read: whatsmeow does not tell it."""
    return [ours for name, ours in _PRIVACY.items() if body.get(f"{name}Changed")]


def blocklist_changes(body: Any) -> dict[str, Any]:
    """Who was blocked, and who is no longer. Nobody: the list has to be read."""
    changed: dict[str, Any] = {"blocked": [], "unblocked": []}
    for change in body.get("Changes") or ():
        changed[f"{change['Action']}ed"].append(party_of_jid(change["JID"]).model_dump())
    return changed
