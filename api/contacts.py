"""Contacts: who is known, who is on WhatsApp, what they show of themselves."""

from __future__ import annotations

from bisect import bisect_right
from typing import Literal

from pydantic import BaseModel, Field

from actors.instance.contacts.cache import ContactCache
from actors.instance.contacts.facts import SHOWN, Kind
from actors.messages.phones import BadPhone, parse_phone
from api import problems as p
from api.chats import CALL_PROBLEMS, person_in_path, recipient_in_path
from api.fields import EXAMPLE_JID, EXAMPLE_TIME, Body, Query
from api.instances import page_limit
from api.routing import Answer, Call, Routes

routes = Routes("Contacts", "List who is known, check numbers, look up people and pictures.")

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


class Known(BaseModel):
    """Somebody whom the instance has written with, or met."""

    id: str = Field(description="Id of the chat with them, as events have it", examples=[EXAMPLE_JID])
    phone: str | None = Field(None, description="E.164, if known")
    lid: str | None = Field(None, description="Their other identity, if known")
    name: str | None = Field(None, description="The name they chose, if it came with a message of late")
    about: str | None = Field(None, description="As it was when WhatsApp was asked last")
    picture_id: str | None = Field(None, description="As it was when WhatsApp was asked last")
    verified_name: str | None = Field(None, description="Of a business")


class KnownPage(BaseModel):
    """People, by their ids."""

    items: list[Known]
    next: str | None = Field(None, description="Value of `after` for the next page; null: this is the last")


class KnownListing(Query):
    """A page of people."""

    after: str | None = Field(None, max_length=100, description="`next` of the page before")
    limit: int | None = Field(None, ge=1, description="Entries of a page")


class Freshness(Query):
    """How new it has to be."""

    refresh: bool = Field(False, description="Ask WhatsApp now, whatever is known")


class Contact(BaseModel):
    """What a person shows of themselves."""

    name: str | None = Field(None, description="The name they chose, if it came with a message of late")
    known_at: str | None = Field(None, description="When WhatsApp said so", examples=[EXAMPLE_TIME])
    phone: str | None = Field(None, description="E.164, if known")
    lid: str | None = None
    about: str | None = Field(None, description="null: none, or it may not be seen")
    picture_id: str | None = Field(None, description="Changes with the picture")
    verified_name: str | None = Field(None, description="Of a business")


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/contacts",
    "List known people",
    (200, Answer("A page of people", KnownPage)),
    query=KnownListing,
)
async def list_known(call: Call[None, KnownListing]) -> KnownPage:
    """Everybody of whom there was an event, or to whom a message was sent; not the phone's address book."""
    limit = page_limit(call.services, call.query.limit)
    aliases = await call.services.mailbox(call.instance_id).chats()
    ids = sorted(set(aliases.values()))
    if call.query.after is not None:
        ids = ids[bisect_right(ids, call.query.after) :]
    page = {id_: Known(id=id_) for id_ in ids[:limit]}
    for alias, id_ in aliases.items():
        user, _, server = alias.partition("@")
        if (known := page.get(id_)) is not None:
            page[id_] = known.model_copy(update={"lid": alias} if server == "lid" else {"phone": f"+{user}"})
    await _describe(call.services.contacts(call.instance_id), page)
    return KnownPage(items=list(page.values()), next=ids[limit - 1] if len(ids) > limit else None)


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
    "/v1/instances/{instance_id}/contacts/{who}",
    "Look up a person",
    (200, Answer("What they show of themselves", Contact)),
    query=Freshness,
    problems=(*CALL_PROBLEMS, p.RATE_LIMITED),
)
async def show(call: Call[None, Freshness]) -> Contact:
    """`who` is a phone number, or a JID. Names are chosen by people: they come with their messages.

    What WhatsApp said of late is told at once; what is older is told too, and asked for again meanwhile.
    """
    who = person_in_path(call.path("who"), "who")
    how = (True,) if call.query.refresh else ()
    return Contact.model_validate(await call.services.calls.ask(call.instance_id, "people", "get", who, *how))


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/contacts/{who}/picture",
    "Look up a profile picture",
    (200, Answer("Where it can be fetched", Picture)),
    query=PictureSize,
    problems=(*CALL_PROBLEMS, p.RATE_LIMITED),
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


@routes.add(
    "PUT",
    "/v1/instances/{instance_id}/contacts/{who}/presence",
    "Follow a person's presence",
    (204, Answer("`contact.presence` tells when they come online, and when they leave")),
    problems=(*CALL_PROBLEMS, p.LIMIT_REACHED),
)
async def follow_presence(call: Call[None, None]) -> None:
    """`who` is a phone number, or a JID. Again is harmless.

    WhatsApp tells it only while the instance's `show_online` is true, and only as that person allows.
    """
    who = person_in_path(call.path("who"), "who")
    await call.services.calls.ask(call.instance_id, "presence", "watch", who, True)


@routes.add(
    "DELETE",
    "/v1/instances/{instance_id}/contacts/{who}/presence",
    "Unfollow a person's presence",
    (204, Answer("It is told no longer, from the next connection on")),
    problems=CALL_PROBLEMS,
)
async def unfollow_presence(call: Call[None, None]) -> None:
    """Again is harmless."""
    who = person_in_path(call.path("who"), "who")
    await call.services.calls.ask(call.instance_id, "presence", "watch", who, False)


async def _describe(kept: ContactCache, page: dict[str, Known]) -> None:
    """Add what is kept of these people; nobody is asked."""
    names = await kept.read([(Kind.NAME, id_) for id_ in page])
    shown = await kept.read([(Kind.PERSON, id_) for id_ in page])
    for id_, name, person in zip(page, names, shown, strict=True):
        data = (person.data if person else None) or {}
        told = {field: data.get(field) for field in SHOWN[Kind.PERSON]}
        page[id_] = page[id_].model_copy(
            update=told | {"name": name.data["name"] if name and name.data else None}
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
