"""What is done with messages that are remembered, for oneself: stars, and files that were not fetched."""

from __future__ import annotations

from pydantic import BaseModel, Field

from api import problems as p
from api.chats import CALL_PROBLEMS, SETTING_PROBLEMS
from api.routing import Answer, Call, Reply, Routes

routes = Routes("Known messages", "Star a message; have its file fetched.")


@routes.add(
    "PUT",
    "/v1/instances/{instance_id}/messages/{message_id}/star",
    "Star a message",
    (204, Answer("It has a star, on all devices of the account")),
    problems=(*SETTING_PROBLEMS, p.NOT_FOUND),
)
async def star(call: Call[None, None]) -> None:
    """Nobody else sees it. Any message that the instance received or sent of late can have one."""
    await call.services.calls.ask(call.instance_id, "chats", "star", call.path("message_id"), True)


@routes.add(
    "DELETE",
    "/v1/instances/{instance_id}/messages/{message_id}/star",
    "Take the star off a message",
    (204, Answer("It has none")),
    problems=(*SETTING_PROBLEMS, p.NOT_FOUND),
)
async def unstar(call: Call[None, None]) -> None:
    """Again is harmless."""
    await call.services.calls.ask(call.instance_id, "chats", "star", call.path("message_id"), False)


class FileAsked(BaseModel):
    """A file is being fetched."""

    media_id: str = Field(description="It is there once `media.ready` says so", examples=["med_0a1b2c3d4e5f"])


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/messages/{message_id}/media",
    "Fetch the file of a message",
    (202, Answer("It is being fetched; `media.ready` or `media.failed` will tell", FileAsked)),
    problems=(*CALL_PROBLEMS, p.NOT_FOUND, p.RATE_LIMITED),
)
async def fetch_file(call: Call[None, None]) -> Reply:
    """Of a message of before, whose `media` says `on_demand`, or of any other whose file was not fetched.

    WhatsApp keeps files for some weeks. What is too large, or gone, is `media.failed`.
    """
    found = await call.services.calls.ask(call.instance_id, "files", "fetch", call.path("message_id"))
    return Reply(FileAsked.model_validate(found), 202)
