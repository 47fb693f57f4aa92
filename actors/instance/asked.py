"""What an instance is asked about groups, people and its account: the same at the same time only once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from actors.instance.account import AccountQueries
from actors.instance.chats.queries import ChatQueries
from actors.instance.errors import CallFailed
from actors.instance.groups import GroupQueries, Query
from actors.instance.older import HistoryQueries
from actors.instance.people import PeopleQueries
from actors.registry import InstanceState

Subject = Literal["groups", "people", "account", "history", "chats"]

READS = frozenset({"all", "get", "join_requests", "invite", "inspect", "privacy", "blocklist"})
"""Methods that change nothing, so that two who ask can share one answer."""


class Asked:
    """Answers by the names of a subject and of a method.

    Args:
        query: a bounded place for a query.
        state: of the instance, as it is now.
        chats: changes the account's chats.
    """

    def __init__(self, query: Query, state: Callable[[], InstanceState], chats: ChatQueries) -> None:
        self._subjects: dict[str, object] = {
            "groups": GroupQueries(query),
            "people": PeopleQueries(query),
            "account": AccountQueries(query, state),
            "history": HistoryQueries(query),
            "chats": chats,
        }
        self._under_way: dict[tuple[Any, ...], asyncio.Task[Any]] = {}

    async def ask(self, subject: Subject, method: str, *args: Any) -> Any:
        """The answer, in JSON's types.

        Raises:
            CallFailed
        """
        answer = getattr(self._subjects[subject], method, None)
        if answer is None or method.startswith("_"):
            raise CallFailed("unsupported", f"this version cannot do {method!r} with {subject}")
        if method not in READS:
            try:
                return await answer(*args)
            finally:
                # Who asks after a change wants to see it, not an answer that was under way before.
                self._under_way.clear()
        key = (subject, method, repr(args))
        if key not in self._under_way:
            self._under_way[key] = task = asyncio.create_task(answer(*args))
            task.add_done_callback(lambda done: self._ended(key, done))
        # Who gives up waiting does not take the answer away from the others.
        return await asyncio.shield(self._under_way[key])

    def _ended(self, key: tuple[Any, ...], task: asyncio.Task[Any]) -> None:
        if self._under_way.get(key) is task:
            del self._under_way[key]
        if not task.cancelled():
            task.exception()  # looked at, also if nobody waits for it any more
