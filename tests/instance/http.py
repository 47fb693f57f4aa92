"""The API in front of a real instance in the same process: all but Ray between them is as in a gateway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.registry import Registry
from api.calls import InstanceCalls
from tests.api.world import Answered, World
from tests.instance.conftest import Running


class Direct(InstanceCalls):
    """Calls to one instance."""

    def __init__(self, one: Running) -> None:
        self.one = one

    async def pair_phone(self, instance_id: str, phone: str) -> str:
        return await self.one.instance.pair_phone(phone)

    async def logout(self, instance_id: str) -> None:
        await self.one.instance.logout()

    async def ring_outbox(self, instance_id: str) -> None:
        self.one.instance.ring_outbox()

    async def mark_read(
        self, instance_id: str, chat: str, message_ids: Sequence[str], sender: str | None, played: bool
    ) -> None:
        await self.one.instance.mark_read(chat, message_ids, sender, played)

    async def typing(self, instance_id: str, chat: str, state: str) -> None:
        await self.one.instance.chat_presence(chat, state)

    async def check_numbers(self, instance_id: str, phones: Sequence[str]) -> list[dict[str, Any]]:
        return await self.one.instance.check_numbers(phones)

    async def picture(self, instance_id: str, jid: str, preview: bool) -> dict[str, Any]:
        return await self.one.instance.picture(jid, preview)

    async def ask(self, instance_id: str, subject: Any, method: str, *args: Any) -> Any:
        return await self.one.instance.ask(subject, method, *args)


class Gateway:
    """The API, for one instance."""

    def __init__(self, world: World, one: Running) -> None:
        world.services.calls = Direct(one)
        self.world = world
        self.one = one

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **params: str
    ) -> Answered:
        """Send a request about the instance."""
        more: dict[str, Any] = {"json": body} if body is not None else {}
        if headers is not None:
            more["headers"] = headers
        return await self.world.ask(
            method, f"/v1/instances/{self.one.id}/{path}".rstrip("/"), params=params or None, **more
        )

    async def good(self, method: str, path: str, body: Any = None, **params: str) -> Any:
        """The JSON of a good answer, None if it has none."""
        answer = await self.ask(method, path, body, **params)
        assert answer.status in (200, 201, 204), answer.body
        return answer.json if answer.body else None

    async def configure(self, changes: dict[str, Any]) -> None:
        """Change the instance, and let its owner know, as a supervisor would."""
        await self.good("PATCH", "", changes)
        self.one.instance.configure(await Registry(self.one.store).get(self.one.id))

    async def refused(self, slug: str, method: str, path: str, body: Any = None, **params: str) -> Any:
        """The problem document of a bad one."""
        return (await self.ask(method, path, body, **params)).problem(slug)
