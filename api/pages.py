"""The pages for people: a landing page, the API's documentation, and what each kind of error means."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import swagger_ui_bundle
from aiohttp import web

from api import problems as p

STATIC = Path(__file__).parent / "static"
SWAGGER = Path(str(swagger_ui_bundle.swagger_ui_path))
ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
CODE = re.compile(r"`([^`]+)`")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def add_pages(app: web.Application, document: dict[str, Any]) -> None:
    """Serve the pages.

    Args:
        document: the OpenAPI document.
    """
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    async def openapi(request: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/json")

    async def asset(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in ASSETS:
            raise web.HTTPNotFound
        return web.FileResponse(SWAGGER / name, headers={"Content-Type": ASSETS[name]})

    app.router.add_get("/", _page("index.html"))
    app.router.add_get("/docs", _page("docs.html"))
    app.router.add_get("/docs/init.js", _page("docs.js", "text/javascript"))
    app.router.add_get("/docs/assets/{name}", asset)
    app.router.add_get("/openapi.json", openapi)
    app.router.add_get("/problems", _problems)
    app.router.add_get("/problems/{slug}", _problem)


def _page(name: str, content_type: str = "text/html") -> Any:
    body = (STATIC / name).read_bytes()

    async def page(request: web.Request) -> web.Response:
        return web.Response(
            body=body,
            content_type=content_type,
            charset="utf-8",
            headers={"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"},
        )

    return page


async def _problems(request: web.Request) -> web.Response:
    return _list(p.KINDS)


async def _problem(request: web.Request) -> web.Response:
    kinds = [kind for kind in p.KINDS if kind.slug == request.match_info["slug"]]
    if not kinds:
        raise p.not_found("such kind of error; all there are stand under /problems")
    return _list(kinds)


def _list(kinds: Any) -> web.Response:
    entries = "".join(
        f"<h2 id='{kind.slug}'>{kind.status} {html.escape(kind.title)}</h2>"
        f"<p><code>{kind.uri}</code></p><p>{_shown(kind.meaning)}</p>"
        for kind in kinds
    )
    text = (STATIC / "problems.html").read_text(encoding="utf-8").replace("<!-- entries -->", entries)
    return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})


def _shown(text: str) -> str:
    """Text as a page has it, what stands in backticks as code."""
    return CODE.sub(r"<code>\1</code>", html.escape(text))
