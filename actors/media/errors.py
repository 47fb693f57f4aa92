"""What can be wrong with a file, and what to do about it."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Stable names of what went wrong."""

    EMPTY = "media_empty"
    TOO_LARGE = "media_too_large"
    WRONG_TYPE = "media_wrong_type"
    MISMATCH = "media_mismatch"
    UNREADABLE = "media_unreadable"
    TOO_COMPLEX = "media_too_complex"
    BASE64 = "media_base64_invalid"
    URL = "media_url_invalid"
    FORBIDDEN = "media_url_forbidden"
    UNREACHABLE = "media_url_unreachable"
    STATUS = "media_url_refused"
    REDIRECTS = "media_url_redirects"
    SLOW = "media_url_slow"
    BROKEN = "media_url_broken"
    NOT_FOUND = "media_not_found"
    LINK_INVALID = "media_link_invalid"
    LINK_EXPIRED = "media_link_expired"
    BUSY = "media_busy"
    STORE = "media_store_failed"


STATUS = {
    Code.TOO_LARGE: 413,
    Code.WRONG_TYPE: 415,
    Code.MISMATCH: 415,
    Code.NOT_FOUND: 404,
    Code.LINK_INVALID: 403,
    Code.LINK_EXPIRED: 410,
    Code.BUSY: 503,
    Code.STORE: 503,
}
"""HTTP statuses that fit; 422 for all others."""


class MediaError(Exception):
    """A file that cannot be taken, converted, kept or found.

    Args:
        code: which of the ways.
        message: what happened and what to do, for the customer: nothing about this machine in it.
        again: the same may go well a little later.
    """

    def __init__(self, code: Code, message: str, *, again: bool = False) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.again = again

    @property
    def status(self) -> int:
        """The HTTP status that fits."""
        return STATUS.get(self.code, 422)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


def too_large(cap: int, what: str = "the file") -> MediaError:
    """The error for what has more than `cap` bytes."""
    return MediaError(
        Code.TOO_LARGE, f"{what} is larger than {_size(cap)}, the most that is taken: shrink it"
    )


def _size(count: int) -> str:
    for unit, name in ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
        if count >= unit:
            return f"{count / unit:.4g} {name}"
    return f"{count} bytes"
