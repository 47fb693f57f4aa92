"""``malote rollout``: the same as a job does, from a tree of the new code on a machine of the cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from actors.settings import Settings
from deploy.fleet_link import address_of
from deploy.local import FOREIGN
from deploy.processes import environment_of

ROOT = Path(__file__).resolve().parent.parent
PASSED_ON = ("MALOTE_", "RAY_")


class Action(StrEnum):
    """What is done about a roll-out."""

    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    ROLLBACK = "rollback"


def run_rollout(settings: Settings, action: Action, options: Sequence[str]) -> int:
    """Begin, follow or steer a roll-out of this program's code. Returns the exit status.

    Raises:
        CommandError: nothing runs here.
    """
    job = ["rollout", *options] if action is Action.START else [action.value]
    # A process of its own: Ray reads its environment once, when it is imported.
    return subprocess.run(
        [sys.executable, "-P", "-m", "deploy.job", *job],
        env={**_environment(settings), "PYTHONPATH": str(ROOT)},
        check=False,
    ).returncode


def _environment(settings: Settings) -> dict[str, str]:
    """The settings that new actors get: this process's for a given cluster, else those of what runs here."""
    if settings.ray_address is not None:
        return dict(os.environ)
    data_dir = settings.data_dir.expanduser().absolute()
    address = address_of(data_dir)
    cluster = int(json.loads((data_dir / "ray.json").read_text())["pid"])
    theirs = {name: value for name, value in environment_of(cluster).items() if name.startswith(PASSED_ON)}
    ours = {name: value for name, value in os.environ.items() if not name.startswith(PASSED_ON)}
    if settings.version is not None:
        ours["MALOTE_VERSION"] = settings.version
    kept = {name: value for name, value in theirs.items() if name not in FOREIGN}
    return kept | ours | {"MALOTE_RAY_ADDRESS": address}
