"""The command line: ``malote``."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console

from actors.settings import Settings
from actors.settings.errors import REMEDY, explained
from actors.supervisor.rollout_record import Plan
from deploy.errors import CommandError, Exit
from deploy.rollout_command import Action, run_rollout

T = TypeVar("T")


def examples(*lines: str) -> str:
    """The end of a help text; ``\\b`` keeps its lines apart."""
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


app = typer.Typer(
    name="malote",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Malote hosts WhatsApp accounts behind one HTTP API and delivers their events to webhooks.",
    epilog="Exit status: 0 done, 1 failed, 2 wrong usage, 3 nothing runs here, 4 it runs here already.",
)

out = Console(highlight=False, soft_wrap=True)
if not out.is_terminal:
    # Nobody's window: tables are not to be squeezed into the 80 columns that are assumed otherwise.
    out.width = 160
err = Console(stderr=True, highlight=False, soft_wrap=True)

DataDir = Annotated[
    Path | None,
    typer.Option(help="Everything that has to survive (default: MALOTE_DATA_DIR, else .malote)"),
]
Port = Annotated[
    int | None,
    typer.Option(
        min=0, max=65535, help="Of the API; 0 is any free one (default: MALOTE_GATEWAY_PORT, else 8080)"
    ),
]
Dashboard = Annotated[
    bool, typer.Option(help="With Ray's dashboard, which takes a dozen processes and some 300 MiB")
]
PLAN = Plan()
PRIVATE = 0o077
"""Logs, files and what Ray writes are nobody else's to read, whoever made the data directory."""
AsJson = Annotated[bool, typer.Option("--json", help="For programs")]
OfDemo = Annotated[bool, typer.Option("--demo", help="The demonstration's instead of `malote up`'s")]


@app.command(
    epilog=examples(
        "malote up",
        "malote up --port 9000 --data-dir /var/lib/malote",
        "MALOTE_REDIS_URL=redis://10.0.0.5:6379/0 malote up",
    )
)
def up(data_dir: DataDir = None, port: Port = None, dashboard: Dashboard = True) -> None:
    """Run everything on this machine, in the foreground.

    Starts a Valkey server of its own (unless MALOTE_REDIS_URL is set), a Ray cluster of its own (unless
    MALOTE_RAY_ADDRESS is set), the supervisor, the couriers and the gateway, and starts again whatever
    dies. Ctrl-C ends everything cleanly; a second Ctrl-C does not wait.
    """
    from deploy.up import run_up

    os.umask(PRIVATE)
    _run(lambda: run_up(_settings(data_dir, port), say, dashboard=dashboard))


@app.command(
    epilog=examples("malote demo", "malote demo --once", "malote demo --once --instances 5 --minutes 10")
)
def demo(
    once: Annotated[
        bool, typer.Option("--once", help="A scripted tour that ends by itself; last line: JSON")
    ] = False,
    instances: Annotated[int, typer.Option(min=1, max=50, help="Accounts that are paired")] = 2,
    minutes: Annotated[
        float, typer.Option(min=0, help="With --once: how long messages flow (0: the shortest tour)")
    ] = 0.0,
    data_dir: Annotated[
        Path | None, typer.Option(help="(default: demo in MALOTE_DATA_DIR, else .malote/demo)")
    ] = None,
    port: Port = None,
) -> None:
    """Show Malote at work against a WhatsApp network on this machine.

    The same as `up`, plus the lab, accounts that are paired by themselves, contacts that write, and a
    webhook receiver that checks what it gets. Nothing leaves this machine. What it keeps survives:
    a demonstration can be stopped and continued.
    """
    from deploy.demo.command import run_demo

    os.umask(PRIVATE)
    settings = _demo_settings(data_dir, port)
    status = _run(lambda: run_demo(settings, out, say, once=once, instances=instances, minutes=minutes))
    raise typer.Exit(status)


