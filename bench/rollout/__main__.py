"""``python -m bench.rollout``: the command."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from bench.command import run_in_workplace, run_within, told
from bench.rollout.options import Options, read
from bench.rollout.report import show
from bench.rollout.run import Run
from deploy.demo.clients import Refused

LONGEST = 3600.0


def main() -> int:
    """Run it. Returns the exit status: 0 if everything is as promised."""
    options = read()
    return run_in_workplace("bench.rollout", options.keep, partial(_run, options), Refused)


def _run(options: Options, directory: Path) -> bool:
    run = Run(options, directory, lambda line: print(line, file=sys.stderr, flush=True))
    run_within(run.run, LONGEST)
    return told(run.result, show)


if __name__ == "__main__":
    sys.exit(main())
