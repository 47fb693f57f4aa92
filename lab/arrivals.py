"""What reached a contact: messages, and receipts for what it wrote."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from lab.accounts import LabError

if TYPE_CHECKING:
    from actors.instance.connection import engine_pb2 as pb
    from lab.state import State


class Arrival(BaseModel):
    """A message that a contact's device received."""

    position: int = Field(description="Grows with every arrival: read on with ?after=")
    id: str
    sender: str = Field(description="Digits if the number is known, else the LID")
    chat: str
    from_me: bool = Field(description="Written by another device of the contact's own account")
    text: str
    kind: str = Field(description="The field of WhatsApp's message that is set: conversation, imageMessage …")
    message: str = Field("", description="All of it: a serialized waE2E.Message, in base64")
    target: str = Field("", description="Id of the message that this one reacts to, votes in, edits …")
    vote: list[str] | None = Field(
        None, description="SHA-256 of the names of the options voted for, in hex; nothing: it is no vote"
    )
    undecrypted: bool = Field(False, description="A vote, reaction or edit that the client could not read")
    sent_at_ms: int
    arrived_at_ms: int
    repeated: bool = Field(description="This id had arrived before from the same sender")


class Arrivals:
    """What reached one contact, kept over restarts."""

    def __init__(self, state: State, phone: str) -> None:
        self._state = state
        self._phone = phone
        self.count: int = state.rows("SELECT count(*) FROM arrival WHERE contact = ?", phone)[0][0]

    def keep(self, message: pb.Message, received_at_ms: int) -> None:
        """Keep a message."""
        info = message.info
        sender = info.sender.phone or info.sender.lid
        arrival = Arrival(
            position=0,
            id=info.id,
            sender=sender,
            chat=info.chat.phone or info.chat.lid or info.chat.jid,
            from_me=info.from_me,
            text=message.text,
            kind=message.kind,
            message=base64.b64encode(message.message).decode(),
            target=message.target_id,
            vote=[option.hex() for option in message.vote_options] if message.vote else None,
            undecrypted=message.undecrypted,
            sent_at_ms=info.timestamp_ms,
            arrived_at_ms=received_at_ms,
            repeated=self._has(sender, info.id),
        )
        self._state.run(
            "INSERT INTO arrival (contact, sender, id, json) VALUES (?, ?, ?, ?)",
            self._phone,
            sender,
            info.id,
            arrival.model_dump_json(exclude={"position"}),
        )
        self.count += 1

    def _has(self, sender: str, id_: str) -> bool:
        query = "SELECT 1 FROM arrival WHERE contact = ? AND id = ? AND sender = ? LIMIT 1"
        return bool(self._state.rows(query, self._phone, id_, sender))

    def keep_receipt(self, receipt: pb.Receipt) -> None:
        """Count a receipt."""
        self._state.run_many(
            "INSERT INTO receipt VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
            [(self._phone, id_, receipt.type) for id_ in receipt.message_ids],
        )

    def all(self, after: int = 0, limit: int = 1000) -> list[Arrival]:
        """Messages in order, from a position on."""
        rows = self._state.rows(
            "SELECT position, json FROM arrival WHERE contact = ? AND position > ? ORDER BY position LIMIT ?",
            self._phone,
            after,
            limit,
        )
        return [_arrival(*row) for row in rows]

    def get(self, id_: str) -> Arrival:
        """The last message with this id. Raises LabError."""
        rows = self._state.rows(
            "SELECT position, json FROM arrival WHERE contact = ? AND id = ? ORDER BY position DESC LIMIT 1",
            self._phone,
            id_,
        )
        if not rows:
            raise LabError("no_such_message", f"no message {id_!r} has arrived at {self._phone}", 404)
        return _arrival(*rows[0])

    def receipts(self, ids: list[str] | None = None) -> dict[str, dict[str, int]]:
        """For each message it wrote how many receipts of each type came, from all devices."""
        found: dict[str, dict[str, int]] = {id_: {} for id_ in ids or []}
        query = "SELECT id, kind, count FROM receipt WHERE contact = ?"
        if ids is None:
            rows = self._state.rows(query, self._phone)
        else:
            rows = [row for id_ in ids for row in self._state.rows(f"{query} AND id = ?", self._phone, id_)]
        for id_, kind, count in rows:
            found.setdefault(id_, {})[kind] = count
        return found

    def forget(self) -> None:
        """Forget everything."""
        self._state.run("DELETE FROM arrival WHERE contact = ?", self._phone)
        self._state.run("DELETE FROM receipt WHERE contact = ?", self._phone)


def _arrival(position: int, json: str) -> Arrival:
    return Arrival.model_validate_json(f'{{"position":{position},{json[1:]}')
