"""One owner: epochs, leases, leaders."""

from __future__ import annotations

import asyncio

import pytest

from actors.registry import Deposed, Registry, Superseded
from actors.store import StaleEpoch, Store
from tests.proxy import Proxy
from tests.store.samples import INSTANCE, grant, snapshot
from tests.wait import until


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
    with pytest.raises(Superseded) as refused:
        await grant(registry, after, actor="somebody else")
    assert (refused.value.epoch, refused.value.actor) == (2, f"{INSTANCE}:2")
    assert await snapshot(store) == before


async def test_of_many_grants_at_once_one_is_made(registry: Registry, epoch: int) -> None:
    results = await asyncio.gather(
        *(grant(registry, epoch, actor=f"rival-{n}") for n in range(8)), return_exceptions=True
    )
    assert sorted(map(str, (r for r in results if isinstance(r, int)))) == [str(epoch + 1)]
    assert sum(isinstance(r, Superseded) for r in results) == 7
    owner = await registry.owner(INSTANCE)
    assert owner is not None
    assert owner.actor == f"rival-{results.index(epoch + 1)}"


async def fence(registry: Registry, after: int, actor: str, *, known_dead: bool = False) -> tuple[int, float]:
    return await registry.fence(
        INSTANCE, after=after, leader=1, actor=actor, node="node-b", known_dead=known_dead
    )


async def test_a_running_lease_is_to_be_waited_for(registry: Registry, epoch: int) -> None:
    await registry.renew(INSTANCE, epoch, 30, timeout=5)
    granted, remaining = await fence(registry, epoch, "b")
    assert granted == epoch + 1
    assert 0 < remaining <= 30
    with pytest.raises(StaleEpoch):
        await registry.renew(INSTANCE, epoch, 30, timeout=5)
    # Asked again, also when the successor has a lease of its own, it is the predecessor's that counts.
    await registry.renew(INSTANCE, granted, 600, timeout=5)
    again, left = await fence(registry, epoch, "b")
    assert again == granted
    assert 0 < left <= remaining
    # Whoever replaces a successor that never came to be still has to wait for the owner before it.
    _, left = await fence(registry, granted, "c", known_dead=True)
    assert 0 < left <= remaining


async def test_a_lease_that_is_over_is_not_waited_for(registry: Registry, store: Store, epoch: int) -> None:
    await registry.renew(INSTANCE, epoch, 0.05, timeout=5)
    lease = store.keys.instance(INSTANCE, "lease")
    await until(lambda: _absent(store, lease), what="the end of the lease")
    assert await fence(registry, epoch, "b") == (epoch + 1, 0.0)


async def _absent(store: Store, key: str) -> bool:
    return not await store.redis.exists(key)


async def test_a_predecessor_known_to_be_dead_is_not_waited_for(registry: Registry, epoch: int) -> None:
    await registry.renew(INSTANCE, epoch, 30, timeout=5)
    assert await fence(registry, epoch, "b", known_dead=True) == (epoch + 1, 0.0)
    # The lease that is gone was the predecessor's: the successor's own starts with its first renewal.
    assert await fence(registry, epoch + 1, "c") == (epoch + 2, 0.0)


async def test_a_released_lease_is_not_waited_for(registry: Registry, epoch: int) -> None:
    await registry.renew(INSTANCE, epoch, 30, timeout=5)
    await registry.release(INSTANCE, epoch)
    await registry.release(INSTANCE, epoch)
    assert await fence(registry, epoch, "b") == (epoch + 1, 0.0)


async def test_a_stale_release_changes_nothing(registry: Registry, epoch: int) -> None:
    current = await grant(registry, epoch)
    await registry.renew(INSTANCE, current, 30, timeout=5)
    await registry.release(INSTANCE, epoch)
    _, remaining = await fence(registry, current, "c")
    assert remaining > 0


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
    granted = await grant(registry, epoch, leader=2, actor="of leader 2", node="node-a")
    with pytest.raises(Superseded) as refused:
        await grant(registry, epoch, leader=3, actor="of leader 3", node="node-b")
    assert (refused.value.epoch, refused.value.actor) == (granted, "of leader 2")
    owner = await registry.owner(INSTANCE)
    assert owner is not None
    assert (owner.leader, owner.node) == (2, "node-a")


async def test_a_leader_takes_over_what_another_one_granted(registry: Registry, epoch: int) -> None:
    """Actors' names are unique: who asks for the same one goes on with the same handoff."""
    granted = await grant(registry, epoch, leader=2, actor="successor")
    assert await grant(registry, epoch, leader=3, actor="successor") == granted
    with pytest.raises(Deposed):
        await grant(registry, epoch, leader=2, actor="successor")
    owner = await registry.owner(INSTANCE)
    assert owner is not None
    assert (owner.epoch, owner.leader) == (granted, 3)
