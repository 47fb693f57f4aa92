"""``malote status``: what runs, seen from another terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

from actors.instance.mailbox import Mailbox
from actors.instance.outbox import Outbox
from actors.registry import InstanceRecord, Registry
from actors.settings import Settings
from actors.store import Store, StoreUnavailable
from deploy.down import not_running
from deploy.errors import CommandError
from deploy.lock import Running, running
from deploy.processes import command_line, descendants, proportional_memory

NAME_LENGTH = 60


class ProcessStatus(BaseModel):
    """One process; ``memory`` is its PSS in bytes."""

    pid: int
    name: str
    memory: int


class InstanceStatus(BaseModel):
    """One instance: where its connection stands and how much is queued in either direction."""

    id: str
    name: str
    desired: str
    connection: str
    reason: str | None
    phone: str | None
    epoch: int
    last_seq: int
    undelivered: int
    unsent: int


class Status(BaseModel):
    """All that `status` knows."""

    running: Running
    processes: list[ProcessStatus]
    instances: list[InstanceStatus]
    problem: str | None = None


async def show_status(settings: Settings, out: Console, *, as_json: bool) -> None:
    """Print it, for people or as JSON.

    Raises:
        CommandError: nothing runs on this data directory.
    """
    status = await collect(settings)
    if as_json:
        shown = status.model_dump(mode="json", exclude={"running": {"redis_url"}})
        out.print_json(data=shown)
    else:
        _print(status, out)
    if status.problem:
        raise CommandError(
            status.problem, "The running `malote` says more, and so do the logs beside its data."
        )


async def collect(settings: Settings) -> Status:
    """Look at everything once."""
    data_dir = settings.data_dir.absolute()
    found = running(data_dir)
    if found is None:
        raise not_running(data_dir)
    status = Status(running=found, processes=_processes(found.pid), instances=[])
    if found.redis_url is None:
        return status.model_copy(update={"problem": "it is still starting: no store yet"})
    store = Store(found.redis_url, found.prefix)
    try:
        registry = Registry(store)
        instances = [await _instance(store, registry, settings, record) for record in await registry.list()]
        return status.model_copy(update={"instances": instances})
    except StoreUnavailable as error:
        return status.model_copy(update={"problem": str(error)})
    finally:
        await store.close()


async def _instance(
    store: Store, registry: Registry, settings: Settings, record: InstanceRecord
) -> InstanceStatus:
    state = await registry.state(record.id)
    mailbox = Mailbox(store, record.id, settings.mailbox)
    _, last = await mailbox.extent()
    redis = store.redis
    floors = await store.run(lambda: redis.hvals(mailbox.key("floors")), timeout=5)
    return InstanceStatus(
        id=record.id,
        name=record.name,
        desired=record.desired,
        connection=state.connection if state else "waiting",
        reason=state.reason if state else None,
        phone=state.phone if state else None,
        epoch=state.epoch if state else 0,
        last_seq=last,
        undelivered=last - min((int(floor) for floor in floors), default=last),
        unsent=await Outbox(store, mailbox, settings.outbox).depth(),
    )


def _processes(root: int) -> list[ProcessStatus]:
    pids = [root, *(process.pid for process in descendants(root))]
    return [
        ProcessStatus(pid=pid, name=_name(pid), memory=proportional_memory(pid))
        for pid in pids
        if command_line(pid)
    ]


def _name(pid: int) -> str:
    """A process as people know it: without the paths of programs and without Ray's long options."""
    words: list[str] = command_line(pid).split()
    if "-m" in words[:4]:
        return "python -m " + words[words.index("-m") + 1]
    names = [Path(word).name for word in words[:3]]
    return " ".join(name for name in names if not name.startswith("-"))[:NAME_LENGTH]


def _print(status: Status, out: Console) -> None:
    found = status.running
    facts: list[tuple[str, Any]] = [
        ("malote", f"{found.command}, process {found.pid}"),
        ("API", found.gateway_url),
        ("lab", found.lab_control_url),
        ("Ray dashboard", found.dashboard_url),
    ]
    for name, value in facts:
        if value:
            out.print(f"{name:14}{value}", markup=False)
    instances = Table("instance", "name", "state", "phone", "epoch", "events", "undelivered", "unsent", "why")
    for one in status.instances:
        cells: tuple[str | int | None, ...] = (one.id, one.name, one.connection, one.phone, one.epoch)
        cells += (one.last_seq, one.undelivered, one.unsent, one.reason)
        instances.add_row(*("" if cell is None else str(cell) for cell in cells))
    out.print(instances if status.instances else "No instance yet: POST /v1/instances makes one.")
    processes = Table("pid", "process", "memory (PSS)")
    for process in status.processes:
        processes.add_row(str(process.pid), process.name, f"{process.memory / 2**20:.0f} MiB")
    processes.add_row("", "all", f"{sum(process.memory for process in status.processes) / 2**20:.0f} MiB")
    out.print(processes)
