"""What a request says, validated: its JSON body and its query parameters."""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, RootModel, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from api.problems import BROKEN_JSON, INVALID, TOO_SLOW, UNSUPPORTED_MEDIA_TYPE, FieldError, Problem

M = TypeVar("M", bound=BaseModel)

JSON_TYPE = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json", re.IGNORECASE)
ENCODINGS = frozenset({"", "identity", "gzip", "deflate"})
ERRORS_MAX = 50
BODY_TIMEOUT = 30.0


async def read_body(request: web.Request, model: type[M]) -> M:
    """The JSON body as ``model``. One with nothing but defaults may be left out.

    A model of several kinds, told apart by ``type``, may name a ``usual_type`` for bodies that do not say.

    Raises:
        Problem: another content type, no JSON, or invalid fields.
        aiohttp.web.HTTPRequestEntityTooLarge: longer than the application allows.
    """
    # A body that is too long is refused before anybody looks at what it is.
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            raw = await request.read()
    except TimeoutError as error:
        what = f"The body did not arrive within {BODY_TIMEOUT:g} seconds."
        raise Problem(TOO_SLOW, what, headers={"Connection": "close"}) from error
    if not raw and not needed(model):
        return _validated(model, b"{}", tagged=False)
    encoding = request.headers.get("Content-Encoding", "identity")
    if encoding.strip().lower() not in ENCODINGS:
        raise Problem(
            UNSUPPORTED_MEDIA_TYPE,
            f"The body came encoded as {encoding[:100]!r}; send it as it is, or with gzip or deflate.",
        )
    if not JSON_TYPE.fullmatch(request.content_type):
        raise Problem(
            UNSUPPORTED_MEDIA_TYPE,
            f"The body came as {request.content_type[:100]}; send it as application/json.",
        )
    if (request.charset or "utf-8").lower() not in {"utf-8", "utf8", "us-ascii"}:
        raise Problem(UNSUPPORTED_MEDIA_TYPE, "JSON is sent as UTF-8.")
    try:
        value = from_json(raw, allow_inf_nan=False)
        json.loads(raw, object_pairs_hook=_once, parse_float=_finite)
    except ValueError as error:
        what = (
            "The body is empty; send a JSON object." if not raw.strip() else f"The body is not JSON: {error}."
        )
        raise Problem(BROKEN_JSON, what) from error
    tagged = issubclass(model, RootModel)
    usual = getattr(model, "usual_type", None)
    if usual is not None and isinstance(value, dict) and "type" not in value:
        raw = to_json({"type": usual, **value})
    return _validated(model, raw, tagged=tagged)


def _validated(model: type[M], raw: bytes, *, tagged: bool) -> M:
    try:
        # Strictly, as the documentation says it: nothing becomes a number or a truth value that is none.
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise _invalid([_field_of_body(item, tagged=tagged) for item in error.errors()]) from error


def _once(pairs: list[tuple[str, Any]]) -> None:
    # Readers of JSON differ in which one they take, and so would whoever checked the request before.
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise ValueError(f"the member {name[:200]!r} is given twice")
        seen.add(name)


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:50]} is too large")
    return number


def needed(model: type[BaseModel]) -> bool:
    """True if a body of this kind cannot be left out."""
    return any(field.is_required() for field in model.model_fields.values())


def read_query(request: web.Request, model: type[M]) -> M:
    """The query parameters as ``model``. A parameter that is given several times is a list.

    Raises:
        Problem: invalid or unknown parameters.
    """
    values: dict[str, Any] = {}
    for name in request.query:
        given = request.query.getall(name)
        values[name] = given if len(given) > 1 else given[0]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _invalid([_field(item["loc"], item["msg"], query=True) for item in error.errors()]) from error


def _invalid(errors: list[FieldError]) -> Problem:
    first = errors[0]
    where = first.parameter or (first.pointer or "")[2:] or "the body"
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return Problem(INVALID, f"{where}: {first.detail}{more}", errors=errors[:ERRORS_MAX])


def _field_of_body(item: ErrorDetails, *, tagged: bool) -> FieldError:
    location, message = item["loc"], item["msg"]
    if tagged and item["type"] == "union_tag_invalid":
        kinds = item["ctx"]["expected_tags"].replace("'", "")
        return _field((*location, "type"), f"There is no such type: use one of {kinds}", query=False)
    # A body that is one of several kinds names its kind first, which is no part of the body's path.
    return _field(location[1:] if tagged else location, message, query=False)


def _field(location: tuple[int | str, ...], message: str, *, query: bool) -> FieldError:
    detail = message.removeprefix("Value error, ")
    if query:
        return FieldError(detail=detail, parameter=str(location[0])[:200] if location else None)
    steps = [str(step)[:200].replace("~", "~0").replace("/", "~1") for step in location]
    return FieldError(detail=detail, pointer="#" + "".join(f"/{step}" for step in steps))
