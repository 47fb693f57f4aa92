"""The account itself: what others see of it, and who sees what."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field, model_validator

from api import problems as p
from api.chats import CALL_PROBLEMS
from api.fields import EXAMPLE_PICTURE, Body, NewPicture
from api.routing import Answer, Call, Routes

routes = Routes("Account", "The account's profile and privacy.")

NAME_MAX, ABOUT_MAX = 25, 139
"""Characters; WhatsApp's own bounds."""

PROBLEMS = (*CALL_PROBLEMS, p.RATE_LIMITED)

WHATSAPPS = {
    "last_seen": "last_seen",
    "online": "online",
    "picture": "profile",
    "about": "status",
    "read_receipts": "read_receipts",
    "group_add": "group_add",
    "calls": "call_add",
    "messages": "messages",
}
"""Settings of privacy to the engine's names of them."""

Who = Literal["all", "contacts", "none"]


class Account(BaseModel):
    """The account as others see it."""

    phone: str = Field(description="E.164")
    lid: str | None = None
    name: str | None = Field(None, description="The name it shows")
    about: str | None = None
    picture_id: str | None = Field(None, description="Changes with the picture; null: there is none")


class ChangeAccount(Body):
    """What to change; what is not mentioned stays."""

    name: str | None = Field(None, min_length=1, max_length=NAME_MAX, description="The name that it shows")
    about: str | None = Field(
        None, max_length=ABOUT_MAX, description="The text about the account; empty: none"
    )

    @model_validator(mode="after")
    def _something(self) -> ChangeAccount:
        if self.name is None and self.about is None:
            raise ValueError("name what to change: name, about")
        return self


class Privacy(BaseModel):
    """Who sees and may do what. `all`, `contacts`, `none`, or another of WhatsApp's words; null: not told."""

    last_seen: str | None = Field(None, description="When the account was online last")
    online: str | None = Field(None, description="That it is online now")
    picture: str | None = None
    about: str | None = None
    read_receipts: str | None = Field(None, description="Whether senders see that a message was read")
    group_add: str | None = Field(None, description="Who may add the account to groups")
    calls: str | None = Field(None, description="Whose calls ring")
    messages: str | None = Field(None, description="Who may write")


class ChangePrivacy(Body):
    """What to change; what is not mentioned stays."""

    last_seen: Who | None = None
    online: Literal["all", "match_last_seen"] | None = None
    picture: Who | None = None
    about: Who | None = None
    read_receipts: Literal["all", "none"] | None = None
    group_add: Who | None = None
    calls: Literal["all", "known"] | None = None
    messages: Literal["all", "contacts"] | None = None

    @model_validator(mode="after")
    def _something(self) -> ChangePrivacy:
        if not self.changes:
            raise ValueError(f"name what to change: one of {', '.join(WHATSAPPS)}")
        return self

    @property
    def changes(self) -> dict[str, str]:
        """What is mentioned, by the engine's names."""
        return {WHATSAPPS[name]: value for name, value in self.model_dump(exclude_none=True).items()}


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/account",
    "Show the account",
    (200, Answer("The account as others see it", Account)),
    problems=PROBLEMS,
)
async def show(call: Call[None, None]) -> Account:
    """Where its picture can be fetched, `contacts/{phone}/picture` tells."""
    return Account.model_validate(await _ask(call, "get"))


@routes.add(
    "PATCH",
    "/v1/instances/{instance_id}/account",
    "Change the account",
    (204, Answer("It is changed")),
    body=ChangeAccount,
    examples={"name and about": {"name": "Padaria Souza", "about": "Open from 9 to 6"}},
    problems=(*PROBLEMS, p.NOT_READY),
)
async def change(call: Call[ChangeAccount, None]) -> None:
    """The name first. Others see it with the next message that they get."""
    if call.body.name is not None:
        await _ask(call, "set_name", call.body.name)
    if call.body.about is not None:
        await _ask(call, "set_about", call.body.about)


@routes.add(
    "PUT",
    "/v1/instances/{instance_id}/account/picture",
    "Change the account's picture",
    (204, Answer("It is changed")),
    body=NewPicture,
    examples={"a picture": EXAMPLE_PICTURE},
    problems=PROBLEMS,
)
async def set_picture(call: Call[NewPicture, None]) -> None:
    """Who may see it, its privacy says."""
    await _ask(call, "set_picture", call.body.base64)


@routes.add(
    "DELETE",
    "/v1/instances/{instance_id}/account/picture",
    "Remove the account's picture",
    (204, Answer("There is none any more")),
    problems=PROBLEMS,
)
async def remove_picture(call: Call[None, None]) -> None:
    """Again is harmless."""
    await _ask(call, "set_picture", "")


@routes.add(
    "GET",
    "/v1/instances/{instance_id}/account/privacy",
    "Show privacy",
    (200, Answer("Who sees and may do what", Privacy)),
    problems=PROBLEMS,
)
async def privacy(call: Call[None, None]) -> Privacy:
    """As set here, with the phone, or elsewhere."""
    return _shown(await _ask(call, "privacy"))


@routes.add(
    "PATCH",
    "/v1/instances/{instance_id}/account/privacy",
    "Change privacy",
    (200, Answer("Who sees and may do what now", Privacy)),
    body=ChangePrivacy,
    examples={"nobody adds it to groups": {"group_add": "none", "last_seen": "contacts"}},
    problems=PROBLEMS,
)
async def change_privacy(call: Call[ChangePrivacy, None]) -> Privacy:
    """One after the other. If one is refused, the detail names what changed before."""
    return _shown(await _ask(call, "set_privacy", call.body.changes))


async def _ask(call: Call[Any, Any], method: str, *args: Any) -> Any:
    return await call.services.calls.ask(call.instance_id, "account", method, *args)


def _shown(settings: dict[str, str]) -> Privacy:
    return Privacy.model_validate({name: settings.get(theirs) or None for name, theirs in WHATSAPPS.items()})
