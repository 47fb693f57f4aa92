"""What an instance asks and changes of its own account. Answers are in JSON's types."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from actors.instance.errors import CallFailed
from actors.instance.groups import Query
from actors.registry import InstanceState


class AccountQueries:
    """Queries about the account. All raise CallFailed.

    Args:
        query: a bounded place for a query.
        state: of the instance, as it is now: who the account is.
        renamed: called with a new name of the account.
    """

    def __init__(
        self, query: Query, state: Callable[[], InstanceState], renamed: Callable[[str], None]
    ) -> None:
        self._query = query
        self._renamed = renamed
        self._state = state

    async def get(self) -> dict[str, Any]:
        """The account as others see it: ``phone, lid, name, about, picture_id``."""
        async with self._query() as connection:
            # Inside: who the account is, is known once it is connected.
            state = self._state()
            if state.phone is None:
                raise CallFailed("not_paired", "the instance is not paired")
            found = await connection.people.get([f"{state.phone[1:]}@s.whatsapp.net"])
        return {
            "phone": state.phone,
            "lid": state.lid,
            "name": state.push_name,
            "about": (found[0].about or None) if found else None,
            "picture_id": (found[0].picture_id or None) if found else None,
        }

    async def set_name(self, name: str) -> None:
        """Change the name that the account shows."""
        async with self._query() as connection:
            await connection.profile.set_name(name)
        self._renamed(name)

    async def set_about(self, text: str) -> None:
        """Change the text about the account."""
        async with self._query() as connection:
            await connection.profile.set_about(text)

    async def set_picture(self, jpeg: str) -> None:
        """Change the picture (a JPEG, as base64), or take it away with an empty one."""
        async with self._query() as connection:
            await connection.profile.set_picture(base64.b64decode(jpeg))

    async def privacy(self) -> dict[str, str]:
        """Who sees what, by WhatsApp's names."""
        async with self._query() as connection:
            return await connection.privacy()

    async def set_privacy(self, changes: dict[str, str]) -> dict[str, str]:
        """Change settings, one after the other; all of them as they are then."""
        done: list[str] = []
        for name, value in changes.items():
            try:
                async with self._query() as connection:
                    await connection.profile.set_privacy(name, value)
            except CallFailed as error:
                before = f"; {', '.join(done)} changed before it" if done else ""
                text = f"{name} did not change{before}: {error.message}"
                raise CallFailed(error.code, text, error.server_code) from None
            done.append(name)
        return await self.privacy()
