"""What an instance asks WhatsApp about groups, and changes in them. Answers are in JSON's types."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

from actors.events import utc
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import Connection, ParticipantChange
from actors.instance.connection.parts import moment, party
from actors.instance.errors import CallFailed
from actors.instance.refusals import group_failure, invite_failure

Query = Callable[[], AbstractAsyncContextManager[Connection]]
"""A bounded place for a query; leaves with CallFailed when WhatsApp or the engine refuses."""

SETTINGS = ("name", "topic", "locked", "announce", "members_add", "join_approval", "expires_in")
"""What can be changed of a group, in the order in which it is."""

ALREADY, NOT_THERE = 409, 404
_NOT_IN = frozenset({403, 404})


class GroupQueries:
    """Queries about groups. Groups and people are given by their JIDs. All raise CallFailed.

    Args:
        query: a bounded place for a query.
    """

    def __init__(self, query: Query) -> None:
        self._query = query

    async def all(self) -> list[dict[str, Any]]:
        """Every group that the account is in."""
        async with self._query() as connection:
            return [_group(group) for group in await connection.groups.all()]

    async def get(self, jid: str) -> dict[str, Any]:
        """One group that the account is in."""
        async with self._of_group() as connection:
            return _group(await connection.groups.get(jid))

    async def create(self, name: str, people: Sequence[str]) -> dict[str, Any]:
        """Create a group: the group, and in ``refused`` who could not be added."""
        async with self._of_group() as connection:
            made = await connection.groups.create(name, people)
        refused = [_outcome(one, "add") for one in made.participants if one.error]
        return {**_group(made), "refused": refused}

    async def change(self, jid: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Change settings, one after the other; the group as it is then."""
        done: list[str] = []
        for name in (name for name in SETTINGS if name in changes):
            try:
                async with self._of_group() as connection:
                    if name == "expires_in":
                        await connection.profile.set_disappearing(changes[name], chat=jid)
                    else:
                        await connection.groups.change(jid, **{name: changes[name]})
            except CallFailed as error:
                before = f"; {', '.join(done)} changed before it" if done else ""
                text = f"{name} did not change{before}: {error.message}"
                raise CallFailed(error.code, text, error.server_code) from None
            done.append(name)
        return await self.get(jid)

    async def set_picture(self, jid: str, jpeg: str) -> None:
        """Change a group's picture (a JPEG, as base64), or take it away with an empty one."""
        async with self._of_group() as connection:
            await connection.groups.change(jid, picture=base64.b64decode(jpeg))

    async def change_people(
        self, jid: str, change: ParticipantChange, people: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Change who is in, or in which role: what became of each, in the order of ``people``."""
        async with self._of_group() as connection:
            changed = await connection.groups.change_participants(jid, change, people)
        found = {address: one for one in changed for address in _addresses(one.identity)}
        return [
            _outcome(found[person], change) if person in found else _unanswered(person) for person in people
        ]

    async def join_requests(self, jid: str) -> list[dict[str, Any]]:
        """Who waits to be let in."""
        async with self._of_group() as connection:
            waiting = await connection.groups.join_requests(jid)
        return [{**party(entry.identity), "requested_at": _time(entry.requested_at_ms)} for entry in waiting]

    async def invite(self, jid: str) -> str:
        """The link by which one can join."""
        async with self._of_group() as connection:
            return await connection.groups.invite(jid)

    async def reset_invite(self, jid: str) -> str:
        """A new link; the one before leads nowhere any more."""
        async with self._of_group() as connection:
            return await connection.groups.invite(jid, reset=True)

    async def inspect(self, link: str) -> dict[str, Any]:
        """The group behind a link, as it is shown to those who are not in it."""
        async with self._of_invite() as connection:
            return _group(await connection.groups.inspect_invite(link))

    async def join(self, link: str) -> dict[str, Any]:
        """Join by a link: ``group_id``, and ``joined``, False where admins have to let the account in."""
        try:
            async with self._of_invite() as connection:
                jid = await connection.groups.join(link)
        except CallFailed as error:
            if error.server_code != ALREADY:
                raise
            # In it, or waiting, already: that is what was asked for.
            jid = (await self.inspect(link))["id"]
        return {"group_id": jid, "joined": await self._is_in(jid)}

    async def _is_in(self, jid: str) -> bool:
        try:
            await self.get(jid)
        except CallFailed as error:
            if error.server_code not in _NOT_IN:
                raise
            return False
        return True

    async def leave(self, jid: str) -> None:
        """Leave a group. Again is harmless."""
        try:
            async with self._of_group() as connection:
                await connection.groups.leave(jid)
        except CallFailed as error:
            if error.server_code not in _NOT_IN:
                raise

    @asynccontextmanager
    async def _of_group(self) -> AsyncIterator[Connection]:
        with _explained(group_failure):
            async with self._query() as connection:
                yield connection

    @asynccontextmanager
    async def _of_invite(self) -> AsyncIterator[Connection]:
        with _explained(invite_failure):
            async with self._query() as connection:
                yield connection


@contextmanager
def _explained(explain: Callable[[CallFailed], CallFailed]) -> Iterator[None]:
    try:
        yield
    except CallFailed as error:
        raise explain(error) from None


def _group(group: pb.Group) -> dict[str, Any]:
    return {
        "id": group.jid,
        "name": group.name,
        "topic": group.topic or None,
        "owner": party(group.owner) if group.owner.jid else None,
        "created_at": _time(group.created_at_ms),
        "locked": group.locked,
        "announce": group.announce,
        "members_add": group.members_add,
        "join_approval": group.join_approval,
        "expires_in": group.disappearing_s,
        "community": group.community,
        "parent": group.parent or None,
        "size": group.size - sum(1 for one in group.participants if one.error),
        "members": [
            {**party(one.identity), "admin": one.admin or one.owner, "owner": one.owner}
            for one in group.participants
            if not one.error
        ],
    }


def _time(milliseconds: int) -> str | None:
    return utc(moment(milliseconds)) if milliseconds > 0 else None


_REASONS: dict[tuple[str, int], tuple[str, str]] = {
    ("add", 401): ("not_allowed", "They blocked this account."),
    ("add", 403): (
        "not_allowed",
        "They do not let this account add them to groups. Send them the group's link instead.",
    ),
    ("add", 404): ("not_on_whatsapp", "Nobody on WhatsApp has this number. See that it is right."),
    ("add", 408): ("left_recently", "They left this group a short time ago. Send them the group's link."),
    ("add", 409): ("already_member", "They are in the group already."),
    ("add", 419): ("group_full", "The group is full."),
    ("approve", 404): ("no_request", "They do not ask to be let in, or not any more."),
    ("approve", 419): ("group_full", "The group is full."),
    ("reject", 404): ("no_request", "They do not ask to be let in, or not any more."),
}
_NOT_A_MEMBER = ("not_a_member", "They are not in the group.")
_OWNER = ("not_allowed", "This cannot be done to who owns the group.")


def _outcome(person: pb.Participant, change: ParticipantChange) -> dict[str, Any]:
    """What became of a person: ``done`` if they are as asked for, whether or not they were so before."""
    code, detail = None, None
    if person.error:
        code, detail = _REASONS.get((change, person.error)) or {NOT_THERE: _NOT_A_MEMBER, 403: _OWNER}.get(
            person.error, ("refused", f"WhatsApp refused this with its code {person.error}.")
        )
    done = not person.error or code == "already_member" or (change == "remove" and code == "not_a_member")
    return {
        "phone": party(person.identity)["phone"],
        "lid": party(person.identity)["lid"],
        "done": done,
        "code": code,
        "detail": detail,
        "server_code": person.error,
    }


def _unanswered(person: str) -> dict[str, Any]:
    user, _, server = person.partition("@")
    return {
        "phone": f"+{user}" if server == "s.whatsapp.net" else None,
        "lid": person if server == "lid" else None,
        "done": False,
        "code": "unanswered",
        "detail": "WhatsApp did not say what became of this. `GET …/groups/{id}` shows who is in the group.",
        "server_code": 0,
    }


def _addresses(identity: pb.Identity) -> set[str]:
    phone = {f"{identity.phone}@s.whatsapp.net"} if identity.phone else set()
    lid = {f"{identity.lid}@lid"} if identity.lid else set()
    return {identity.jid, *phone, *lid}
