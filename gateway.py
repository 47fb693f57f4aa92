"""The door: builds the HTTP application and runs it, one per node. ``python -m gateway``."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web
from pydantic import ValidationError
from pydantic_settings import SettingsError

from actors import logs, otlp
from actors.metrics_node import Exporter, node_folder
from actors.registry import Registry
from actors.settings import Settings
from actors.settings.errors import REMEDY, explained
from actors.store import Store
from api.app import make_app
from api.ray_calls import RayCalls
from api.services import Services

log = logging.getLogger("gateway")

BACKLOG = 1024


class CannotStart(Exception):
    """The gateway cannot be started; says why and what to do, in one line."""


def build(settings: Settings) -> web.Application:
    """The application, wired to Redis and Ray. Both are reached when it runs, and may be away.

    Raises:
        CannotStart: the settings lack something.
    """
    if not settings.redis_url:
        raise CannotStart("MALOTE_REDIS_URL is not set. Set it, or use `malote up`, which starts everything.")
    store = Store(settings.redis_url, settings.prefix)
    calls = RayCalls(settings, Registry(store))
    services = Services.make(settings, store, calls, calls)
    try:
        exporter = services.exposition.exporter = Exporter(node_folder(settings), "gateway")
    except OSError as error:
        raise CannotStart(
            f"cannot keep metrics in {node_folder(settings)}: {error}. Set MALOTE_METRICS_FOLDER."
        ) from error
    app = make_app(services)

    async def connected(app: web.Application) -> AsyncIterator[None]:
        connecting = asyncio.create_task(calls.run())
        yield
        connecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await connecting
        await calls.close()
        exporter.close()

    app.cleanup_ctx.append(connected)
    return app


async def serve(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set, then finish what is running within the time for that.

    While it serves, ``<data_dir>/gateway.json`` says where: ``{"url", "pid"}``.

    Raises:
        CannotStart: the port cannot be used.
    """
    gateway = settings.gateway
    runner = web.AppRunner(
        build(settings), access_log=None, shutdown_timeout=gateway.shutdown_timeout, handle_signals=False
    )
    await runner.setup()
    note = settings.data_dir / "gateway.json"
    try:
        try:
            await web.TCPSite(runner, gateway.host, gateway.port, backlog=BACKLOG).start()
        except OSError as error:
            raise CannotStart(_why(error, gateway.host, gateway.port)) from error
        url = f"http://{_host(gateway.host)}:{runner.addresses[0][1]}"
        _write(note, {"url": url, "pid": os.getpid()})
        log.info("serving", extra={"url": url})
        await stop.wait()
        log.info("closing")
    finally:
        _remove(note)
        await runner.cleanup()


def main() -> None:
    """Run a gateway with the settings of the environment, until SIGTERM or SIGINT."""
    try:
        settings = Settings()
    except (ValidationError, SettingsError) as error:
        sys.exit(f"malote gateway: {'; '.join(explained(error))}. {REMEDY}")
    logs.configure(settings.log_level, events=settings.log_events)
    otlp.start(settings.otlp_endpoint, "malote-gateway")
    try:
        asyncio.run(_until_signal(settings))
    except CannotStart as error:
        sys.exit(f"malote gateway: {error}")


async def _until_signal(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        # A handler of Ray's comes first, once it is connected: it takes this for a crash, and has the process
        # aborted three seconds later if it still runs.
        signal.alarm(0)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    await serve(settings, stop)


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} on {host} is in use. Stop what uses it, or set MALOTE_GATEWAY_PORT to another one."
        )
    if error.errno == errno.EACCES:
        return f"port {port} needs privileges. Set MALOTE_GATEWAY_PORT to one above 1023."
    return (
        f"cannot listen on {host}:{port}: {error.strerror}. Set MALOTE_GATEWAY_HOST or MALOTE_GATEWAY_PORT."
    )


def _host(host: str) -> str:
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104
    return f"[{reachable}]" if ":" in reachable else reachable


def _write(path: Path, note: dict[str, object]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        fresh.write_text(json.dumps(note) + "\n")
        fresh.replace(path)
    except OSError as error:
        raise CannotStart(
            f"cannot write {path}: {error.strerror}. Set MALOTE_DATA_DIR to a place that can be."
        ) from error


def _remove(path: Path) -> None:
    # A gateway that was started meanwhile may have written its own.
    with contextlib.suppress(OSError, ValueError):
        if json.loads(path.read_text())["pid"] == os.getpid():
            path.unlink()


if __name__ == "__main__":
    main()
