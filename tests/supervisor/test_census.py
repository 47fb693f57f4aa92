"""What the supervisor counts of the whole cluster, from real Redis, whoever lives."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actors import metrics
from actors.courier.endpoints import Endpoints
from actors.courier.records import EndpointChange
from actors.events import EventDraft, EventType
from actors.instance.mailbox import Mailbox
from actors.instance.outbox import Outbox, SendRequest
from actors.messages.content import Text
from actors.registry import ConnectionState, Desired, InstanceRecord, InstanceState, Registry, new_token, now
from actors.settings import MetricsSettings, Settings
from actors.store import Store
from actors.supervisor.census import Census


def shown(name: str, **labels: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(name, labels)


class Account:
    """An instance and its owner."""

    def __init__(self, store: Store, settings: Settings, instance_id: str) -> None:
        self.id = instance_id
        self.registry = Registry(store)
        self.mailbox = Mailbox(store, instance_id, settings.mailbox)
        self.outbox = Outbox(store, self.mailbox, settings.outbox)
        self.endpoints = Endpoints(store, instance_id, settings)
        self.epoch = 0

    async def open(self, *, desired: Desired = Desired.CONNECTED, leased: bool = True) -> None:
        record = InstanceRecord(id=self.id, name="x", created_at=now(), desired=desired)
        await self.registry.create(record, new_token())
        self.epoch, _ = await self.registry.fence(
            self.id, after=0, leader=1, actor=f"{self.id}:1", node="n", known_dead=True
        )
        if leased:
            await self.registry.renew(self.id, self.epoch, 60, timeout=5)

    async def state(self, connection: ConnectionState) -> None:
        state = InstanceState(connection=connection, since=now(), device="55119@s.whatsapp.net")
        await self.registry.write_state(self.id, self.epoch, state)

    async def append(self, count: int, *, age: float = 0.0) -> None:
        for number in range(count):
            moment = now() - timedelta(seconds=age)
            await self.mailbox.append(
                self.epoch,
                EventDraft(
                    type=EventType.MESSAGE_RECEIVED,
                    dedupe_key=f"{age}/{number}",
                    occurred_at=moment,
                    received_at=moment,
                    data={},
                    chat_id="c",
                ),
            )


@pytest.fixture
def settings(redis_url: str, prefix: str) -> Settings:
    return Settings(redis_url=redis_url, prefix=prefix)


async def test_instances_are_counted_by_what_they_are(store: Store, settings: Settings) -> None:
    good, parked, unowned, unwanted = (Account(store, settings, f"acct-{name}") for name in "abcd")
    for one in (good, parked):
        await one.open()
    await unowned.open(leased=False)
    await unwanted.open(desired=Desired.DISCONNECTED)
    await good.state(ConnectionState.CONNECTED)
    await parked.state(ConnectionState.PARKED)
    await unowned.state(ConnectionState.CONNECTED)  # as it was before it died
    await unwanted.state(ConnectionState.DISCONNECTED)
    await Census(settings, store).turn()
    assert shown("malote_instances", state="connected") == 2
    assert shown("malote_instances", state="parked") == 1
    assert shown("malote_instances_down") == 2
    assert shown("malote_instances_unowned") == 1
    assert shown("malote_instance_connected", instance_id="acct-a") == 1
    assert shown("malote_instance_connected", instance_id="acct-c") == 0
    assert shown("malote_redis_memory_used_bytes") > 0  # type: ignore[operator]
    await good.registry.delete("acct-b")
    await Census(settings, store).turn()
    assert shown("malote_instance_connected", instance_id="acct-b") is None, "nothing of who is gone"
    assert shown("malote_instances", state="parked") == 0


async def test_what_waits_is_as_old_as_its_oldest_event(store: Store, settings: Settings) -> None:
    one = Account(store, settings, "acct-one")
    await one.open()
    endpoint = await one.endpoints.create("https://example.com/hook")
    await one.append(1, age=100)
    await one.append(4, age=10)
    await one.outbox.enqueue(SendRequest(to="55119@s.whatsapp.net", content=Text(text="x")))
    await Census(settings, store).turn()
    assert shown("malote_mailbox_depth", instance_id="acct-one") == 5
    assert shown("malote_mailbox_last_seq", instance_id="acct-one") == 5
    assert shown("malote_oldest_undelivered_event_seconds", instance_id="acct-one") == pytest.approx(
        100, abs=20
    )
    assert shown("malote_outbox_messages", instance_id="acct-one") == 1
    assert shown("malote_mailbox_fill_ratio") == 5 / settings.mailbox.hard_bound

    # An endpoint that was switched off is not late; what it keeps is kept all the same.
    await one.endpoints.change(endpoint.id, EndpointChange(enabled=False))
    await Census(settings, store).turn()
    assert shown("malote_oldest_undelivered_event_seconds", instance_id="acct-one") == 0
    assert shown("malote_mailbox_depth", instance_id="acct-one") == 5


async def test_without_labels_the_worst_is_told(store: Store, settings: Settings) -> None:
    for name, count in (("acct-one", 2), ("acct-two", 3)):
        one = Account(store, settings, name)
        await one.open()
        await one.endpoints.create("https://example.com/hook")
        await one.append(count)
    quiet = settings.model_copy(update={"metrics": MetricsSettings(per_instance=False)})
    await Census(quiet, store).turn()
    assert shown("malote_mailbox_depth", instance_id="") == 3
    assert shown("malote_mailbox_depth", instance_id="acct-one") is None


async def test_a_phone_number_as_an_id_is_not_told(store: Store, settings: Settings) -> None:
    await Account(store, settings, "5511999999999").open()
    await Census(settings, store).turn()
    told = [
        label
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
        for label in sample.labels.values()
    ]
    assert any(label.startswith("hidden-") for label in told)
    assert not any("999999" in label for label in told)
