"""The table of routes: from it requests are served and the OpenAPI document is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel

from actors.registry import InstanceRecord
from api import problems as p
from api.auth import Access, Caller, authenticate, authorise
from api.problems import Kind
from api.reading import read_body, read_query
from api.services import SERVICES, Services

B = TypeVar("B")
Q = TypeVar("Q")

CALLER = web.RequestKey("caller", Caller)


@dataclass(slots=True)
class Call(Generic[B, Q]):
    """One request, authenticated and validated.

    Args:
        body: what was sent, None if the route takes none.
        query: the query parameters, None if the route takes none.
    """

    request: web.Request
    services: Services
    body: B
    query: Q
    caller: Caller | None = None
    _record: InstanceRecord | None = None

    @property
    def record(self) -> InstanceRecord:
        """The instance that the path names; it existed when the request came."""
        assert self._record is not None
        return self._record

    @property
    def instance_id(self) -> str:
        """Its id."""
        return self.record.id

    def path(self, name: str) -> str:
        """A part of the path."""
        return self.request.match_info[name]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that differs from the route's usual one."""

    body: BaseModel | None
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)


Result = BaseModel | Reply | web.StreamResponse | None
Handler = Callable[[Call[Any, Any]], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer, for the documentation.

    Args:
        model: of its JSON; None if it has no body or ``media`` says what it is.
        media: content type of a body that is not JSON, to an example of it.
    """

    description: str
    model: type[BaseModel] | None = None
    media: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    handler: Handler
    access: Access
    tag: str
    summary: str
    description: str
    status: int
    answers: Mapping[int, Answer]
    body: type[BaseModel] | None
    uploads: bool
    query: type[BaseModel] | None
    headers: Mapping[str, str]
    examples: Mapping[str, Any]
    problems: tuple[Kind, ...]

    @property
    def operation_id(self) -> str:
        """A name for generated clients."""
        module = self.handler.__module__.rpartition(".")[2]
        return f"{module}_{self.handler.__name__}"


class Routes:
    """The routes of one module.

    Args:
        tag: the heading they stand under in the documentation.
    """

    def __init__(self, tag: str, description: str = "") -> None:
        self.tag = tag
        self.description = description
        self.routes: list[Route] = []

    def add(
        self,
        method: str,
        path: str,
        summary: str,
        *answers: tuple[int, Answer],
        access: Access = Access.INSTANCE,
        body: type[BaseModel] | None = None,
        uploads: bool = False,
        query: type[BaseModel] | None = None,
        headers: Mapping[str, str] | None = None,
        examples: Mapping[str, Any] | None = None,
        problems: tuple[Kind, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """Serve a path by the function below. Its docstring is the description in the documentation.

        Args:
            answers: successful answers by status, the usual one first.
            uploads: its body is a file, which it reads itself.
            headers: request headers that it understands, with what they mean.
            examples: bodies of requests, by a short description.
            problems: errors of its own, besides those that any route like it can have.
        """

        def register(handler: Handler) -> Handler:
            self.routes.append(
                Route(
                    method=method,
                    path=path,
                    handler=handler,
                    access=access,
                    tag=self.tag,
                    summary=summary,
                    description=(handler.__doc__ or "").strip(),
                    status=answers[0][0],
                    answers=dict(answers),
                    body=body,
                    uploads=uploads,
                    query=query,
                    headers=headers or {},
                    examples=examples or {},
                    problems=problems,
                )
            )
            return handler

        return register


def serve(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The route as aiohttp calls it: who asks, may they, what do they say; then the handler."""

    async def answer(request: web.Request) -> web.StreamResponse:
        services = request.app[SERVICES]
        call: Call[Any, Any] = Call(request, services, None, None)
        if route.access is not Access.PUBLIC:
            call.caller = request[CALLER] = await authenticate(request, services)
            instance_id = request.match_info.get("instance_id", "")
            authorise(call.caller, route.access, instance_id)
            if "instance_id" in request.match_info:
                call._record = await services.registry.get(instance_id)
        if route.query is not None:
            call.query = read_query(request, route.query)
        if route.body is not None:
            call.body = await read_body(request, route.body)
        return _response(route, await route.handler(call))

    return answer


def _response(route: Route, result: Result) -> web.StreamResponse:
    if isinstance(result, web.StreamResponse):
        return result
    reply = result if isinstance(result, Reply) else Reply(result, route.status)
    if reply.body is None:
        return web.Response(status=reply.status, headers=reply.headers)
    return web.Response(
        body=reply.body.model_dump_json().encode(),
        status=reply.status,
        headers=reply.headers,
        content_type="application/json",
    )


def common_problems(route: Route) -> list[Kind]:
    """The errors that a route can have by what it is, and its own."""
    kinds: list[Kind] = []
    if route.access is not Access.PUBLIC:
        kinds += [p.UNAUTHORISED, p.RATE_LIMITED, p.STORE_UNAVAILABLE]
    if route.access is Access.ADMIN:
        kinds += [p.FORBIDDEN]
    if "{" in route.path:
        kinds += [p.NOT_FOUND]
    if route.query is not None or route.body is not None:
        kinds += [p.INVALID]
    if route.body is not None:
        kinds += [p.BROKEN_JSON, p.BAD_REQUEST, p.TOO_SLOW, p.TOO_LARGE, p.UNSUPPORTED_MEDIA_TYPE]
    return list(dict.fromkeys([*kinds, *route.problems, p.INTERNAL]))
