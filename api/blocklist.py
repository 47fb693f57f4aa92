"""Whom the account has blocked."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from actors.events import Party
from api import problems as p
from api.chats import CALL_PROBLEMS, person_in_path
from api.routing import Answer, Call, Routes

routes = Routes("Blocklist", "Block people, and end that.")


class Blocklist(BaseModel):
    """Whom the account has blocked."""

    items: list[Party]


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/blocklist",
    "List who is blocked",
    (200, Answer("Whom the account has blocked", Blocklist)),
    problems=(*CALL_PROBLEMS, p.RATE_LIMITED),
)
async def list_all(call: Call[None, None]) -> Blocklist:
    """Blocked with the phone, too."""
    return Blocklist(items=await call.services.calls.ask(call.instance_id, "people", "blocklist"))


@routes.add(
    "PUT",
    "/v1/instances/{instance_id}/blocklist/{who}",
    "Block somebody",
    (200, Answer("Whom the account has blocked now", Blocklist)),
    problems=(*CALL_PROBLEMS, p.RATE_LIMITED),
)
async def block(call: Call[None, None]) -> Blocklist:
    """`who` is a phone number or a JID. Nothing that they send arrives any more. Again is harmless."""
    return await _block(call, blocked=True)


@routes.add(
    "DELETE",
    "/v1/instances/{instance_id}/blocklist/{who}",
    "Unblock somebody",
    (200, Answer("Whom the account has blocked now", Blocklist)),
    problems=(*CALL_PROBLEMS, p.RATE_LIMITED),
)
async def unblock(call: Call[None, None]) -> Blocklist:
    """What they sent meanwhile does not come. Again is harmless."""
    return await _block(call, blocked=False)


async def _block(call: Call[Any, Any], *, blocked: bool) -> Blocklist:
    who = person_in_path(call.path("who"), "who")
    return Blocklist(items=await call.services.calls.ask(call.instance_id, "people", "block", who, blocked))
