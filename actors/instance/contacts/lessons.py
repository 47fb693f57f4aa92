"""What an event teaches of contacts, and what is known already and can be told with it. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from actors.events import EventDraft, EventType
from actors.instance.connection.chats import ChatIds
from actors.instance.contacts.facts import Kind

NAMES = 5_000
"""Names that an instance has in memory."""

MESSAGES = frozenset(
    {
        EventType.MESSAGE_RECEIVED,
        EventType.MESSAGE_SENT,
        EventType.MESSAGE_EDITED,
        EventType.MESSAGE_DELETED,
        EventType.MESSAGE_REACTION,
        EventType.POLL_VOTE,
    }
)


class Names:
    """Names of people and groups by the ids of their chats; who was not heard of for longest is forgotten."""

    def __init__(self, bound: int = NAMES) -> None:
        self._bound = bound
        self._names: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._names)

    def get(self, id_: str) -> str | None:
        """The name of this one, if it is known."""
        return self._names.get(id_)

    def learn(self, id_: str, name: str) -> bool:
        """Take note of a name. Says whether it is another one than before."""
        changed = self._names.get(id_) != name
        self._names[id_] = name
        self._names.move_to_end(id_)
        if len(self._names) > self._bound:
            self._names.popitem(last=False)
        return changed


@dataclass(frozen=True, slots=True)
class Lesson:
    """What an event teaches.

    Args:
        data: what is known now; None: what was known holds no more.
        amend: only a part of what is known; where nothing is, it teaches nothing.
    """

    kind: Kind
    id: str
    data: Mapping[str, Any] | None
    amend: bool = False


def id_of(person: Mapping[str, Any] | None, chats: ChatIds) -> str | None:
    """The id of the chat with a person, as events show one."""
    if not person:
        return None
    if person.get("lid"):
        return chats.known(person["lid"])
    return chats.known(f"{person['phone'][1:]}@s.whatsapp.net") if person.get("phone") else None


def with_names(draft: EventDraft, names: Names, chats: ChatIds) -> EventDraft:
    """The event with the names that are known, where it came without."""
    data = dict(draft.data)
    chat, sender = data.get("chat"), data.get("sender")
    if isinstance(chat, dict) and not chat.get("name"):
        data["chat"] = {**chat, "name": names.get(chat["id"])}
    if isinstance(sender, dict) and not sender.get("name"):
        data["sender"] = {**sender, "name": names.get(id_of(sender, chats) or "")}
    return draft.model_copy(update={"data": data})


def lessons(draft: EventDraft, chats: ChatIds) -> Iterator[Lesson]:
    """What an event teaches of who is in it."""
    data, chat = draft.data, draft.data.get("chat")
    chat_id = chat["id"] if isinstance(chat, dict) else None
    if draft.type in MESSAGES and data.get("push_name") and not data.get("from_me"):
        sender = id_of(data.get("sender"), chats)
        if sender:
            yield Lesson(Kind.NAME, sender, {"name": data["push_name"]})
    elif draft.type is EventType.GROUP_JOINED and chat_id and data.get("group"):
        yield Lesson(Kind.NAME, chat_id, {"name": data["group"]["name"]})
    elif draft.type in (EventType.GROUP_CHANGED, EventType.CONTACT_CHANGED) and chat_id:
        yield from _of_changes(
            chat_id, data.get("changes") or {}, group=draft.type is EventType.GROUP_CHANGED
        )


def _of_changes(id_: str, changes: Mapping[str, Any], *, group: bool) -> Iterator[Lesson]:
    if changes.get("name"):
        yield Lesson(Kind.NAME, id_, {"name": changes["name"]})
    told = ("name", "topic") if group else ("about", "picture_id", "verified_name")
    part = {name: changes[name] or None for name in told if name in changes}
    if part:
        yield Lesson(Kind.GROUP if group else Kind.PERSON, id_, part, amend=True)
    if "picture" in changes or "picture_id" in changes:
        for kind in (Kind.PICTURE, Kind.PREVIEW):
            yield Lesson(kind, id_, None)
