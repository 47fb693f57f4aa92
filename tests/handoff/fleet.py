"""Instances on several nodes under traffic, with handoffs that stand still where a test wants them to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import ClientError

from actors.registry import Owner, Registry
from actors.store import Store
from actors.supervisor.handoff_record import Handoff, Step
from actors.supervisor.moves import Handoffs
from bench.handoff.books import Books, Death, Duplicate
from bench.handoff.traffic import Traffic
from bench.handoff.world import World
from deploy.demo.clients import Refused
from deploy.demo.faults import Victim, find
from deploy.processes import Process, command_line, end
from tests.cluster import detection
from tests.cluster.nodes import LocalCluster, Node
from tests.engine.postgres import Postgres
from tests.proxy import Hold, Proxy
from tests.valkey import Valkey
from tests.wait import until

STEPS = (Step.PREPARE, Step.QUIESCE, Step.DISCONNECT, Step.FENCE, Step.ACTIVATE, Step.RETIRE)
PATIENCE = 120.0

SETTINGS = {
    "MALOTE_COURIER_COUNT": "1",
    "MALOTE_INSTANCE_LEASE_TTL": "5",
    "MALOTE_INSTANCE_LEASE_RENEW": "1",
    "MALOTE_SUPERVISOR_HANDOFFS": "6",
    "MALOTE_SUPERVISOR_HANDOFFS_PER_NODE": "6",
    "MALOTE_SUPERVISOR_SWEEP": "3",
    # Six processes that start at once on a busy machine of two cores.
    "MALOTE_SUPERVISOR_PREPARE_TIMEOUT": "90",
    "MALOTE_SUPERVISOR_ACTIVATE_TIMEOUT": "8",
    "MALOTE_SUPERVISOR_QUIESCE_TIMEOUT": "4",
    "MALOTE_SUPERVISOR_DISCONNECT_TIMEOUT": "4",
}


@dataclass(frozen=True)
class Seen:
    """What became of one instance.

    Attributes:
        before, after: its owner.
        state: as the API shows it.
        gaps: events that never came.
        unexplained: events that came again although no answer can have been lost.
    """

    before: Owner
    after: Owner
    state: Mapping[str, Any]
    reordered: list[str]
    gaps: int
    unexplained: list[Duplicate]


@dataclass
class Calm:
    """How things stood before something was done to them."""

    owners: dict[str, Owner]
    conflicts: int
    reordered: int
    duplicates: int
    send_errors: int


class Fleet:
    """Everything that runs, with a proxy before Redis that can stop a handoff at any of its records.

    Use it as an asynchronous context manager, or call `start` and `stop`.

    Args:
        directory: for data and logs.
        instances: how many accounts.
        nodes: that take instances; the head is one more, with the gateway on it.
    """

    def __init__(self, directory: Path, *, instances: int = 6, nodes: int = 3) -> None:
        self.valkey = Valkey(directory / "valkey", durable=True)
        self.gcs = Valkey(directory / "gcs", durable=True)
        self.postgres = Postgres()
        self.cluster = LocalCluster(
            directory / "cluster",
            nodes=nodes + 1,
            slots=2 * instances,
            head_slots=0,
            gcs_redis=self.gcs.url,
            env=detection.QUICK,
        )
        self.proxy: Proxy
        self.world: World
        self.traffic: Traffic
        self.registry: Registry
        self._instances = instances
        self._directory = directory
        self._said: list[str] = []

    @property
    def environment(self) -> dict[str, str]:
        """What this process's environment must have before `start`: its children take it from there."""
        return {**self.cluster.access, **SETTINGS, "MALOTE_SESSION_STORE": self.postgres.url}

    @property
    def books(self) -> Books:
        """What was sent and what came."""
        return self.world.books

    async def start(self) -> None:
        """Start everything and pair the accounts."""
        for server in (self.valkey, self.gcs, self.postgres):
            await asyncio.to_thread(server.start)
        self.proxy = Proxy(self.valkey.url)
        await self.proxy.start()
        self.world = World(
            self.cluster,
            self._directory,
            self._said.append,
            instances=self._instances,
            contacts=1,
            books=Books(),
            redis_url=self.proxy.url,
        )
        await self.world.start()
        self.registry = Registry(Store(self.valkey.url))
        self.traffic = self.world.traffic(write_interval=0.1, send_interval=0.5)

    async def stop(self) -> None:
        """End everything."""
        self.proxy.release()
        await self.registry.store.close()
        await self.world.stop()
        await self.proxy.close()
        for server in (self.valkey, self.gcs):
            await asyncio.to_thread(server.stop)
        await asyncio.to_thread(self.postgres.remove)

    async def __aenter__(self) -> Fleet:
        await self.start()
        return self

    async def __aexit__(self, *ended: object) -> None:
        await self.stop()

    # ---- what there is -------------------------------------------------------------------------------

    def name_of(self, node_id: str) -> str:
        """The name of a node."""
        return next(node.name for node in self.cluster.nodes.values() if node.id == node_id)

    async def fullest(self) -> list[str]:
        """Names of the living nodes that take instances, those with the most of them first."""
        places, nodes = [*(await self.world.places()).values()], self.world.nodes()
        return sorted(nodes, key=lambda name: (-places.count(nodes[name]), name))

    def actors(self, node: str) -> list[Process]:
        """The instances' actors on a node."""
        return find(Victim.INSTANCE, self.cluster.nodes[node].keeper.pid)

    def engines(self, node: str) -> list[Process]:
        """Their engines."""
        return find(Victim.ENGINE, self.cluster.nodes[node].keeper.pid)

    def supervisors(self) -> list[Process]:
        """The supervisor, on whichever node it is."""
        return self._titled("ray::Supervisor")

    def couriers(self, node: str) -> list[Process]:
        """The couriers on a node."""
        return self._titled("ray::Courier", self.cluster.nodes[node])

    def _titled(self, title: str, *nodes: Node) -> list[Process]:
        return [
            process
            for node in nodes or self.cluster.nodes.values()
            for process in node.processes()
            if command_line(process.pid).startswith(title)
        ]

    async def owners(self) -> dict[str, Owner]:
        """Who owns each instance, as the registry has it."""
        owners = {name: await self.registry.owner(name) for name in self.world.instances}
        return {name: owner for name, owner in owners.items() if owner is not None}

    # ---- orders --------------------------------------------------------------------------------------

    async def move(self, instance: str, node: str) -> Mapping[str, Any] | None:
        """Order a move to a node; what the API says of it, None if it was cut short."""
        order = {"node": self.cluster.nodes[node].id}
        try:
            ended: Mapping[str, Any] = await self.world.api.call(
                "POST", f"/v1/instances/{instance}/move", order
            )
        except (Refused, ClientError, TimeoutError):
            return None
        return ended

    async def gather(self, node: str) -> None:
        """Have every instance connected on one node."""

        async def come(instance: str) -> None:
            async def there() -> bool:
                place = (await self.world.places())[instance]
                if place == self.cluster.nodes[node].id:
                    return True
                if place is not None:
                    await self.move(instance, node)
                return False

            await until(there, timeout=PATIENCE, what=f"{instance} on {node}")

        await asyncio.gather(*map(come, self.world.instances))

    def hold(self, instance: str, step: Step, *, recorded: bool) -> Hold:
        """Stop an instance's handoff in a step.

        Args:
            recorded: the step is written down and not yet followed; otherwise it is done, and that is not
                yet written down.
        """
        at = where(step, recorded=recorded)

        def picks(request: bytes) -> bool:
            handoff = record_in(request)
            return (
                handoff is not None
                and handoff.instance_id == instance
                and handoff.step in at
                # In `prepare` there are two records: before a node was chosen, and after.
                and (handoff.step is not Step.PREPARE or handoff.successor is not None)
            )

        return self.proxy.hold(picks, carried_out=recorded)

    async def stopped(self, holds: Collection[Hold]) -> None:
        """Wait until every one of these has stopped a handoff."""

        def all_reached() -> bool:
            return all(hold.reached.is_set() for hold in holds)

        try:
            await until(all_reached, timeout=PATIENCE, what="every handoff in its step")
        except AssertionError as error:
            running = await self.world.api.call("GET", "/v1/handoffs?limit=12")
            raise AssertionError(f"{error}: {json.dumps(running, indent=1)}") from None

    @contextlib.asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Messages in both directions while the block runs; at its end all of them have arrived."""
        async with self.traffic.watching():
            async with self.traffic.flowing():
                yield
            if not await self.world.settled():
                raise AssertionError(f"not everything arrived: {await self._left()}")

    async def _left(self) -> dict[str, Any]:
        """What has not arrived, and how things stand."""
        books, newest = self.books, await self.world.newest()
        return {
            "inbound": books.inbound.missing,
            "outbound": books.outbound.missing,
            "gaps": {name: books.gaps({name: last}) for name, last in newest.items()},
            "newest": newest,
            "places": await self.world.places(),
        }

    # ---- blows ---------------------------------------------------------------------------------------

    async def kill(self, processes: list[Process]) -> Death:
        """SIGKILL processes; returns when they have ended."""
        assert processes, "there is something to kill"
        began = time.monotonic()
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(end, processes, patience=10.0)
        return Death(began, time.monotonic())

    async def kill_node(self, node: str) -> Death:
        """SIGKILL a node's raylet, and with it everything on the node."""
        began = time.monotonic()
        await self.cluster.kill_node(node)
        await self.cluster.ended(node)
        return Death(began, time.monotonic())

    def signal(self, processes: list[Process], number: signal.Signals) -> None:
        """Freeze processes (SIGSTOP), or thaw them (SIGCONT)."""
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)

    async def kill_redis(self) -> Death:
        """SIGKILL Redis; it is back two seconds later."""
        began = time.monotonic()
        self.valkey.kill()
        await asyncio.sleep(2)
        await asyncio.to_thread(self.valkey.start)
        return Death(began, time.monotonic())

    async def restore(self) -> None:
        """Replace the nodes that were killed."""
        for name, node in list(self.cluster.nodes.items()):
            if not node.alive:
                await self.cluster.add_node(name)

    # ---- what came of it -----------------------------------------------------------------------------

    async def calm(self) -> Calm:
        """How things stand; to be compared with `check`."""
        return Calm(
            await self.owners(),
            await self.world.conflicts(),
            len(self.books.reordered),
            len(self.books.duplicates),
            len(self.traffic.send_errors),
        )

    async def recover(self) -> None:
        """Wait until every instance is connected, has one actor and no handoff, without any help."""
        count = len(self.world.instances)
        assert await self.world.connected() == count

        async def one_each() -> bool:
            return len(self._all_actors()) == count and not await self._running()

        try:
            await until(one_each, timeout=PATIENCE, what=f"{count} actors and no handoff")
        except AssertionError as error:
            raise AssertionError(
                f"{error}; {len(self._all_actors())} actors, {await self._running()}"
            ) from None

    def _all_actors(self) -> list[Process]:
        return [actor for node in self.cluster.nodes for actor in self.actors(node)]

    async def _running(self) -> list[str]:
        handoffs = Handoffs(self.registry.store, kept=1)
        return [name for name in self.world.instances if await handoffs.unfinished(name) is not None]

    async def check(self, calm: Calm, deaths: list[Death], *, frozen: int = 0) -> dict[str, Seen]:
        """What became of every instance since `calm`, once all is quiet.

        Args:
            deaths: of couriers, or of Redis: an attempt's answer may have been lost by them.
            frozen: engines that stood still and so could not hang up before others connected.
        """
        page = await self.world.api.call("GET", "/v1/instances?limit=1000")
        states = {one["id"]: one["state"] for one in page["items"]}
        after, newest = await self.owners(), await self.world.newest()
        conflicts = await self.world.conflicts() - calm.conflicts
        assert conflicts <= frozen, "WhatsApp never saw two owners at once"
        books = self.books
        new = books.duplicates[calm.duplicates :]
        explained = books.by_kill(deaths)
        return {
            name: Seen(
                before=calm.owners[name],
                after=after[name],
                state=states[name],
                reordered=[one for one in books.reordered[calm.reordered :] if name in one],
                gaps=books.gaps({name: newest[name]}),
                unexplained=[one for one in new if one.instance_id == name and one not in explained],
            )
            for name in self.world.instances
        }


def where(step: Step, *, recorded: bool) -> set[Step]:
    """The steps of which one is in the record when a step was written down, or was done and not yet that."""
    at = step if recorded else (*STEPS, Step.DONE)[STEPS.index(step) + 1]
    # A fenced predecessor ends by itself when it renews its lease: then there is nobody to retire any more.
    return {at, Step.DONE} if at is Step.RETIRE else {at}


def record_in(request: bytes) -> Handoff | None:
    """The record of a handoff that a request to Redis writes, None if it writes none."""
    start = request.find(b'{"id":"')
    if start < 0 or b'"predecessor"' not in request:
        return None
    try:
        record, _ = json.JSONDecoder().raw_decode(request[start:].decode(errors="replace"))
    except ValueError:
        return None
    return Handoff.model_validate(record)
