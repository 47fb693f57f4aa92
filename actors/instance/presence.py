"""Whether others see the account as online, and whose presence it is told of."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable

from actors.instance.contacts.cache import KEEP
from actors.instance.errors import CallFailed, store_failures
from actors.instance.groups import Query
from actors.instance.mailbox import Mailbox
from actors.store import StaleEpoch, StoreUnavailable

log = logging.getLogger(__name__)

_AGAIN = 5.0
"""Seconds after which a refused word to WhatsApp is said again."""

PEOPLE_MAX = 500
"""People of one instance whose presence is told: each costs a word to WhatsApp at every login."""

_TTL = 10 * 365 * 86_400


class Watched:
    """People whose presence an instance wants to be told of, in Redis. They are given by their JIDs.

    Args:
        changed: called when there is somebody new.
    """

    def __init__(self, mailbox: Mailbox, epoch: int, changed: Callable[[], None]) -> None:
        self._mailbox = mailbox
        self._epoch = epoch
        self._changed = changed

    async def all(self) -> list[str]:
        """Everybody.

        Raises:
            StoreUnavailable
        """
        store = self._mailbox.store
        return list(await store.run(lambda: store.redis.hkeys(self._mailbox.key("watched")), timeout=5))

    async def watch(self, jid: str, wanted: bool) -> None:
        """Be told of a person from now on, or, from the next connection on, no longer. Again is harmless.

        Raises:
            CallFailed
        """
        with store_failures():
            known = await self.all()
            if wanted and jid not in known and len(known) >= PEOPLE_MAX:
                raise CallFailed("limit_reached", f"The presence of {PEOPLE_MAX} people is told already")
            outcome, value = await self._mailbox.store.script(
                KEEP,
                keys=[self._mailbox.key(name) for name in ("owner", "watched", "watched_ages")],
                args=[self._epoch, 2 * PEOPLE_MAX, _TTL, json.dumps({jid: wanted and "1"})],
            )
            if outcome == "stale":
                raise StaleEpoch(self._epoch, int(value) or None)
        self._changed()


class Presence:
    """Shows the account as online, if that is wanted, at each login and when the wish changes.

    WhatsApp tells who is typing, and who is online, only to accounts that are seen as online themselves. A
    phone keeps quiet about new messages meanwhile.

    Args:
        wanted: whether the account shall be seen as online.
        online: set while there is a connection.
        query: a bounded place for a query.
    """

    def __init__(
        self, mailbox: Mailbox, epoch: int, *, wanted: Callable[[], bool], online: asyncio.Event, query: Query
    ) -> None:
        self.watched = Watched(mailbox, epoch, self.changed)
        self._wanted = wanted
        self._online = online
        self._query = query
        self._shown: bool | None = False
        self._asked: set[str] = set()
        self._news = asyncio.Event()

    def logged_in(self) -> None:
        """A new connection stands: nobody sees the account as online yet, and it is told of nobody."""
        self._shown = False
        self._asked.clear()
        self._news.set()

    def renamed(self) -> None:
        """The account has another name: it goes with its presence."""
        if self._shown:
            self._shown = None
        self._news.set()

    def changed(self) -> None:
        """What is wanted may have changed."""
        self._news.set()

    async def run(self) -> None:
        """Follow what is wanted, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._follow()
            except (CallFailed, StaleEpoch, StoreUnavailable) as error:
                log.warning("the presence is not shown or asked for yet", extra={"error": str(error)})
                await asyncio.sleep(_AGAIN)
                self._news.set()

    async def _follow(self) -> None:
        wanted = self._wanted()
        if not self._online.is_set():
            return
        if self._shown is not wanted:
            async with self._query() as connection:
                await connection.presence(available=wanted)
            self._shown = wanted
        if not wanted:
            return
        for jid in await self.watched.all():
            if jid not in self._asked:
                self._asked.add(jid)
                await self._ask(jid)

    async def _ask(self, jid: str) -> None:
        try:
            async with self._query() as connection:
                await connection.subscribe_presence(jid)
        except CallFailed as error:
            if not self._online.is_set():
                raise
            # Whatever is wrong with one person, others are asked for.
            log.warning("a presence is not told", extra={"code": error.code})
