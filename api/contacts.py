"""Contacts: who is on WhatsApp, and their pictures."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from actors.messages.phones import BadPhone, parse_phone
from api import problems as p
from api.chats import CALL_PROBLEMS, recipient_in_path
from api.fields import EXAMPLE_JID, Body, Query
from api.routing import Answer, Call, Routes

routes = Routes("Contacts", "Check numbers, look up pictures.")

PHONES_MAX = 1_000


class CheckNumbers(Body):
    """Phone numbers to check."""

    phones: list[str] = Field(
        min_length=1,
        max_length=PHONES_MAX,
        description="With their country codes, in any usual form",
        examples=[["+55 11 91234-5678"]],
    )


class CheckedNumber(BaseModel):
    """What WhatsApp says of a number."""

    query: str = Field(description="The number as it was asked for")
    phone: str = Field(description="E.164")
    registered: bool = Field(description="It is on WhatsApp")
    jid: str | None = Field(None, examples=[EXAMPLE_JID])
    lid: str | None = Field(None, description="Its other identity, if known")


class CheckedNumbers(BaseModel):
    """In the order of the request."""

    results: list[CheckedNumber]


class PictureSize(Query):
    """Which picture."""

    preview: bool = Field(False, description="The small one")


class Picture(BaseModel):
    """Where a profile picture can be fetched."""

    url: str | None = Field(None, description="Short-lived; null: there is none, or it may not be seen")
    id: str | None = Field(None, description="Changes with the picture")
    absence: Literal["not_set", "hidden"] | None = Field(None, description="Why there is none")


@routes.add(
    "POST",
    "/v1/instances/{instance_id}/contacts/check",
    "Check phone numbers",
    (200, Answer("Which are on WhatsApp", CheckedNumbers)),
    body=CheckNumbers,
    examples={"two numbers": {"phones": ["+55 11 91234-5678", "+1 415 555 2671"]}},
    problems=CALL_PROBLEMS,
)
async def check(call: Call[CheckNumbers, None]) -> CheckedNumbers:
    """Ask sparingly: WhatsApp restricts accounts that check many numbers."""
    asked = call.body.phones
    most = call.services.settings.gateway.check_max
    if len(asked) > most:
        raise p.invalid(f"check at most {most} numbers at a time", pointer="#/phones")
    phones = _phones(asked)
    entries = await call.services.calls.check_numbers(call.instance_id, list(dict.fromkeys(phones)))
    found = {_digits(str(entry["query"])): entry for entry in entries}
    return CheckedNumbers(
        results=[
            _checked(query, phone, found.get(_digits(phone), {}))
            for query, phone in zip(asked, phones, strict=True)
        ]
    )


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/contacts/{who}/picture",
    "Look up a profile picture",
    (200, Answer("Where it can be fetched", Picture)),
    query=PictureSize,
    problems=CALL_PROBLEMS,
)
async def picture(call: Call[None, PictureSize]) -> Picture:
    """`who` is a phone number, or the id of a chat or group. A missing picture is no error."""
    who = recipient_in_path(call.path("who"), "who")
    found = await call.services.calls.picture(call.instance_id, who, call.query.preview)
    absence = str(found.get("absence") or "").lower()
    return Picture(
        url=found.get("url") or None,
        id=found.get("id") or None,
        absence="not_set" if absence == "not_set" else "hidden" if absence == "hidden" else None,
    )


def _phones(asked: list[str]) -> list[str]:
    phones: list[str] = []
    errors: list[p.FieldError] = []
    for index, text in enumerate(asked):
        try:
            phones.append(parse_phone(text))
        except BadPhone as error:
            errors.append(p.FieldError(detail=str(error), pointer=f"#/phones/{index}"))
    if errors:
        raise p.Problem(p.INVALID, f"{len(errors)} of {len(asked)} are no phone numbers.", errors=errors)
    return phones


def _checked(query: str, phone: str, entry: dict[str, object]) -> CheckedNumber:
    jid, lid = entry.get("jid"), entry.get("lid")
    return CheckedNumber(
        query=query,
        phone=str(entry.get("phone") or phone),
        registered=bool(entry.get("registered")),
        jid=str(jid) if jid else None,
        lid=str(lid) if lid else None,
    )


def _digits(text: str) -> str:
    return "".join(character for character in text.partition("@")[0] if character.isdecimal())
