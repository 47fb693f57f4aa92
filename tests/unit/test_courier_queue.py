"""The queue against a model: nothing is lost, chats stay in order, the floor only rises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from actors.courier.queue import Item, Queue, Retry


def fill(queue: Queue, chats: str) -> None:
    for chat in chats:
        queue.add(queue.cursor + 1, f"e{queue.cursor + 1}", chat.replace("-", ""))


def started(queue: Queue) -> list[int]:
    found = []
    for again in (False, True):
        while (item := queue.start(again=again)) is not None:
            found.append(item.position)
    return found


def test_one_of_a_chat_at_a_time_oldest_first() -> None:
    queue = Queue()
    fill(queue, "aabcb")
    assert started(queue) == [1, 3, 4]
    queue.finish(1)
    assert started(queue) == [2]


def test_events_without_a_chat_wait_for_each_other() -> None:
    queue = Queue()
    fill(queue, "-a-")
    assert started(queue) == [1, 2]


def test_unordered_events_wait_for_nothing() -> None:
    queue = Queue(ordered=False)
    fill(queue, "aaa")
    assert started(queue) == [1, 2, 3]


def test_a_test_event_waits_for_nothing() -> None:
    queue = Queue()
    fill(queue, "-")
    queue.add(2, "t", "", test=True)
    assert started(queue) == [1, 2]


def test_a_retry_waits_for_its_time_and_its_chat_with_it() -> None:
    queue = Queue()
    fill(queue, "ab")
    assert started(queue) == [1, 2]
    queue.postpone(1, Retry(1, due=50.0, first=0.0, counted=1))
    queue.finish(2)
    fill(queue, "a")
    queue.promote(49.9)
    assert started(queue) == []
    assert queue.next_due() == 50.0
    queue.promote(50.0)
    assert started(queue) == [1]
    assert queue.floor == 0
    queue.finish(1)
    assert queue.floor == 2
    assert started(queue) == [3]


def test_of_what_was_refused_the_one_that_is_due_the_longest_goes_first() -> None:
    queue = Queue()
    fill(queue, "abc")
    assert started(queue) == [1, 2, 3]
    for position, due in ((1, 30.0), (2, 10.0), (3, 20.0)):
        queue.postpone(position, Retry(1, due, 0.0, 1))
    fill(queue, "d")
    queue.promote(40.0)
    assert (queue.ready(again=False), queue.ready(again=True)) == (1, 3)
    assert started(queue) == [4, 2, 3, 1]


def test_what_is_finished_is_not_started_again_after_a_restart() -> None:
    queue = Queue(10, finished=[12, 13, 15], retries={14: Retry(2, due=5.0, first=1.0, counted=2)})
    fill(queue, "aabba")
    assert queue.cursor == 15
    assert started(queue) == [11]
    queue.promote(5.0)
    assert started(queue) == [14]
    assert queue.retry_of(14) == Retry(2, 5.0, 1.0, 2)
    queue.finish(11)
    assert queue.floor == 13
    queue.finish(14)
    assert queue.floor == 15
    assert len(queue) == 0


def test_skipping_tells_what_is_to_be_finished() -> None:
    queue = Queue(0, finished=[3, 4])
    assert queue.skip(2) == [(1, 2)]
    assert queue.skip(6) == [(5, 6)]
    assert queue.floor == 6
    assert queue.skip(6) == []


def test_an_attempt_that_does_not_count_can_be_made_again() -> None:
    queue = Queue()
    fill(queue, "a")
    assert started(queue) == [1]
    queue.give_back(1)
    assert started(queue) == [1]


def test_a_position_is_added_in_its_turn_only() -> None:
    with pytest.raises(AssertionError):
        Queue(5).add(7, "e", "a")


class Model(RuleBasedStateMachine):
    """Endpoint and Redis around a queue: a restart leaves what Redis knows, not what the queue knows."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[tuple[str, bool]] = []
        self.finished: set[int] = set()
        self.retries: dict[int, Retry] = {}
        self.floor = 0
        self.now = 0.0
        self.taken: list[int] = []
        self.under_way: dict[int, Item] = {}
        self.queue = Queue()

    def settle(self, position: int) -> None:
        self.finished.add(position)
        self.retries.pop(position, None)
        while self.floor + 1 in self.finished:
            self.floor += 1
            self.finished.remove(self.floor)

    @rule(chats=st.lists(st.tuples(st.sampled_from(["a", "b", "c", ""]), st.booleans()), max_size=6))
    def append(self, chats: list[tuple[str, bool]]) -> None:
        self.log += chats

    @rule(count=st.integers(1, 8))
    def read(self, count: int) -> None:
        for position in range(self.queue.cursor + 1, min(self.queue.cursor + count, len(self.log)) + 1):
            chat, wanted = self.log[position - 1]
            if wanted:
                self.queue.add(position, f"e{position}", chat)
            else:
                for first, last in self.queue.skip(position):
                    for skipped in range(first, last + 1):
                        assert skipped not in self.finished
                        self.settle(skipped)

    @rule(again=st.booleans())
    def start(self, again: bool) -> None:
        self.queue.promote(self.now)
        item = self.queue.start(again=again)
        if item is None:
            return
        assert again == (item.position in self.retries)
        chat, wanted = self.log[item.position - 1]
        assert wanted
        assert item.position > self.floor
        assert item.position not in self.finished
        assert item.position not in self.under_way
        retry = self.retries.get(item.position)
        assert retry is None or retry.due <= self.now
        for earlier in range(1, item.position):
            if self.log[earlier - 1] == (chat, True):
                assert earlier <= self.floor or earlier in self.finished, "its chat's earlier event is open"
        self.under_way[item.position] = item

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def succeed(self, data: Any) -> None:
        position = data.draw(st.sampled_from(sorted(self.under_way)))
        del self.under_way[position]
        self.taken.append(position)
        self.settle(position)
        self.queue.finish(position)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), delay=st.integers(0, 5))
    def fail(self, data: Any, delay: int) -> None:
        position = data.draw(st.sampled_from(sorted(self.under_way)))
        del self.under_way[position]
        before = self.retries.get(position)
        tries = (before.attempts if before else 0) + 1
        retry = Retry(tries, self.now + delay, 0.0, tries)
        self.retries[position] = retry
        self.queue.postpone(position, retry)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def not_counted(self, data: Any) -> None:
        position = data.draw(st.sampled_from(sorted(self.under_way)))
        del self.under_way[position]
        self.queue.give_back(position)

    @rule(seconds=st.integers(1, 10))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def restart(self) -> None:
        self.under_way.clear()
        self.queue = Queue(self.floor, finished=self.finished, retries=self.retries)

    @invariant()
    def floors_agree(self) -> None:
        """Everything up to the queue's floor is finished in Redis too, and what is open lies above it."""
        assert self.queue.floor <= self.floor
        assert self.queue.under_way == len(self.under_way)

    @invariant()
    def nothing_twice(self) -> None:
        assert len(self.taken) == len(set(self.taken))

    def teardown(self) -> None:
        # Nothing is lost: with an endpoint that takes everything, the rest arrives, in order per chat.
        self.restart()
        self.now += 1_000
        for _ in range(2 * len(self.log) + 2):
            self.read(8)
            self.start(False)
            self.start(True)
            for position in sorted(self.under_way):
                del self.under_way[position]
                self.taken.append(position)
                self.settle(position)
                self.queue.finish(position)
        wanted = [position for position, (_, w) in enumerate(self.log, 1) if w]
        assert sorted(self.taken) == wanted
        assert self.floor == self.queue.floor == len(self.log)
        for chat in {chat for chat, _ in self.log}:
            mine = [position for position in self.taken if self.log[position - 1][0] == chat]
            assert mine == sorted(mine)


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(0, 2**30))
def test_the_floor_never_falls(chats: list[str], seed: int) -> None:
    queue = Queue()
    fill(queue, "".join(chats))
    floor = queue.floor
    while (item := queue.start(again=False)) is not None:
        queue.finish(item.position)
        assert queue.floor >= floor
        floor = queue.floor
    assert floor == len(chats)


@given(
    chats=st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(1, 9)), max_size=12),
    released=st.sets(st.integers(1, 12)),
    now=st.integers(0, 10),
)
def test_what_is_held_holds_up_its_chat_and_no_other(
    chats: list[tuple[str, int | None]], released: set[int], now: int
) -> None:
    queue = Queue()
    for position, (chat, hold) in enumerate(chats, 1):
        queue.add(position, f"e{position}", chat, hold=hold)
    for position in released:
        queue.release(position)
    got: list[int] = []
    queue.promote(now)
    while batch := started(queue):
        got += batch
        for position in batch:
            queue.finish(position)
        queue.promote(now)
    stuck: set[str] = set()
    expected = []
    for position, (chat, hold) in enumerate(chats, 1):
        if hold is not None and hold > now and position not in released:
            stuck.add(chat)
        if chat not in stuck:
            expected.append(position)
    assert sorted(got) == expected
    for name in "abc":
        of_chat = [position for position in got if chats[position - 1][0] == name]
        assert of_chat == sorted(of_chat)
    assert (queue.next_due() is None) == (not stuck)
    queue.promote(10)
    while batch := started(queue):
        for position in batch:
            queue.finish(position)
        queue.promote(10)
    assert queue.floor == len(chats)
