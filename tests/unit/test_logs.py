"""Lines of the log say what they are about; a trace is named by its event."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys

from hypothesis import given
from hypothesis import strategies as st

from actors import logs, traces
from actors.events import Event, new_event_id

TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01")


def line(**extra: object) -> dict[str, object]:
    record = logging.makeLogRecord({"msg": "%s is said", "args": ("it",), "levelname": "INFO", **extra})
    return dict(json.loads(logs.JsonFormatter().format(record)))


def test_what_is_bound_is_in_every_line_within_and_in_none_after() -> None:
    with logs.bound(instance="one", epoch=3):
        with logs.bound(message_id="A1", epoch=4):
            told = line(attempt=2)
            assert told["message"] == "it is said"
            assert [told[name] for name in ("instance", "epoch", "message_id", "attempt")] == [
                "one",
                4,
                "A1",
                2,
            ]
        assert line()["epoch"] == 3
        assert line(instance="two")["instance"] == "two", "what a line says itself goes first"
    assert "instance" not in line()


async def test_what_a_task_binds_is_its_own_and_its_childrens() -> None:
    seen: list[object] = []

    async def child() -> None:
        seen.append(line().get("event"))

    async def worker(event: str) -> None:
        logs.bind(event=event)
        await asyncio.create_task(child())

    await asyncio.gather(worker("a"), worker("b"))
    assert seen == ["a", "b"]
    assert "event" not in line()


@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_an_error_of_a_record_does_not_show_what_is_in_it(rest: str) -> None:
    secret = "goiabada-cascão"
    try:
        Event.model_validate({"id": secret, "data": f"{secret}, input_type=str]{rest}{secret}"})
    except ValueError as error:
        told = line(msg="%s", args=(error,), exc_info=sys.exc_info(), error=str(error))
    assert secret not in str(told)
    for shown in (told["message"], told["exception"], told["error"]):
        assert "data\n  Input should be a valid dictionary [type=dict_type, input_type=str]" in str(shown)


def test_an_exception_stays_one_line() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": sys.exc_info()})
    assert "\n" not in logs.JsonFormatter().format(record)


@given(st.text(max_size=40), st.lists(st.text(max_size=10) | st.integers(), max_size=3))
def test_every_event_has_a_valid_trace(event_id: str, parts: list[object]) -> None:
    header = traces.traceparent(event_id, *parts)
    assert TRACEPARENT.fullmatch(header)
    assert header == traces.traceparent(event_id, *parts), "the same wherever it is asked for"
    assert traces.trace_id(event_id) in header


def test_the_trace_of_an_event_is_in_its_id() -> None:
    event_id = new_event_id()
    assert event_id == f"evt_{traces.trace_id(event_id)}"
    assert traces.trace_id("evt_" + "0" * 32) != "0" * 32, "which is not allowed"
    attempts = {traces.span_id(event_id, "https://example.com", number) for number in range(1, 5)}
    assert len(attempts | {traces.span_id(event_id)}) == 5
