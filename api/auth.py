"""Who asks: the admin key opens everything, an instance's token only what is the instance's."""

from __future__ import annotations

import asyncio
import hmac
from dataclasses import dataclass
from enum import Enum

from aiohttp import web

from actors.registry import hash_token
from actors.settings.values import KEY_LENGTH_MAX
from api.problems import FORBIDDEN, RATE_LIMITED, UNAUTHORISED, Problem, not_found
from api.services import Services


class Access(Enum):
    """Who may use a route."""

    PUBLIC = "public"
    ADMIN = "admin"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a key belongs to: an administrator, or one instance."""

    key: str
    instance_id: str | None

    @property
    def admin(self) -> bool:
        """True if everything is open to it."""
        return self.instance_id is None


async def authenticate(request: web.Request, services: Services) -> Caller:
    """Who sent this request.

    Raises:
        Problem: no key, a wrong one, or one that asks too often.
    """
    key = presented_key(request)
    if key is None:
        _count(services, f"nobody:{request.remote}")
        raise _unauthorised("No key was sent.")
    # The bucket comes before the look-up, so that not even a wrong key can be tried without bound.
    _count(services, f"key:{hash_token(key)}")
    caller = await identify(key, services)
    if caller is None:
        _count(services, f"nobody:{request.remote}")
        raise _unauthorised("The key is not valid, or no longer.")
    return caller


async def identify(key: str, services: Services) -> Caller | None:
    """Who a key belongs to right now, None if to nobody. Keys are compared by their hashes only."""
    if services.admin_hash is not None and hmac.compare_digest(hash_token(key), services.admin_hash):
        return Caller(key, None)
    who = await services.registry.who(key)
    if who is None:
        return None
    return Caller(key, None if who == "*" else who)


def authorise(caller: Caller, access: Access, instance_id: str) -> None:
    """Check that a caller may use a route.

    Raises:
        Problem: it may not. Another's instance is answered like one that does not exist.
    """
    if caller.admin or access is Access.PUBLIC:
        return
    if access is Access.ADMIN:
        raise Problem(FORBIDDEN, "An instance's token does not open this; use the admin key.")
    if caller.instance_id != instance_id:
        raise not_found("such instance")


def presented_key(request: web.Request) -> str | None:
    """The key a request carries, None if it has none that could be one."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    key = credentials.strip() if scheme.lower() == "bearer" else request.headers.get("apikey", "").strip()
    return key if 0 < len(key) <= KEY_LENGTH_MAX else None


def _count(services: Services, bucket: str) -> None:
    wait = services.limit.take(bucket, asyncio.get_running_loop().time())
    if wait:
        gateway = services.settings.gateway
        raise Problem(
            RATE_LIMITED,
            f"A key may send {gateway.rate} requests per second, and {gateway.burst} at once after a pause.",
            headers={"Retry-After": str(max(1, round(wait + 0.5)))},
        )


def _unauthorised(detail: str) -> Problem:
    return Problem(
        UNAUTHORISED,
        f"{detail} Send the admin key or the instance's token as `Authorization: Bearer <key>`.",
        headers={"WWW-Authenticate": "Bearer"},
    )
