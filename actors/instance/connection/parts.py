"""What the drafts of events are made of."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from actors.events import Party
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.chats import lid_of, phone_of

LAST_MOMENT = 253_402_300_799_000
"""The end of the year 9999, in milliseconds: what claims to be later is shown as that."""


def party(identity: pb.Identity, name: str = "") -> dict[str, Any]:
    """A person as events show one."""
    return Party(phone=phone_of(identity), lid=lid_of(identity), name=name or None).model_dump()


def party_of_jid(jid: str) -> Party:
    """A person of whom only one address is known."""
    user, _, server = jid.partition("@")
    number = user.partition(":")[0]
    return Party(
        phone=f"+{number}" if server == "s.whatsapp.net" and number else None,
        lid=f"{number}@lid" if server == "lid" and number else None,
    )


def moment(milliseconds: int) -> datetime:
    """A time, within what can be shown."""
    return datetime.fromtimestamp(min(max(milliseconds, 0), LAST_MOMENT) / 1000, UTC)


def digest(*parts: str) -> str:
    """A short name for all of these together."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
