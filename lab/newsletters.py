"""Newsletters as the network keeps them: one writes, many read, and nothing is encrypted between them."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from lab.groups import new_code
from lab.wire import NEWSLETTERS, Jid

if TYPE_CHECKING:
    from lab.accounts import Account
    from lab.state import State

Role = Literal["OWNER", "SUBSCRIBER", "GUEST"]


class Post(BaseModel):
    """A message that stands in a newsletter. People are given by their numbers."""

    number: int
    id: str
    type: str
    at: int
    body: bytes
    views: list[str] = []
    reactions: dict[str, str] = {}

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")


class Newsletter(BaseModel):
    """One newsletter. People are given by their numbers."""

    id: str
    owner: str
    name: str
    description: str = ""
    created_at: int
    invite: str
    followers: list[str] = []
    muted: list[str] = []
    messages: int = 0
    posts: list[Post] = []

    @property
    def jid(self) -> Jid:
        """Its address."""
        return Jid(self.id, NEWSLETTERS)

    def role(self, account: Account) -> Role:
        """What an account is to it."""
        if account.phone == self.owner:
            return "OWNER"
        return "SUBSCRIBER" if account.phone in self.followers else "GUEST"

    def post(self, number: str) -> Post | None:
        """What stands in it under a number."""
        return next((post for post in self.posts if str(post.number) == number), None)

    @property
    def readers(self) -> list[str]:
        """Who gets what is written in it."""
        return [self.owner, *self.followers]


class Newsletters:
    """Every newsletter of the lab, written through to its state."""

    def __init__(self, state: State) -> None:
        self._state = state
        rows = state.rows("SELECT json FROM newsletter ORDER BY id")
        found = [Newsletter.model_validate_json(body) for (body,) in rows]
        self._newsletters = {one.id: one for one in found}

    def at(self, jid: Jid | None) -> Newsletter | None:
        """The newsletter with this address."""
        return self._newsletters.get(jid.user) if jid and jid.server == NEWSLETTERS else None

    def by_invite(self, code: str) -> Newsletter | None:
        """The newsletter that a code leads to."""
        return next((one for one in self._newsletters.values() if one.invite == code), None)

    def of(self, account: Account) -> list[Newsletter]:
        """Those that an account owns or follows."""
        return [one for one in self._newsletters.values() if account.phone in one.readers]

    def create(self, owner: Account, name: str, description: str) -> Newsletter:
        """A new newsletter, which nobody follows yet."""
        made = Newsletter(
            id=f"120363{secrets.randbelow(10**12):012}",
            owner=owner.phone,
            name=name,
            description=description,
            created_at=int(time.time()),
            invite=new_code(),
        )
        self._newsletters[made.id] = made
        self.save(made)
        return made

    def save(self, newsletter: Newsletter) -> None:
        """Remember a changed newsletter."""
        self._state.run(
            "INSERT OR REPLACE INTO newsletter VALUES (?, ?)", newsletter.id, newsletter.model_dump_json()
        )
