"""What the benchmark's books find, and what they let pass."""

from __future__ import annotations

from typing import Any

import pytest

from bench.figures import percentile
from bench.handoff.books import SETTLING, Books, Death, number


def event(seq: int, *, chat: str | None = "chat", id_: str = "", text: str = "", instance: str = "i") -> Any:
    return {
        "id": id_ or f"{instance}-{seq}",
        "instance_id": instance,
        "seq": seq,
        "chat_id": chat,
        "type": "message.received" if text else "message.status",
        "data": {"id": f"m-{seq}", "text": text},
    }


def arrival(id_: str, text: str, **more: bool) -> Any:
    return {"id": id_, "text": text, "from_me": False, "repeated": False, **more}


def deliver(books: Books, *events: Any, attempt: int = 1, at: float = 1.0) -> None:
    for one in events:
        books.deliver(one, attempt=attempt, at=at, latency=0.1)


def test_a_message_is_missing_until_it_arrives() -> None:
    books = Books()
    books.inbound.start("i/m-1")
    books.outbound.start("c/o-1")
    assert (books.inbound.missing, books.outbound.missing) == (["i/m-1"], ["c/o-1"])
    deliver(books, event(1, text="in 1"))
    books.arrive("c", arrival("o-1", "out i 1"))
    assert not books.inbound.missing
    assert not books.outbound.missing


def test_what_may_come_in_any_order_is_not_reordered() -> None:
    books = Books()
    deliver(books, event(2, chat="a"), event(1, chat="b"), event(4, chat=None), event(3, chat=None))
    deliver(books, event(3, instance="other"), event(1, chat="b", instance="other"))
    assert books.reordered == []


def test_an_event_after_a_later_one_of_its_chat_is_reordered() -> None:
    books = Books()
    deliver(books, event(1), event(3), event(2), event(4))
    assert books.reordered == ["event i chat: 2 after 3"]


def test_a_message_that_overtook_another_is_reordered() -> None:
    books = Books()
    deliver(books, event(1, text="in 2"), event(2, text="in 1"))
    assert books.reordered == ["message i chat: 1 after 2"]
    books.arrive("c", arrival("o-2", "out i 2"))
    books.arrive("c", arrival("o-3", "out j 1"))
    books.arrive("c", arrival("o-1", "out i 1"))
    assert books.reordered[1:] == ["sent c out i: 1 after 2"]


def test_a_contact_sees_a_repeated_message_once() -> None:
    books = Books()
    books.arrive("c", arrival("o-1", "out i 1"))
    books.arrive("c", arrival("o-2", "out i 2"))
    books.arrive("c", arrival("o-1", "out i 1", repeated=True))
    books.arrive("c", arrival("o-9", "out i 9", from_me=True))
    assert (books.repeated, books.reordered, books.outbound.repeated) == (1, [], 0)


@pytest.mark.parametrize(
    ("delivered", "newest", "gaps"),
    [
        ([1, 2, 3], 3, 0),
        ([1, 3], 3, 1),
        ([1, 2], 5, 3),
        ([1, 4], 6, 4),
        ([5, 6, 7], 7, 0),  # subscribed in the middle
        ([], 2, 2),
    ],
)
def test_gaps_are_counted_up_to_the_newest_event(delivered: list[int], newest: int, gaps: int) -> None:
    books = Books()
    deliver(books, *(event(seq) for seq in delivered))
    assert books.gaps({"i": newest}) == gaps


def test_an_event_that_comes_again_is_a_duplicate_and_nothing_else() -> None:
    books = Books()
    deliver(books, event(1), event(2))
    deliver(books, event(1), at=9.0)
    assert [(one.seq, one.first, one.again) for one in books.duplicates] == [(1, 1.0, 9.0)]
    assert books.reordered == []
    assert books.by_kill([]) == []


def test_a_later_attempt_explains_a_duplicate() -> None:
    books = Books()
    deliver(books, event(1))
    deliver(books, event(1), at=9.0, attempt=2)
    assert books.by_kill([]) == books.duplicates


@pytest.mark.parametrize(
    ("death", "explained"),
    [
        (Death(2.0, 2.1), True),
        (Death(1.0 + SETTLING, 7.0), True),
        (Death(0.5, 1.5), True),  # it was told to die and answered once more
        (Death(1.1 + SETTLING, 7.0), False),  # it had had the time to write the answer down
        (Death(0.5, 0.6), False),  # it was dead already
        (Death(9.5, 9.6), False),  # it died after the second time
    ],
)
def test_a_courier_killed_between_the_two_explains_a_duplicate(death: Death, explained: bool) -> None:
    books = Books()
    deliver(books, event(1), at=1.0)
    deliver(books, event(1), at=9.0)
    assert bool(books.by_kill([death])) is explained


def test_numbers_and_percentiles() -> None:
    assert number("out move-01 17") == 17
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([], 0.5)) == (51.0, 100.0, None)
