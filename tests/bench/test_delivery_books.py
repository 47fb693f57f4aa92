"""What the books of the delivery benchmark find, and what they let pass."""

from __future__ import annotations

import pytest

from bench.delivery.books import Appended, Arrival, Count, count, latencies


def got(
    seq: int,
    status: int | None = 204,
    *,
    chat: str = "a",
    instance: str = "i",
    id_: str = "",
    at: float = 1.0,
) -> Arrival:
    return Arrival(instance, seq, id_ or f"{instance}-{seq}", chat, 1, at, status)


def places(*seqs: int, instance: str = "i") -> list[tuple[str, int]]:
    return [(instance, seq) for seq in seqs]


def test_what_came_once_and_in_order_is_clean() -> None:
    found = count(places(1, 2, 3), [got(1), got(3, chat="b"), got(2)])
    assert found == Count(events=3)
    assert found.clean


def test_what_never_came_or_was_never_taken_is_lost() -> None:
    found = count(places(1, 2, 3, 4), [got(1), got(2, 500), got(3, None)])
    assert (found.lost, found.refused, found.unanswered) == (3, 1, 1)
    assert not found.clean


def test_what_is_in_the_dead_letters_is_not_lost() -> None:
    found = count(places(1, 2), [got(1, 500), got(2)], dead=places(1))
    assert (found.lost, found.dead) == (0, 1)
    assert found.clean


def test_what_is_taken_after_it_was_refused_is_no_duplicate() -> None:
    assert count(places(1), [got(1, 500), got(1, 429), got(1)]) == Count(events=1, refused=2)


def test_what_comes_again_as_its_answer_was_lost_is_explained() -> None:
    found = count(places(1), [got(1, None), got(1, None), got(1)])
    assert (found.duplicated, found.duplicated_unanswered, found.unanswered) == (0, 2, 2)
    assert found.clean


@pytest.mark.parametrize("again", [204, None])
def test_what_comes_again_after_it_was_taken_is_a_duplicate(again: int | None) -> None:
    found = count(places(1), [got(1), got(1, again)])
    assert (found.duplicated, found.duplicated_unanswered) == (1, 0)
    assert not found.clean


def test_an_event_that_comes_after_a_later_one_of_its_chat_is_reordered() -> None:
    found = count(places(1, 2, 3), [got(2), got(1), got(3)])
    assert found.reordered == 1
    assert not found.clean


def test_an_event_that_was_refused_must_not_be_overtaken() -> None:
    assert count(places(1, 2), [got(1, 500), got(2), got(1)]).reordered == 1
    assert count(places(1, 2), [got(1, 500), got(1), got(2)]).reordered == 0


def test_an_event_that_is_tried_first_must_be_the_first_one() -> None:
    assert count(places(1, 2), [got(2, 500), got(1), got(2)]).reordered == 1


def test_chats_and_instances_do_not_wait_for_each_other() -> None:
    arrivals = [got(2), got(1, chat="b"), got(1, instance="j")]
    assert count([*places(1, 2), *places(1, instance="j")], arrivals).clean


def test_what_nobody_appended_is_unknown() -> None:
    assert count(places(1), [got(1), got(2)]).unknown == 1
    assert count(places(1), [got(1, 500), got(1, id_="another")]).unknown == 1


def test_counts_are_added_up() -> None:
    assert Count(events=1, lost=2) + Count(events=3, reordered=1) == Count(events=4, lost=2, reordered=1)


def test_latency_is_from_the_event_to_when_it_was_first_taken() -> None:
    appended = [Appended("i", 1, 1.0, 1.1, 1.2), Appended("i", 2, 2.0, 2.0, 2.0), Appended("j", 1, 0, 0, 0)]
    arrivals = [got(1, 500, at=1.3), got(1, at=1.5), got(1, at=1.9), got(2, None, at=2.5)]
    assert latencies(appended, arrivals) == {"i": [0.5]}
