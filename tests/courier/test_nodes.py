"""Nodes with couriers on them are emptied and killed while deliveries flow, counted at the receiver."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from actors.courier.assignment import assigned
from deploy.processes import Process, command_line, end
from tests.cli.command import malote
from tests.cluster import detection
from tests.cluster.nodes import HEAD, LocalCluster
from tests.cluster.supervised import supervised
from tests.courier.conftest import Account, MakeAccount
from tests.courier.receiver import Got, Receiver
from tests.wait import until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]

NODES = (HEAD, "node-1", "node-2", "node-3")
COURIERS = len(NODES)
ACCOUNTS = 8
CHATS = 5
SETTINGS = {
    "MALOTE_COURIER_COUNT": str(COURIERS),
    "MALOTE_COURIER_ALLOW_PRIVATE": "true",
    # Were it to come to a retry, it would be seen as a request too many, and soon.
    "MALOTE_COURIER_SCHEDULE": "[0.1, 0.1, 0.1, 0.1]",
}

Delivery = tuple[str, str]
"""An endpoint's path and an event's id."""


class Customers:
    """One account with one endpoint for each path, and what came there.

    Attributes:
        busy: open requests by path.
        answering: while it is not set, requests stay open.
    """

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.accounts: dict[str, Account] = {}
        self.endpoints: dict[str, str] = {}
        self.busy: Counter[str] = Counter()
        self.answering = asyncio.Event()
        self.answering.set()

    async def add(self, account: Account) -> None:
        path = f"/{account.id}"
        self.receiver.answer(self._answer, path)
        self.accounts[path] = account
        self.endpoints[path] = (await account.endpoints.create(self.receiver.url(path))).id

    async def _answer(self, got: Got, request: web.Request) -> None:
        self.busy[got.path] += 1
        try:
            # Long enough that some attempt is open at any time.
            await asyncio.sleep(0.1)
            await self.answering.wait()
        finally:
            self.busy[got.path] -= 1

    def courier_of(self, path: str) -> int | None:
        return assigned(f"{self.accounts[path].id}/{self.endpoints[path]}", range(COURIERS))

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Events come in all the time while the block runs; at its end all of them are delivered."""
        enough = asyncio.Event()

        async def write(account: Account) -> None:
            chats = itertools.cycle(range(CHATS))
            while not enough.is_set():
                await account.append(f"chat{next(chats)}")
                await asyncio.sleep(0.15)

        async with asyncio.TaskGroup() as tasks:
            for account in self.accounts.values():
                tasks.create_task(write(account))
            try:
                yield
            finally:
                enough.set()
        for path, account in self.accounts.items():
            _, last = await account.mailbox.extent()
            await account.settled(self.endpoints[path], last)

    async def going_on(self) -> None:
        """Wait until every endpoint took more than it has now."""
        had = {path: len(self.receiver.seqs(path)) for path in self.accounts}
        await until(
            lambda: all(len(self.receiver.seqs(path)) > count + CHATS for path, count in had.items()),
            timeout=120,
            what="deliveries to every endpoint",
        )

    def requests(self) -> Counter[Delivery]:
        """How often each delivery was tried, as the receiver saw it."""
        return Counter((got.path, got.headers["webhook-id"]) for got in self.receiver.got)

    def repeated(self) -> set[Delivery]:
        return {delivery for delivery, times in self.requests().items() if times > 1}

    async def written_down(self) -> set[Delivery]:
        """Deliveries whose answers the couriers have recorded."""
        store = next(iter(self.accounts.values())).store
        for _ in range(2):
            # What was sent to Redis before the first ping is carried out before the second.
            await store.redis.ping()
        return {
            (path, attempt.event_id)
            for path, account in self.accounts.items()
            for attempt in await account.endpoints.attempts(self.endpoints[path], limit=1_000)
        }


