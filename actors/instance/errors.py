"""What a call to an instance can fail with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from actors.store import StaleEpoch, StoreUnavailable


class CallFailed(Exception):
    """An instance could not do what it was asked.

    Args:
        code: a code of ``engine.proto`` (message Error), or ``not_paired``, ``already_paired``,
            ``not_connected``, ``busy``, ``timeout``, or one of `actors.instance.refusals`.
        message: for people.
        server_code: WhatsApp's own code, 0 if none.
    """

    def __init__(self, code: str, message: str, server_code: int = 0) -> None:
        super().__init__(code, message, server_code)
        self.code = code
        self.message = message
        self.server_code = server_code

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


@contextmanager
def store_failures() -> Iterator[None]:
    """Turns what the store raises into what a call fails with.

    Raises:
        CallFailed: ``store_failed`` if Redis is away, ``store_locked`` if the instance has another owner.
    """
    try:
        yield
    except StoreUnavailable as error:
        raise CallFailed("store_failed", str(error)) from None
    except StaleEpoch:
        raise CallFailed("store_locked", "the instance has been moved") from None
