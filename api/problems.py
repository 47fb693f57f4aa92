"""Errors as the API tells them: RFC 9457 problem documents that say what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of error. Its ``slug`` is part of the API and never changes its meaning."""

    slug: str
    status: int
    title: str
    meaning: str

    @property
    def uri(self) -> str:
        """What stands in ``type``: a path of this API, under which the meaning can be read."""
        return f"/problems/{self.slug}"


BROKEN_JSON = Kind("broken-json", 400, "The body is not JSON", "Send one JSON object, encoded as UTF-8.")
BAD_REQUEST = Kind("bad-request", 400, "The request is malformed", "The HTTP request itself is not valid.")
UNAUTHORISED = Kind(
    "unauthorised",
    401,
    "A valid key is needed",
    "Send the admin key or the instance's token as `Authorization: Bearer <key>` or in the header `apikey`.",
)
FORBIDDEN = Kind("forbidden", 403, "The admin key is needed", "An instance's token does not open this.")
NOT_FOUND = Kind("not-found", 404, "Not found", "There is no such thing, or the key may not see it.")
GROUP_FORBIDDEN = Kind(
    "group-forbidden",
    403,
    "The account may not do this in the group",
    "It has to be in the group, and an admin where only admins may do this. `GET …/groups` lists its groups.",
)
GROUP_UNKNOWN = Kind(
    "group-unknown",
    404,
    "No such group",
    "Give the id of a group that the account is in, as events and `GET …/groups` have it.",
)
NEWSLETTER_FORBIDDEN = Kind(
    "newsletter-forbidden",
    403,
    "The account may not do that with the newsletter",
    "What it is to the newsletter, its `role`, does not allow this.",
)
INVITE_INVALID = Kind(
    "invite-invalid",
    404,
    "The link leads to no group",
    "It is mistyped, or was reset. Ask an admin of the group for its link.",
)
METHOD_NOT_ALLOWED = Kind(
    "method-not-allowed", 405, "Method not allowed", "The header `Allow` lists what this path understands."
)
TOO_SLOW = Kind("too-slow", 408, "The body did not arrive in time", "Send it again, at once.")
EXISTS = Kind("exists", 409, "It exists already", "Choose another id, or use what is there.")
LIMIT_REACHED = Kind(
    "limit-reached", 409, "There are as many as there may be", "Delete what is not needed any more."
)
CHANGED = Kind(
    "changed-meanwhile",
    409,
    "Somebody else changed it",
    "Read it again and repeat the change on what it is now.",
)
NOT_READY = Kind(
    "not-ready", 409, "Not in this state", "The detail says which step comes first, or how long to wait."
)
NOT_CONNECTED = Kind(
    "not-connected",
    409,
    "The instance is not connected",
    "Wait until the instance is connected; `reason` in its state says what it waits for.",
)
NOT_PAIRED = Kind(
    "not-paired",
    409,
    "The instance is not paired",
    "Pair it first: scan its QR code or ask for a pairing code.",
)
ALREADY_PAIRED = Kind(
    "already-paired", 409, "The instance is paired already", "Log it out before pairing again."
)
EVENTS_EXPIRED = Kind(
    "events-expired",
    410,
    "These events are no longer kept",
    "Events between `after` and `first_seq` were delivered or dead-lettered long ago and have been removed. "
    "Go on from `first_seq`: ask with `after` = `first_seq` - 1.",
)
TOO_LARGE = Kind("too-large", 413, "The body is too large", "The limit stands in the detail.")
UNSUPPORTED_MEDIA_TYPE = Kind(
    "unsupported-media-type", 415, "Wrong content type", "Send `Content-Type: application/json`."
)
INVALID = Kind(
    "invalid", 422, "The request has invalid fields", "`errors` lists each field and what is wrong with it."
)
MEDIA_REFUSED = Kind(
    "media-refused", 422, "The file cannot be used", "`code` and the detail say why, and what to do."
)
MEDIA_TOO_LARGE = Kind("media-too-large", 413, "The file is too large", "The limit stands in the detail.")
MEDIA_WRONG_TYPE = Kind(
    "media-wrong-type",
    415,
    "The file is of another type",
    "Send what the kind of message takes, or send it as a document.",
)
MEDIA_LINK_INVALID = Kind(
    "media-link-invalid", 403, "The link is not one of ours", "Use it exactly as it was given."
)
MEDIA_LINK_EXPIRED = Kind(
    "media-link-expired", 410, "The link's time is over", "Ask for the file by its id: that gives a new link."
)
MEDIA_UNAVAILABLE = Kind(
    "media-unavailable",
    503,
    "Files cannot be taken or read right now",
    "Too many are on their way, or the store of files is away. Repeat the request after `Retry-After`.",
)
IDEMPOTENCY_KEY_REUSED = Kind(
    "idempotency-key-reused",
    422,
    "The Idempotency-Key belongs to another request",
    "Use a fresh key for every new message or group; repeat a key only with the very same body.",
)
SEND_FAILED = Kind(
    "send-failed",
    422,
    "The message could not be sent",
    "`code` and the detail say why WhatsApp did not take it.",
)
REJECTED = Kind("rejected", 422, "WhatsApp refused this", "`code` and the detail say why.")
RATE_LIMITED = Kind(
    "rate-limited", 429, "Too many requests", "Wait for as long as `Retry-After` says, and slow down."
)
OUTBOX_FULL = Kind(
    "outbox-full",
    429,
    "Too many messages wait to be sent",
    "Wait until the instance has sent some. If it is not connected, that comes first.",
)
TOO_MANY_STREAMS = Kind(
    "too-many-streams", 429, "Too many live streams", "Close streams that nobody reads, or share one."
)
INTERNAL = Kind(
    "internal", 500, "Something went wrong here", "Not your fault. Quote `request_id` when you report it."
)
UNSUPPORTED = Kind("unsupported", 501, "Not supported", "The instance's connection cannot do this.")
STORE_UNAVAILABLE = Kind(
    "store-unavailable",
    503,
    "The store does not answer",
    "Redis is away for a moment. Repeat the request; repeat a send with the same Idempotency-Key.",
)
INSTANCE_UNAVAILABLE = Kind(
    "instance-unavailable",
    503,
    "The instance cannot be reached right now",
    "It is being started or moved. Repeat the request after `Retry-After`.",
)
SUPERVISOR_UNAVAILABLE = Kind(
    "supervisor-unavailable",
    503,
    "The supervisor cannot be reached right now",
    "It is being started again, or the cluster is away. Repeat the request after `Retry-After`.",
)
TIMED_OUT = Kind(
    "timed-out",
    504,
    "No answer in time",
    "WhatsApp, the instance or the supervisor took too long. Repeat it later.",
)

