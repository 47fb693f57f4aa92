"""Why an engine did not send a message or answer a query, in words that say what to do."""

from __future__ import annotations

from dataclasses import dataclass

from actors.instance.connection.base import ConnectionError
from actors.instance.errors import CallFailed
from actors.messages.recipients import is_group, is_newsletter

FINAL = frozenset({"not_on_whatsapp", "bad_request", "unsupported", "poll_unknown"})
"""Errors that another attempt would meet again."""

NOT_AN_ATTEMPT = frozenset(
    {"not_connected", "not_open", "not_paired", "engine_gone", "parked", "store_failed"}
)
"""Errors of the connection, not of the message: it waits, however often."""

UNREACHABLE = "media_unreachable"
"""WhatsApp's servers for files cannot be reached, while the connection stands: that may last."""

RATE_LIMITED = "rate_limited"
"""WhatsApp wants less of the account, whatever this message is."""

NO_SUCH_GROUP = frozenset({403, 404})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An attempt that failed.

    Args:
        final: another attempt would meet the same.
    """

    code: str
    message: str
    server_code: int = 0
    final: bool = False


def refusal_of(error: ConnectionError | TimeoutError, to: str) -> Refusal:
    """What an attempt failed with.

    Args:
        to: where the message should have gone, a JID.
    """
    if not isinstance(error, ConnectionError):
        return Refusal("timeout", "WhatsApp did not answer in time")
    code, server = error.code, error.server_code
    if code == "not_on_whatsapp":
        text = "Nobody on WhatsApp has this number. See that it is right; `contacts/check` tells beforehand"
        return Refusal(code, text, server, final=True)
    if code == "rejected" and server in NO_SUCH_GROUP and is_group(to):
        text = "This account is in no such group: give the id of a group that it is in, as events have it"
        return Refusal("group_unknown", text, server, final=True)
    if code == "rejected" and server in NO_SUCH_GROUP and is_newsletter(to):
        text = "Only who owns a newsletter can write in it, and WhatsApp has to know it"
        return Refusal("newsletter_forbidden", text, server, final=True)
    return Refusal(code, error.message, server, final=code in FINAL)


def call_failure(error: ConnectionError) -> CallFailed:
    """What a call fails with when WhatsApp, or the engine, refused a query."""
    if error.code == "not_on_whatsapp":
        text = "Nobody on WhatsApp has this number. See that it is right; `contacts/check` tells beforehand"
        return CallFailed(error.code, text, error.server_code)
    return CallFailed(error.code, error.message, error.server_code)


def group_failure(failure: CallFailed) -> CallFailed:
    """The same of a query about a group, with what WhatsApp's code means there."""
    code = _OF_GROUPS.get(failure.server_code) if failure.code == "rejected" else None
    if code is None:
        return failure
    return CallFailed(code[0], code[1], failure.server_code)


def invite_failure(failure: CallFailed) -> CallFailed:
    """The same of a query about the link to a group."""
    code = _OF_INVITES.get(failure.server_code) if failure.code == "rejected" else None
    if code is None:
        return failure
    return CallFailed(code[0], code[1], failure.server_code)


_MAY_NOT = "WhatsApp does not let this account do that in the group"
_OF_GROUPS = {
    401: ("group_forbidden", _MAY_NOT),
    403: ("group_forbidden", _MAY_NOT),
    404: ("group_unknown", "WhatsApp knows no group with this id"),
}
_OF_INVITES = {
    403: ("group_forbidden", "WhatsApp does not let this account join: it may have been removed before"),
    404: ("invite_invalid", "WhatsApp knows no group with this link"),
    406: ("invite_invalid", "WhatsApp knows no group with this link"),
    410: ("invite_invalid", "The link was reset"),
    419: ("rejected", "The group is full"),
}
