"""What is desired: instances and keys of access."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actors.instance.mailbox import Mailbox
from actors.instance.outbox import Outbox
from actors.registry import (
    EPOCH_KEPT,
    ConnectionState,
    Desired,
    InstanceExists,
    InstanceRemoving,
    InstanceState,
    InstanceUnknown,
    Registry,
    RevisionConflict,
    new_token,
    now,
)
from actors.store import StaleEpoch, Store
from tests.proxy import Proxy
from tests.store.samples import INSTANCE, REQUEST, draft, grant, raise_floor, record, snapshot


async def test_a_created_instance_is_found(registry: Registry) -> None:
    first = await registry.create(record("inst_a"), new_token())
    second = await registry.create(record("inst_b", proxy="socks5://proxy.test:1080"), new_token())
    assert await registry.get("inst_a") == first
    assert await registry.list() == [first, second]


async def test_an_unknown_instance(registry: Registry) -> None:
    with pytest.raises(InstanceUnknown):
        await registry.get("inst_none")
    with pytest.raises(InstanceUnknown):
        await registry.change(record("inst_none"))
    with pytest.raises(InstanceUnknown):
        await registry.rotate_token("inst_none", new_token())
    assert await registry.list() == []
    assert await registry.owner("inst_none") is None
    assert await registry.state("inst_none") is None
    await registry.delete("inst_none")


async def test_an_id_is_given_once(registry: Registry) -> None:
    token = new_token()
    created = await registry.create(record(), token)
    other = new_token()
    with pytest.raises(InstanceExists):
        await registry.create(record(name="another"), other)
    assert await registry.get(INSTANCE) == created
    assert await registry.who(other) is None
    assert await registry.who(token) == INSTANCE


async def test_a_create_whose_reply_was_lost(
    registry: Registry, proxied_registry: Registry, proxy: Proxy
) -> None:
    token = new_token()
    proxy.lose_reply()
    created = await proxied_registry.create(record(), token)
    assert proxy.lost == 1
    assert await registry.list() == [created]
    assert await registry.who(token) == INSTANCE


async def test_a_create_succeeds_though_the_wake_up_is_lost(
    registry: Registry, proxied_registry: Registry, proxy: Proxy
) -> None:
    proxy.lose_request("PUBLISH", times=1000)
    created = await proxied_registry.create(record(), new_token())
    assert proxy.lost > 0
    assert await registry.list() == [created]


async def test_a_change_of_desire_wakes_the_supervisor(registry: Registry, store: Store) -> None:
    async with store.redis.pubsub() as heard:
        await heard.subscribe(store.keys.wake)
        await heard.get_message(timeout=5)
        await registry.create(record(), new_token())
        message = await heard.get_message(timeout=5)
    assert message is not None
    assert message["channel"] == store.keys.wake


async def test_a_change_counts_revisions(registry: Registry) -> None:
    created = await registry.create(record(), new_token())
    changed = await registry.change(created.model_copy(update={"desired": Desired.DISCONNECTED}))
    assert changed.revision == 1
    assert await registry.get(INSTANCE) == changed
    with pytest.raises(RevisionConflict):
        await registry.change(created.model_copy(update={"name": "based on an old one"}))
    assert await registry.get(INSTANCE) == changed


async def test_of_two_changes_at_once_one_is_refused(registry: Registry) -> None:
    created = await registry.create(record(), new_token())
    names = [f"name {n}" for n in range(5)]
    results = await asyncio.gather(
        *(registry.change(created.model_copy(update={"name": name})) for name in names),
        return_exceptions=True,
    )
    refused = [result for result in results if isinstance(result, RevisionConflict)]
    assert len(refused) == 4
    assert (await registry.get(INSTANCE)).revision == 1


async def test_a_change_whose_reply_was_lost(
    registry: Registry, proxied_registry: Registry, proxy: Proxy
) -> None:
    created = await registry.create(record(), new_token())
    proxy.lose_reply()
    changed = await proxied_registry.change(created.model_copy(update={"name": "nova"}))
    assert proxy.lost == 1
    assert changed.revision == 1
    assert await registry.get(INSTANCE) == changed


async def left_of(store: Store, *instance_ids: str) -> dict[str, Any]:
    """What is in Redis, but for the epochs of deleted instances, which go by themselves."""
    found = await snapshot(store)
    for instance_id in instance_ids:
        key = store.keys.instance(instance_id, "owner")
        assert 0 < await store.redis.ttl(key) <= EPOCH_KEPT
        del found[key]
    return found


async def test_delete_leaves_only_the_epoch_for_a_while(
    registry: Registry, store: Store, mailbox: Mailbox, outbox: Outbox
) -> None:
    token = new_token()
    await registry.create(record(), token)
    epoch = await grant(registry)
    await registry.renew(INSTANCE, epoch, 60, timeout=5)
    await registry.write_state(INSTANCE, epoch, InstanceState(since=now()))
    await outbox.enqueue(REQUEST, "key")
    await mailbox.append(epoch, draft(), aliases={"+5511999999999": "chat-1"})
    await raise_floor(mailbox, 0)
    assert len(await snapshot(store)) > 8
    await registry.delete(INSTANCE)
    assert await registry.removals() == {INSTANCE}
    await registry.removed(INSTANCE)
    assert await left_of(store, INSTANCE) == {}
    assert await registry.who(token) is None
    await registry.delete(INSTANCE)
    assert await left_of(store, INSTANCE) == {}


async def test_the_id_of_a_deleted_instance_is_free_once_nothing_of_it_is_there(registry: Registry) -> None:
    token = new_token()
    await registry.create(record(), token)
    await registry.delete(INSTANCE)
    for again in (token, new_token()):
        with pytest.raises(InstanceRemoving):
            await registry.create(record(), again)
    await registry.removed(INSTANCE)
    await registry.create(record(), new_token())


async def test_an_owner_of_a_deleted_instance_stays_fenced_when_the_id_is_used_again(
    registry: Registry, mailbox: Mailbox
) -> None:
    await registry.create(record(), new_token())
    first = await grant(registry)
    await registry.delete(INSTANCE)
    await registry.removed(INSTANCE)
    await registry.create(record(), new_token())
    owner = await registry.owner(INSTANCE)
    assert owner is not None
    assert owner.actor == ""
    second = await grant(registry, after=owner.epoch)
    assert second > owner.epoch > first
    with pytest.raises(StaleEpoch):
        await mailbox.append(first, draft())
    assert await mailbox.append(second, draft()) == 1
    assert await registry.store.redis.ttl(registry.keys.instance(INSTANCE, "owner")) == -1


async def test_delete_spares_other_instances(registry: Registry, store: Store) -> None:
    # Ids that would match one another if they were taken for patterns.
    ids = ["inst_1", "inst_11", "inst_?", "inst_*", "inst_[1]", "inst_\\1"]
    tokens = {instance_id: new_token() for instance_id in ids}
    for instance_id in ids:
        await registry.create(record(instance_id), tokens[instance_id])
        await grant(registry, instance_id=instance_id)
    left = list(ids)
    for instance_id in ["inst_?", "inst_[1]", "inst_*", "inst_\\1", "inst_1", "inst_11"]:
        await registry.delete(instance_id)
        await registry.removed(instance_id)
        left.remove(instance_id)
        assert sorted(r.id for r in await registry.list()) == sorted(left)
        owners = {other: await registry.owner(other) for other in ids}
        owned = [other for other, owner in owners.items() if owner is not None and owner.actor]
        assert sorted(owned) == sorted(left)
        assert [other for other in ids if await registry.who(tokens[other]) == other] == [
            other for other in ids if other in left
        ]
    assert await left_of(store, *ids) == {}


async def test_a_purge_fences_the_owner(
    registry: Registry, mailbox: Mailbox, epoch: int, store: Store
) -> None:
    await registry.purge(INSTANCE)
    with pytest.raises(StaleEpoch) as refused:
        await mailbox.append(epoch, draft(), force=True)
    assert refused.value.current == epoch + 1
    with pytest.raises(StaleEpoch):
        await registry.renew(INSTANCE, epoch, 10, timeout=5)
    with pytest.raises(StaleEpoch):
        await registry.write_state(INSTANCE, epoch, InstanceState(since=now()))
    assert await left_of(store, INSTANCE) == {}


async def test_no_key_is_stored_in_plain(registry: Registry, store: Store) -> None:
    token, rotated, admin = new_token(), new_token(), new_token()
    await registry.create(record(), token)
    await registry.add_admin_key(admin)
    stored = repr(await snapshot(store))
    assert token not in stored
    assert admin not in stored
    await registry.rotate_token(INSTANCE, rotated)
    stored = repr(await snapshot(store))
    assert rotated not in stored
    assert INSTANCE in stored


async def test_whose_key(registry: Registry) -> None:
    token, admin = new_token(), new_token()
    assert not await registry.has_admin_key()
    await registry.create(record(), token)
    await registry.add_admin_key(admin)
    await registry.add_admin_key(admin)
    assert await registry.has_admin_key()
    assert await registry.who(token) == INSTANCE
    assert await registry.who(admin) == "*"
    assert await registry.who("") is None
    assert await registry.who(token[:-1]) is None


async def test_a_rotated_token(registry: Registry, proxied_registry: Registry, proxy: Proxy) -> None:
    old, new, other = new_token(), new_token(), new_token()
    await registry.create(record(), old)
    await registry.create(record("inst_2"), other)
    proxy.lose_reply()
    await proxied_registry.rotate_token(INSTANCE, new)
    assert proxy.lost == 1
    assert await registry.who(old) is None
    assert await registry.who(new) == INSTANCE
    assert await registry.who(other) == "inst_2"


async def test_tokens_are_long_and_differ() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert min(map(len, tokens)) >= 40


async def test_state_is_what_the_owner_last_wrote(registry: Registry, epoch: int) -> None:
    written = InstanceState(
        connection=ConnectionState.CONNECTED, since=now(), phone="+5511999999999", epoch=epoch
    )
    await registry.write_state(INSTANCE, epoch, written)
    assert await registry.state(INSTANCE) == written
    await grant(registry, epoch)
    with pytest.raises(StaleEpoch) as refused:
        await registry.write_state(INSTANCE, epoch, InstanceState(since=now(), reason="too late"))
    assert (refused.value.mine, refused.value.current) == (epoch, epoch + 1)
    assert await registry.state(INSTANCE) == written
