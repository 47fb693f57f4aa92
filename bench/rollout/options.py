"""What happens, and for how long."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench.command import count, positive


class Stage(StrEnum):
    """One part of the story."""

    ROLLOUT = "rollout"
    NODES = "nodes"
    HEAD = "head"


@dataclass(frozen=True)
class Options:
    """The command line.

    Attributes:
        instances: accounts that are paired.
        workers: nodes that take instances and have a gateway; the head is one more and takes none.
        stages: what happens once everything is up and messages flow, in this order.
        canary_watch: seconds for which the roll-out watches its canary.
        absence: seconds for which the killed head is away.
        contacts: real clients that write to every instance.
        write_interval: seconds between two messages of one contact.
        send_interval: seconds between two messages that one instance sends.
        couriers: actors that deliver.
        keep: the directory with all data and logs, which is kept then.
    """

    instances: int
    workers: int
    stages: tuple[Stage, ...]
    canary_watch: float
    absence: float
    contacts: int
    write_interval: float
    send_interval: float
    couriers: int
    keep: Path | None


def read(arguments: list[str] | None = None) -> Options:
    """Read a command line; ends the program if it is none."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.rollout",
        description="Bring up a cluster of containers' nodes by a Ray job, roll out a changed version by "
        "another one, replace every node and kill the head, while contacts write and clients send; count "
        "what was lost, repeated or reordered. The last line printed is a JSON object.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--instances", type=count, default=20, help="accounts that are paired")
    add("--workers", type=count, default=2, help="nodes that take instances; the head is one more")
    add("--stages", type=_stages, default=tuple(Stage), help="what happens, in this order")
    add("--canary-watch", type=positive, default=20.0, help="seconds that a canary is watched")
    add("--absence", type=positive, default=20.0, help="seconds for which the killed head is away")
    add("--contacts", type=count, default=4, help="real clients that write to every instance")
    add("--write-interval", type=positive, default=0.4, help="seconds between two messages of a contact")
    add("--send-interval", type=positive, default=4.0, help="seconds between two messages of an instance")
    add("--couriers", type=count, default=2, help="actors that deliver")
    add("--keep", type=Path, help="work in this directory and keep what is written there, logs too")
    given = vars(parser.parse_args(arguments))
    if given["workers"] < 2:
        parser.error("--workers: what runs on one node can be handed over only to another")
    return Options(**given)


def _stages(text: str) -> tuple[Stage, ...]:
    try:
        return tuple(Stage(name) for name in text.split(",") if name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; there are {', '.join(Stage)}") from None
