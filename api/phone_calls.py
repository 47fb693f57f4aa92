"""Calls to the account: turn them down."""

from __future__ import annotations

from pydantic import Field

from api import problems as p
from api.chats import CALL_PROBLEMS
from api.fields import EXAMPLE_JID, Body, Person
from api.routing import Answer, Call, Routes

routes = Routes("Calls", "Turn down calls to the account.")


class RejectCall(Body):
    """Whose call it is."""

    caller: Person = Field(description="As the call's event has it: a phone number, or a JID")


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/calls/{call_id}/reject",
    "Reject a call",
    (204, Answer("WhatsApp was told. It does not say whether the call still rang")),
    body=RejectCall,
    examples={"a call": {"caller": EXAMPLE_JID}},
    problems=CALL_PROBLEMS,
)
async def reject(call: Call[RejectCall, None]) -> None:
    """It stops ringing on all devices of the account. To reject every call, set `calls` of the instance."""
    call_id = call.path("call_id")
    if not call_id.isascii() or not call_id.isalnum() or len(call_id) > 100:
        raise p.invalid("a call's id consists of letters and digits", parameter="call_id")
    await call.services.calls.ask(call.instance_id, "people", "reject_call", call.body.caller, call_id)