@pytest.fixture
async def customers(receiver: Receiver, make_account: MakeAccount) -> Customers:
    """Every courier has an endpoint to serve."""
    customers = Customers(receiver)
    served: set[int | None] = set()
    while len(customers.accounts) < ACCOUNTS or len(served) < COURIERS:
        await customers.add(await make_account())
        served = {customers.courier_of(path) for path in customers.accounts}
    return customers


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[LocalCluster]:
    # No slots: no actor takes an account from the test, which appends its events.
    directory = tmp_path / "cluster"
    async with LocalCluster(directory, nodes=len(NODES), slots=0, env=detection.QUICK) as running:
        yield running


@pytest.fixture
async def settings_of_commands(
    cluster: LocalCluster, customers: Customers, tmp_path: Path, redis_url: str, prefix: str
) -> AsyncIterator[dict[str, str]]:
    """With a supervisor that keeps couriers for these customers."""
    own = {"MALOTE_REDIS_URL": redis_url, "MALOTE_PREFIX": prefix, **SETTINGS}
    async with supervised(cluster, tmp_path, **own) as settings:
        yield settings


def couriers(cluster: LocalCluster, name: str) -> list[Process]:
    processes = cluster.nodes[name].processes()
    return [process for process in processes if command_line(process.pid).startswith("ray::Courier")]


async def all_on(cluster: LocalCluster, *names: str) -> None:
    """Wait until all couriers live on these nodes, spread evenly."""

    def there() -> bool:
        found = [len(couriers(cluster, name)) for name in names]
        return sum(found) == COURIERS and max(found) - min(found) <= 1

    await until(there, timeout=120, what=f"{COURIERS} couriers on {names}")


async def kill(cluster: LocalCluster, name: str, customers: Customers) -> set[Delivery]:
    """SIGKILL a node and everything on it, deliveries too; returns those whose answers were lost by that."""
    customers.answering.clear()
    await until(lambda: all(customers.busy[path] for path in customers.accounts), what="open attempts")
    victims = [cluster.nodes[name].raylet, *couriers(cluster, name)]
    # Frozen before, so that nothing more is written down after it was looked at.
    for victim in victims:
        os.kill(victim.pid, signal.SIGSTOP)
    written = await customers.written_down()
    for victim in victims:
        os.kill(victim.pid, signal.SIGKILL)
    await asyncio.to_thread(end, victims, patience=10.0)
    lost = set(customers.requests()) - written
    customers.answering.set()
    await cluster.ended(name)
    return lost


async def test_nodes_that_are_emptied_repeat_nothing_and_a_killed_one_only_what_was_open(
    cluster: LocalCluster, customers: Customers, settings_of_commands: dict[str, str], tmp_path: Path
) -> None:
    await all_on(cluster, *NODES)
    async with customers.writing():
        await customers.going_on()

        emptied = cluster.nodes["node-1"].id
        drained = await asyncio.to_thread(malote, "drain", emptied, cwd=tmp_path, **settings_of_commands)
        assert drained.status == 0, drained.out + drained.err
        assert not couriers(cluster, "node-1")
        await all_on(cluster, HEAD, "node-2", "node-3")
        await customers.going_on()

        await cluster.drain_node("node-2")
        await cluster.ended("node-2")
        await all_on(cluster, HEAD, "node-3")
        await customers.going_on()
        assert not customers.repeated()

        killed = len(couriers(cluster, "node-3"))
        unanswered = await kill(cluster, "node-3", customers)
        await all_on(cluster, HEAD)
        await customers.going_on()

    for path, account in customers.accounts.items():
        _, last = await account.mailbox.extent()
        assert set(customers.receiver.seqs(path)) == set(range(1, last + 1)), "nothing is lost"
    repeated = customers.repeated()
    assert repeated, "attempts were open at the kill"
    assert repeated <= unanswered
    assert max(customers.requests().values()) == 2
    assert len({customers.courier_of(path) for path, _ in repeated}) <= killed
    chats: dict[tuple[str, str], list[int]] = defaultdict(list)
    for got in customers.receiver.got:
        chats[got.path, got.event["chat_id"]].append(got.seq)
    assert all(seqs == sorted(seqs) for seqs in chats.values()), "every chat is in order"
