"""What is done to a cluster by a short Ray job.

ray job submit --working-dir . -- python -m deploy.job up|status|down

``up`` starts Malote, or finds that it runs; ``status`` tells of nodes and of handoffs that go on; ``down``
disconnects every instance and ends all actors, and leaves all data. The job's log says what happened, and its
exit status is the result. Settings come from the environment of the head.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from actors.settings import Settings
from deploy.errors import CommandError, Exit

TIMEOUT = 60.0
HANDOFFS_LOOKED_AT = 1_000


def up(settings: Settings) -> None:
    """Have a supervisor run, and through it everything else. Again is harmless.

    One that runs already keeps its code.
    """
    from actors.supervisor.actor import NAME, start_supervisor

    ran = _find(NAME, settings) is not None
    handle = start_supervisor(settings)
    nodes = _ask(handle.nodes)
    print(f"The supervisor {'runs already' if ran else 'is started'}.")
    _print_nodes(nodes)
    if not any(node["slots"] for node in nodes):
        print("No node has slots yet: instances wait for one.")


def status(settings: Settings) -> None:
    """Print nodes, their load, and what moves; the last line is JSON."""
    handle = _supervisor(settings)
    nodes = _ask(handle.nodes)
    moving = [one for one in _ask(handle.handoffs, None, HANDOFFS_LOOKED_AT) if not one["outcome"]]
    _print_nodes(nodes)
    print(
        json.dumps(
            {
                "nodes": len(nodes),
                "slots": sum(node["slots"] for node in nodes),
                "instances": sum(node["instances"] for node in nodes),
                "couriers": sum(node["couriers"] for node in nodes),
                "draining": [node["id"] for node in nodes if node["draining"]],
                "handoffs": len(moving),
            }
        )
    )


def down(settings: Settings) -> None:
    """End all actors in order. Again is harmless."""
    from actors.supervisor.actor import stop_everything

    stop_everything(settings)
    print("Nothing of Malote runs in this cluster any more; all data stays.")


COMMANDS: dict[str, Callable[[Settings], None]] = {"up": up, "status": status, "down": down}


def main(arguments: Sequence[str]) -> int:
    """Returns the exit status."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print(__doc__, file=sys.stderr)
        return Exit.USAGE
    try:
        settings = Settings()
        if settings.redis_url is None:
            raise CommandError(
                "no Redis is set", "Set MALOTE_REDIS_URL on the head, the same as on every node."
            )
        import ray
        from ray.exceptions import RayError

        # A job finds its own cluster.
        ray.init(address=settings.ray_address or "auto", namespace=settings.namespace, log_to_driver=False)
        try:
            COMMANDS[arguments[0]](settings)
        except (RayError, TimeoutError) as error:
            raise CommandError(f"the supervisor did not answer: {error}", "Repeat it.") from error
        finally:
            ray.shutdown()
    except CommandError as error:
        print(f"{error.problem}. {error.remedy}".strip(), file=sys.stderr)
        return error.status
    except ValidationError as error:
        print(error, file=sys.stderr)
        return Exit.USAGE
    return Exit.OK


def _find(name: str, settings: Settings) -> Any | None:
    import ray

    try:
        return ray.get_actor(name, namespace=settings.namespace)
    except ValueError:
        return None


def _supervisor(settings: Settings) -> Any:
    from actors.supervisor.actor import NAME

    handle = _find(NAME, settings)
    if handle is None:
        raise CommandError("no supervisor runs", "`up` starts one.", status=Exit.NOT_RUNNING)
    return handle


def _ask(method: Any, *arguments: Any) -> Any:
    import ray

    return ray.get(method.remote(*arguments), timeout=TIMEOUT)


def _print_nodes(nodes: list[dict[str, Any]]) -> None:
    for node in nodes:
        state = ", draining" if node["draining"] else ""
        print(f"{node['id'][:8]}  {node['address']:15}  {node['instances']} of {node['slots']} slots{state}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
