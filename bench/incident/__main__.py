"""``python -m bench.incident``: the command."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from bench.command import run_in_workplace, run_within, told
from bench.incident.options import Options, read
from tests.cluster.nodes import LocalCluster, NodeFailed

OVERHEAD = 1200.0
"""Seconds that starting, settling and ending may take, besides what is measured."""


def main() -> int:
    """Run it. Returns the exit status: 0 if nothing is missing, and it was alerted."""
    options = read()
    return run_in_workplace("bench.incident", options.keep, partial(_run, options), NodeFailed)


def _run(options: Options, directory: Path) -> bool:
    cluster = LocalCluster(directory / "cluster", nodes=3, slots=2 * options.instances, head_slots=0)
    os.environ.update(cluster.access)
    # Only now: Ray reads its part of the environment once, when it is imported.
    from bench.incident.report import show
    from bench.incident.run import Run

    run = Run(options, cluster, directory, lambda line: print(line, file=sys.stderr, flush=True))
    run_within(run.run, options.calm + options.hangs + OVERHEAD)
    return told(run.result, show)


if __name__ == "__main__":
    sys.exit(main())
