"""What may be the URL of an endpoint: its form. The address it leads to is judged when connecting."""

from __future__ import annotations

from yarl import URL

URL_MAX = 2048


def check_url(text: str) -> str:
    """The URL, unchanged.

    Raises:
        ValueError: it cannot be one of an endpoint; says why.
    """
    if len(text) > URL_MAX:
        raise ValueError(f"the URL is longer than {URL_MAX} characters")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("the URL contains a blank or a control character")
    try:
        url = URL(text)
        port = url.port
    except ValueError as error:
        raise ValueError(f"not a URL: {error}") from error
    if url.scheme not in ("http", "https"):
        raise ValueError("the URL must begin with https:// or http://")
    if not url.host:
        raise ValueError("the URL has no host")
    if port is None or not 0 < port < 65536:
        raise ValueError("the URL's port must be between 1 and 65535")
    if url.user is not None or url.password is not None:
        raise ValueError("the URL must not contain a user or password: use a header for credentials")
    if url.fragment:
        raise ValueError("the URL must not contain a fragment (#…): it is never sent")
    return text
