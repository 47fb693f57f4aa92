"""Types of fields that several resources have."""

from __future__ import annotations

import base64
import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from actors.messages.phones import parse_phone
from actors.messages.recipients import parse_person, parse_recipient

EXAMPLE_INSTANCE = "inst_5f0c2a9e4b7d4c18a2e6"
EXAMPLE_TIME = "2026-01-31T12:00:00Z"
EXAMPLE_JID = "5511912345678@s.whatsapp.net"
EXAMPLE_GROUP = "120363000000000000@g.us"
EXAMPLE_NEWSLETTER = "120363000000000001@newsletter"
EXAMPLE_NODE = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15"


class Body(BaseModel):
    """What a request carries: unknown members are errors, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Query(BaseModel):
    """Query parameters: unknown ones are errors, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


def _parse_time(value: Any) -> datetime:
    # Pydantic would also take seconds since 1970, as a number or in digits.
    try:
        if isinstance(value, str) and RFC_3339.fullmatch(value):
            return datetime.fromisoformat(value.upper())
    except ValueError:
        pass
    raise ValueError(f"write a time with its offset from UTC, as in {EXAMPLE_TIME}")


Time = Annotated[AwareDatetime, BeforeValidator(_parse_time), Field(examples=[EXAMPLE_TIME])]


def _no_boolean(value: Any) -> Any:
    # Python takes false for 0.
    if isinstance(value, bool):
        raise ValueError("a number of seconds")
    return value


Timer = Annotated[Literal[0, 86_400, 604_800, 7_776_000], BeforeValidator(_no_boolean)]
"""Seconds after which messages disappear; 0: they stay."""

Phone = Annotated[
    str,
    AfterValidator(parse_phone),
    Field(
        description="With its country code, in any usual form",
        examples=["+55 11 91234-5678"],
        min_length=1,
        max_length=100,
    ),
]

Recipient = Annotated[
    str,
    AfterValidator(parse_recipient),
    Field(
        description="A phone number with its country code in any usual form, or a chat's id from an event",
        examples=["+55 11 91234-5678", EXAMPLE_JID],
        min_length=1,
        max_length=200,
    ),
]

Person = Annotated[
    str,
    AfterValidator(parse_person),
    Field(
        description="A phone number with its country code in any usual form, or a JID",
        examples=["+55 11 91234-5678", EXAMPLE_JID],
        min_length=1,
        max_length=200,
    ),
]


def _jpeg(text: str) -> str:
    try:
        image = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("not base64") from error
    if not image.startswith(JPEG_START):
        raise ValueError("not a JPEG: WhatsApp takes no other pictures here")
    return text


JPEG_START = b"\xff\xd8\xff"

Jpeg = Annotated[
    str,
    AfterValidator(_jpeg),
    Field(description="A JPEG as base64; phones show a square, and need no more than 640 pixels a side"),
]


class NewPicture(Body):
    """A picture of a group, or of the account."""

    base64: Jpeg


EXAMPLE_PICTURE = {"base64": "/9j/4AAQSkZJRgABAQEASABIAAD/2Q=="}
