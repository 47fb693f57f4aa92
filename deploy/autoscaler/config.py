"""The configuration that a head gives Ray's autoscaler: the file it was told, with slots as they are set."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from actors.settings import Settings
from actors.supervisor.elastic import WORKER
from deploy.errors import CommandError, Exit
from deploy.node.plan import INSTANCE_SLOT


def write(settings: Settings) -> Path | None:
    """Write it below the data folder; returns where, None if there is to be no autoscaler.

    Raises:
        CommandError: the file or the settings do not do.
    """
    source = settings.node.autoscaling
    if source is None:
        return None
    try:
        given = yaml.safe_load(source.expanduser().read_text())
    except (OSError, yaml.YAMLError) as error:
        raise CommandError(f"MALOTE_NODE_AUTOSCALING cannot be read: {error}", status=Exit.USAGE) from error
    target = settings.data_dir / "ray-cluster.yaml"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(yaml.safe_dump(completed(given, settings), sort_keys=False))
    return target


def completed(given: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """A configuration with how many slots a worker has. How many workers may be is the supervisor's to know.

    A configuration of nodes that are there anyway, as of Ray's own provider ``local``, stays as it is.

    Raises:
        CommandError: something is missing.
    """
    workers = given.get("available_node_types", {}).get(WORKER)
    if given.get("provider", {}).get("type") != "external" or workers is None:
        return given
    missing = [
        name
        for name, value in {
            "MALOTE_ELASTIC_WORKERS": settings.elastic.workers,
            "MALOTE_REDIS_URL": settings.redis_url,
            "MALOTE_ECS_CLUSTER": settings.ecs.cluster,
            "MALOTE_ECS_TASK": settings.ecs.task,
            "MALOTE_ECS_SUBNETS": settings.ecs.subnets,
            "MALOTE_ECS_SECURITY_GROUPS": settings.ecs.security_groups,
        }.items()
        if not value
    ]
    if missing:
        raise CommandError("the autoscaler lacks settings", f"Set {', '.join(missing)}.", status=Exit.USAGE)
    if find_spec("boto3") is None:
        raise CommandError("the autoscaler lacks boto3", "pip install 'malote[ecs]'", status=Exit.USAGE)
    types = given["available_node_types"] | {
        WORKER: workers | {"resources": {INSTANCE_SLOT: settings.elastic.slots}}
    }
    return given | {"available_node_types": types}
