"""What is measured, and for how long."""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from pathlib import Path

from actors.settings import CourierSettings
from bench.command import count, positive
from bench.delivery.receiver import Manner

PARTS = ("throughput", "isolation", "outage")
DAYS_MAX = CourierSettings.model_fields["disable_after"].default / 86_400
BAD = tuple(manner for manner in Manner if manner is not Manner.WELL)


@dataclass(frozen=True)
class Options:
    """The command line.

    Attributes:
        parts: what is measured.
        rounds: of each comparison; within a round both sides have their turn.
        seconds: that are measured of each phase with an open load.
        lead: seconds before, with the same load. Endpoints that will be bad are bad by then.
        rate: events per second of an open load, all endpoints together.
        endpoints: of the isolation part; five of them are the bad ones.
        backlog: events that are delivered in each round of the throughput part.
        days: how long the endpoint of the outage part is away, on the courier's clock.
        events: of the outage part.
        seed: of every choice that is made at random.
        picture: where a picture of the isolation part is wanted.
        profile: where the profile of a courier is wanted.
    """

    parts: tuple[str, ...]
    rounds: int
    seconds: float
    lead: float
    rate: float
    endpoints: int
    backlog: int
    days: float
    events: int
    seed: int
    picture: Path | None
    profile: Path | None


def read(arguments: list[str] | None = None) -> Options:
    """Read a command line; ends the program if it is none."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.delivery",
        description="Measure what a courier delivers, beside a client that only posts; what bad endpoints do "
        "to the others; and what becomes of the events of an endpoint that is away for days. The last line "
        "printed is a JSON object.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--only", choices=PARTS, action="append", help="measure this part; may be given again (default: all)")
    add("--rounds", type=count, default=3, help="of each comparison")
    add("--seconds", type=positive, default=10.0, help="measured of each phase with an open load")
    add("--lead", type=positive, default=3.0, help="seconds of each such phase before what is measured")
    add("--rate", type=positive, default=150.0, help="events per second of an open load")
    add("--endpoints", type=count, default=25, help="of the isolation part; five of them are the bad ones")
    add("--backlog", type=count, default=8000, help="events of each round of the throughput part")
    add("--days", type=positive, default=3.0, help="that the endpoint of the outage part is away")
    add("--events", type=count, default=4000, help="of the outage part")
    add("--seed", type=int, help="of all choices made at random (default: a fresh one)")
    add("--picture", type=Path, help="write a picture of the isolation part to this file")
    add("--profile", type=Path, help="deliver one backlog more under cProfile, and write what it found")
    given = vars(parser.parse_args(arguments))
    if given["endpoints"] <= len(BAD):
        parser.error(f"--endpoints: {len(BAD)} are bad, so more are needed")
    if given["days"] >= DAYS_MAX:
        parser.error(f"--days: an endpoint that failed for {DAYS_MAX:g} days is switched off")
    only = given.pop("only") or PARTS
    given["parts"] = tuple(part for part in PARTS if part in only)
    if given["picture"] is not None and "isolation" not in given["parts"]:
        parser.error("--picture: shows the isolation part, which is left out")
    if given["profile"] is not None and "throughput" not in given["parts"]:
        parser.error("--profile: belongs to the throughput part, which is left out")
    if given["seed"] is None:
        given["seed"] = random.randrange(1 << 32)
    return Options(**given)
