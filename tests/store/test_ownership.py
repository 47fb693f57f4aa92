"""One owner: epochs, leases, leaders."""

from __future__ import annotations

import asyncio

import pytest

from actors.registry import Deposed, Leased, Registry
from actors.store import StaleEpoch, Store
from tests.proxy import Proxy
from tests.store.samples import INSTANCE, grant, snapshot


async def test_epochs_follow_each_other(registry: Registry) -> None:
    assert [await grant(registry, after) for after in range(12)] == list(range(1, 13))
    owner = await registry.owner(INSTANCE)
    assert owner is not None
    assert (owner.epoch, owner.actor, owner.node, owner.leader) == (12, f"{INSTANCE}:12", "node-a", 1)


@pytest.mark.parametrize("after", [0, 1, 3, 4, 20])
async def test_a_grant_after_another_epoch_than_the_current_is_refused(
    registry: Registry, store: Store, after: int
) -> None:
    await grant(registry)
    await grant(registry, 1)
    before = await snapshot(store)
    with pytest.raises(StaleEpoch) as refused:
        await grant(registry, after, actor="somebody else")
    assert refused.value.current == 2
    assert await snapshot(store) == before


async def test_of_many_grants_at_once_one_is_made(registry: Registry, epoch: int) -> None:
    results = await asyncio.gather(
        *(grant(registry, epoch, actor=f"rival-{n}") for n in range(8)), return_exceptions=True
    )
    assert sorted(map(str, (r for r in results if isinstance(r, int)))) == [str(epoch + 1)]
    assert sum(isinstance(r, StaleEpoch) for r in results) == 7
    owner = await registry.owner(INSTANCE)
    assert owner is not None
    assert owner.actor == f"rival-{results.index(epoch + 1)}"


async def test_a_running_lease_is_waited_for(registry: Registry, store: Store, epoch: int) -> None:
    await registry.renew(INSTANCE, epoch, 30, timeout=5)
    before = await snapshot(store)
    with pytest.raises(Leased) as refused:
        await grant(registry, epoch, known_dead=False)
    assert 0 < refused.value.remaining <= 30
    assert await snapshot(store) == before
    await registry.renew(INSTANCE, epoch, 0.05, timeout=5)
    assert await _until_granted(registry, epoch) == epoch + 1


async def test_a_predecessor_known_to_be_dead_is_not_waited_for(registry: Registry, epoch: int) -> None:
    await registry.renew(INSTANCE, epoch, 30, timeout=5)
    assert await grant(registry, epoch, known_dead=True) == epoch + 1
    # The lease that is gone was the predecessor's: the successor's own starts with its first renewal.
    assert await grant(registry, epoch + 1, known_dead=False) == epoch + 2


async def test_a_released_lease_is_not_waited_for(registry: Registry, epoch: int) -> None:
    await registry.renew(INSTANCE, epoch, 30, timeout=5)
    await registry.release(INSTANCE, epoch)
    await registry.release(INSTANCE, epoch)
    assert await grant(registry, epoch, known_dead=False) == epoch + 1


async def test_a_stale_release_changes_nothing(registry: Registry, epoch: int) -> None:
    current = await grant(registry, epoch)
    await registry.renew(INSTANCE, current, 30, timeout=5)
    await registry.release(INSTANCE, epoch)
    with pytest.raises(Leased):
        await grant(registry, current, known_dead=False)


async def test_a_stale_renewal_is_refused(registry: Registry, store: Store, epoch: int) -> None:
    current = await grant(registry, epoch)
    before = await snapshot(store)
    for stale in (epoch, current + 1):
        with pytest.raises(StaleEpoch) as refused:
            await registry.renew(INSTANCE, stale, 30, timeout=5)
        assert refused.value.current == current
    assert await snapshot(store) == before


async def test_a_renewal_without_an_owner_is_refused(registry: Registry, store: Store) -> None:
    with pytest.raises(StaleEpoch) as refused:
        await registry.renew(INSTANCE, 1, 30, timeout=5)
    assert refused.value.current is None
    assert await snapshot(store) == {}


async def test_a_newer_leader_deposes(registry: Registry, store: Store) -> None:
    old, new = await registry.lead(), await registry.lead()
    assert new > old
    epoch = await grant(registry, leader=old)
    epoch = await grant(registry, epoch, leader=new)
    before = await snapshot(store)
    with pytest.raises(Deposed):
        await grant(registry, epoch, leader=old)
    assert await snapshot(store) == before
    assert await grant(registry, epoch, leader=new) == epoch + 1


async def test_leaders_grow_though_replies_are_lost(
    registry: Registry, proxied_registry: Registry, proxy: Proxy
) -> None:
    first = await registry.lead()
    proxy.lose_reply("INCR")
    second = await proxied_registry.lead()
    assert proxy.lost == 1
    assert first < second < await registry.lead()


@pytest.mark.parametrize("known_dead", [True, False])
async def test_a_grant_whose_reply_was_lost(
    registry: Registry, proxied_registry: Registry, proxy: Proxy, epoch: int, known_dead: bool
) -> None:
    proxy.lose_reply()
    granted = await grant(proxied_registry, epoch, known_dead=known_dead)
    assert proxy.lost == 1
    assert granted == epoch + 1
    # Also when the new owner is at work already.
    await registry.renew(INSTANCE, granted, 30, timeout=5)
    assert await grant(registry, epoch, known_dead=known_dead) == granted
    owner = await registry.owner(INSTANCE)
    assert owner is not None
    assert owner.epoch == granted


async def test_two_leaders_do_not_share_a_grant(registry: Registry, epoch: int) -> None:
    """Actors are named by epoch: the same name from another leader is another grant, on another node."""
    granted = await grant(registry, epoch, leader=2, node="node-a")
    with pytest.raises(StaleEpoch) as refused:
        await grant(registry, epoch, leader=3, node="node-b")
    assert refused.value.current == granted
    with pytest.raises(StaleEpoch):
        await grant(registry, epoch, leader=2, node="node-b")
    owner = await registry.owner(INSTANCE)
    assert owner is not None
    assert (owner.leader, owner.node) == (2, "node-a")


async def _until_granted(registry: Registry, after: int) -> int:
    for _ in range(200):
        try:
            return await grant(registry, after, known_dead=False)
        except Leased as leased:
            await asyncio.sleep(leased.remaining)
    raise AssertionError("the lease never ended")
