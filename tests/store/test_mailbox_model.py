"""The mailbox against a model of it: several writers, endpoints that advance, and every bound."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule, run_state_machine_as_test

from actors.events import EventDraft, EventType
from actors.instance.mailbox import MailboxFull
from actors.settings import MailboxSettings
from actors.store import StaleEpoch
from tests.store.machines import InstanceMachine
from tests.store.samples import draft
from tests.valkey import Valkey

SOFT, HARD, KEEP, WINDOW, TRIM = 40, 90, 20, 30, 64
ENDPOINTS = ("ep_1", "ep_2", "ep_3")


@dataclass(frozen=True)
class Stored:
    seq: int
    key: str
    epoch: int


class MailboxMachine(InstanceMachine):
    bounds = MailboxSettings(soft_bound=SOFT, hard_bound=HARD, keep=KEEP, dedupe_window=WINDOW)

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Stored] = []
        self.trimmed = 0
        self.seen: dict[str, int] = {}
        self.floors: dict[str, int] = {}
        self.dropped = 0
        self.fresh = 0

    @initialize()
    def first_owner(self) -> None:
        self.change_owner(0)

    @property
    def last(self) -> int:
        return len(self.log)

    @property
    def floor(self) -> int:
        return min(self.floors.values(), default=self.last)

    @rule(back=st.integers(-1, 3))
    def a_grant(self, back: int) -> None:
        self.change_owner(max(0, self.epoch - back))

    @rule(ago=st.integers(-1, 2), ephemeral=st.booleans(), force=st.booleans())
    def a_new_event(self, ago: int, ephemeral: bool, force: bool) -> None:
        self.fresh += 1
        self.append(max(0, self.epoch - ago), f"new-{self.fresh}", ephemeral=ephemeral, force=force)

    @rule(count=st.integers(1, 100))
    def many_new_events(self, count: int) -> None:
        for _ in range(count):
            self.a_new_event(0, False, False)

    @precondition(lambda self: self.log)
    @rule(ago=st.integers(0, 1), back=st.integers(0, 2 * WINDOW), ephemeral=st.booleans())
    def a_redelivery(self, ago: int, back: int, ephemeral: bool) -> None:
        event = self.log[max(0, self.last - 1 - back)]
        self.append(max(0, self.epoch - ago), event.key, ephemeral=ephemeral, force=False)

    @rule(endpoint=st.sampled_from(ENDPOINTS))
    def an_endpoint_comes(self, endpoint: str) -> None:
        if endpoint not in self.floors:
            self.write_floor(endpoint, self.last)

    @rule(endpoint=st.sampled_from(ENDPOINTS))
    def an_endpoint_goes(self, endpoint: str) -> None:
        self.floors.pop(endpoint, None)
        self.wait(self.store.redis.hdel(self.mailbox.key("floors"), endpoint))

    @rule(endpoint=st.sampled_from(ENDPOINTS), share=st.floats(0, 1))
    def an_endpoint_delivers(self, endpoint: str, share: float) -> None:
        if endpoint in self.floors:
            floor = self.floors[endpoint]
            self.write_floor(endpoint, floor + round((self.last - floor) * share))

    def write_floor(self, endpoint: str, floor: int) -> None:
        self.floors[endpoint] = floor
        self.wait(self.store.redis.hset(self.mailbox.key("floors"), endpoint, floor))

    def append(self, epoch: int, key: str, *, ephemeral: bool, force: bool) -> None:
        event = self.event(key, ephemeral)
        expected: int | type[Exception] | None
        depth = self.last - self.floor
        if not self.may_write(epoch):
            expected = StaleEpoch
        elif key in self.seen:
            expected = self.seen[key]
        elif ephemeral and depth >= SOFT and not force:
            expected = None
            self.dropped += 1
        elif depth >= HARD and not force:
            expected = MailboxFull
        else:
            expected = self.last + 1
            self.store_in_model(epoch, key)
        try:
            answer: int | type[Exception] | None = self.wait(self.mailbox.append(epoch, event, force=force))
        except (StaleEpoch, MailboxFull) as refused:
            answer = type(refused)
        assert answer == expected

    def store_in_model(self, epoch: int, key: str) -> None:
        floor = self.floor
        seq = self.last + 1
        self.log.append(Stored(seq, key, epoch))
        self.seen[key] = seq
        if seq % TRIM == 0:
            self.seen = {known: at for known, at in self.seen.items() if at > seq - WINDOW}
            self.trimmed = max(self.trimmed, min(floor, seq - KEEP))

    def event(self, key: str, ephemeral: bool) -> EventDraft:
        kind = EventType.CHAT_PRESENCE if ephemeral else EventType.MESSAGE_RECEIVED
        return draft(key, type=kind, data={"key": key})

    @invariant()
    def the_log_is_what_the_model_says(self) -> None:
        events = self.wait(self.mailbox.read(limit=100_000))
        stored = [Stored(event.seq, event.data["key"], event.epoch) for event in events]
        # No gap, no loss, no duplicate, in order, each by the owner of its time: all in one comparison.
        assert stored == self.log[self.trimmed :]
        assert len({event.id for event in events}) == len(events)
        assert [event.epoch for event in events] == sorted(event.epoch for event in events)

    @invariant()
    def nothing_needed_is_trimmed(self) -> None:
        first, last = self.wait(self.mailbox.extent())
        assert last == self.last
        assert first <= self.floor + 1 or first == 1
        assert last - first + 1 >= min(KEEP, self.last)

    @invariant()
    def counters_are_right(self) -> None:
        dropped = self.wait(self.store.redis.hget(self.mailbox.key("meta"), "dropped"))
        assert int(dropped or 0) == self.dropped
        assert self.wait(self.mailbox.depth()) == self.last - self.floor
        assert self.wait(self.store.redis.zcard(self.mailbox.key("seen"))) == len(self.seen)


def test_the_mailbox_is_its_model(valkey: Valkey) -> None:
    MailboxMachine.url = valkey.url
    run_state_machine_as_test(
        MailboxMachine,
        settings=settings(
            max_examples=40,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
