"""``python -m bench.media``: the command."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from rich.console import Console

from bench.command import run_within, workplace
from bench.media.options import Options, read
from deploy.errors import CommandError
from tests.cluster.nodes import LocalCluster, NodeFailed

LIMIT = 3600.0
"""Seconds that a run may take."""


def main() -> int:
    """Run the benchmark. Returns the exit status: 0 if nothing is missing."""
    options = read()
    try:
        with workplace(options.keep) as directory:
            return 0 if _run(options, directory) else 1
    except (CommandError, NodeFailed) as error:
        print(f"bench.media: {error}", file=sys.stderr)
        return 1


def _run(options: Options, directory: Path) -> bool:
    cluster = LocalCluster(directory / "cluster", nodes=1, slots=2)
    os.environ.update(cluster.access)
    # Only now: Ray reads its part of the environment once, when it is imported.
    from bench.media.report import show
    from bench.media.run import Run

    run = Run(options, cluster, directory, lambda line: print(line, file=sys.stderr, flush=True))
    run_within(run.run, LIMIT)
    if run.result is None:
        return False
    show(Console(width=None if sys.stdout.isatty() else 110), run.result)
    print(run.result.model_dump_json(), flush=True)
    return run.result.passed


if __name__ == "__main__":
    sys.exit(main())
