"""A group is created once for an Idempotency-Key, whatever happens between two requests with it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from actors.settings import Settings
from lab.faults import DelayQuery, FailQuery
from lab.network import Lab
from tests.api.world import Answered
from tests.engine.device import Device
from tests.instance.conftest import FRIEND, PHONE
from tests.instance.http import Gateway
from tests.instance.test_groups import Own
from tests.instance.test_groups import friend as friend
from tests.instance.test_groups import gateway as gateway
from tests.wait import until

pytestmark = pytest.mark.engine
BODY = {"name": "Family", "participants": [FRIEND]}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    instance = settings.instance.model_copy(update={"query_timeout": 3.0})
    return settings.model_copy(update={"instance": instance})


async def create(gateway: Gateway, key: str, **other: Any) -> Answered:
    return await gateway.ask("POST", "groups", {**BODY, **other}, headers={"Idempotency-Key": key})


def groups(lab: Lab) -> list[str]:
    """What WhatsApp has, in the order in which it came to be."""
    return [str(group.jid) for group in lab.board.groups.of(lab.account(PHONE))]


async def test_the_same_key_is_the_same_group(gateway: Gateway, friend: Device, lab: Lab) -> None:
    first, again = await asyncio.gather(create(gateway, "k1"), create(gateway, "k1"))
    assert (first.status, again.status, first.json) == (201, 201, again.json)
    assert sorted("Idempotency-Replayed" in answer.headers for answer in (first, again)) == [False, True]
    other = await create(gateway, "k2")
    assert groups(lab) == [first.json["id"], other.json["id"]]
    problem = (await create(gateway, "k1", name="Work")).problem("idempotency-key-reused")
    assert problem["status"] == 422
    (await create(gateway, "k" * 256)).problem("invalid")


async def test_an_answer_that_came_too_late(gateway: Gateway, friend: Device, lab: Lab) -> None:
    slow = lab.faults.add(DelayQuery(phone=PHONE, query="w:g2", seconds=10))
    (await create(gateway, "k1")).problem("timed-out")
    lab.faults.remove(slow)
    # Another group of that name is not taken for it.
    other = await create(gateway, "k2")
    again = await create(gateway, "k1")
    assert (again.status, again.headers["Idempotency-Replayed"]) == (201, "true")
    assert groups(lab) == [again.json["id"], other.json["id"]]
    assert again.json["members"] == (await gateway.good("GET", f"groups/{again.json['id']}"))["members"]
    assert (await create(gateway, "k1")).json == again.json


async def test_an_owner_that_dies_between_whatsapps_answer_and_ours(
    gateway: Gateway, friend: Device, lab: Lab, own: Own
) -> None:
    """As after a SIGKILL of its process: nothing is finished, and nothing is told to anybody."""
    slow = lab.faults.add(DelayQuery(phone=PHONE, query="w:g2", seconds=10))
    asking = asyncio.create_task(create(gateway, "k1"))
    await until(lambda: groups(lab), what="the group, at WhatsApp")
    one = gateway.one
    os.kill(one.engine_pid, signal.SIGKILL)
    one.task.cancel()
    await asyncio.gather(one.task, return_exceptions=True)
    (await asking).problem("not-connected")
    lab.faults.remove(slow)
    successor = Gateway(gateway.world, await own())
    await until(successor.one.instance._connector.online.is_set, what="connected")
    again = await create(successor, "k1")
    assert again.headers["Idempotency-Replayed"] == "true"
    assert groups(lab) == [again.json["id"]]


async def test_a_key_that_made_nothing_may_be_used_again(gateway: Gateway, friend: Device, lab: Lab) -> None:
    refusing = lab.faults.add(FailQuery(phone=PHONE, query="w:g2", code=429))
    (await create(gateway, "k1")).problem("rate-limited")
    lab.faults.remove(refusing)
    made = await create(gateway, "k1", name="Work")
    assert (made.status, "Idempotency-Replayed" in made.headers) == (201, False)
    assert groups(lab) == [made.json["id"]]
