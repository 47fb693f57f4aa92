"""The operations of the control interface for the past of accounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from pydantic import BaseModel, Field

from lab.control.http import route
from lab.control.operations import device_of, phone_of
from lab.history import Part, Sync
from lab.past import PastChat

if TYPE_CHECKING:
    from lab.network import Lab


class Offer(BaseModel):
    """What a phone shall offer to a device."""

    sync: Sync = "recent"
    per_part: int = Field(500, ge=1, le=100_000, description="Messages in one part")
    inline: bool | None = Field(None, description="Put the parts into the offers; null: as phones do")


@route("GET", "/accounts/{phone}/history", result=list[PastChat])
async def show_past(lab: Lab, request: web.Request, body: None) -> list[PastChat]:
    """The chats that an account's phone has of before."""
    account = lab.board.directory.get(phone_of(request))
    return list(lab.board.phones.pasts.of(account.phone).values())


@route("PUT", "/accounts/{phone}/history", body=list[PastChat])
async def set_past(lab: Lab, request: web.Request, body: list[PastChat]) -> None:
    """Give an account's phone a past. Devices that are linked from then on are offered it."""
    lab.board.phones.pasts.set(phone_of(request), body)


@route("POST", "/accounts/{phone}/devices/{number}/history", body=Offer, result=list[Part], status=201)
async def offer_past(lab: Lab, request: web.Request, body: Offer) -> list[Part]:
    """Let the phone offer its past to a device that it has linked, in parts."""
    return lab.board.phones.offer(device_of(lab, request), body.sync, body.per_part, inline=body.inline)
