"""An engine's newsletters."""

from __future__ import annotations

from typing import Any

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.groups import QUERY_TIMEOUT, Ask


class EngineNewsletters:
    """Implements `base.Newsletters`.

    Args:
        ask: puts a command to the engine.
    """

    def __init__(self, ask: Ask) -> None:
        self._put = ask

    async def all(self) -> list[pb.Newsletter]:
        """Those that the account follows or owns."""
        return list((await self._ask(get_newsletters=pb.GetNewsletters())).newsletters.newsletters)

    async def get(self, jid: str) -> pb.Newsletter:
        """One, followed or not."""
        return (await self._ask(get_newsletter=pb.GetNewsletter(jid=jid))).newsletter

    async def behind(self, link: str) -> pb.Newsletter:
        """The one that a link, or the code at its end, leads to."""
        return (await self._ask(get_newsletter=pb.GetNewsletter(invite=link))).newsletter

    async def create(self, name: str, description: str) -> pb.Newsletter:
        """Create one."""
        command = pb.CreateNewsletter(name=name, description=description)
        return (await self._ask(create_newsletter=command)).newsletter

    async def follow(self, jid: str, *, followed: bool) -> None:
        """Follow one, or end that."""
        await self._ask(change_newsletter=pb.ChangeNewsletter(jid=jid, followed=followed))

    async def mute(self, jid: str, *, muted: bool) -> None:
        """Mute one, or end that."""
        await self._ask(change_newsletter=pb.ChangeNewsletter(jid=jid, muted=muted))

    async def posts(self, jid: str, *, count: int, before: int = 0) -> list[pb.NewsletterPost]:
        """What stands in one: the newest, or what is before the one with this number."""
        command = pb.GetNewsletterPosts(jid=jid, count=count, before=before)
        return list((await self._ask(get_newsletter_posts=command)).newsletter_posts.posts)

    async def react(self, jid: str, number: int, emoji: str) -> None:
        """React to the one with this number, or with no emoji take that back."""
        command = pb.ChangeNewsletterPost(jid=jid, server_id=number, reaction=emoji)
        await self._ask(change_newsletter_post=command)

    async def view(self, jid: str, number: int) -> None:
        """Have it counted that the one with this number was seen."""
        command = pb.ChangeNewsletterPost(jid=jid, server_id=number, viewed=True)
        await self._ask(change_newsletter_post=command)

    async def _ask(self, **command: Any) -> pb.Reply:
        return await self._put(pb.ToEngine(**command), QUERY_TIMEOUT)
