"""``malote demo``: put the pieces together, and either show them or run the script."""

from __future__ import annotations

import asyncio
import random

from aiohttp import ClientError
from rich.console import Console

from actors.settings import Settings
from deploy.children import Say
from deploy.demo.clients import Refused
from deploy.demo.tour import Result, Tour
from deploy.demo.traffic import Traffic
from deploy.demo.view import View, quietly
from deploy.demo.world import CONTACTS, World
from deploy.errors import CommandError
from deploy.up import until_signal

CHATTER = 3.0
"""Seconds between two messages of a demonstration that somebody watches."""


async def run_demo(
    settings: Settings, out: Console, say: Say, *, once: bool, instances: int, minutes: float
) -> int:
    """Run a demonstration to its end or, without ``once``, until a signal.

    Returns:
        The exit status.
    """
    world = World(settings, instances, say, dashboard=not once)
    results: list[Result] = []

    async def work() -> None:
        try:
            await world.start()
            if once:
                results.append(await Tour(world, say, minutes=minutes).run())
            else:
                _explain(world, say)
                await _show(world, out, say)
        except (Refused, ClientError) as error:
            raise CommandError(
                f"the demonstration failed: {error}", f"Look at the logs in {world.local.logs}."
            ) from error

    await until_signal(world, work, say)
    if not once:
        return 0
    if not results:
        return 1
    out.print(results[0].model_dump_json(), markup=False)
    return 0 if results[0].passed(instances) else 1


async def _show(world: World, out: Console, say: Say) -> None:
    traffic = Traffic(world, say)
    view = asyncio.create_task(View(world, out).run())
    try:
        async with traffic.watching():
            while True:
                number, contact = random.choice(world.numbers), random.choice(list(CONTACTS))
                await quietly(traffic.contact_writes(number, contact, count=1, interval=0))
                await quietly(traffic.instance_writes(number, contact, count=1, interval=0))
                await asyncio.sleep(CHATTER)
    finally:
        view.cancel()
        await asyncio.gather(view, return_exceptions=True)


def _explain(world: World, say: Say) -> None:
    local = world.local
    say("")
    say(f"  API docs      {local.gateway_url}/docs")
    say(f"  Ray dashboard {local.dashboard_url}  (token: {local.settings.data_dir}/ray-token)")
    say(f"  lab control   {world.lab.url}  (described at /openapi.json)")
    say(f"  receiver      {world.receiver.url('<instance>')}")
    say("")
    say("For another terminal, as README.md explains:")
    say("")
    say(f"  export API={local.gateway_url} LAB={world.lab.url}")
    say(f"  export KEY={world.admin_key}")
    say(f"  export HOOK={world.receiver.url('')} SECRET={world.secret}")
    say("")
    say("Ctrl-C ends everything; what was paired and received is kept for the next time.")
    say("")