@app.command(epilog=examples("malote lab --data-dir .malote/lab --control-port 8090"))
def lab(
    data_dir: Annotated[
        Path | None, typer.Option(help="Where the lab keeps its state (default: lab in MALOTE_DATA_DIR)")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the network; 0: any free one")] = 0,
    control_port: Annotated[int, typer.Option(min=0, max=65535, help="Of the control interface")] = 8090,
) -> None:
    """Run a WhatsApp network on this machine: server, phones, contacts, faults.

    Point `malote up` at it with MALOTE_LAB_DIRECTORY (and an engine built for it, as `make engine` does).
    """
    from deploy.lab import run_lab

    directory = (data_dir or _settings(None, None).data_dir / "lab").absolute()
    _run(lambda: run_lab(directory, port=port, control_port=control_port, say=say))


@app.command(epilog=examples("malote status", "malote status --demo", "malote status --json"))
def status(
    data_dir: DataDir = None,
    of_demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """Show what runs: processes, instances, their states and queues."""
    from deploy.status import show_status

    settings = _of(data_dir, of_demo)
    _run(lambda: show_status(settings, out, as_json=as_json))


@app.command(
    epilog=examples(
        "malote doctor", "malote doctor --json", "MALOTE_REDIS_URL=redis://10.0.0.5 malote doctor"
    )
)
def doctor(data_dir: DataDir = None, of_demo: OfDemo = False, as_json: AsJson = False) -> None:
    """Look at all that Malote needs, and say what to do about what is wrong.

    Looks at settings, this machine, Redis, PostgreSQL, Ray, clocks, and whether endpoints can be reached.
    Posts nothing, and leaves nothing behind. The exit status is 1 if there is a problem, not for warnings.
    """
    from deploy.doctor.command import show_findings

    settings = _of(data_dir, of_demo)
    _run(lambda: show_findings(settings, out, as_json=as_json))


@app.command(epilog=examples("malote down", "malote down --demo"))
def down(
    data_dir: DataDir = None,
    of_demo: OfDemo = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for a clean end")] = 120.0,
) -> None:
    """End a `malote up` that was started elsewhere, cleanly, and wait until it has ended."""
    from deploy.down import end_running

    settings = _of(data_dir, of_demo)
    _run(lambda: end_running(settings.data_dir.absolute(), timeout=timeout, say=say))


@app.command(epilog=examples("malote nodes", "malote nodes --json"))
def nodes(data_dir: DataDir = None, of_demo: OfDemo = False, as_json: AsJson = False) -> None:
    """Show the nodes of the cluster with their capacity and load."""
    from deploy.fleet import show_nodes

    _run(lambda: show_nodes(_of(data_dir, of_demo), out, as_json=as_json))


@app.command(epilog=examples("malote move support", "malote move support --to 3f9c"))
def move(
    instance: Annotated[str, typer.Argument(help="Id of the instance")],
    to: Annotated[
        str | None,
        typer.Option(help="Id of a node, or its beginning (default: the least loaded of the others)"),
    ] = None,
    data_dir: DataDir = None,
    of_demo: OfDemo = False,
) -> None:
    """Hand an instance over to another node, with nothing lost, and wait until that is done."""
    from deploy.fleet import move_instance

    _run(lambda: move_instance(_of(data_dir, of_demo), out, instance, to))


@app.command(epilog=examples("malote drain 3f9c", "malote drain 3f9c --undo"))
def drain(
    node: Annotated[str, typer.Argument(help="Id of the node, or its beginning")],
    undo: Annotated[bool, typer.Option("--undo", help="Let it take instances again")] = False,
    data_dir: DataDir = None,
    of_demo: OfDemo = False,
) -> None:
    """Move every instance of a node to the others, and wait until it is empty and can be stopped.

    Ctrl-C ends the waiting, not the drain.
    """
    from deploy.fleet import drain_node

    _run(lambda: drain_node(_of(data_dir, of_demo), out, node, undo=undo))


@app.command(
    epilog=examples("malote handoffs", "malote handoffs support --limit 5", "malote handoffs --json")
)
def handoffs(
    instance: Annotated[str | None, typer.Argument(help="Only those of this instance")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many")] = 20,
    data_dir: DataDir = None,
    of_demo: OfDemo = False,
    as_json: AsJson = False,
) -> None:
    """Show handoffs that go on, and past ones, the newest first."""
    from deploy.fleet import show_handoffs

    settings = _of(data_dir, of_demo)
    _run(lambda: show_handoffs(settings, out, instance, limit=limit, as_json=as_json))


@app.command(
    epilog=examples(
        "malote rollout",
        "malote rollout --canary 2 --canary-watch 300 --batch 8 --budget 3",
        "malote rollout pause",
        "malote rollout rollback",
    )
)
def rollout(
    action: Annotated[
        Action, typer.Argument(help="Or `pause`, `resume`, `rollback` of one that goes on; or `status`")
    ] = Action.START,
    canary: Annotated[int, typer.Option(min=0, help="Instances that go first")] = PLAN.canary,
    canary_watch: Annotated[
        float, typer.Option(min=0, help="Seconds for which they are watched")
    ] = PLAN.canary_watch,
    batch: Annotated[int, typer.Option(min=1, help="Instances moved at a time")] = PLAN.batch,
    budget: Annotated[
        int, typer.Option(min=0, help="Instances that may fail after the canary")
    ] = PLAN.budget,
    data_dir: DataDir = None,
    of_demo: OfDemo = False,
) -> None:
    """Bring this program's code to every actor, instance by instance, and wait until that is done.

    What does not work is brought back to the code that ran before. Ctrl-C ends the waiting, not the roll-out.
    """
    plan = {"canary": canary, "canary-watch": canary_watch, "batch": batch, "budget": budget}
    options = [word for name, value in plan.items() for word in (f"--{name}", str(value))]
    raise typer.Exit(run_rollout(_of(data_dir, of_demo), action, options))


def say(line: str) -> None:
    """Tell the user something, now."""
    out.print(line, markup=False)


def _settings(data_dir: Path | None, port: int | None) -> Settings:
    settings = Settings()
    if data_dir is not None:
        settings = settings.model_copy(update={"data_dir": data_dir})
    if port is not None:
        gateway = settings.gateway.model_copy(update={"port": port})
        settings = settings.model_copy(update={"gateway": gateway})
    return settings


def _of(data_dir: Path | None, of_demo: bool) -> Settings:
    return _demo_settings(data_dir, None) if of_demo else _settings(data_dir, None)


def _demo_settings(data_dir: Path | None, port: int | None) -> Settings:
    settings = _settings(None, port)
    if port is None and "port" not in settings.gateway.model_fields_set:
        # Nobody asked for a certain port: one that is taken is no reason not to show anything.
        settings = _settings(None, 0)
    return settings.model_copy(update={"data_dir": data_dir or settings.data_dir / "demo"})


def _run(command: Callable[[], Coroutine[Any, Any, T]]) -> T:
    return asyncio.run(command())


def main() -> None:
    """Entry of the console script: what cannot be done becomes two lines and an exit status."""
    try:
        app()
    except CommandError as error:
        err.print(f"malote: {error.problem}", markup=False)
        if error.remedy:
            err.print(f"        {error.remedy}", markup=False)
        sys.exit(error.status)
    except (ValidationError, SettingsError) as error:
        for fault in explained(error):
            err.print(f"malote: {fault}", markup=False)
        err.print(f"        {REMEDY}", markup=False)
        sys.exit(Exit.USAGE)


if __name__ == "__main__":
    main()
