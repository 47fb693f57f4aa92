"""Events reach the handler one at a time; answers go back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from actors import metrics
from actors.instance.connection import engine_pb2 as pb
from actors.instance.connection.base import DurableEvent, PassingEvent, Signal
from actors.instance.connection.inbox import PASSING_BOUND, Inbox
from tests.wait import until


class Recorder:
    def __init__(self) -> None:
        self.seen: list[str] = []
        self.at_once = 0
        self.most_at_once = 0
        self.signals: list[Signal] = []
        self.answers: list[tuple[int, bool, str]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def on_event(self, event: DurableEvent | PassingEvent, received_at_ms: int) -> bool:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.gate.wait()
        await asyncio.sleep(0)
        self.at_once -= 1
        text = event.text if isinstance(event, pb.Message) else type(event).__name__
        self.seen.append(text)
        if text == "broken":
            raise RuntimeError("no")
        return text != "refused"

    def on_signal(self, signal: Signal) -> None:
        self.signals.append(signal)
        if isinstance(signal, pb.Replaced):
            raise RuntimeError("unhandled")

    async def answer(self, event_id: int, stored: bool, reason: str) -> None:
        self.answers.append((event_id, stored, reason))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def inbox(recorder: Recorder) -> AsyncIterator[Inbox]:
    made = Inbox(recorder, recorder.answer)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def event(number: int, text: str) -> pb.Event:
    return pb.Event(event_id=number, message=pb.Message(text=text))


async def test_one_at_a_time_in_order(inbox: Inbox, recorder: Recorder) -> None:
    for number in range(1, 51):
        inbox.take(event(number, str(number)))
    await until(lambda: len(recorder.answers) == 50)
    assert recorder.seen == [str(number) for number in range(1, 51)]
    assert recorder.answers == [(number, True, "") for number in range(1, 51)]
    assert recorder.most_at_once == 1


async def test_refusals_and_exceptions_are_answers(inbox: Inbox, recorder: Recorder) -> None:
    for number, text in enumerate(["refused", "broken", "fine"], 1):
        inbox.take(event(number, text))
    await until(lambda: len(recorder.answers) == 3)
    assert recorder.answers == [(1, False, ""), (2, False, "RuntimeError"), (3, True, "")]


async def test_passing_events_are_bounded_and_not_answered(inbox: Inbox, recorder: Recorder) -> None:
    name = "malote_ephemeral_events_dropped_total"
    before = metrics.REGISTRY.get_sample_value(name) or 0.0
    recorder.gate.clear()
    for _ in range(PASSING_BOUND + 10):
        inbox.take(pb.Event(presence=pb.PresenceEvent()))
    inbox.take(event(1, "kept"))
    recorder.gate.set()
    await until(lambda: recorder.answers == [(1, True, "")])
    assert metrics.REGISTRY.get_sample_value(name) == before + 10, "an operator sees it"
    assert len(recorder.seen) == PASSING_BOUND + 1


async def test_idle_is_when_nothing_is_being_stored(inbox: Inbox, recorder: Recorder) -> None:
    await inbox.idle()
    recorder.gate.clear()
    inbox.take(event(1, "slow"))
    waiting = asyncio.create_task(inbox.idle())
    await until(lambda: recorder.at_once == 1)
    assert not waiting.done()
    recorder.gate.set()
    await waiting
    assert recorder.answers == [(1, True, "")]


async def test_signals_pass_events_that_wait(inbox: Inbox, recorder: Recorder) -> None:
    recorder.gate.clear()
    inbox.take(event(1, "waits"))
    inbox.take(pb.Event(replaced=pb.Replaced()))
    inbox.take(pb.Event(connected=pb.Connected(device="d")))
    inbox.take(pb.Event())
    assert recorder.signals == [pb.Replaced(), pb.Connected(device="d")]
    recorder.gate.set()
    await until(lambda: recorder.seen == ["waits"])
