"""Around every request: its id, its line in the log, its metrics, and its errors as problem documents."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler
from redis.exceptions import RedisError

from actors.courier.endpoints import DeadLetterUnknown, EndpointDisabled, EndpointUnknown
from actors.instance.errors import CallFailed
from actors.media.errors import MediaError
from actors.metrics import REQUEST_SECONDS, REQUESTS
from actors.registry import InstanceUnknown, RevisionConflict
from actors.store import StoreUnavailable
from api import problems as p
from api.calls import InstanceUnavailable, SupervisorRefused, SupervisorSilent, SupervisorUnavailable
from api.problems import Problem
from api.streams import CONTENT_TYPE as STREAM

log = logging.getLogger(__name__)
access = logging.getLogger("api.access")

REQUEST_ID = web.RequestKey("request_id", str)
ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

SECURITY_HEADERS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}

CALL_CODES = {
    "not_connected": p.NOT_CONNECTED,
    "not_open": p.NOT_CONNECTED,
    "parked": p.NOT_CONNECTED,
    "engine_gone": p.NOT_CONNECTED,
    "not_paired": p.NOT_PAIRED,
    "already_paired": p.ALREADY_PAIRED,
    "timeout": p.TIMED_OUT,
    "rate_limited": p.RATE_LIMITED,
    "busy": p.RATE_LIMITED,
    "bad_request": p.REJECTED,
    "not_on_whatsapp": p.REJECTED,
    "rejected": p.REJECTED,
    "group_unknown": p.GROUP_UNKNOWN,
    "group_forbidden": p.GROUP_FORBIDDEN,
    "invite_invalid": p.INVITE_INVALID,
    "idempotency_mismatch": p.IDEMPOTENCY_KEY_REUSED,
    "message_unknown": p.NOT_FOUND,
    "limit_reached": p.LIMIT_REACHED,
    "newsletter_unknown": p.NOT_FOUND,
    "newsletter_forbidden": p.NEWSLETTER_FORBIDDEN,
    "unsupported": p.UNSUPPORTED,
    "no_app_state_key": p.NOT_READY,
    "store_locked": p.INSTANCE_UNAVAILABLE,
    "store_failed": p.INSTANCE_UNAVAILABLE,
}
RETRY_AFTER = {
    p.INSTANCE_UNAVAILABLE: "2",
    p.SUPERVISOR_UNAVAILABLE: "2",
    p.RATE_LIMITED: "10",
    p.STORE_UNAVAILABLE: "2",
    p.MEDIA_UNAVAILABLE: "5",
}
MEDIA_STATUSES = {
    403: p.MEDIA_LINK_INVALID,
    404: p.NOT_FOUND,
    410: p.MEDIA_LINK_EXPIRED,
    413: p.MEDIA_TOO_LARGE,
    415: p.MEDIA_WRONG_TYPE,
    503: p.MEDIA_UNAVAILABLE,
}


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, answer errors as problems, count it and log it.

    Neither the path's parts nor the query are logged: they can hold phone numbers.
    """
    given = request.headers.get("X-Request-Id", "")
    request[REQUEST_ID] = request_id = given if ACCEPTABLE_ID.fullmatch(given) else secrets.token_hex(8)
    loop = asyncio.get_running_loop()
    started = loop.time()
    status = 499
    streamed = False
    try:
        try:
            response = await handler(request)
        except Exception as error:
            response = as_problem(error, request).response(request_id)
        status = response.status
        streamed = response.content_type == STREAM
        return response
    finally:
        route = template(request)
        seconds = loop.time() - started
        REQUESTS.labels(request.method if route != UNKNOWN_ROUTE else "", route, str(status)).inc()
        if not streamed:
            REQUEST_SECONDS.labels(request.method if route != UNKNOWN_ROUTE else "", route).observe(seconds)
        quiet = route in PROBES and status < 400
        access.log(
            logging.DEBUG if quiet else logging.INFO,
            "%s %s %d %.1f ms",
            request.method,
            route,
            status,
            seconds * 1000,
            extra={
                "request_id": request_id,
                "instance": request.match_info.get("instance_id"),
                "remote": request.remote,
            },
        )


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Headers that every response has, live streams too."""
    response.headers["X-Request-Id"] = request.get(REQUEST_ID, "")
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
UNKNOWN_ROUTE = "unknown"


def template(request: web.Request) -> str:
    """The path with its variable parts as names: bounded, and free of personal data."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else UNKNOWN_ROUTE


