"""What happens, as it happens: a table that is redrawn in a terminal, lines of text elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Coroutine
from typing import Any

from aiohttp import ClientError
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deploy.demo.clients import Refused
from deploy.demo.world import World

REDRAW = 0.5
LINE_PERIOD = 5.0
SHOWN_EVENTS = 8
COLOURS = {"connected": "green", "connecting": "yellow", "pairing": "yellow", "starting": "yellow"}


class View:
    """Shows instances, their states and counts, and the latest events at the receiver."""

    def __init__(self, world: World, console: Console) -> None:
        self._world = world
        self._console = console
        self._instances: list[dict[str, Any]] = []
        self._counts: Counter[tuple[str, str]] = Counter()
        self._events: deque[str] = deque(maxlen=SHOWN_EVENTS)
        self._problem = ""
        world.receiver.listener = self._on_event

    async def run(self) -> None:
        """Show until cancelled."""
        watching = asyncio.create_task(self._watch())
        try:
            await (self._draw() if self._console.is_terminal else self._print())
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    def _on_event(self, event: dict[str, Any]) -> None:
        name, kind, data = event["instance_id"], event["type"], event["data"]
        self._counts[name, kind] += 1
        text = data.get("text") or data.get("status") or data.get("state") or ""
        self._events.append(f"{name:10} #{event['seq']:<6} {kind:20} {str(text)[:50]}")
        if not self._console.is_terminal and kind == "message.received":
            self._console.print(f"{name} received: {text}", markup=False)

    async def _watch(self) -> None:
        while True:
            try:
                self._instances = await self._world.api.instances()
                self._problem = ""
            except (Refused, ClientError, TimeoutError) as error:
                self._problem = f"the API does not answer: {error}"
            await asyncio.sleep(1.0)

    async def _draw(self) -> None:
        with Live(console=self._console, auto_refresh=False) as live:
            while True:
                live.update(self._picture(), refresh=True)
                await asyncio.sleep(REDRAW)

    async def _print(self) -> None:
        while True:
            await asyncio.sleep(LINE_PERIOD)
            states = ", ".join(f"{shown['id']} {shown['state']['connection']}" for shown in self._instances)
            self._console.print(f"{states}; {self._totals()}", markup=False)

    def _picture(self) -> Group:
        table = Table("instance", "phone", "state", "received", "sent", "events", expand=False)
        for shown in self._instances:
            name, state = shown["id"], shown["state"]["connection"]
            events = sum(count for (instance, _), count in self._counts.items() if instance == name)
            table.add_row(
                name,
                shown["state"]["phone"] or "",
                Text(state, style=COLOURS.get(state, "red")),
                str(self._counts[name, "message.received"]),
                str(self._counts[name, "message.sent"]),
                str(events),
            )
        lines = [Text(self._totals()), Text("latest events at the receiver:", style="dim")]
        lines += [Text("  " + event) for event in self._events]
        if self._problem:
            lines.append(Text(self._problem, style="red"))
        return Group(table, *lines)

    def _totals(self) -> str:
        ledger = self._world.ledger
        p50, p99 = (ledger.percentile(share) for share in (0.5, 0.99))
        latency = (
            "" if p50 is None or p99 is None else f", latency {p50 * 1000:.0f}/{p99 * 1000:.0f} ms p50/p99"
        )
        return (
            f"{ledger.deliveries} deliveries, {ledger.duplicated} repeated, {ledger.reordered} out of order, "
            f"{ledger.gaps} missing in between, {ledger.refused} with a bad signature{latency}"
        )


async def quietly(work: Coroutine[Any, Any, None]) -> None:
    """Run something whose failure is shown elsewhere."""
    with contextlib.suppress(Refused, ClientError, TimeoutError):
        await work
