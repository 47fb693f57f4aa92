"""History: ask the account's phone for what it has of before."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from actors.messages.content import MessageId
from api import problems as p
from api.chats import CALL_PROBLEMS, recipient_in_path
from api.fields import EXAMPLE_TIME, Body, Time
from api.routing import Answer, Call, Reply, Routes

routes = Routes("History", "Ask the phone for older messages.")


class Known(Body):
    """A message that is known."""

    message_id: MessageId
    from_me: bool = Field(description="This account wrote it")
    timestamp: Time = Field(description="As its event has it")


class AskOlder(Body):
    """How much, and before what."""

    before: Known = Field(description="The oldest message of the chat that you have")
    count: int = Field(50, ge=1, le=500, description="Messages at most; WhatsApp's own clients ask for 50")


class AskedOlder(BaseModel):
    """The phone was asked."""

    chat_id: str
    count: int


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/chats/{chat_id}/history",
    "Ask for older messages",
    (202, Answer("The phone was asked", AskedOlder)),
    body=AskOlder,
    examples={
        "fifty": {
            "before": {"message_id": "3EB0A1B2C3D4E5F60718", "from_me": False, "timestamp": EXAMPLE_TIME}
        }
    },
    problems=CALL_PROBLEMS,
)
async def older(call: Call[AskOlder, None]) -> Reply:
    """`chat_id` is a chat's id as events give it, or a phone number.

    The phone answers when it is online, if it has older ones: `history.offered` with `sync` `on_demand`, and
    then `history.messages`, whatever `history` of the instance says.
    """
    chat = recipient_in_path(call.path("chat_id"), "chat_id")
    before, count = call.body.before, call.body.count
    at = _milliseconds(before.timestamp)
    if at <= 0:
        raise p.invalid("nothing was written then", pointer="#/before/timestamp")
    await call.services.calls.ask(
        call.instance_id, "history", "older", chat, before.message_id, before.from_me, at, count
    )
    return Reply(AskedOlder(chat_id=chat, count=count), 202)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
