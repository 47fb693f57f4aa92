"""What a call to an instance can fail with."""

from __future__ import annotations


class CallFailed(Exception):
    """An instance could not do what it was asked.

    Args:
        code: a code of ``engine.proto`` (message Error), or ``not_paired``, ``already_paired``,
            ``not_connected``, ``busy``, ``timeout``.
        message: for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
