"""What the benchmark makes of what it measured: its verdict, its picture, its plan."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections import Counter
from typing import Any

import pytest

from bench.figures import Spread, spread
from bench.handoff import picture
from bench.handoff.kills import WEIGHTS, Kind, plan
from bench.handoff.moves import MOVED, Move, read
from bench.handoff.options import read as read_options
from bench.handoff.report import Result

CLEAN: dict[str, Any] = {
    "handoffs": 300,
    "lost": 0,
    "duplicated": 0,
    "reordered": 0,
    "gaps": 0,
    "send_errors": 0,
    "blackout_ms": Spread(p50=50, p99=90, max=99),
    "drain_s": 4.2,
    "drained": 20,
    "failed": {},
    "finished": True,
    "instances": 20,
    "nodes": 3,
    "connected": 20,
    "received": 9,
    "delivered": 9,
    "sent": 9,
    "arrived": 9,
    "events": 30,
    "repeated": 0,
    "conflicts": 0,
    "refused": 0,
    "write_errors": 0,
    "latency_ms": None,
    "seconds": 100.0,
    "seed": 1,
    "store": "sqlite",
}


def move(blackout_ms: float | None, *, drain: bool = False, outcome: str = MOVED) -> Move:
    return Move(0.0, "<one> & only", outcome, blackout_ms, {}, drain)


def test_a_clean_run_has_passed() -> None:
    assert Result(**CLEAN).passed


@pytest.mark.parametrize(
    "wrong",
    ["lost", "duplicated", "reordered", "gaps", "send_errors", "conflicts", "refused", "write_errors"],
)
def test_one_fault_is_one_too_many(wrong: str) -> None:
    assert not Result(**(CLEAN | {wrong: 1})).passed


def test_what_was_not_finished_has_not_passed() -> None:
    assert not Result(**(CLEAN | {"finished": False})).passed


def test_an_instance_that_is_not_back_is_a_fault() -> None:
    assert not Result(**(CLEAN | {"connected": 19})).passed


def test_what_a_kill_excuses_is_no_fault() -> None:
    assert Result(**(CLEAN | {"kills": 100, "duplicated_by_kill": 3})).passed


def test_a_record_is_read_step_by_step() -> None:
    log = [
        {"step": "prepare", "attempt": 1, "outcome": "prepared", "at": 101.5},
        {"step": "activate", "attempt": 1, "outcome": "deadline", "at": 102.0},
        {"step": "activate", "attempt": 1, "outcome": "connected", "at": 102.25},
    ]
    record = {"instance_id": "i", "outcome": "moved", "blackout_ms": 12.5, "log": log}
    assert read(record, 7.0, 100.0) == Move(7.0, "i", MOVED, 12.5, {"prepare": 1.5, "activate": 0.75})


def test_the_picture_shows_every_handoff() -> None:
    moves = [move(40.0 + n) for n in range(50)] + [move(700.0, drain=True)]
    moves += [move(None), move(9.0, outcome="kept")]
    drawn = ElementTree.fromstring(picture.draw(moves, "a & b"))
    dots = [dot for dot in drawn.iter("{http://www.w3.org/2000/svg}circle") if len(dot)]
    assert Counter(dot.get("class") for dot in dots) == {"move": 50, "drain": 1}
    heights = [float(dot.get("cy", "nan")) for dot in dots]
    assert heights == sorted(heights, reverse=True)
    assert all(picture.TOP <= height <= picture.HEIGHT - picture.BOTTOM for height in heights)
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert "Blackout of 51 handoffs" in texts
    assert "a & b" in texts


@pytest.mark.parametrize("values", [[100.0], [100.0, 100.0], [0.4, 90_000.0]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    ElementTree.fromstring(picture.draw([move(value) for value in values], ""))


def test_nothing_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="no blackout"):
        picture.draw([move(None)], "")
    assert spread([]) is None


def test_the_same_seed_gives_the_same_plan() -> None:
    first = plan(7, 100, 2.0)
    assert first == plan(7, 100, 2.0)
    assert first != plan(8, 100, 2.0)


def test_a_plan_has_something_of_each_kind_from_the_start() -> None:
    planned = plan(7, 400, 2.0)
    assert len(planned) == 400
    assert {kill.kind for kill in planned[: len(Kind)]} == set(Kind)
    assert len(plan(7, 3, 2.0)) == 3
    kinds = Counter(kill.kind for kill in planned)
    assert [kind for kind, _ in kinds.most_common(2)] == sorted(WEIGHTS, key=WEIGHTS.__getitem__)[:-3:-1]
    assert all(0 <= kill.choice < 1 and 0 <= kill.pause <= 6.0 for kill in planned)


@pytest.mark.parametrize("wrong", [["--nodes", "1"], ["--instances", "0"], ["--minutes", "-1"], ["--what"]])
def test_a_wrong_command_line_is_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        read_options(wrong)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_what_is_not_given_is_as_promised() -> None:
    options = read_options([])
    assert (options.instances, options.handoffs, options.kills, options.kill) == (20, 300, 100, False)
    assert read_options(["--kill", "--seed", "5"]).seed == 5
