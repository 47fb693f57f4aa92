"""What is done to a cluster by a short Ray job.

ray job submit --working-dir . -- python -m deploy.job up|status|down|rollout|pause|resume|rollback

``up`` starts Malote, or finds that it runs; ``status`` tells of nodes, of handoffs that go on and of the
latest roll-out; ``down`` disconnects every instance and ends all actors, and leaves all data. ``rollout``
brings the code of this job to every actor, instance by instance, and brings the old one back if that does not
work; ``pause``, ``resume`` and ``rollback`` are for one that goes on. The job's log says what happened,
and its exit status is the result. Settings come from the environment of the head.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError

from actors import version
from actors.settings import Settings
from actors.settings.errors import REMEDY, explained
from actors.supervisor.rollout_record import Plan, Rollout
from deploy.errors import CommandError, Exit
from deploy.rollout import (
    add_options,
    described,
    read_office,
    roll_back,
    roll_out,
    shipped,
    steer,
    summary,
)

Command = Callable[[Settings, argparse.Namespace], Exit]
Raw = argparse.RawDescriptionHelpFormatter
ATTEMPTS = 15
"""Seconds, one look each, in which one supervisor has taken over from another."""
TIMEOUT = 60.0
HANDOFFS_LOOKED_AT = 1_000


def up(settings: Settings, options: argparse.Namespace) -> Exit:
    """Have a supervisor run, and through it everything else. Again is harmless.

    One that runs already keeps its code.
    """
    from actors.supervisor.lifecycle import start_supervisor, supervisors

    ran = bool(supervisors(settings))
    handle = start_supervisor(settings)
    nodes = _ask(handle.nodes)
    print(f"The supervisor {'runs already' if ran else 'is started'}.")
    office, own = read_office(settings), version.of(settings)
    if office is not None and own not in (office.appointed, office.standby):
        print(f"Its version is {office.appointed}, that of this code {own}: `rollout` replaces it.")
    _print_nodes(nodes)
    if not any(node["slots"] for node in nodes):
        print("No node has slots yet: instances wait for one.")
    return Exit.OK


def status(settings: Settings, options: argparse.Namespace) -> Exit:
    """Print nodes, their load, what moves, and the latest roll-out; the last line is JSON."""
    handle = _supervisor(settings)
    office = read_office(settings)
    rollout = office.rollout if office is not None else None
    nodes = _ask(handle.nodes)
    versions = Counter(one["version"] for one in _ask(handle.describe)["instances"].values())
    moving = [one for one in _ask(handle.handoffs, None, HANDOFFS_LOOKED_AT) if not one["outcome"]]
    _print_nodes(nodes)
    if rollout is not None:
        print(described(rollout))
    print(
        json.dumps(
            {
                "nodes": len(nodes),
                "slots": sum(node["slots"] for node in nodes),
                "instances": sum(node["instances"] for node in nodes),
                "couriers": sum(node["couriers"] for node in nodes),
                "draining": [node["id"] for node in nodes if node["draining"]],
                "handoffs": len(moving),
                "version": office.appointed if office is not None else None,
                "versions": {one or "none": count for one, count in versions.items()},
                "rollout": summary(rollout) if rollout is not None else None,
            }
        )
    )
    return Exit.OK


def down(settings: Settings, options: argparse.Namespace) -> Exit:
    """End all actors in order. Again is harmless."""
    from actors.supervisor.lifecycle import stop_everything

    stop_everything(settings)
    print("Nothing of Malote runs in this cluster any more; all data stays.")
    return Exit.OK


def rollout(settings: Settings, options: argparse.Namespace) -> Exit:
    """Bring this job's code to every actor, or follow the roll-out that does so already."""
    _supervisor(settings)
    plan = Plan(
        canary=options.canary, canary_watch=options.canary_watch, batch=options.batch, budget=options.budget
    )
    return roll_out(settings, plan)


def _steer(make: Callable[[Rollout], Rollout]) -> Command:
    def command(settings: Settings, options: argparse.Namespace) -> Exit:
        print(described(steer(settings, make)))
        return Exit.OK

    return command


COMMANDS: dict[str, Command] = {
    "up": up,
    "status": status,
    "down": down,
    "rollout": rollout,
    "pause": _steer(lambda found: found.change(paused=True)),
    "resume": _steer(lambda found: found.change(paused=False)),
    "rollback": roll_back,
}


def parser() -> argparse.ArgumentParser:
    """Of this job's command line."""
    found = argparse.ArgumentParser(prog="python -m deploy.job", description=__doc__, formatter_class=Raw)
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        one = commands.add_parser(name)
        if name == "rollout":
            add_options(one)
    return found


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    try:
        settings = Settings()
        if settings.redis_url is None:
            raise CommandError(
                "no Redis is set", "Set MALOTE_REDIS_URL on the head, the same as on every node."
            )
        import ray
        from ray.exceptions import RayError

        try:
            with shipped(options.command == "rollout") as runtime_env:
                # A job finds its own cluster.
                ray.init(
                    address=settings.ray_address or "auto",
                    namespace=settings.namespace,
                    runtime_env=runtime_env,
                    log_to_driver=False,
                )
            return COMMANDS[options.command](settings, options)
        except (RayError, TimeoutError) as error:
            raise CommandError(f"the supervisor did not answer: {error}", "Repeat it.") from error
        finally:
            ray.shutdown()
    except CommandError as error:
        print(f"{error.problem}. {error.remedy}".strip(), file=sys.stderr)
        return error.status
    except (ValidationError, SettingsError) as error:
        print(*explained(error), REMEDY, sep="\n", file=sys.stderr)
        return Exit.USAGE


def _supervisor(settings: Settings) -> Any:
    from actors import cluster
    from actors.supervisor.lifecycle import supervisors

    if not supervisors(settings):
        raise CommandError("no supervisor runs", "`up` starts one.", status=Exit.NOT_RUNNING)
    for _ in range(ATTEMPTS):
        if (handle := asyncio.run(cluster.find_supervisor(settings.namespace))) is not None:
            return handle
        time.sleep(1.0)
    raise CommandError("no supervisor leads", "Repeat it after a moment.")


def _ask(method: Any, *arguments: Any) -> Any:
    import ray

    return ray.get(method.remote(*arguments), timeout=TIMEOUT)


def _print_nodes(nodes: list[dict[str, Any]]) -> None:
    for node in nodes:
        state = ", draining" if node["draining"] else ""
        print(f"{node['id'][:8]}  {node['address']:15}  {node['instances']} of {node['slots']} slots{state}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
