"""What happens, and for how long."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from bench.command import count, positive

CALM = 60.0
HANGS = 150.0


@dataclass(frozen=True)
class Options:
    """The command line. Seconds.

    Attributes:
        instances: accounts, each with a healthy endpoint; the first one has another that hangs.
        calm: before the incident.
        hangs: for how long the endpoint hangs and WhatsApp answers no question about people.
        rate: messages per second that contacts write, to all instances together.
        picture: where a timeline is wanted.
        keep: the directory with all data and logs, which is kept then.
    """

    instances: int
    calm: float
    hangs: float
    rate: float
    picture: Path | None
    keep: Path | None


def read(arguments: list[str] | None = None) -> Options:
    """Read a command line; ends the program if it is none."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.incident",
        description="While messages flow, let an endpoint hang, let WhatsApp answer no question about "
        "people, and empty a node in the middle of it. A real Prometheus watches by the rules "
        "of deploy/prometheus. The last line printed is a JSON object.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--instances", type=count, default=6, help="accounts that are paired")
    add("--calm", type=positive, default=CALM, help="seconds before the incident")
    add("--hangs", type=positive, default=HANGS, help="seconds that it lasts")
    add("--rate", type=positive, default=10.0, help="messages per second that contacts write")
    add("--picture", type=Path, help="write a timeline to this file")
    add("--keep", type=Path, help="work in this directory and keep what is written there, logs too")
    return Options(**vars(parser.parse_args(arguments)))
