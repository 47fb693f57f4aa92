"""The operations of the control interface for chats as an account's phone has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from lab.app_state import ChatSettings
from lab.control.http import route
from lab.control.operations import phone_of

if TYPE_CHECKING:
    from lab.network import Lab


@route("GET", "/accounts/{phone}/chats", result=dict[str, ChatSettings])
async def show_chats(lab: Lab, request: web.Request, body: None) -> dict[str, ChatSettings]:
    """What an account's phone shows of its chats, by their JIDs."""
    return lab.board.app_states.chats(lab.board.directory.get(phone_of(request)))


@route("PATCH", "/accounts/{phone}/chats/{chat}", body=ChatSettings)
async def change_chat(lab: Lab, request: web.Request, body: ChatSettings) -> None:
    """Let the phone archive, pin, mute or mark a chat (a JID)."""
    account = lab.board.directory.get(phone_of(request))
    lab.board.app_states.set(account, request.match_info["chat"], body)
