"""``python -m bench.rollout``: the command."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from bench.command import run_within, workplace
from bench.rollout.options import Options, read
from bench.rollout.report import show
from bench.rollout.run import Run
from deploy.demo.clients import Refused
from deploy.errors import CommandError

LONGEST = 3600.0


def main() -> int:
    """Run it. Returns the exit status: 0 if everything is as promised."""
    options = read()
    try:
        with workplace(options.keep) as directory:
            return 0 if _run(options, directory) else 1
    except (CommandError, Refused) as error:
        print(f"bench.rollout: {error}", file=sys.stderr)
        return 1


def _run(options: Options, directory: Path) -> bool:
    run = Run(options, directory, lambda line: print(line, file=sys.stderr, flush=True))
    run_within(run.run, LONGEST)
    if run.result is None:
        return False
    show(Console(width=None if sys.stdout.isatty() else 110), run.result)
    print(run.result.model_dump_json(), flush=True)
    return run.result.passed


if __name__ == "__main__":
    sys.exit(main())
