"""Whether others see the account as online."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from actors.instance.errors import CallFailed
from actors.instance.groups import Query

log = logging.getLogger(__name__)

_AGAIN = 5.0
"""Seconds after which a refused word to WhatsApp is said again."""


class Presence:
    """Shows the account as online, if that is wanted, at each login and when the wish changes.

    WhatsApp tells who is typing, and who is online, only to accounts that are seen as online themselves. A
    phone keeps quiet about new messages meanwhile.

    Args:
        wanted: whether the account shall be seen as online.
        online: set while there is a connection.
        query: a bounded place for a query.
    """

    def __init__(self, *, wanted: Callable[[], bool], online: asyncio.Event, query: Query) -> None:
        self._wanted = wanted
        self._online = online
        self._query = query
        self._shown = False
        self._news = asyncio.Event()

    def logged_in(self) -> None:
        """A new connection stands, as which nobody sees the account as online yet."""
        self._shown = False
        self._news.set()

    def changed(self) -> None:
        """The wish may have changed."""
        self._news.set()

    async def run(self) -> None:
        """Follow the wish, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._online.is_set() and self._shown is not self._wanted():
                await self._show(self._wanted())

    async def _show(self, available: bool) -> None:
        try:
            async with self._query() as connection:
                await connection.presence(available=available)
            self._shown = available
        except CallFailed as error:
            log.warning("the presence is not shown yet", extra={"code": error.code})
            await asyncio.sleep(_AGAIN)
