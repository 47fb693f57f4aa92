"""What an engine knows of people, and what it shows them of its own account."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.groups import QUERY_TIMEOUT, Ask


class EnginePeople:
    """Implements `base.People`.

    Args:
        ask: puts a command to the engine and awaits WhatsApp's answer.
        call: the same where WhatsApp gives none.
    """

    def __init__(self, ask: Ask, call: Ask) -> None:
        self._put = ask
        self._call = call

    async def get(self, jids: Sequence[str]) -> list[pb.People.Entry]:
        """What these people show of themselves; who is not on WhatsApp is left out."""
        return list((await self._ask(get_people=pb.GetPeople(jids=jids))).people.entries)

    async def blocklist(self) -> list[pb.Identity]:
        """Whom the account has blocked."""
        return list((await self._ask(get_blocklist=pb.GetBlocklist())).blocklist.people)

    async def block(self, jid: str, *, blocked: bool) -> list[pb.Identity]:
        """Block a person or end that; whom the account has blocked then."""
        return list((await self._ask(block=pb.Block(jid=jid, blocked=blocked))).blocklist.people)

    async def reject_call(self, caller: str, call_id: str) -> None:
        """Turn down a call."""
        reject = pb.RejectCall(call_id=call_id)
        setattr(reject, "from", caller)
        await self._call(pb.ToEngine(reject_call=reject), QUERY_TIMEOUT)

    async def _ask(self, **command: Any) -> pb.Reply:
        return await self._put(pb.ToEngine(**command), QUERY_TIMEOUT)


class EngineChats:
    """Implements `base.Chats`.

    Args:
        ask: puts a command to the engine and awaits WhatsApp's answer.
    """

    def __init__(self, ask: Ask) -> None:
        self._put = ask

    async def set(self, command: pb.SetChat) -> None:
        """Change a setting of a chat."""
        await self._put(pb.ToEngine(set_chat=command), QUERY_TIMEOUT)


class EngineProfile:
    """Implements `base.Profile`.

    Args:
        ask: puts a command to the engine.
    """

    def __init__(self, ask: Ask) -> None:
        self._put = ask

    async def set_privacy(self, name: str, value: str) -> dict[str, str]:
        """Change one setting; all of them as they are then."""
        return dict((await self._ask(set_privacy=pb.SetPrivacy(name=name, value=value))).privacy.settings)

    async def set_name(self, name: str) -> None:
        """Change the name that the account shows."""
        await self._ask(set_name=pb.SetName(name=name))

    async def set_about(self, text: str) -> None:
        """Change the text about the account."""
        await self._ask(set_about=pb.SetAbout(text=text))

    async def set_picture(self, jpeg: bytes) -> str:
        """Change the account's picture, or take it away with an empty one; its id, empty if there is none."""
        return (await self._ask(set_picture=pb.SetPicture(jpeg=jpeg))).set_picture.id

    async def set_disappearing(self, seconds: int, *, chat: str = "") -> None:
        """After how long messages disappear in a chat, or in new ones; 0 for never."""
        command = pb.SetDisappearing(chat=chat, seconds=seconds)
        await self._ask(set_disappearing=command)

    async def _ask(self, **command: Any) -> pb.Reply:
        return await self._put(pb.ToEngine(**command), QUERY_TIMEOUT)