KINDS: tuple[Kind, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Kind))


class FieldError(BaseModel):
    """One field that is wrong."""

    detail: str = Field(description="What is wrong with it")
    pointer: str | None = Field(None, description="JSON pointer to a field of the body", examples=["#/to"])
    parameter: str | None = Field(None, description="Name of a query parameter, header or part of the path")


class ProblemDocument(BaseModel):
    """An error. Kinds of it may have further members, named in the kind's description."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Which kind of error; stable", examples=["/problems/invalid"])
    title: str = Field(description="The kind in words; always the same for a type")
    status: int
    detail: str = Field(description="What happened and what to do")
    request_id: str = Field(description="As in the header X-Request-Id")
    errors: list[FieldError] | None = Field(None, description="Of type /problems/invalid: every wrong field")


class Problem(Exception):
    """An error on its way to the client.

    Args:
        kind: which.
        detail: what happened and what to do, in this very case. Never a secret, never a message's text.
        errors: the wrong fields.
        headers: of the response.
        members: further members of the document.
    """

    def __init__(
        self,
        kind: Kind,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(f"{kind.slug}: {detail}")
        self.kind = kind
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.members = members

    def response(self, request_id: str) -> web.Response:
        """The problem as an HTTP response."""
        document = ProblemDocument(
            type=self.kind.uri,
            title=self.kind.title,
            status=self.kind.status,
            detail=self.detail,
            request_id=request_id,
            errors=self.errors or None,
            **self.members,
        )
        return web.Response(
            body=document.model_dump_json(exclude_none=True).encode(),
            status=self.kind.status,
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


def invalid(detail: str, *, pointer: str | None = None, parameter: str | None = None) -> Problem:
    """One wrong field."""
    return Problem(INVALID, detail, errors=[FieldError(detail=detail, pointer=pointer, parameter=parameter)])


def not_found(what: str) -> Problem:
    """Something that is not there."""
    return Problem(NOT_FOUND, f"There is no {what}, or this key may not see it.")
