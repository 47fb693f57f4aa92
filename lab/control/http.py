"""How an operation becomes HTTP: bodies and answers in JSON, problems, and the description of it all."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from lab.accounts import LabError

if TYPE_CHECKING:
    from lab.network import Lab

_MAX_BODY = 4 << 20
_FILE = "application/octet-stream"

Handler = Callable[["Lab", web.Request, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation."""

    method: str
    path: str
    summary: str
    handler: Handler
    body: TypeAdapter[Any] | None
    result: TypeAdapter[Any] | None
    status: int
    gives_file: bool


_ROUTES: list[Route] = []


def route(
    method: str, path: str, *, body: Any = None, result: Any = None, status: int = 200
) -> Callable[[Handler], Handler]:
    """Make a function an operation; its docstring's first line is the summary.

    Args:
        method: of HTTP.
        path: with ``{names}`` of its parameters.
        body: type of the JSON it takes, None for none.
        result: type of the JSON it gives, bytes for a file, None for an empty answer (204).
        status: of the answer.
    """

    def keep(handler: Handler) -> Handler:
        summary = (handler.__doc__ or "").strip().splitlines()[0]
        adapters = [TypeAdapter(kind) if kind else None for kind in (body, result)]
        gives_file = result is bytes
        _ROUTES.append(Route(method, path, summary, handler, adapters[0], adapters[1], status, gives_file))
        return handler

    return keep


def application(lab: Lab) -> web.Application:
    """The control interface of a lab."""
    app = web.Application(client_max_size=_MAX_BODY, middlewares=[_problems])
    for operation in _ROUTES:
        app.router.add_route(operation.method, operation.path, _serve(lab, operation))
    app.router.add_get("/openapi.json", _serve_openapi)
    return app


def _serve(lab: Lab, operation: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def serve(request: web.Request) -> web.StreamResponse:
        body = operation.body.validate_json(await request.read()) if operation.body else None
        result = await operation.handler(lab, request, body)
        if operation.result is None:
            return web.Response(status=204)
        if isinstance(result, bytes):
            return web.Response(body=result, status=operation.status, content_type=_FILE)
        return web.Response(
            body=operation.result.dump_json(result), status=operation.status, content_type="application/json"
        )

    return serve


@web.middleware
async def _problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except LabError as error:
        return _problem(error.status, error.code, error.detail)
    except ValidationError as error:
        details = [
            {"where": ".".join(map(str, part["loc"])) or "body", "what": part["msg"]}
            for part in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        return _problem(422, "bad_input", "; ".join(f"{d['where']}: {d['what']}" for d in details), details)
    except web.HTTPException as error:
        return _problem(error.status, error.reason.lower().replace(" ", "_"), error.text or error.reason)


def _problem(status: int, code: str, detail: str, errors: list[dict[str, str]] | None = None) -> web.Response:
    problem: dict[str, Any] = {"type": "about:blank", "status": status, "code": code, "detail": detail}
    if errors:
        problem["errors"] = errors
    return web.json_response(problem, status=status, content_type="application/problem+json")


async def _serve_openapi(request: web.Request) -> web.Response:
    return web.json_response(openapi())


def openapi() -> dict[str, Any]:
    """The description of this interface, OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {}

    def schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
        made = adapter.json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(made.pop("$defs", {}))
        return made

    for entry in _ROUTES:
        operation: dict[str, Any] = {
            "operationId": entry.handler.__name__,
            "summary": entry.summary,
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in re.findall(r"{(\w+)}", entry.path)
            ],
            "responses": {
                "default": {"description": "A problem (RFC 9457) that says what is wrong."},
            },
        }
        if entry.body:
            content = {"application/json": {"schema": schema(entry.body)}}
            operation["requestBody"] = {"required": True, "content": content}
        answer: dict[str, Any] = {"description": "Done."}
        if entry.result:
            shape = schema(entry.result)
            answer["content"] = {_FILE if entry.gives_file else "application/json": {"schema": shape}}
        operation["responses"][str(entry.status if entry.result else 204)] = answer
        paths.setdefault(entry.path, {})[entry.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Malote lab", "version": "1", "description": "A WhatsApp network on this machine."},
        "paths": paths,
        "components": {"schemas": schemas},
    }
