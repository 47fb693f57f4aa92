"""What is measured, and for how long."""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

from bench.command import count, positive


@dataclass(frozen=True)
class Options:
    """The command line.

    Attributes:
        files: messages with a file in each round.
        size: bytes of each file.
        rate: texts per second.
        file_rate: messages with a file per second; in rounds without files as many have none.
        line: bytes per second at which each file comes. The network's servers are on the same machine here,
            and would send one in a burst of a whole processor.
        rounds: each is text beside messages without files and beside files, in turns.
        seed: of every choice that is made at random.
        keep: the directory with all data and logs, which is kept then.
    """

    files: int
    size: int
    rate: float
    file_rate: float
    line: int
    rounds: int
    seed: int
    keep: Path | None


def read(arguments: list[str] | None = None) -> Options:
    """Read a command line; ends the program if it is none."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.media",
        description="Let contacts write texts to an instance, beside messages with files and beside as many "
        "without, and compare how long the texts take. The last line printed is a JSON object.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--files", type=count, default=50, help="messages with a file in each round")
    add("--size", type=count, default=5_000_000, help="bytes of each file")
    add("--rate", type=positive, default=10.0, help="texts per second")
    add("--file-rate", type=positive, default=5.0, help="messages with a file per second")
    add("--line", type=count, default=25_000_000, help="bytes per second at which each file comes")
    add("--rounds", type=count, default=3, help="of each kind: beside files, and beside messages without")
    add("--seed", type=int, help="of all choices made at random (default: a fresh one)")
    add("--keep", type=Path, help="work in this directory and keep what is written there, logs too")
    given = vars(parser.parse_args(arguments))
    if given["seed"] is None:
        given["seed"] = random.randrange(1 << 32)
    return Options(**given)
