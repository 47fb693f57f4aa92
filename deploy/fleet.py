"""``malote nodes``, ``move``, ``drain``, ``handoffs``: where instances run, and having them run elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from actors.settings import Settings
from deploy.errors import CommandError
from deploy.fleet_link import Fleet, SupervisorAway, linked, shorter

LOOK = 0.3
DRAIN_MARGIN = 60.0
"""Seconds beyond the drain's deadline in which forced handoffs, and a new supervisor, can come to an end."""
HANDOFFS_LOOKED_AT = 1_000


async def show_nodes(settings: Settings, out: Console, *, as_json: bool) -> None:
    """Print every living node with its capacity and load."""
    async with linked(settings) as fleet:
        nodes = await fleet.nodes()
    if as_json:
        out.print_json(data=nodes)
        return
    short = shorter([node["id"] for node in nodes])
    table = Table("node", "address", "slots", "instances", "couriers", "", "labels")
    for node in nodes:
        labels = " ".join(f"{key}={value}" for key, value in sorted(node["labels"].items()))
        state = "draining" if node["draining"] else ""
        numbers = (str(node[name]) for name in ("slots", "instances", "couriers"))
        table.add_row(short[node["id"]], node["address"], *numbers, state, labels)
    out.print(table)


async def show_handoffs(
    settings: Settings, out: Console, instance_id: str | None, *, limit: int, as_json: bool
) -> None:
    """Print handoffs that go on, and past ones, the newest first."""
    async with linked(settings) as fleet:
        found = await fleet.handoffs(instance_id, limit)
    if as_json:
        out.print_json(data=found)
        return
    out.print(_table(found) if found else "No handoff yet.")


async def move_instance(settings: Settings, out: Console, instance_id: str, to: str | None) -> None:
    """Hand an instance over and print how that went.

    Raises:
        CommandError: it did not move.
    """
    async with linked(settings) as fleet:
        node = await fleet.node(to) if to is not None else None
        with out.status(f"Moving {instance_id}"):
            moved = await fleet.move(instance_id, node)
    out.print(_table([moved]))
    for entry in moved["log"]:
        moment = datetime.fromtimestamp(entry["at"])
        out.print(f"  {moment:%H:%M:%S.%f}  {entry['step']:12}{entry['outcome']}", markup=False)
    if moved["outcome"] != "moved":
        raise CommandError(
            f"{instance_id} did not move: {moved['outcome']}",
            "The steps above say why; `malote nodes` shows which nodes have free slots.",
        )


async def drain_node(settings: Settings, out: Console, prefix: str, *, undo: bool) -> None:
    """Empty a node and wait until that is done, or undo it.

    Raises:
        CommandError: instances are left on it, or somebody else undid it.
    """
    async with linked(settings) as fleet:
        node = await fleet.node(prefix)
        name = shorter([known["id"] for known in await fleet.nodes()])[node]
        if undo:
            await _undo(fleet, node, name)
            out.print(f"{name} takes instances again.", markup=False)
            return
        before = {one["id"] for one in await fleet.handoffs(None, HANDOFFS_LOOKED_AT)}
        count = await fleet.begin_drain(node)
        patience = settings.supervisor.drain_deadline + DRAIN_MARGIN
        try:
            with _progress(out, name, count) as progress:
                await _emptied(fleet, node, name, progress, patience)
        except asyncio.CancelledError:
            out.print(f"The drain goes on. `malote drain {name} --undo` ends it.", markup=False)
            raise
        made = [
            one
            for one in await fleet.handoffs(None, HANDOFFS_LOOKED_AT)
            if one["id"] not in before and one["from"] == node and one["reason"] == "drain"
        ]
    if made:
        out.print(_table(made))
    out.print(f"{name} is empty and takes no instances: it can be stopped.", markup=False)


async def _undo(fleet: Fleet, node: str, name: str) -> None:
    await fleet.undrain(node)
    if any(known["id"] == node and known["draining"] for known in await fleet.nodes()):
        raise CommandError(
            f"Ray itself was told to empty {name} (by `ray drain-node`, SIGTERM or the autoscaler)",
            "That cannot be undone: let it end and start another node.",
        )


class Told(Protocol):
    """Is told how a drain goes on."""

    def left(self, count: int) -> None:
        """So many instances are left."""
        ...


async def _emptied(fleet: Fleet, node: str, name: str, progress: Told, patience: float) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience
    while True:
        try:
            found = {known["id"]: known for known in await fleet.nodes()}
        except SupervisorAway:
            # It may itself leave the node that is being emptied; whoever comes next goes on.
            if loop.time() > deadline:
                raise
        else:
            here = found.get(node)
            if here is None:
                return
            progress.left(here["instances"])
            if not here["draining"]:
                raise CommandError(
                    f"the drain of {name} was undone, {here['instances']} instances are left on it",
                    f"`malote drain {name}` begins again.",
                )
            if not here["instances"] and not here["couriers"]:
                return
            if loop.time() > deadline:
                raise CommandError(
                    f"{here['instances']} instances and {here['couriers']} couriers are left on {name}: "
                    "no other node could take them",
                    "Add a node, or slots to one: the drain goes on by itself. "
                    f"`malote drain {name} --undo` ends it; `malote handoffs` shows what was tried.",
                )
        await asyncio.sleep(LOOK)


@contextlib.contextmanager
def _progress(out: Console, name: str, count: int) -> Iterator[Told]:
    if not out.is_terminal:
        yield _Lines(out, name, count)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out) as progress:
        yield _Bar(progress, f"Emptying {name}", count)


class _Lines:
    """A line whenever it went on, for who reads it later."""

    def __init__(self, out: Console, name: str, count: int) -> None:
        self._out = out
        self._left = count
        out.print(f"Emptying {name}: {count} instances are to be moved.", markup=False)

    def left(self, count: int) -> None:
        """So many instances are left."""
        if count != self._left:
            self._out.print(f"{count} instances are left.", markup=False)
        self._left = count


class _Bar:
    """A bar, for who watches."""

    def __init__(self, progress: Progress, title: str, count: int) -> None:
        self._progress = progress
        self._count = count
        self._task = progress.add_task(title, total=count)

    def left(self, count: int) -> None:
        """So many instances are left."""
        # Some may have been on their way here when it began.
        self._count = max(self._count, count)
        self._progress.update(self._task, total=self._count, completed=self._count - count)


def _table(handoffs: list[dict[str, Any]]) -> Table:
    ids = [node for one in handoffs for node in (one["from"], one["to"]) if node]
    short = shorter(ids)
    table = Table("ended", "instance", "reason", "from", "to", "outcome", "blackout", "took")
    for one in handoffs:
        log = one["log"]
        ended = f"{datetime.fromtimestamp(log[-1]['at']):%Y-%m-%d %H:%M:%S}" if log and one["outcome"] else ""
        table.add_row(
            ended,
            one["instance_id"],
            one["reason"],
            short.get(one["from"], ""),
            short.get(one["to"], ""),
            one["outcome"] or f"in {one['step']}",
            f"{one['blackout_ms']:.0f} ms" if one["blackout_ms"] is not None else "",
            f"{(log[-1]['at'] - log[0]['at']) * 1000:.0f} ms" if log else "",
        )
    return table
