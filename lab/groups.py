"""Groups as the network keeps them: who is in, in which rank, and by which rules."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from lab.wire import GROUPS, LIDS, USERS, Jid

if TYPE_CHECKING:
    from lab.accounts import Account
    from lab.state import State

Rank = Literal["member", "admin", "superadmin"]
Addressing = Literal["lid", "pn"]


class _Record(BaseModel):
    """What is remembered of a group besides its id and its picture. People are given by their numbers.

    A community is a group, too: ``parent`` is the id of the one that a group belongs to.
    """

    addressing: Addressing
    creator: str
    created_at: int
    subject: str
    subject_at: int
    subject_by: str
    description: str = ""
    description_id: str = ""
    description_at: int = 0
    description_by: str = ""
    locked: bool = False
    announcement: bool = False
    approval: bool = False
    members_add: bool = True
    expiration: int = 0
    community: bool = False
    parent: str = ""
    members: dict[str, Rank]
    requests: dict[str, int] = {}
    invite: str
    reset_invites: list[str] = []
    version: int = 1


class Group:
    """One group."""

    def __init__(self, id_: str, record: _Record, picture: tuple[str, bytes] | None = None) -> None:
        self.id = id_
        self.record = record
        self.picture = picture

    @property
    def jid(self) -> Jid:
        """Its address."""
        return Jid(self.id, GROUPS)

    @property
    def server(self) -> str:
        """Which kind of address its members have in it."""
        return LIDS if self.record.addressing == "lid" else USERS

    def rank(self, account: Account) -> Rank | None:
        """What an account is in it; None if it is no member."""
        return self.record.members.get(account.phone)

    def is_admin(self, account: Account) -> bool:
        """True for admins and for the one above them."""
        return self.rank(account) in ("admin", "superadmin")


class Groups:
    """Every group of the lab, written through to its state."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._groups: dict[str, Group] = {}
        rows = state.rows("SELECT id, json, picture, image FROM chat_group ORDER BY id")
        for id_, record, picture, image in rows:
            shown = (picture, bytes(image)) if picture else None
            self._groups[id_] = Group(id_, _Record.model_validate_json(record), shown)

    def all(self) -> list[Group]:
        """Every group."""
        return list(self._groups.values())

    def find(self, id_: str) -> Group | None:
        """The group with this id."""
        return self._groups.get(id_)

    def at(self, jid: Jid | None) -> Group | None:
        """The group with this address."""
        return self._groups.get(jid.user) if jid and jid.server == GROUPS else None

    def of(self, account: Account) -> list[Group]:
        """The groups that an account is in."""
        return [group for group in self._groups.values() if group.rank(account)]

    def by_invite(self, code: str) -> Group | None:
        """The group that a code leads to, also one that was reset since."""
        for group in self._groups.values():
            if code == group.record.invite or code in group.record.reset_invites:
                return group
        return None

    def create(self, creator: Account, subject: str, addressing: Addressing = "lid") -> Group:
        """A new group of one."""
        now = int(time.time())
        record = _Record(
            addressing=addressing,
            creator=creator.phone,
            created_at=now,
            subject=subject,
            subject_at=now,
            subject_by=creator.phone,
            members={creator.phone: "superadmin"},
            invite=new_code(),
        )
        id_ = _new_id()
        while id_ in self._groups:
            id_ = _new_id()
        group = self._groups[id_] = Group(id_, record)
        self._state.run("INSERT INTO chat_group (id, json) VALUES (?, ?)", group.id, record.model_dump_json())
        return group

    def save(self, group: Group) -> None:
        """Remember a group's changed record."""
        self._state.run(
            "UPDATE chat_group SET json = ? WHERE id = ?", group.record.model_dump_json(), group.id
        )

    def set_picture(self, group: Group, image: bytes | None) -> None:
        """Change a group's picture; None removes it."""
        group.picture = (str(int(time.time() * 1000)), image) if image else None
        self._state.run(
            "UPDATE chat_group SET picture = ?, image = ? WHERE id = ?",
            *(group.picture or (None, None)),
            group.id,
        )


def new_code() -> str:
    """A code for a link by which one can join."""
    return secrets.token_urlsafe(24).replace("-", "").replace("_", "")[:22].ljust(22, "0")


def _new_id() -> str:
    return f"120363{secrets.randbelow(10**12):012}"
