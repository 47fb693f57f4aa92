"""The past of an account: chats and messages that its phone has, and its linked devices have not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field

from actors.instance.connection import whatsapp_pb2 as whatsapp
from lab import wa_pb2 as wa
from lab.accounts import LabError
from lab.wire import GROUPS, LIDS, USERS, Jid

if TYPE_CHECKING:
    from lab.accounts import Directory
    from lab.state import State

_FIRST = 1_700_000_000
"""When the first message was written whose time is not given, in seconds since 1970."""
_MINUTE = 60


class PastMessage(BaseModel):
    """A message of the past."""

    model_config = ConfigDict(frozen=True)

    id: str = Field("", pattern="^[0-9A-Za-z_-]{0,60}$", description="Made up from chat and place if empty")
    text: str = ""
    message: Base64Bytes | None = Field(None, description="A serialized waE2E.Message, instead of a text")
    from_me: bool = False
    sender: str = Field("", description="Digits or an address of who wrote it, in a group")
    name: str = Field("", description="What its writer is called (push name)")
    timestamp: int = Field(0, ge=0, description="Seconds; a minute after the one before if it is 0")


class PastChat(BaseModel):
    """A chat of the past."""

    model_config = ConfigDict(frozen=True)

    chat: str = Field(description="Digits of a person, or an address such as 120363…@g.us")
    name: str = ""
    unread: int = Field(0, ge=0)
    archived: bool = False
    pinned: bool = False
    messages: list[PastMessage] = Field([], max_length=100_000, description="Oldest first")


class Pasts:
    """What every phone has, kept over restarts."""

    def __init__(self, state: State, directory: Directory) -> None:
        self._state = state
        self._directory = directory

    def set(self, phone: str, chats: Sequence[PastChat]) -> None:
        """Give an account this past instead of what it had. Raises LabError."""
        self._directory.get(phone)
        whole = [(self.address(chat.chat), _completed(chat)) for chat in chats]
        if len({address for address, _ in whole}) < len(whole):
            raise LabError("bad_input", "a chat is given twice", 422)
        with self._state.transaction():
            self._state.run("DELETE FROM past WHERE phone = ?", phone)
            for address, chat in whole:
                self._state.run(
                    "INSERT INTO past (phone, chat, json) VALUES (?, ?, ?)",
                    phone,
                    str(address),
                    chat.model_dump_json(),
                )

    def of(self, phone: str) -> dict[Jid, PastChat]:
        """An account's chats by their addresses."""
        rows = self._state.rows("SELECT chat, json FROM past WHERE phone = ? ORDER BY seq", phone)
        return {self.address(chat): PastChat.model_validate_json(body) for chat, body in rows}

    def address(self, text: str) -> Jid:
        """The address that digits or an address stand for. Raises LabError."""
        user, _, server = text.lstrip("+").partition("@")
        if not user or (not server and not user.isdigit()) or server not in ("", USERS, LIDS, GROUPS):
            raise LabError("bad_address", f"{text!r} is neither a number nor the address of a chat", 422)
        return Jid(user, server or USERS)

    # ---- how a phone tells of it --------------------------------------------------------------------

    def conversation(
        self, address: Jid, chat: PastChat, messages: Sequence[PastMessage], *, more: bool
    ) -> wa.Conversation:
        """A chat with some of its messages, newest first as phones give them.

        Args:
            more: there are older ones.
        """
        about = wa.Conversation(
            id=str(address),
            name=chat.name,
            unread=chat.unread,
            archived=chat.archived,
            pinned=int(chat.pinned),
        )
        ends = wa.Conversation.MORE_REMAINS if more else wa.Conversation.NO_MORE_REMAINS
        about.end_of_history = ends
        if chat.messages:
            about.timestamp = chat.messages[-1].timestamp
        person = self._directory.at(address)
        if person:
            about.phone, about.lid = str(person.jid(USERS)), str(person.jid(LIDS))
        for message in reversed(messages):
            about.messages.add(message=self._web_message(address, message))
        return about

    def mappings(self, conversations: Sequence[wa.Conversation]) -> Iterator[wa.HistorySync.PhoneNumberToLid]:
        """Both identities of those whom chats are with."""
        for chat in conversations:
            if chat.lid:
                yield wa.HistorySync.PhoneNumberToLid(phone=chat.phone, lid=chat.lid)

    def _web_message(self, address: Jid, message: PastMessage) -> wa.WebMessage:
        key = wa.WebMessage.Key(chat=str(address), from_me=message.from_me, id=message.id)
        body = message.message
        if body is None:
            body = whatsapp.Message(conversation=message.text).SerializeToString()
        told = wa.WebMessage(key=key, message=body, timestamp=message.timestamp, push_name=message.name)
        if address.server == GROUPS and not message.from_me:
            told.participant = key.participant = str(self.address(message.sender))
        return told


def _completed(chat: PastChat) -> PastChat:
    messages: list[PastMessage] = []
    last = _FIRST - _MINUTE
    for place, message in enumerate(chat.messages, 1):
        last = message.timestamp or last + _MINUTE
        name = chat.chat.partition("@")[0].lstrip("+")
        id_ = message.id or f"PAST{name}{place:06d}"
        messages.append(message.model_copy(update={"id": id_, "timestamp": last}))
        if "@g.us" in chat.chat and not message.from_me and not message.sender:
            raise LabError("bad_input", f"who wrote message {place} in the group?", 422)
    return chat.model_copy(update={"messages": sorted(messages, key=lambda one: one.timestamp)})
