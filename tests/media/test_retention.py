"""Retention: what is too old goes, then the oldest until the rest is small enough."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from actors.media.folder import FolderStore
from actors.media.media import Entry
from actors.media.retention import Policy, Removed, enforce, outdated

NOW = 1_000_000.0
entries = st.lists(
    st.builds(Entry, st.uuids().map(str), st.integers(0, 100), st.floats(NOW - 200, NOW)),
    unique_by=lambda entry: entry.id,
    max_size=30,
)
policies = st.builds(Policy, st.floats(0, 200), st.integers(0, 1500))


@given(entries, policies)
def test_what_stays_is_young_and_small_enough(kept: list[Entry], policy: Policy) -> None:
    gone = {entry.id for entry in outdated(kept, policy, now=NOW)}
    stays = [entry for entry in kept if entry.id not in gone]
    assert all(entry.created_at >= NOW - policy.seconds for entry in stays)
    assert sum(entry.size for entry in stays) <= policy.size


@given(entries, policies)
def test_nothing_goes_that_need_not(kept: list[Entry], policy: Policy) -> None:
    gone = outdated(kept, policy, now=NOW)
    stays = sum(entry.size for entry in kept) - sum(entry.size for entry in gone)
    if gone and gone[-1].created_at >= NOW - policy.seconds:  # the last one went for the size
        assert stays + gone[-1].size > policy.size


@given(entries, policies)
def test_older_ones_go_before_younger_ones(kept: list[Entry], policy: Policy) -> None:
    gone = outdated(kept, policy, now=NOW)
    assert gone == sorted(gone, key=lambda entry: (entry.created_at, entry.id))
    stays = [entry for entry in kept if entry not in gone]
    if gone and stays:
        assert max(one.created_at for one in gone) <= min(one.created_at for one in stays)


@given(entries, policies, st.data())
def test_what_is_needed_stays(kept: list[Entry], policy: Policy, data: st.DataObject) -> None:
    needed = data.draw(st.sets(st.sampled_from([entry.id for entry in kept]))) if kept else set()
    gone = outdated(kept, policy, now=NOW, needed=needed)
    assert not needed & {entry.id for entry in gone}
    if sum(entry.size for entry in kept if entry.id in needed) <= policy.size:
        stays = [entry for entry in kept if entry not in gone]
        assert sum(entry.size for entry in stays) <= policy.size


async def test_a_run_removes_and_says_how_much(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    for number in range(4):
        (file := tmp_path / "file").write_bytes(b"x" * 10)
        await store.put("i1", file, mime_type="text/plain", media_id=f"med_{number:032x}")
    (file := tmp_path / "file").write_bytes(b"x" * 10)
    other = await store.put("i2", file, mime_type="text/plain")

    now = max([entry.created_at async for entry in store.entries("i1")])
    assert await enforce(store, "i1", Policy(60, 25), now=now) == Removed(2, 20)
    assert await enforce(store, "i1", Policy(60, 25), now=now) == Removed(0, 0)
    assert await enforce(store, "i1", Policy(60, 25), now=now + 61) == Removed(2, 20)
    assert await store.get("i2", other.id) == other
