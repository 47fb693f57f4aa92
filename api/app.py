"""The HTTP application: all routes, what is around them, and what runs beside them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError, version

from aiohttp import web

from api import (
    account,
    blocklist,
    chats,
    cluster,
    contacts,
    events,
    group_links,
    group_members,
    groups,
    health,
    history,
    instances,
    known_messages,
    media,
    messages,
    newsletter_posts,
    newsletters,
    pairing,
    phone_calls,
    webhooks,
)
from api.auth import Access
from api.middleware import add_headers, observe
from api.openapi import document
from api.pages import add_pages
from api.routing import Routes, serve
from api.services import SERVICES, Services

GROUPS: tuple[Routes, ...] = (
    instances.routes,
    pairing.routes,
    messages.routes,
    known_messages.routes,
    media.routes,
    chats.routes,
    history.routes,
    contacts.routes,
    blocklist.routes,
    # Before the groups: what they name is no group's id.
    group_links.routes,
    groups.routes,
    group_members.routes,
    newsletters.routes,
    newsletter_posts.routes,
    account.routes,
    phone_calls.routes,
    events.routes,
    webhooks.routes,
    cluster.routes,
    health.routes,
)


def malote_version() -> str:
    """The installed version."""
    try:
        return version("malote")
    except PackageNotFoundError:
        return "0"


def make_app(services: Services) -> web.Application:
    """The application. It owns the services from here on and closes them."""
    gateway = services.settings.gateway
    app = web.Application(
        middlewares=[observe],
        client_max_size=gateway.body_bytes,
        # aiohttp's own is an hour, for a client that says nothing, or never ends the head of its request.
        handler_args={"access_log": None, "keepalive_timeout": gateway.idle_timeout},
    )
    app[SERVICES] = services
    for group in GROUPS:
        for route in group.routes:
            # Load balancers like to ask with HEAD.
            methods = ("GET", "HEAD") if route.access is Access.PUBLIC else (route.method,)
            for method in methods:
                app.router.add_route(method, route.path, serve(route))
    add_pages(app, document(GROUPS, malote_version()))
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(_end_streams)
    app.cleanup_ctx.append(_running)
    return app


async def _running(app: web.Application) -> AsyncIterator[None]:
    services = app[SERVICES]
    listening = asyncio.create_task(services.rings.run())
    try:
        yield
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening
        await services.bell.close()
        await services.intake.close()
        await services.store.close()


async def _end_streams(app: web.Application) -> None:
    services = app[SERVICES]
    services.closing.set()
    services.rings.ring_all()
