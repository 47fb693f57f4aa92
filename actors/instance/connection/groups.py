"""An engine's groups."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import ConnectionError, ParticipantChange

QUERY_TIMEOUT = 40.0
"""Seconds. A little more than the engine's own deadline, so that its own account of a failure arrives."""

Ask = Callable[[pb.ToEngine, float], Awaitable[pb.Reply]]
"""Puts a command to the engine, and gives its reply within so many seconds or raises ConnectionError."""


class EngineGroups:
    """Implements `base.Groups`.

    Args:
        ask: puts a command to the engine.
    """

    def __init__(self, ask: Ask) -> None:
        self._put = ask

    async def create(self, name: str, participants: Sequence[str]) -> pb.Group:
        """Create a group with these people (JIDs)."""
        return (await self._ask(create_group=pb.CreateGroup(name=name, participants=participants))).group

    async def get(self, jid: str) -> pb.Group:
        """A group that the account is in."""
        return (await self._ask(get_group=pb.GetGroup(jid=jid))).group

    async def all(self) -> list[pb.Group]:
        """Every group that the account is in."""
        return list((await self._ask(get_groups=pb.GetGroups())).groups.groups)

    async def change(
        self,
        jid: str,
        *,
        name: str | None = None,
        topic: str | None = None,
        picture: bytes | None = None,
        locked: bool | None = None,
        announce: bool | None = None,
        join_approval: bool | None = None,
        members_add: bool | None = None,
    ) -> None:
        """Change what is given, in this order; the first failure ends it."""
        command = pb.ChangeGroup(
            jid=jid,
            name=name,
            topic=topic,
            picture=picture,
            locked=locked,
            announce=announce,
            join_approval=join_approval,
            members_add=members_add,
        )
        await self._ask(change_group=command)

    async def change_participants(
        self, jid: str, change: ParticipantChange, participants: Sequence[str]
    ) -> list[pb.Participant]:
        """Change who is in, or in which role; for each person whether WhatsApp did."""
        name = change.upper()
        if name not in pb.ChangeParticipants.Action.keys():  # noqa: SIM118 (not a dict)
            raise ConnectionError("bad_request", f"{change!r} is no change of participants")
        command = pb.ChangeParticipants(jid=jid, action=name, participants=participants)
        return list((await self._ask(change_participants=command)).participants.participants)

    async def join_requests(self, jid: str) -> list[pb.JoinRequests.Entry]:
        """Who waits to be let in."""
        return list((await self._ask(get_join_requests=pb.GetJoinRequests(jid=jid))).join_requests.entries)

    async def invite(self, jid: str, *, reset: bool = False) -> str:
        """The link by which one can join; a new one, which ends the old, if `reset`."""
        return (await self._ask(get_invite=pb.GetInvite(jid=jid, reset=reset))).invite.link

    async def inspect_invite(self, link: str) -> pb.Group:
        """The group behind a link."""
        return (await self._ask(inspect_invite=pb.InspectInvite(link=link))).group

    async def join(self, link: str) -> str:
        """Join by a link, or ask to be let in where admins decide; the group's JID."""
        return (await self._ask(join_group=pb.JoinGroup(link=link))).join_group.jid

    async def leave(self, jid: str) -> None:
        """Leave a group."""
        await self._ask(leave_group=pb.LeaveGroup(jid=jid))

    async def _ask(self, **command: Any) -> pb.Reply:
        return await self._put(pb.ToEngine(**command), QUERY_TIMEOUT)
