"""What is measured, and for how long."""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

from bench.command import count, positive

HANDOFFS = 300
KILLS = 100


@dataclass(frozen=True)
class Options:
    """The command line.

    Attributes:
        instances: how many accounts are paired.
        nodes: how many nodes take instances; the head of the cluster is one more and takes none.
        handoffs: how many moves have to succeed, apart from those of a drain.
        parallel: moves that run at a time.
        contacts: real clients that write to every instance.
        write_interval: seconds between two messages of one contact.
        send_interval: seconds between two messages that one instance sends.
        postgres: keep the sessions in a PostgreSQL instead of SQLite files.
        couriers: actors that deliver.
        kill: SIGKILL processes and nodes meanwhile.
        kills, kill_interval: how many, and the seconds between two on average.
        seed: of every choice that is made at random.
        minutes: moves and kills that are not done by then are left out, and the run has failed.
        svg: where a picture of the blackouts is wanted.
        keep: the directory with all data and logs, which is kept then.
    """

    instances: int
    nodes: int
    handoffs: int
    parallel: int
    contacts: int
    write_interval: float
    send_interval: float
    postgres: bool
    couriers: int
    kill: bool
    kills: int
    kill_interval: float
    seed: int
    minutes: float
    svg: Path | None
    keep: Path | None


def read(arguments: list[str] | None = None) -> Options:
    """Read a command line; ends the program if it is none."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.handoff",
        description="Move instances between the nodes of a local Ray cluster while contacts write and "
        "clients send, and count what was lost, repeated or reordered. The last line printed is a JSON "
        "object.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--instances", type=count, default=20, help="accounts that are paired")
    add("--nodes", type=count, default=3, help="Ray nodes that take instances; the head is one more")
    add("--handoffs", type=int, default=HANDOFFS, help="moves that have to succeed, before the drain")
    add("--parallel", type=count, default=2, help="moves at a time")
    add("--contacts", type=count, default=4, help="real clients that write to every instance")
    add("--write-interval", type=positive, default=0.2, help="seconds between two messages of a contact")
    add("--send-interval", type=positive, default=2.0, help="seconds between two messages of an instance")
    add("--postgres", action="store_true", help="sessions in PostgreSQL instead of SQLite files")
    add("--couriers", type=count, default=2, help="actors that deliver")
    add("--kill", action="store_true", help="SIGKILL engines, actors, couriers and nodes meanwhile")
    add("--kills", type=count, default=KILLS, help="how many, with --kill")
    add("--kill-interval", type=positive, default=2.5, help="seconds between two kills, on average")
    add("--seed", type=int, help="of all choices made at random (default: a fresh one, which is printed)")
    add("--minutes", type=positive, default=45.0, help="what moving or killing may take; longer is a failure")
    add("--svg", type=Path, help="write a picture of the blackouts to this file")
    add("--keep", type=Path, help="work in this directory and keep what is written there, logs too")
    given = vars(parser.parse_args(arguments))
    if given["nodes"] < 2:
        parser.error("--nodes: an instance can be moved only where there are at least 2 nodes")
    if given["seed"] is None:
        given["seed"] = random.randrange(1 << 32)
    return Options(**given)
