"""Stable ids of chats, whichever of a person's identities an event comes under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from actors.events import Chat
from actors.instance.connection import engine_pb2 as pb

Kind = Literal["direct", "group", "status", "broadcast", "newsletter"]

_KINDS: dict[str, Kind] = {"g.us": "group", "broadcast": "broadcast", "newsletter": "newsletter"}
_STATUS = "status@broadcast"


class ChatIds:
    """Which id was given to a chat under which of its aliases. An id that was given never changes.

    An alias is ``<number>@lid`` or ``<digits>@s.whatsapp.net``. Groups and lists have one name only, which is
    their id, and are not kept.
    """

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._unsaved: dict[str, str] = {}

    def load(self, aliases: Mapping[str, str]) -> None:
        """Take over what was saved: alias to id."""
        self._ids.update(aliases)

    def unsaved(self) -> dict[str, str]:
        """Aliases given since the last save, to their ids."""
        return dict(self._unsaved)

    def saved(self, aliases: Mapping[str, str]) -> None:
        """Forget these as unsaved."""
        for alias, chat_id in aliases.items():
            if self._unsaved.get(alias) == chat_id:
                del self._unsaved[alias]

    def known(self, jid: str) -> str:
        """The id of the chat with this address; the address itself, if none was given yet."""
        return self._ids.get(jid, jid)

    def id_of(self, identity: pb.Identity) -> str:
        """The chat's id; a new one is its LID if that is known, else its phone number."""
        aliases = _aliases(identity)
        if not aliases:
            return identity.jid
        known = [self._ids[alias] for alias in aliases if alias in self._ids]
        # Two, if the person wrote under each identity before anybody knew that they belong together.
        chat_id = known[0] if known else aliases[0]
        for alias in aliases:
            if alias not in self._ids:
                self._ids[alias] = self._unsaved[alias] = chat_id
        return chat_id


def chat_of(identity: pb.Identity, ids: ChatIds) -> Chat:
    """The chat as events show it."""
    return Chat(
        id=ids.id_of(identity),
        kind=kind_of(identity.jid),
        phone=phone_of(identity),
        lid=lid_of(identity),
    )


def kind_of(jid: str) -> Kind:
    """What a JID is the address of."""
    return "status" if jid == _STATUS else _KINDS.get(jid.rpartition("@")[2], "direct")


def phone_of(identity: pb.Identity) -> str | None:
    """The phone number as E.164, if known."""
    return f"+{identity.phone}" if identity.phone else None


def lid_of(identity: pb.Identity) -> str | None:
    """The LID as a JID, if known."""
    return f"{identity.lid}@lid" if identity.lid else None


def _aliases(identity: pb.Identity) -> list[str]:
    lid = [f"{identity.lid}@lid"] if identity.lid else []
    phone = [f"{identity.phone}@s.whatsapp.net"] if identity.phone else []
    return lid + phone
