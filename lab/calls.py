"""Calls: rung by phones, heard by devices. Nobody speaks in them."""

from __future__ import annotations

import secrets
import time
from typing import Literal

from pydantic import BaseModel, Field


class Call(BaseModel):
    """A call from one account's phone to another account."""

    id: str
    caller: str
    callee: str
    video: bool
    started_at: int = Field(description="Seconds since 1970")
    state: Literal["ringing", "rejected", "ended"] = Field("ringing", description="ended: by the caller")
    rejected_by: int | None = Field(None, description="The callee's device that turned it down")


class Calls:
    """Every call since the lab started."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}

    def start(self, caller: str, callee: str, *, video: bool) -> Call:
        """A new call between two numbers."""
        id_ = secrets.token_hex(16).upper()
        call = self._calls[id_] = Call(
            id=id_, caller=caller, callee=callee, video=video, started_at=int(time.time())
        )
        return call

    def find(self, id_: str) -> Call | None:
        """The call with this id."""
        return self._calls.get(id_)

    def of(self, phone: str) -> list[Call]:
        """The calls that a number made or got, oldest first."""
        return [call for call in self._calls.values() if phone in (call.caller, call.callee)]
