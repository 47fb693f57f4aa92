"""What the day of a deploy is judged by: its verdict, its watch, its books, its client."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import ClientConnectionError, web

from bench.rollout.books import Diary
from bench.rollout.doors import Doors
from bench.rollout.options import Stage
from bench.rollout.options import read as read_options
from bench.rollout.report import Absence, Drain, Result
from bench.rollout.watch import Sight, compare
from deploy.demo.clients import Refused
from tests.valkey import free_port

CLEAN_ABSENCE = Absence(
    seconds=20.0,
    back_s=31.0,
    delivered=50,
    arrived=20,
    silent=0,
    send_errors=0,
    looks=90,
    new_owners=0,
    new_logins=0,
    offline=0,
)
CLEAN: dict[str, Any] = {
    "lost": 0,
    "duplicated": 0,
    "reordered": 0,
    "gaps": 0,
    "rollout_s": 60.0,
    "blackout_ms": None,
    "connections_survived": True,
    "up_s": 10.0,
    "paired_s": 20.0,
    "stages_s": {},
    "rolled": 20,
    "handoffs": 40,
    "failed": {},
    "drains": [Drain(name="worker-1", instances=10, couriers=1, seconds=20.0, status=0, elsewhere_s=18.0)],
    "head": CLEAN_ABSENCE,
    "send_errors": 0,
    "write_errors": 0,
    "conflicts": 0,
    "refused": 0,
    "duplicated_by_kill": 0,
    "instances": 20,
    "workers": 2,
    "connected": 20,
    "received": 900,
    "delivered": 900,
    "sent": 400,
    "arrived": 400,
    "latency_ms": None,
    "seconds": 300.0,
    "problems": [],
}


def test_a_clean_run_has_passed() -> None:
    assert Result(**CLEAN).passed
    assert Result(**CLEAN | {"rolled": None, "rollout_s": None, "connections_survived": None}).passed


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: 1} for name in ("lost", "duplicated", "reordered", "gaps", "send_errors", "write_errors")),
        {"conflicts": 1},
        {"refused": 1},
        {"rolled": 19},
        {"connected": 19},
        {"received": 0},
        {"sent": 0},
        {"connections_survived": False},
        {"problems": ["something"]},
        {"drains": [Drain(name="w", instances=1, couriers=0, seconds=9.0, status=1)]},
        {"drains": [Drain(name="w", instances=1, couriers=0, seconds=120.0, status=None)]},
    ],
)
def test_one_fault_is_one_too_many(wrong: dict[str, Any]) -> None:
    assert not Result(**CLEAN | wrong).passed


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: 1} for name in ("silent", "new_owners", "new_logins", "offline")),
        *({name: 0} for name in ("delivered", "arrived", "looks")),
    ],
)
def test_connections_have_survived_only_if_they_stood_and_were_used(wrong: dict[str, int]) -> None:
    assert CLEAN_ABSENCE.survived
    assert not CLEAN_ABSENCE.model_copy(update=wrong).survived


def sights(*second: Sight) -> list[dict[str, Sight]]:
    first = Sight(3, 1, True)
    return [{"a": first, "b": first}, *({"a": first, "b": sight} for sight in second)]


def test_what_stays_as_it_was_is_no_change() -> None:
    assert compare(sights(Sight(3, 1, True))).none
    assert not compare(sights()).none, "one look sees no change"


@pytest.mark.parametrize(
    ("then", "seen"),
    [
        (Sight(4, 1, True), ({"b"}, set(), set())),
        (Sight(None, 1, True), ({"b"}, set(), set())),
        (Sight(3, 2, True), (set(), {"b"}, set())),
        (Sight(3, 1, False), (set(), set(), {"b"})),
    ],
)
def test_a_change_is_seen_although_it_was_over_at_the_end(then: Sight, seen: tuple[set[str], ...]) -> None:
    change = compare(sights(then, Sight(3, 1, True)))
    assert (change.epochs, change.logins, change.offline) == seen
    assert not change.none


def test_who_was_not_heard_of_is_silent() -> None:
    diary = Diary()
    for name, seq, at, kind in (("a", 1, 5.0, "received"), ("b", 1, 3.0, "received"), ("b", 2, 6.0, "sent")):
        event: dict[str, Any] = {"id": f"{name}-{seq}", "instance_id": name, "seq": seq, "chat_id": "c"}
        event |= {"type": f"message.{kind}", "data": {"id": f"m-{seq}", "text": f"in {seq}"}}
        diary.deliver(event, attempt=1, at=at, latency=0.1)
    assert diary.silent(("a", "b", "never"), 4.0) == ["b", "never"]


def test_stages_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert read_options([]).stages == tuple(Stage)
    assert read_options(["--stages", "head,nodes"]).stages == (Stage.HEAD, Stage.NODES)
    for wrong in (["--stages", "tail"], ["--workers", "1"], ["--instances", "0"]):
        with pytest.raises(SystemExit) as end:
            read_options(wrong)
        assert end.value.code == 2


async def test_a_gateway_that_does_not_answer_is_passed_over_and_an_error_is_an_answer() -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"detail": "no"}, status=503 if request.path == "/no" else 200)

    app = web.Application()
    app.router.add_get("/{path}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    urls = [f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{runner.addresses[0][1]}"]
    doors = Doors(lambda: urls, key="k")
    try:
        for _ in range(4):
            assert await doors.call("GET", "/yes") == {"detail": "no"}
        with pytest.raises(Refused):
            await doors.call("GET", "/no")
        assert asked == ["/yes"] * 4 + ["/no"]
        del urls[1]
        with pytest.raises(ClientConnectionError):
            await doors.call("GET", "/yes")
    finally:
        await doors.close()
        await runner.cleanup()
