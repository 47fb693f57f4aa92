"""``python -m bench.delivery``: the command."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from bench.command import bounded
from bench.delivery import outage, picture, throughput
from bench.delivery.isolation import Isolated, Isolation
from bench.delivery.options import Options, read
from bench.delivery.report import Result, conclude, show
from bench.delivery.worker import WorkerFailed
from bench.delivery.world import Unsettled, World
from deploy.errors import CommandError

LIMIT = 3600.0


class Run:
    """One run. ``result`` is there when it is done."""

    def __init__(self, options: Options, directory: Path) -> None:
        self.result: Result | None = None
        self._options = options
        self._world = World(directory, _say)

    async def run(self) -> None:
        """Start everything, measure every part, and end everything."""
        began = time.monotonic()
        options, world = self._options, self._world
        speed = isolation = away = None
        try:
            await world.start()
            if "throughput" in options.parts:
                _say("Measuring what a courier delivers.")
                speed = await throughput.measure(world, options)
            if "isolation" in options.parts:
                _say("Measuring what bad endpoints do to the others.")
                isolation = await self._isolate()
            if "outage" in options.parts:
                _say(f"Letting an endpoint be away for {options.days:g} days of the courier's clock.")
                away = await outage.measure(world, options)
        finally:
            await world.stop()
        seconds = time.monotonic() - began
        self.result = conclude(speed, isolation, away, seed=options.seed, seconds=seconds)

    async def _isolate(self) -> Isolation:
        options = self._options
        isolated = Isolated(self._world, options)
        found = await isolated.measure()
        if options.picture is not None:
            drawn = picture.draw(
                isolated.well.latency,
                isolated.bad.latency,
                f"from the event to the 2xx, one courier, {options.rate:g} events/s in all",
                (
                    f"the other {found.bad_endpoints} are well too",
                    f"the other {found.bad_endpoints} hang, drip, reset, answer 500 and 429",
                ),
            )
            options.picture.write_text(drawn)
        return found


def main() -> int:
    """Run the benchmark. Returns the exit status: 0 if everything is as promised."""
    options = read()
    _say(f"Seed {options.seed}.")
    directory = Path(tempfile.mkdtemp(prefix="mlt-bench-"))
    run = Run(options, directory)
    try:
        asyncio.run(bounded(run.run, LIMIT))
    except (CommandError, Unsettled, WorkerFailed, TimeoutError) as error:
        print(f"bench.delivery: {error or 'not ended in time'}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    assert run.result is not None
    show(Console(width=None if sys.stdout.isatty() else 110), run.result)
    print(run.result.model_dump_json(), flush=True)
    return 0 if run.result.passed else 1


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
