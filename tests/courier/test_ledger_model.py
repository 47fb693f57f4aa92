"""The scripts against a model, on a real Valkey: repeated, stale or skipped, the books stay right."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.courier.ledger import Changed, Claim, Entry, Lane, Ledger, LogEntry, Lost, Settlement
from actors.courier.queue import Retry
from actors.registry import now
from actors.settings import CourierSettings, MailboxSettings, Settings
from actors.store import Store
from tests.courier.conftest import Account

names = itertools.count(1)
EVENTS = 12
KEEP = 3
SETTINGS = Settings(
    courier=CourierSettings(allow_private=True), mailbox=MailboxSettings(keep=KEEP, dedupe_window=1000)
)

seqs = st.integers(1, EVENTS)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("done"), st.lists(seqs, min_size=1, max_size=4)),
        st.tuples(st.just("dead"), st.lists(seqs, min_size=1, max_size=2)),
        st.tuples(st.just("retry"), st.tuples(seqs, st.integers(1, 4))),
        st.tuples(st.just("skip"), st.tuples(seqs, st.integers(0, 5))),
        st.tuples(st.just("claim"), st.just(None)),
        st.tuples(st.just("stale"), seqs),
        st.tuples(st.just("wrong"), seqs),
        st.tuples(st.just("replay"), st.just(None)),
        st.tuples(
            st.just("replayed"), st.tuples(st.integers(1, 3), st.sampled_from(["done", "dead", "retry"]))
        ),
    ),
    max_size=25,
)


@dataclass
class Model:
    floor: int = 0
    finished: set[int] = field(default_factory=set)
    dead: list[int] = field(default_factory=list)
    retries: dict[int, int] = field(default_factory=dict)
    lane: dict[int, int] = field(default_factory=dict)
    """Sequence numbers by place in the replay lane."""
    replays: int = 0
    retried: set[int] = field(default_factory=set)

    def over(self, seq: int) -> bool:
        return seq <= self.floor or seq in self.finished

    def replay(self) -> None:
        for seq in sorted(self.dead):
            self.replays += 1
            self.lane[self.replays] = seq
        self.dead.clear()

    def finish(self, seq: int) -> None:
        if not self.over(seq):
            self.finished.add(seq)
        while self.floor + 1 in self.finished:
            self.floor += 1
            self.finished.remove(self.floor)


def settlement(seq: int, event_id: str, verdict: str, attempt: int = 1) -> Settlement:
    log = LogEntry(
        event_id=event_id, seq=seq, type="t", attempt=attempt, kind="delivery",
        at=now().timestamp(), duration_ms=1, result="retry",
    )  # fmt: skip
    retry = Retry(attempt, 9.0, 1.0, attempt) if verdict == "retry" else None
    letter = {
        "attempts": attempt, "first_attempt_at": now().isoformat(), "died_at": now().isoformat(),
        "status": None, "error": None,
    }  # fmt: skip
    return Settlement(seq, event_id, verdict, float(seq), log, retry, letter)


async def play(url: str, plan: list[tuple[str, object]]) -> None:
    store = Store(url, f"model-{next(names)}")
    try:
        account = Account(store, SETTINGS, "i")
        await account.open()
        endpoint = await account.endpoints.create("http://example.com/")
        for _ in range(EVENTS):
            await account.append()
        ledger = Ledger(store, SETTINGS, "i", endpoint.id, asyncio.Semaphore(4))
        entries = await ledger.read(Lane.MAILBOX, after=0, count=EVENTS)
        ids = {entry.position: entry.parcel.event_id for entry in entries}
        old: Claim = await ledger.claim("old")
        claim = await ledger.claim("c")
        model = Model()
        for name, what in plan:
            if name == "replay":
                assert await account.endpoints.replay_since(endpoint.id) == len(model.dead)
                model.replay()
            else:
                await step(ledger, claim, old, model, ids, entries, name, what)
            if name == "claim":
                old, claim = claim, await ledger.claim("c")
            seen = await ledger.claim("look")
            assert seen.floor == model.floor
            assert set(seen.finished) == model.finished
            assert set(seen.replay_retries) == model.retried
            lane = await ledger.read(Lane.REPLAY, after=0, count=1000)
            assert {entry.position: entry.parcel.seq for entry in lane} == model.lane
            live = {seq: attempts for seq, attempts in model.retries.items() if not model.over(seq)}
            assert {seq: retry.attempts for seq, retry in seen.retries.items()} == live
            old, claim = claim, await ledger.claim("c")
        letters = await account.endpoints.dead_letters(endpoint.id)
        assert sorted(letter.seq for letter in letters) == sorted(model.dead)
        assert await account.mailbox.depth() == EVENTS - model.floor
        # Whatever is unfinished can still be read.
        first, last = await account.mailbox.extent()
        assert first <= model.floor + 1
        assert last == EVENTS
    finally:
        async for key in store.redis.scan_iter(match=f"{store.keys.prefix}:*", count=1000):
            await store.redis.unlink(key)
        await store.close()


async def step(
    ledger: Ledger,
    claim: Claim,
    old: Claim,
    model: Model,
    ids: dict[int, str],
    entries: list[Entry],
    name: str,
    what: object,
) -> None:
    if name in ("done", "dead"):
        assert isinstance(what, list)
        results = [settlement(seq, ids[seq], name) for seq in what]
        for _ in range(2):
            await ledger.settle(Lane.MAILBOX, claim, results)
        for seq in what:
            if name == "dead" and not model.over(seq):
                model.dead.append(seq)
            model.finish(seq)
    elif name == "replayed":
        assert isinstance(what, tuple)
        place, verdict = what
        if (seq := model.lane.get(place)) is None:
            return
        for _ in range(2):
            await ledger.settle(Lane.REPLAY, claim, [settlement(place, ids[seq], verdict)])
        if verdict == "retry":
            model.retried.add(place)
            return
        del model.lane[place]
        model.retried.discard(place)
        if verdict == "dead":
            model.dead.append(seq)
    elif name == "retry":
        assert isinstance(what, tuple)
        seq, attempt = what
        for _ in range(2):
            await ledger.settle(Lane.MAILBOX, claim, [settlement(seq, ids[seq], name, attempt)])
        if not model.over(seq):
            model.retries[seq] = max(model.retries.get(seq, 0), attempt)
    elif name == "skip":
        assert isinstance(what, tuple)
        first, more = what
        last = min(EVENTS, first + more)
        for _ in range(2):
            await ledger.skip(claim, [(first, last)], entries[-1])
        for seq in range(first, last + 1):
            model.finish(seq)
    elif name == "stale":
        assert isinstance(what, int)
        try:
            await ledger.settle(Lane.MAILBOX, old, [settlement(what, ids[what], "done")])
        except Lost:
            return
        raise AssertionError("a stale claim was accepted")
    elif name == "wrong":
        assert isinstance(what, int)
        try:
            await ledger.settle(Lane.MAILBOX, claim, [settlement(what, "evt_other", "done")])
        except Changed:
            assert not model.over(what)
        else:
            assert model.over(what)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps)
def test_the_books_are_right_whatever_is_repeated(redis_url: str, plan: list[tuple[str, object]]) -> None:
    asyncio.run(play(redis_url, plan))
