"""``python -m bench.handoff``: the command."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from bench.command import run_within
from bench.handoff.options import Options, read
from deploy.errors import CommandError
from tests.cluster.nodes import LocalCluster, NodeFailed
from tests.engine.postgres import Postgres

OVERHEAD = 1800.0
"""Seconds that starting, settling and ending may take, besides what is measured."""


def main() -> int:
    """Run the benchmark. Returns the exit status: 0 if everything is as promised."""
    options = read()
    directory = (options.keep or Path(tempfile.mkdtemp(prefix="mlt-bench-"))).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    postgres = Postgres() if options.postgres else None
    kept = options.keep is not None
    try:
        if postgres is not None:
            postgres.start()
            os.environ["MALOTE_SESSION_STORE"] = postgres.url
        passed = _run(options, directory)
        kept = kept or not passed
    except (CommandError, NodeFailed) as error:
        print(f"bench.handoff: {error}", file=sys.stderr)
        passed, kept = False, True
    finally:
        if postgres is not None:
            postgres.remove()
        if not kept:
            shutil.rmtree(directory, ignore_errors=True)
    if kept:
        print(f"Data and logs are in {directory}.", file=sys.stderr)
    return 0 if passed else 1


def _run(options: Options, directory: Path) -> bool:
    cluster = LocalCluster(
        directory / "cluster",
        nodes=options.nodes + 1,
        # Any node may have to take all of them, and while an instance moves it takes a second slot.
        slots=2 * options.instances,
        head_slots=0,
    )
    os.environ.update(cluster.access)
    os.environ["MALOTE_COURIER_COUNT"] = str(options.couriers)
    # Only now: Ray reads its part of the environment once, when it is imported.
    from bench.handoff.report import show
    from bench.handoff.run import Run

    run = Run(options, cluster, directory, lambda line: print(line, file=sys.stderr, flush=True))
    run_within(run.run, options.minutes * 60 + OVERHEAD)
    if run.result is None:
        return False
    out = Console(width=None if sys.stdout.isatty() else 110)
    show(out, run.result, run.mover.moves)
    print(run.result.model_dump_json(), flush=True)
    return run.result.passed


if __name__ == "__main__":
    sys.exit(main())
