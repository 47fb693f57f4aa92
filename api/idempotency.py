"""The header by which a request can be repeated without being done twice."""

from __future__ import annotations

from typing import Any

from api import problems as p
from api.routing import Call

KEY = "Idempotency-Key"
KEY_MAX = 255
REPLAYED = {"Idempotency-Replayed": "true"}
"""Headers of an answer to a request that was done before."""


def key_of(call: Call[Any, Any]) -> str | None:
    """The key of a request, None if it has none.

    Raises:
        Problem: it is none that can be used.
    """
    key = call.request.headers.get(KEY)
    if key is None:
        return None
    if not 0 < len(key) <= KEY_MAX:
        raise p.invalid(f"use 1 to {KEY_MAX} characters", parameter=KEY)
    try:
        key.encode()
    except UnicodeEncodeError:
        raise p.invalid("use ASCII characters, or UTF-8", parameter=KEY) from None
    return key
