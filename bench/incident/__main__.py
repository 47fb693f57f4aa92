"""``python -m bench.incident``: the command."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench.command import bounded
from bench.incident.options import Options, read
from deploy.errors import CommandError
from tests.cluster.nodes import LocalCluster, NodeFailed

OVERHEAD = 1200.0
"""Seconds that starting, settling and ending may take, besides what is measured."""


def main() -> int:
    """Run it. Returns the exit status: 0 if nothing is missing, and it was alerted."""
    options = read()
    directory = (options.keep or Path(tempfile.mkdtemp(prefix="mlt-bench-"))).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    try:
        return 0 if _run(options, directory) else 1
    except (CommandError, NodeFailed) as error:
        print(f"bench.incident: {error}", file=sys.stderr)
        return 1
    finally:
        if options.keep is None:
            shutil.rmtree(directory, ignore_errors=True)


def _run(options: Options, directory: Path) -> bool:
    cluster = LocalCluster(directory / "cluster", nodes=3, slots=2 * options.instances, head_slots=0)
    os.environ.update(cluster.access)
    # Only now: Ray reads its part of the environment once, when it is imported.
    from bench.incident.report import show
    from bench.incident.run import Run

    run = Run(options, cluster, directory, lambda line: print(line, file=sys.stderr, flush=True))
    limit = options.calm + options.hangs + OVERHEAD
    try:
        asyncio.run(bounded(run.run, limit))
    except TimeoutError:
        raise CommandError(f"not ended within {limit / 60:g} minutes") from None
    if run.result is None:
        return False
    show(Console(width=None if sys.stdout.isatty() else 110), run.result)
    print(run.result.model_dump_json(), flush=True)
    return run.result.passed


if __name__ == "__main__":
    sys.exit(main())
