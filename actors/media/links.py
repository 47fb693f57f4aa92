"""Links to files: signed, so that nobody can make one up, and good for a time only. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence

from actors.media.errors import Code, MediaError

LATEST = 253_402_300_799
"""The end of the year 9999, in seconds since 1970."""


def link_key(secret: str) -> bytes:
    """The key that signs links, from a secret that may have other uses too."""
    return hmac.digest(secret.encode(), b"malote media links", hashlib.sha256)


def sign_link(keys: Sequence[bytes], instance_id: str, media_id: str, expires: int) -> dict[str, str]:
    """What a link to a file has in its query: ``expires`` and ``signature``.

    Args:
        keys: the first one signs.
        expires: seconds since 1970, the last second in which the link is good.
    """
    return {
        "expires": str(expires),
        "signature": _signature(keys[0], instance_id, media_id, str(expires)),
    }


def check_link(
    keys: Sequence[bytes], instance_id: str, media_id: str, *, expires: str, signature: str, now: float
) -> None:
    """Let a link pass that one of the keys signed and whose time is not over.

    Args:
        keys: all that are accepted: the current one, and those it replaced while links of theirs are out.
        expires, signature: as in the query.
        now: seconds since 1970.

    Raises:
        MediaError: LINK_INVALID or LINK_EXPIRED.
    """
    given = signature.encode("utf-8", "replace")
    good = [
        hmac.compare_digest(_signature(key, instance_id, media_id, expires).encode(), given) for key in keys
    ]
    # Only what is signed is looked at more closely: nobody learns from the error when a file was sent.
    if not any(good):
        raise MediaError(
            Code.LINK_INVALID, "the link is not one of ours, or was changed: use it exactly as it was given"
        )
    if now > int(expires):
        raise MediaError(
            Code.LINK_EXPIRED,
            "the link's time is over: ask for the file by its id, with your key, for a new one",
        )


def expiry(now: float, lifetime: int) -> int:
    """When a link made now stops being good, in seconds since 1970."""
    return min(int(now) + lifetime, LATEST)


def _signature(key: bytes, instance_id: str, media_id: str, expires: str) -> str:
    # No id has a line break in it, so that two links never have the same text.
    text = "\n".join(("v1", instance_id, media_id, expires))
    digest = hmac.digest(key, text.encode("utf-8", "replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