def as_problem(error: Exception, request: web.Request) -> Problem:
    """What a client is told about an error."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, CallFailed):
        return call_problem(error)
    if isinstance(error, MediaError):
        return media_problem(error)
    if isinstance(error, InstanceUnknown):
        return p.not_found("such instance")
    if isinstance(error, EndpointUnknown):
        return p.not_found("such webhook endpoint")
    if isinstance(error, EndpointDisabled):
        return Problem(
            p.NOT_READY,
            "The endpoint is disabled: nothing is posted to it. Enable it first, with PATCH and "
            '`{"enabled": true}`.',
        )
    if isinstance(error, DeadLetterUnknown):
        return p.not_found("such dead letter; it may have been replayed already")
    if isinstance(error, RevisionConflict):
        return Problem(p.CHANGED, "It was changed in between. Read it again, then repeat the change.")
    if isinstance(error, InstanceUnavailable):
        return _with_retry(p.INSTANCE_UNAVAILABLE, f"{error} Repeat the request after a moment.")
    if isinstance(error, SupervisorUnavailable):
        return _with_retry(p.SUPERVISOR_UNAVAILABLE, f"{error} Repeat the request after a moment.")
    if isinstance(error, SupervisorSilent):
        return Problem(p.TIMED_OUT, str(error))
    if isinstance(error, SupervisorRefused):
        return Problem(p.NOT_READY, str(error))
    if isinstance(error, (StoreUnavailable, RedisError)):
        log.error("store unavailable", extra={"error": str(error)})
        return _with_retry(p.STORE_UNAVAILABLE, "Redis does not answer. Repeat the request after a moment.")
    if isinstance(error, web.HTTPException):
        return _http_problem(error, request)
    if isinstance(error, web.RequestPayloadError):
        return Problem(
            p.BAD_REQUEST,
            "The body cannot be decoded: it is not what Content-Encoding or Transfer-Encoding says.",
            headers={"Connection": "close"},
        )
    log.error("request failed", exc_info=error, extra={"route": template(request)})
    return Problem(p.INTERNAL, "This is not your fault. Quote the request id when you report it.")


def call_problem(error: CallFailed) -> Problem:
    """What a client is told when an instance refuses or fails a call."""
    kind = CALL_CODES.get(error.code)
    if kind is None:
        log.error("call failed", extra={"code": error.code, "error": error.message})
        return Problem(p.INTERNAL, "The instance failed to do this.", code=error.code)
    detail = f"{error.message.rstrip('.')}. {kind.meaning}"
    return _with_retry(kind, detail, code=error.code, server_code=error.server_code or None)


def media_problem(error: MediaError, kind: p.Kind | None = None, **members: Any) -> Problem:
    """What a client is told about a file; of this kind, unless its status says which."""
    kind = kind or MEDIA_STATUSES.get(error.status, p.MEDIA_REFUSED)
    detail = f"{error.message[:1].upper()}{error.message[1:]}."
    if kind is p.MEDIA_UNAVAILABLE:
        log.warning("file not taken", extra={"error": str(error)})
    return _with_retry(kind, detail, code=error.code.value, **members)


def _with_retry(kind: p.Kind, detail: str, **members: Any) -> Problem:
    headers = {"Retry-After": RETRY_AFTER[kind]} if kind in RETRY_AFTER else {}
    return Problem(kind, detail, headers=headers, **members)


def _http_problem(error: web.HTTPException, request: web.Request) -> Problem:
    if isinstance(error, web.HTTPNotFound):
        return Problem(p.NOT_FOUND, "No such path. All there are stand in /openapi.json and on /docs.")
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return Problem(
            p.METHOD_NOT_ALLOWED,
            f"This path understands {allowed}, not {request.method[:20]}.",
            headers={"Allow": allowed},
        )
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        limit = request.client_max_size
        return Problem(p.TOO_LARGE, f"A body may have {limit} bytes at most.", limit=limit)
    return Problem(p.BAD_REQUEST, "The request could not be understood.")
