"""Standard Webhooks signatures (symmetric, ``v1``): HMAC-SHA256 over id, timestamp and body."""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence
from functools import lru_cache

PREFIX = "whsec_"
LEAST, MOST = 24, 64
"""Bytes that a secret may have, by the standard."""


def new_secret() -> str:
    """A fresh secret of 32 random bytes, as in ``whsec_…``."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_key(secret: str) -> bytes:
    """The bytes of a secret.

    Raises:
        ValueError: it is not ``whsec_`` and base64 of 24 to 64 bytes.
    """
    if not secret.startswith(PREFIX):
        raise ValueError(f"a secret is {PREFIX} and then {LEAST} to {MOST} bytes as base64")
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError as error:
        raise ValueError(f"what follows {PREFIX} is not base64") from error
    if not LEAST <= len(key) <= MOST:
        raise ValueError(f"a secret has {LEAST} to {MOST} bytes, this one {len(key)}")
    return key


def sign(secrets_: Sequence[str], event_id: str, timestamp: int, body: bytes) -> str:
    """The value of the ``webhook-signature`` header: one signature per secret, space-separated.

    Args:
        secrets_: every secret that is active, the current one first.
        event_id: value of the ``webhook-id`` header.
        timestamp: seconds since 1970, value of the ``webhook-timestamp`` header.
        body: exactly the bytes that are sent.
    """
    content = b"%s.%d." % (event_id.encode(), timestamp) + body
    return " ".join([_signature(secret, content) for secret in secrets_])


def _signature(secret: str, content: bytes) -> str:
    keyed = _keyed(secret).copy()
    keyed.update(content)
    return "v1," + base64.b64encode(keyed.digest()).decode()


@lru_cache(maxsize=4096)
def _keyed(secret: str) -> hmac.HMAC:
    """To be copied: to take in a key costs more than to sign an event with it."""
    return hmac.new(secret_key(secret), digestmod="sha256")
