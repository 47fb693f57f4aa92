"""The books and the receiver that a demonstration is judged by: they must see what is wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from deploy.demo import memory
from deploy.demo.ledger import Flow, Ledger, Numbers, Recent
from deploy.demo.receiver import Receiver, verify
from deploy.demo.tour import Result

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def event(number: int, *, chat: str | None = "a", instance: str = "one", **more: Any) -> dict[str, Any]:
    return {
        "id": f"evt_{instance}_{number}",
        "instance_id": instance,
        "seq": number,
        "type": "message.received",
        "chat_id": chat,
        "received_at": datetime.now(UTC).isoformat(),
        "data": {"id": f"M{number}"},
    } | more


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9))))
def test_a_flow_counts_like_two_sets(reports: list[tuple[bool, int]]) -> None:
    flow = Flow()
    started, arrived = Counter[str](), Counter[str]()
    for starts, number in reports:
        if starts:
            flow.start(str(number))
            started[str(number)] += 1
        else:
            flow.arrive(str(number))
            arrived[str(number)] += 1
    assert flow.started == len(started)
    assert flow.arrived == len(started.keys() & arrived.keys())
    assert set(flow.missing) == started.keys() - arrived.keys()
    assert flow.repeated == sum(count - 1 for count in arrived.values())


@given(st.permutations(range(1, 30)), st.sets(st.integers(2, 29)))
def test_gaps_are_the_numbers_below_the_greatest_that_have_not_come(
    order: list[int], left_out: set[int]
) -> None:
    numbers = Numbers()
    numbers.add(1)
    come = [number for number in order if number not in left_out]
    for number in come:
        assert numbers.add(number) is (number != 1)
        assert numbers.add(number) is False
    assert numbers.gaps == max([1, *come]) - len({1, *come})


def test_a_bounded_set_forgets_the_oldest() -> None:
    recent = Recent(2)
    assert [recent.add(member) for member in ("a", "b", "a", "c", "a")] == [True, True, False, True, True]
    assert "c" in recent
    assert "b" not in recent


def test_a_ledger_sees_duplicates_disorder_and_gaps() -> None:
    ledger = Ledger()
    for number in (1, 2, 2, 5, 4):
        ledger.deliver(event(number), 0.1)
    assert (ledger.deliveries, ledger.duplicated, ledger.reordered, ledger.gaps) == (5, 1, 1, 1)
    ledger.deliver(event(3, chat="b"), 0.1)
    assert (ledger.reordered, ledger.gaps) == (1, 0)


def test_order_holds_within_a_chat_of_an_instance_only() -> None:
    ledger = Ledger()
    for delivered in (event(2), event(1, chat="b"), event(1, instance="two"), event(3, chat=None)):
        ledger.deliver(delivered, 0.1)
    assert ledger.reordered == 0


def test_a_ledger_matches_messages_of_the_right_instance() -> None:
    ledger = Ledger()
    ledger.inbound.start("one/M1")
    ledger.inbound.start("two/M2")
    ledger.deliver(event(1), 0.1)
    ledger.deliver(event(2), 0.3)
    assert ledger.inbound.missing == ["two/M2"]
    assert ledger.percentile(0.99) == 0.3


def test_the_same_message_as_two_events_is_seen() -> None:
    ledger = Ledger()
    ledger.deliver(event(1), 0.1)
    ledger.deliver(event(2, data={"id": "M1"}), 0.1)
    assert ledger.inbound.repeated == 1


def headers_for(body: str, *, secret: str = SECRET, at: datetime | None = None) -> dict[str, str]:
    when = at or datetime.now(UTC)
    signature = Webhook(secret).sign("evt_one_1", when, body)
    return {
        "webhook-id": "evt_one_1",
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": signature,
    }


def test_a_signature_of_another_implementation_is_accepted() -> None:
    headers = headers_for("{}")
    assert verify(SECRET, headers, b"{}", now=time.time())
    headers["webhook-signature"] = "v1,bm8= " + headers["webhook-signature"]
    assert verify(SECRET, headers, b"{}", now=time.time())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda headers: headers.update({"webhook-id": "evt_one_2"}),
        lambda headers: headers.update({"webhook-timestamp": str(int(headers["webhook-timestamp"]) + 1)}),
        lambda headers: headers.update({"webhook-timestamp": "now"}),
        lambda headers: headers.update({"webhook-signature": "v1,!!!"}),
        lambda headers: headers.update(
            {"webhook-signature": headers["webhook-signature"].replace("v1,", "v2,")}
        ),
        lambda headers: headers.pop("webhook-signature"),
        lambda headers: headers.update(headers_for("{}", secret="whsec_" + "A" * 32)),
        lambda headers: headers.update(headers_for("{}", at=datetime.now(UTC) - timedelta(hours=1))),
        lambda headers: headers.update(headers_for("{ }")),
    ],
)
def test_a_spoiled_request_is_refused(spoil: Any) -> None:
    headers = headers_for("{}")
    spoil(headers)
    assert not verify(SECRET, headers, b"{}", now=time.time())


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    server = Receiver(Ledger())
    server.secret = SECRET
    await server.start(0)
    yield server
    await server.stop()


@pytest.mark.parametrize(
    ("path", "change", "status"),
    [
        ("one", {}, 204),
        ("two", {}, 400),
        ("one", {"id": "evt_other"}, 400),
        ("one", {"type": "webhook.test"}, 204),
    ],
)
async def test_the_receiver_takes_what_is_signed_and_meant_for_it(
    receiver: Receiver, path: str, change: dict[str, Any], status: int
) -> None:
    import json

    heard: list[dict[str, Any]] = []
    receiver.listener = heard.append
    body = json.dumps(event(1) | change)
    async with ClientSession() as session:
        async with session.post(receiver.url(path), data=body, headers=headers_for(body)) as answer:
            assert answer.status == status
        async with session.post(receiver.url(path), data=body + " ", headers=headers_for(body)) as answer:
            assert answer.status == 401
    assert len(heard) == (status == 204)
    assert receiver.ledger.deliveries == (status == 204 and not change)
    assert receiver.ledger.refused == 1 + (status == 400)


GOOD: dict[str, Any] = {
    "paired": 2,
    "received": 10,
    "delivered": 10,
    "sent": 5,
    "lost": 0,
    "duplicated": 1,
    "killed": 3,
    "reordered": 0,
    "gaps": 0,
    "bad_signatures": 0,
    "repeated": 0,
    "latency_p50_ms": 5,
    "latency_p99_ms": 9,
    "memory_mib": 1000,
    "memory_growth": None,
    "memory_flat": None,
}


def test_a_tour_passes_only_if_everything_is_as_promised() -> None:
    assert Result(**GOOD).passed(2)
    assert not Result(**GOOD).passed(3)
    for spoiled in (
        {"paired": 1},
        {"received": 11},
        {"received": 0, "delivered": 0},
        {"lost": 1},
        {"killed": 2},
        {"reordered": 1},
        {"gaps": 1},
        {"bad_signatures": 1},
        {"repeated": 1},
    ):
        assert not Result(**(GOOD | spoiled)).passed(2), spoiled


def test_growth_of_memory() -> None:
    assert memory.growth([100] * (memory.LEAST_SAMPLES - 1)) is None
    assert memory.growth([100] * 20) == 0
    assert memory.growth(list(range(100, 200))) == pytest.approx(0.36, abs=0.03)
    # A jump in the first quarter is the start, not growth.
    assert memory.growth([10] * 5 + [100] * 15) == 0


def test_memory_of_this_program_is_measured() -> None:
    measured = memory.measure()
    assert measured["this program"] > 0
    assert "this program" in memory.in_words(measured)
