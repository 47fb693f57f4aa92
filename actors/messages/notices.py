"""What happens besides messages: to groups, and calls."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from actors.events import Party


class GroupChanges(BaseModel):
    """What changed in a group: only the members that did are there."""

    model_config = ConfigDict(frozen=True)

    name: str | None = None
    topic: str | None = Field(None, description="Empty: there is none any more")
    picture: str | None = Field(None, description="Id of the new picture; empty: there is none any more")
    locked: bool | None = Field(None, description="Only admins may change name, topic and picture")
    announce: bool | None = Field(None, description="Only admins may write")
    members_add: bool | None = Field(None, description="Every member may add others, else only admins")
    join_approval: bool | None = Field(None, description="Admins decide who joins")
    expires_in: int | None = Field(None, description="Messages disappear after so many seconds; 0: they stay")
    invite_link: str | None = None
    joined: tuple[Party, ...] | None = None
    join_reason: str | None = Field(None, description="`invite`: by the link")
    requested: tuple[Party, ...] | None = Field(None, description="They ask to be let in; only admins hear")
    left: tuple[Party, ...] | None = Field(None, description="They left or were removed")
    promoted: tuple[Party, ...] | None = Field(None, description="They are admins now")
    demoted: tuple[Party, ...] | None = Field(None, description="They are admins no more")
    deleted: bool | None = None
    suspended: bool | None = None


class ContactChanges(BaseModel):
    """What changed of a person: only the members that did are there. Empty: there is none any more."""

    model_config = ConfigDict(frozen=True)

    name: str | None = Field(None, description="The name the person chose (push name)")
    about: str | None = None
    picture_id: str | None = Field(None, description="Id of the new picture")
    verified_name: str | None = Field(None, description="Of a business")


class GroupMember(Party):
    """A member of a group."""

    admin: bool = False
    owner: bool = False


class JoinedGroup(BaseModel):
    """A group that this account came into."""

    model_config = ConfigDict(frozen=True)

    name: str
    topic: str | None = None
    new: bool = Field(description="It was just created")
    reason: str | None = Field(None, description="`invite`: by the link")
    members: tuple[GroupMember, ...] = ()


class ChatChanges(BaseModel):
    """What changed in a chat on all devices of the account: only the members that did are there."""

    model_config = ConfigDict(frozen=True)

    archived: bool | None = None
    pinned: bool | None = None
    muted: bool | None = None
    muted_until: str | None = Field(None, description="RFC 3339; `muted` true without this: for ever")
    read: bool | None = Field(None, description="False: it was marked as unread")


class NewsletterChanges(BaseModel):
    """What changed between the account and a newsletter: only the members that did are there."""

    model_config = ConfigDict(frozen=True)

    followed: bool | None = None
    muted: bool | None = None


class CallNotice(BaseModel):
    """A call to this account. It can be rejected, not answered."""

    model_config = ConfigDict(frozen=True)

    id: str
    status: Literal["ringing", "accepted", "rejected", "ended"]
    caller: Party | None = None
    group: bool = False
    video: bool | None = Field(None, description="Null: not told")
    platform: str | None = Field(None, description="Of the caller")
    reason: str | None = Field(None, description="Why it ended, in WhatsApp's words")
