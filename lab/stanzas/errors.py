"""How a query is answered with an error."""

from __future__ import annotations


class StanzaError(Exception):
    """A query that the network does not serve.

    Args:
        code: WhatsApp's number, akin to HTTP's.
        text: WhatsApp's word for it.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text


def bad_request() -> StanzaError:
    """The query lacks something."""
    return StanzaError(400, "bad-request")


def forbidden() -> StanzaError:
    """Who asks may not."""
    return StanzaError(403, "forbidden")


def not_acceptable() -> StanzaError:
    """What is given is too long, or no such thing at all."""
    return StanzaError(406, "not-acceptable")


def not_found() -> StanzaError:
    """What the query asks for does not exist."""
    return StanzaError(404, "item-not-found")
