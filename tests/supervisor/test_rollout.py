"""Roll-outs by supervisors of two versions, with actors in memory and a real Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from actors.registry import Registry, new_token
from actors.settings import CourierSettings, InstanceSettings, Settings, SupervisorSettings
from actors.store import Store
from actors.supervisor import rollout as rules
from actors.supervisor import service
from actors.supervisor.handoff_record import Outcome
from actors.supervisor.moves import Handoffs
from actors.supervisor.office import Office, Offices
from actors.supervisor.rollout_record import Phase, Plan, Rollout
from actors.supervisor.service import Service
from tests.supervisor.fakes import MemoryCluster, MemoryWorker
from tests.supervisor.test_supervisor import record
from tests.supervisor.versions import Version
from tests.wait import until

INSTANCES = 6
PLAN = Plan(canary=1, canary_watch=0.2, batch=2, budget=0)

Serve = Callable[[Version, str], tuple[Service, "asyncio.Task[str]"]]


@pytest.fixture
def settings(redis_url: str, prefix: str) -> Settings:
    return Settings(
        redis_url=redis_url,
        prefix=prefix,
        instance=InstanceSettings(lease_ttl=1.0),
        supervisor=SupervisorSettings(reconcile=0.05, sweep=0.2, standby_patience=1.0, activate_timeout=0.5),
        courier=CourierSettings(count=2),
    )


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "RETRY", 0.2)
    monkeypatch.setattr(rules, "SETTLE", 0.5)


@pytest.fixture
async def serve(settings: Settings, store: Store) -> AsyncIterator[Serve]:
    tasks: list[asyncio.Task[str]] = []

    def start(cluster: Version, version: str) -> tuple[Service, asyncio.Task[str]]:
        service = Service(settings, store, cluster, version)
        tasks.append(asyncio.create_task(service.serve()))
        return service, tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def offices(store: Store) -> Offices:
    return Offices(store)


class Story:
    """An old version that runs, and what becomes of it."""

    def __init__(self, cluster: MemoryCluster, registry: Registry, offices: Offices, serve: Serve) -> None:
        self.cluster = cluster
        self.registry = registry
        self.offices = offices
        self.serve = serve
        self.old, self.leaving = serve(Version(cluster, "old"), "old")

    async def begin(self, new: Version, plan: Plan = PLAN) -> asyncio.Task[str]:
        _, task = self.serve(new, "new")
        rollout = Rollout(id="r", old="old", new="new", plan=plan, began_at=time.time())
        await self.offices.change(lambda found: found.begin(rollout))
        return task

    async def change(self, make: Callable[[Rollout], Rollout]) -> None:
        await self.offices.change(lambda found: found.follow(make(found.rollout)))

    async def office(self) -> Office:
        found = await self.offices.read()
        assert found is not None
        return found

    async def ended(self) -> Rollout | None:
        rollout = (await self.office()).rollout
        return rollout if rollout is not None and rollout.ended else None

    def versions(self) -> list[str]:
        """Of all connected instances, and of the couriers."""
        connected = [worker.code for worker in self.cluster.instances.values() if worker.connected]
        couriers = [worker.code for worker in self.cluster.couriers.values() if worker.alive]
        return sorted(connected) + sorted(couriers)

    def all_of(self, version: str) -> bool:
        return self.versions() == [version] * (INSTANCES + 2)


@pytest.fixture
async def story(cluster: MemoryCluster, registry: Registry, offices: Offices, serve: Serve) -> Story:
    cluster.slots = {"node-1": 100, "node-2": 100}
    for number in range(INSTANCES):
        await registry.create(record(number), new_token())
    told = Story(cluster, registry, offices, serve)
    await until(lambda: told.all_of("old"), what="all on the old version")
    return told


async def test_everything_gets_the_new_version_and_the_old_supervisor_ends(story: Story) -> None:
    await story.begin(Version(story.cluster, "new"))
    rollout = await until(story.ended, timeout=20)
    assert (rollout.phase, rollout.failed, len(rollout.moved)) == (Phase.DONE, {}, INSTANCES)
    assert story.all_of("new")
    assert await story.leaving == "deposed"
    assert (await story.office()).standby is None


async def test_a_version_whose_instances_do_not_come_up_is_rolled_back(story: Story) -> None:
    task = await story.begin(Version(story.cluster, "new", broken=frozenset({"prepare"})))
    rollout = await until(story.ended, timeout=20)
    assert (rollout.phase, rollout.moved) == (Phase.ROLLED_BACK, {})
    assert "canary" in rollout.reason
    assert story.all_of("old")
    assert await task == "deposed"
    assert story.old.supervisor is not None


async def test_a_version_that_does_not_connect_is_rolled_back(story: Story) -> None:
    task = await story.begin(Version(story.cluster, "new", broken=frozenset({"activate"})))
    rollout = await until(story.ended, timeout=30)
    assert (rollout.phase, list(rollout.moved)) == (Phase.ROLLED_BACK, list(rollout.canaries))
    await until(lambda: story.all_of("old"), what="all on the old version")
    assert await task == "deposed"


async def test_a_version_whose_couriers_do_not_come_up_is_rolled_back(story: Story) -> None:
    new = Version(story.cluster, "new")
    new.broken_couriers = True
    await story.begin(new)
    rollout = await until(story.ended, timeout=30)
    assert rollout.phase is Phase.ROLLED_BACK
    assert "courier" in rollout.reason
    await until(lambda: story.all_of("old"), what="all on the old version")


async def test_a_version_whose_supervisor_does_not_work_is_rolled_back(story: Story) -> None:
    # It was made, and died as soon as it was appointed.
    rollout = Rollout(id="r", old="old", new="new", plan=PLAN, began_at=time.time())
    await story.offices.change(lambda found: found.begin(rollout))
    ended = await until(story.ended, timeout=30)
    assert ended.phase is Phase.ROLLED_BACK
    assert "does not work" in ended.reason
    assert story.all_of("old")


async def test_a_new_supervisor_that_ended_for_good_is_not_waited_for(
    story: Story, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = settings.supervisor.model_copy(update={"standby_patience": 600.0})
    monkeypatch.setattr(story.old, "_settings", settings.model_copy(update={"supervisor": patient}))
    monkeypatch.setattr(service, "GONE", 0.5)
    # One that Ray is about to start again has its time.
    alive = MemoryWorker("supervisor:new", "node-1", 0, story.cluster)
    story.cluster.instances[alive.name] = alive
    rollout = Rollout(id="r", old="old", new="new", plan=PLAN, began_at=time.time())
    await story.offices.change(lambda found: found.begin(rollout))
    await until(lambda: story.old.supervisor is None, what="the old one stands by")
    await asyncio.sleep(1.5)
    assert (await story.office()).appointed == "new"
    alive.die()
    assert (await until(story.ended, timeout=20)).phase is Phase.ROLLED_BACK
    assert story.all_of("old")


async def test_a_paused_one_moves_nothing_until_it_is_resumed(story: Story) -> None:
    await story.begin(Version(story.cluster, "new"), PLAN.model_copy(update={"canary_watch": 1.0}))

    async def watched() -> bool:
        rollout = (await story.office()).rolling
        return rollout is not None and rollout.watched_since is not None

    await until(watched)
    await story.change(lambda found: found.change(paused=True))
    before = story.versions()
    await asyncio.sleep(1.5)  # longer than the watch
    assert story.versions() == before
    assert before.count("new") == 1
    await story.change(lambda found: found.change(paused=False))
    assert (await until(story.ended, timeout=20)).phase is Phase.DONE


async def test_one_that_is_called_back_half_way_ends_as_it_began(story: Story) -> None:
    task = await story.begin(Version(story.cluster, "new"), PLAN.model_copy(update={"batch": 1}))
    await until(lambda: story.versions().count("new") >= 4, timeout=20)
    await story.change(lambda found: found.turned("it was asked for"))
    rollout = await until(story.ended, timeout=30)
    assert rollout.phase is Phase.ROLLED_BACK
    assert story.all_of("old")
    assert await task == "deposed"


async def test_one_that_is_called_back_to_nobody_is_led_all_the_same(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "GONE", 0.5)
    new = Version(story.cluster, "new")
    await story.begin(new, PLAN.model_copy(update={"batch": 1}))
    await until(lambda: story.versions().count("new") >= 2, timeout=20)
    story.leaving.cancel()  # the old version's supervisor, for good
    await story.change(lambda found: found.turned("it was asked for"))

    async def led() -> bool:
        office = await story.office()
        return office.appointed == "new" and office.rollout is not None and office.rollout.ended

    await until(led, timeout=20, what="somebody leads")
    rollout = (await story.office()).rollout
    assert rollout is not None
    assert rollout.phase is Phase.LOST
    await story.registry.create(record(INSTANCES), new_token())
    await until(lambda: len(story.versions()) == INSTANCES + 3, timeout=20)


async def test_the_new_supervisor_may_die_at_any_moment(story: Story, serve: Serve) -> None:
    new = Version(story.cluster, "new")
    task = await story.begin(new, PLAN.model_copy(update={"batch": 1, "canary_watch": 0.1}))
    for count in (1, 3, 5):
        await until(lambda enough=count: story.versions().count("new") >= enough, timeout=20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        _, task = serve(new, "new")  # as Ray starts it again
    rollout = await until(story.ended, timeout=30)
    assert rollout.phase is Phase.DONE, rollout
    assert story.all_of("new")


@pytest.mark.parametrize("name", ["supervisor:old", "supervisor:other"])
async def test_one_that_ray_starts_again_with_other_code_leads(
    story: Story, settings: Settings, store: Store, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "UNSEATED", 0.5)
    # The code is each node's own, and the node that it is started on has a newer one.
    story.leaving.cancel()
    again = Service(settings, store, Version(story.cluster, "newer"), "newer", name)
    serving = asyncio.create_task(again.serve())
    try:
        await until(lambda: again.supervisor is not None, what="it leads")
        assert (await story.office()).appointed == "newer"
        await story.registry.create(record(INSTANCES), new_token())
        await until(lambda: "newer" in story.versions())
        assert story.versions().count("old") == INSTANCES + 2
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_what_is_made_meanwhile_is_of_the_new_version(story: Story) -> None:
    plan = PLAN.model_copy(update={"canary_watch": 1.0})
    await story.begin(Version(story.cluster, "new"), plan)
    await until(lambda: "new" in story.versions())
    await story.registry.create(record(INSTANCES), new_token())
    rollout = await until(story.ended, timeout=20)
    assert rollout.phase is Phase.DONE
    assert story.versions() == ["new"] * (INSTANCES + 3)


async def test_a_handoff_that_is_turned_round_under_way_is_given_up(story: Story, store: Store) -> None:
    new = Version(story.cluster, "new")
    new.deaf = frozenset({"prepare"})
    await story.begin(new)
    warming = await until(lambda: [w for w in story.cluster.instances.values() if w.code == "new"])
    await story.change(lambda found: found.turned("it was asked for"))
    rollout = await until(story.ended, timeout=30)
    assert (rollout.phase, rollout.moved) == (Phase.ROLLED_BACK, {})
    assert story.all_of("old")
    assert not any(worker.alive for worker in warming)
    (canary,) = rollout.canaries
    (past,) = await Handoffs(store, kept=1).past(canary, 9)
    assert (past.outcome, past.successor.version) == (Outcome.KEPT, "new")
