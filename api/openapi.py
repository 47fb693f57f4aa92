"""The OpenAPI 3.1 document, written from the table of routes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from actors.events import Event, EventType
from api import problems as p
from api.auth import Access
from api.event_kinds import KINDS
from api.event_kinds import example as example_event
from api.fields import EXAMPLE_GROUP, EXAMPLE_INSTANCE, EXAMPLE_JID, EXAMPLE_NEWSLETTER, EXAMPLE_NODE
from api.problems import CONTENT_TYPE, Kind, ProblemDocument
from api.reading import needed
from api.routing import Answer, Route, Routes, common_problems

Json = dict[str, Any]

DESCRIPTION = """\
Malote hosts WhatsApp accounts ("instances") behind this API and delivers every event of theirs to webhooks.

Send a key with every request, as `Authorization: Bearer <key>` or in the header `apikey`: the admin key
opens everything, an instance's token only what is the instance's. Errors are problem documents (RFC 9457)
that say what to do; their kinds are listed under `/problems`. Every answer has an `X-Request-Id`; a request
may bring its own.
"""
BINARY = {"type": "string", "format": "binary"}
PATH_EXAMPLES = {
    "instance_id": ("Id of the instance", EXAMPLE_INSTANCE),
    "message_id": ("Id of the message", "3EB0C7A1D2E3F4A5B6C7D8"),
    "chat_id": ("Id of the chat as events give it, or a phone number", EXAMPLE_JID),
    "who": ("A phone number, or the id of a chat or group", "5511912345678"),
    "newsletter_id": ("Id of the newsletter, as events and lists have it", EXAMPLE_NEWSLETTER),
    "number": ("Number of the message in its newsletter, as the list has it", "17"),
    "group_id": ("Id of the group, as events and the list of groups have it", EXAMPLE_GROUP),
    "call_id": ("Id of the call, as its event has it", "5A1B2C"),
    "webhook_id": ("Id of the endpoint", "ep_0a1b2c3d4e5f6a7b8c9d0e1f"),
    "media_id": ("Id of the file", "med_0a1b2c3d4e5f60718293a4b5c6d7e8f9"),
    "node_id": ("Id of the node", EXAMPLE_NODE),
    "event_id": ("Id of the event", "evt_0a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d"),
}


def document(groups: Sequence[Routes], version: str) -> Json:
    """The document.

    Args:
        groups: all routes, in the order of the documentation.
        version: of Malote.
    """
    routes = [route for group in groups for route in group.routes]
    schemas, definitions = _schemas(routes)
    paths: dict[str, Json] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Malote",
            "version": version,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": group.tag, "description": group.description} for group in groups],
        "paths": paths,
        "webhooks": {kind.value: _webhook(kind, schemas) for kind in KINDS},
        "components": {
            "schemas": definitions,
            "responses": {kind.slug: _problem(kind, schemas) for kind in p.KINDS},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "Admin key or instance token"},
                "apikey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "apikey",
                    "description": "Admin key or instance token",
                },
            },
        },
        "security": [{"bearer": []}, {"apikey": []}],
    }


Mode = Literal["validation", "serialization"]
Schemas = dict[tuple[type[BaseModel], Mode], Json]


def _schemas(routes: Iterable[Route]) -> tuple[Schemas, Json]:
    models: list[tuple[type[BaseModel], Mode]] = [
        (ProblemDocument, "serialization"),
        (Event, "serialization"),
        *((kind.data, "serialization") for kind in KINDS.values()),
    ]
    for route in routes:
        if route.body is not None:
            models.append((route.body, "validation"))
        models += [(answer.model, "serialization") for answer in route.answers.values() if answer.model]
    schemas, definitions = models_json_schema(
        list(dict.fromkeys(models)), ref_template="#/components/schemas/{model}"
    )
    known = {(model, mode): schemas[model, mode] for model, mode in models}
    return known, definitions["$defs"]


def _operation(route: Route, schemas: Schemas) -> Json:
    operation: Json = {
        "operationId": route.operation_id,
        "tags": [route.tag],
        "summary": route.summary,
        "description": re.sub(r"\n[ ]+", "\n", route.description),
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": _responses(route, schemas),
    }
    if route.access is Access.PUBLIC:
        operation["security"] = []
    if route.access is Access.ADMIN:
        operation["description"] += "\n\nNeeds the admin key."
    if route.body is not None:
        operation["requestBody"] = {
            "required": needed(route.body),
            "content": {
                "application/json": {
                    "schema": schemas[route.body, "validation"],
                    "examples": {
                        re.sub(r"\W+", "-", name): {"summary": name, "value": value}
                        for name, value in route.examples.items()
                    },
                }
            },
        }
    if route.uploads:
        form = {"type": "object", "properties": {"file": BINARY}, "required": ["file"]}
        content = {"*/*": {"schema": BINARY}, "multipart/form-data": {"schema": form}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _path_parameters(route: Route) -> list[Json]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": PATH_EXAMPLES[name][0],
            "schema": {"type": "string"},
            "example": PATH_EXAMPLES[name][1],
        }
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]


def _query_parameters(route: Route) -> list[Json]:
    if route.query is None:
        return []
    schema = route.query.model_json_schema(ref_template="#/components/schemas/{model}")
    inlined = {name: _inline(value, schema.get("$defs", {})) for name, value in schema["properties"].items()}
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", []),
            "description": value.pop("description", ""),
            "schema": _without_null(value),
        }
        for name, value in inlined.items()
    ]


def _inline(value: Any, definitions: Json) -> Any:
    if isinstance(value, dict):
        if "$ref" in value:
            return _inline(definitions[value["$ref"].rpartition("/")[2]], definitions)
        return {key: _inline(part, definitions) for key, part in value.items()}
    return [_inline(part, definitions) for part in value] if isinstance(value, list) else value


def _without_null(schema: Json) -> Json:
    """A parameter cannot be null, only absent."""
    kinds = [part for part in schema.get("anyOf", []) if part != {"type": "null"}]
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default", "title")}
    kept = {"default": schema["default"]} if schema.get("default") is not None else {}
    return {**rest, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}), **kept}


def _headers(route: Route) -> list[Json]:
    return [
        {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for name, text in route.headers.items()
        # OpenAPI keeps these for itself: what is accepted shows in the answers' content types.
        if name != "Accept"
    ]


def _responses(route: Route, schemas: Schemas) -> Json:
    responses: Json = {str(status): _answer(answer, schemas) for status, answer in route.answers.items()}
    by_status: dict[int, list[Kind]] = {}
    for kind in common_problems(route):
        by_status.setdefault(kind.status, []).append(kind)
    for status, kinds in sorted(by_status.items()):
        if str(status) in responses:
            continue
        responses[str(status)] = (
            {"$ref": f"#/components/responses/{kinds[0].slug}"}
            if len(kinds) == 1
            else _either(kinds, schemas)
        )
    return responses


def _answer(answer: Answer, schemas: Schemas) -> Json:
    content: Json = {}
    if answer.model is not None:
        content["application/json"] = {"schema": schemas[answer.model, "serialization"]}
    for media, example in answer.media.items():
        content[media] = {"schema": {"type": "string"}, **({"example": example} if example else {})}
    response: Json = {"description": answer.description}
    if content:
        response["content"] = content
    if answer.headers:
        response["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()
        }
    return response


def _webhook(kind: EventType, schemas: Schemas) -> Json:
    """What an endpoint is sent for an event of a type; streams and lists of events show the same."""
    described = KINDS[kind]
    shape = {"properties": {"type": {"const": kind.value}, "data": schemas[described.data, "serialization"]}}
    content = {"schema": {"allOf": [schemas[Event, "serialization"], shape]}, "example": example_event(kind)}
    return {
        "post": {
            "summary": kind.value,
            "description": described.meaning,
            "requestBody": {"required": True, "content": {"application/json": content}},
            "responses": {"2XX": {"description": "Taken. Anything else, and it is sent again"}},
        }
    }


def _problem(kind: Kind, schemas: Schemas) -> Json:
    response: Json = {
        "description": f"{kind.title}. {kind.meaning}",
        "content": {
            CONTENT_TYPE: {
                "schema": schemas[ProblemDocument, "serialization"],
                "example": _example(kind),
            }
        },
    }
    return response


def _either(kinds: Sequence[Kind], schemas: Schemas) -> Json:
    return {
        "description": "\n\n".join(f"`{kind.uri}`: {kind.title}. {kind.meaning}" for kind in kinds),
        "content": {
            CONTENT_TYPE: {
                "schema": schemas[ProblemDocument, "serialization"],
                "examples": {kind.slug: {"summary": kind.title, "value": _example(kind)} for kind in kinds},
            }
        },
    }


def _example(kind: Kind) -> Json:
    example: Json = {
        "type": kind.uri,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.meaning,
        "request_id": "5f0c2a9e4b7d4c18",
    }
    if kind is p.INVALID:
        example["errors"] = [{"detail": "Field required", "pointer": "#/to"}]
    return example
