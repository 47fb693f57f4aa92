"""What an instance is asked about groups, people and its account: the same at the same time only once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Literal

from actors.instance.account import AccountQueries
from actors.instance.chats.queries import ChatQueries
from actors.instance.connection.base import Connection
from actors.instance.contacts.contacts import Contacts
from actors.instance.errors import CallFailed
from actors.instance.groups import GroupQueries
from actors.instance.made_groups import MadeGroups
from actors.instance.newsletters import NewsletterQueries
from actors.instance.old_files import FileQueries
from actors.instance.older import HistoryQueries
from actors.instance.people import PeopleQueries
from actors.instance.presence import Watched
from actors.messages.recipients import is_group
from actors.registry import InstanceState

Subject = Literal[
    "groups", "made_groups", "people", "account", "history", "chats", "files", "newsletters", "presence"
]

READS = frozenset({"all", "get", "join_requests", "invite", "inspect", "privacy", "blocklist", "posts"})
"""Methods that change nothing, so that two who ask can share one answer."""


class Asked:
    """Answers by the names of a subject and of a method.

    Args:
        query: a bounded place for a query of a kind.
        state: of the instance, as it is now.
        contacts: what is known of people.
        chats: changes the account's chats.
        groups: asks about groups, and changes them.
        made: creates groups, each once.
        files: has files fetched.
        watched: whose presence is told.
        renamed: called with a new name of the account.
    """

    def __init__(
        self,
        query: Callable[[str], AbstractAsyncContextManager[Connection]],
        state: Callable[[], InstanceState],
        contacts: Contacts,
        chats: ChatQueries,
        groups: GroupQueries,
        made: MadeGroups,
        files: FileQueries,
        watched: Watched,
        renamed: Callable[[str], None],
    ) -> None:
        self._subjects: dict[str, object] = {
            "groups": groups,
            "made_groups": made,
            "people": PeopleQueries(partial(query, "people"), contacts),
            "account": AccountQueries(partial(query, "account"), state, renamed),
            "history": HistoryQueries(partial(query, "history")),
            "chats": chats,
            "files": files,
            "presence": watched,
            "newsletters": NewsletterQueries(partial(query, "newsletters")),
        }
        self._state = state
        self._contacts = contacts
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
                if concerned := self._concerned(subject, args):
                    await self._contacts.changed(concerned)
                # Who asks after a change wants to see it, not an answer that was under way before.
                self._under_way.clear()
        key = (subject, method, repr(args))
        if key not in self._under_way:
            self._under_way[key] = task = asyncio.create_task(answer(*args))
            task.add_done_callback(lambda done: self._ended(key, done))
        # Who gives up waiting does not take the answer away from the others.
        return await asyncio.shield(self._under_way[key])

    def _concerned(self, subject: Subject, args: tuple[Any, ...]) -> str | None:
        """The JID of the group, or of the account, that a change was of."""
        if subject == "groups" and args and is_group(str(args[0])):
            return str(args[0])
        phone = self._state().phone if subject == "account" else None
        return f"{phone[1:]}@s.whatsapp.net" if phone else None

    def _ended(self, key: tuple[Any, ...], task: asyncio.Task[Any]) -> None:
        if self._under_way.get(key) is task:
            del self._under_way[key]
        if not task.cancelled():
            task.exception()  # looked at, also if nobody waits for it any more
