"""Why an engine did not send a message, in words that say what to do."""

from __future__ import annotations

from dataclasses import dataclass

from actors.instance.connection.base import ConnectionError
from actors.messages.recipients import is_group

FINAL = frozenset({"not_on_whatsapp", "bad_request", "unsupported"})
"""Errors that another attempt would meet again."""

NOT_AN_ATTEMPT = frozenset(
    {"not_connected", "not_open", "not_paired", "engine_gone", "parked", "store_failed"}
)
"""Errors of the connection, not of the message: it waits, however often."""

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
    return Refusal(code, error.message, server, final=code in FINAL)
