"""Whom a message is for: a phone number, a chat's id or a JID, to the JID that WhatsApp knows."""

from __future__ import annotations

import re

from actors.messages.phones import BadPhone, parse_phone

USER_SERVER = "s.whatsapp.net"
STATUS = "status@broadcast"
PERSON = re.compile(r"([0-9]{5,20})(?:[.:][0-9]{1,5})*@(s\.whatsapp\.net|c\.us|lid)", re.ASCII)
NEWSLETTER = re.compile(r"[0-9]{5,25}@newsletter", re.ASCII)
GROUP = re.compile(r"[0-9]{5,25}(?:-[0-9]{5,15})?@g\.us", re.ASCII)


class BadRecipient(ValueError):
    """What was written is no recipient; says why."""


def parse_recipient(text: str) -> str:
    """Turn a recipient as a customer writes it into a JID without a device part.

    Args:
        text: a phone number in any usual form with its country code, a chat's id as events give it, or a JID.

    Returns:
        As in ``5511912345678@s.whatsapp.net``, ``123456789012345@lid`` or ``120363000000000000@g.us``.

    Raises:
        BadRecipient: it is none.
    """
    written = text.strip()
    if "@" not in written:
        try:
            return f"{parse_phone(written)[1:]}@{USER_SERVER}"
        except BadPhone as error:
            raise BadRecipient(str(error)) from error
    if person := PERSON.fullmatch(written):
        user, server = person.groups()
        return f"{user}@{USER_SERVER if server == 'c.us' else server}"
    if GROUP.fullmatch(written):
        return written
    raise BadRecipient(
        "Not a recipient: write a phone number, as in +5511912345678, or a chat's id as events give it, "
        "as in 5511912345678@s.whatsapp.net, 123456789012345@lid or 120363000000000000@g.us."
    )


def parse_person(text: str) -> str:
    """Turn a person as a customer writes one into a JID without a device part.

    Raises:
        BadRecipient: it is none, or a group.
    """
    jid = parse_recipient(text)
    if is_group(jid):
        raise BadRecipient("This is a group: name a person, by phone number or by JID.")
    return jid


def parse_destination(text: str) -> str:
    """Turn where a message goes into a JID: a recipient, a newsletter, or ``status`` for the own status.

    Raises:
        BadRecipient: it is neither.
    """
    written = text.strip()
    if NEWSLETTER.fullmatch(written):
        return written
    return STATUS if written.lower() in ("status", STATUS) else parse_recipient(text)


def is_newsletter(jid: str) -> bool:
    """True if the JID is a newsletter's."""
    return jid.endswith("@newsletter")


def is_group(jid: str) -> bool:
    """True if the JID is a group's."""
    return jid.endswith("@g.us")
