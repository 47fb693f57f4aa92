"""Ray's autoscaler on a real head: workers come with instances, and go drained when they are not needed.

ECS's API is moto's, over HTTP; its containers are processes (`machines`). Ray, its autoscaler, the nodes, the
supervisor, instances, engines and Redis are real.
"""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import redis

from actors.registry import Desired, InstanceRecord, Registry, new_token, now
from actors.store import Store
from deploy.engine import BUILT
from tests.autoscaler.ecs import serving
from tests.autoscaler.files import ROOT
from tests.autoscaler.machines import Machines
from tests.node.containers import Container, Containers
from tests.valkey import Valkey
from tests.wait import until

NAMES = ("one", "two", "three", "four")


@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.skipif(not (BUILT / "malote-engine").exists(), reason="needs the engine: make engine")
async def test_workers_come_with_instances_and_go_drained(
    tmp_path: Path, redis_url: str, prefix: str, store: Store, own_valkey: Valkey
) -> None:
    registry = Registry(store)

    async def owners() -> dict[str, str]:
        """The node of each instance that has one, and works."""
        found = {}
        for record in await registry.list():
            owner, state = await registry.owner(record.id), await registry.state(record.id)
            if owner is not None and state is not None:
                found[record.id] = owner.node
        return found

    def owned(container: Container) -> int:
        with redis.Redis.from_url(redis_url, decode_responses=True) as client:
            nodes = [client.hget(store.keys.instance(name, "owner"), "node") for name in NAMES]
        return nodes.count(container.node)

    settings = {
        "MALOTE_REDIS_URL": redis_url,
        "MALOTE_PREFIX": prefix,
        "MALOTE_COURIER_COUNT": "1",
        "MALOTE_ENGINE": str(BUILT / "malote-engine"),
    }
    with serving() as ecs:
        async with (
            Containers(tmp_path / "cluster", own_valkey.url, **settings) as cluster,
            Machines(ecs, cluster, owned) as machines,
        ):
            head = cluster.head()
            head.settings |= ecs.environment | {
                "MALOTE_NODE_AUTOSCALING": str(ROOT / "ray-cluster.yaml"),
                "MALOTE_ELASTIC_WORKERS": "3",
                "MALOTE_ELASTIC_SLOTS": "2",
                "MALOTE_ELASTIC_HEADROOM": "0",
                "MALOTE_ELASTIC_LOOK": "0.5",
                "MALOTE_ELASTIC_SHRINK_AFTER": "2",
                "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            }
            await head.start()
            code, said = await cluster.job("up")
            assert code == 0, said
            assert not machines.all

            for name in NAMES:
                record = InstanceRecord(id=name, name=name, created_at=now(), desired=Desired.DISCONNECTED)
                await registry.create(record, new_token())
            before = await until(
                lambda: _all_of(owners, NAMES), timeout=180, what="an owner of each instance"
            )
            first, second = machines.running
            nodes = {machine.container.node: machine for machine in (first, second)}
            assert sorted(before.values()) == sorted([*nodes] * 2)

            epochs = {name: owner.epoch for name in NAMES if (owner := await registry.owner(name))}

            # One of each leaves: what is left fits on one.
            gone = {node: name for name, node in before.items()}
            left = tuple(name for name in NAMES if name not in gone.values())
            for name in gone.values():
                await registry.delete(name)
            await until(lambda: len(machines.running) == 1, timeout=120, what="a worker goes")
            ended = next(machine for machine in (first, second) if machine.status is not None)
            assert ended.status == 0, ended.container.log
            assert "the node was drained" in ended.container.log
            after = await until(lambda: _all_of(owners, left), timeout=60, what="owners of the others")
            (kept,) = machines.running
            assert set(after.values()) == {kept.container.node}
            # Handed over, by one step of its epoch, and not taken from a node that was gone.
            (moved,) = (name for name in left if before[name] == ended.container.node)
            owner = await registry.owner(moved)
            assert owner is not None
            assert owner.epoch == epochs[moved] + 1

            # A new head knows nothing of all that. What it finds goes on, and is replaced when it is drained.
            await head.kill()
            await head.start()
            assert machines.running == [kept]
            # Ray loses the code, as it would at the end of what this head counts as the code's only user.
            assert _lose_packages(own_valkey.url)
            deadline = time.time() + 90
            await store.redis.hset(store.keys.shared("draining"), kept.container.node, deadline)
            await until(lambda: kept.status is not None, timeout=150, what="the drained worker ends")
            assert kept.status == 0, kept.container.log
            await until(lambda: len(machines.running) == 1, what="one is left")
            (new,) = machines.running
            assert set((await owners()).values()) == {new.container.node}
            assert len(await owners()) == len(left)
            assert all(count == 0 for _, count in machines.stops)
            assert len(machines.all) == 3, "none that was not needed"
            assert await store.redis.hgetall(store.keys.shared("tasks")) == {new.task.id: new.container.node}
            # ECS would refuse it to tasks of no service.
            assert not any(machine.agent.asked for machine in machines.all.values())


def _lose_packages(gcs: str) -> int:
    """Delete every package of code that a head keeps in its Redis; returns how many there were."""
    with redis.Redis.from_url(gcs) as client:
        tables = [key for key in client.scan_iter(_type="HASH") if key.endswith(b"KV")]
        packages = [(key, field) for key in tables for field in client.hkeys(key) if b"_ray_pkg_" in field]
        return sum(client.hdel(key, field) for key, field in packages)


async def _all_of(owners: object, names: tuple[str, ...]) -> dict[str, str] | None:
    found: dict[str, str] = await owners()  # type: ignore[operator]
    return found if found.keys() == set(names) else None
