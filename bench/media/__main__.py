"""``python -m bench.media``: the command."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from bench.command import run_in_workplace, run_within, told
from bench.media.options import Options, read
from tests.cluster.nodes import LocalCluster, NodeFailed

LIMIT = 3600.0
"""Seconds that a run may take."""


def main() -> int:
    """Run the benchmark. Returns the exit status: 0 if nothing is missing."""
    options = read()
    return run_in_workplace("bench.media", options.keep, partial(_run, options), NodeFailed)


def _run(options: Options, directory: Path) -> bool:
    cluster = LocalCluster(directory / "cluster", nodes=1, slots=2)
    os.environ.update(cluster.access)
    # Only now: Ray reads its part of the environment once, when it is imported.
    from bench.media.report import show
    from bench.media.run import Run

    run = Run(options, cluster, directory, lambda line: print(line, file=sys.stderr, flush=True))
    run_within(run.run, LIMIT)
    return told(run.result, show)


if __name__ == "__main__":
    sys.exit(main())
