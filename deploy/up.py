"""``malote up``: everything on one machine until it is told to end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Protocol

from actors.settings import Settings
from deploy.children import Say
from deploy.local import Local


async def run_up(settings: Settings, say: Say, *, dashboard: bool) -> None:
    """Run everything until SIGINT or SIGTERM."""
    local = Local(settings, command="up", say=say, dashboard=dashboard)

    async def work() -> None:
        await local.start()
        say("")
        say(f"  API           {local.gateway_url}/v1")
        say(f"  its docs      {local.gateway_url}/docs")
        if local.dashboard_url:
            say(f"  Ray dashboard {local.dashboard_url}  (token: {local.settings.data_dir}/ray-token)")
        say(f"  data          {local.settings.data_dir}")
        if local.admin_key:
            say(f"  admin key     {local.admin_key}")
            say("                shown this once; set MALOTE_ADMIN_KEY to add another")
        say("")
        say("Ready. Ctrl-C ends everything.")
        await asyncio.Event().wait()

    await until_signal(local, work, say)


SAME_PRESS = 1.0
"""Seconds within which a second signal is the same Ctrl-C: a shell or `make` may pass it on once more."""


class Stoppable(Protocol):
    """What is checked before it is started, and ended whatever happens."""

    def check(self) -> None:
        """Make sure that a start can succeed; raises CommandError."""
        ...

    async def stop(self) -> None:
        """End everything."""
        ...

    def kill(self) -> None:
        """Do not wait for a clean end."""
        ...


async def until_signal(world: Stoppable, work: Callable[[], Awaitable[None]], say: Say) -> None:
    """Check, work until it is done or a signal comes, and end everything in either case."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    first = 0.0

    def on_signal() -> None:
        nonlocal first
        if not stop.is_set():
            first = loop.time()
            stop.set()
        elif loop.time() - first > SAME_PRESS:
            say("Not waiting any longer.")
            world.kill()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    try:
        world.check()
        working = asyncio.ensure_future(work())
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            say("")
            say("Ending: open requests and messages in flight are finished first.")
            working.cancel()
            await asyncio.wait({working})
        if not working.cancelled():
            working.result()
    finally:
        await world.stop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
