"""What is kept of a person or a group, and how long it is good for. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from actors.settings import ContactSettings


class Kind(StrEnum):
    """What is kept apart, because it is learned and grows old apart."""

    NAME = "name"
    """The name that a person chose, or a group's subject. Never asked for: it comes with messages."""
    PERSON = "person"
    """What a person shows: about text, id of the picture, verified name."""
    PICTURE = "picture"
    """Where the picture of a person or group can be fetched."""
    PREVIEW = "preview"
    """The same of the small one."""
    GROUP = "group"
    """A group's subject and topic."""


class Age(StrEnum):
    """How far what is kept can be relied on."""

    FRESH = "fresh"
    STALE = "stale"
    """Told all the same, and asked for again meanwhile."""
    GONE = "gone"


class Fact(BaseModel):
    """What WhatsApp said.

    Args:
        data: its answer; None: there is nothing, which is worth knowing too.
        at: seconds since 1970 when it said so.
        why: the code of the refusal, if there is nothing.
    """

    model_config = ConfigDict(frozen=True)

    data: dict[str, Any] | None
    at: float
    why: str = ""


def age_of(fact: Fact | None, kind: Kind, settings: ContactSettings, now: float) -> Age:
    """How old what is kept is.

    Args:
        now: seconds since 1970. A clock that was set back makes nothing older than it is.
    """
    if fact is None:
        return Age.GONE
    passed = max(0.0, now - fact.at)
    if passed < _good_for(fact, kind, settings):
        return Age.FRESH
    return Age.STALE if passed < _lasts(kind, settings) else Age.GONE


def _lasts(kind: Kind, settings: ContactSettings) -> float:
    return min(settings.keep, LINK_LASTS) if kind in (Kind.PICTURE, Kind.PREVIEW) else settings.keep


def _good_for(fact: Fact, kind: Kind, settings: ContactSettings) -> float:
    if kind is Kind.NAME:
        return settings.keep
    if fact.data is None:
        return settings.ttl_absent
    return {
        Kind.PERSON: settings.ttl_person,
        Kind.GROUP: settings.ttl_group,
        Kind.PICTURE: settings.ttl_picture,
        Kind.PREVIEW: settings.ttl_picture,
    }[kind]


def absence_of(fact: Fact) -> str:
    """Why there is no picture: ``not_set`` or ``hidden``."""
    return fact.why if fact.why == "not_set" else "hidden"


LINK_LASTS = 86_400.0
"""Seconds for which a link to a picture is told at most: WhatsApp's are good for some days, not for ever."""

SHOWN: dict[Kind, tuple[str, ...]] = {
    Kind.PERSON: ("about", "picture_id", "verified_name"),
    Kind.GROUP: ("name", "topic"),
}
"""What of an answer is a change of the contact if it differs from the answer before."""


def changes(before: Fact | None, after: Fact, kind: Kind) -> dict[str, str]:
    """What changed between two answers, as events tell it: empty where there is nothing any more.

    Nothing is a change that was not known before, or is not known now: hidden is not removed.
    """
    if before is None or before.data is None or after.data is None:
        return {}
    return {
        name: after.data.get(name) or ""
        for name in SHOWN.get(kind, ())
        if (after.data.get(name) or "") != (before.data.get(name) or "")
    }
