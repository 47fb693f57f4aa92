"""A supervisor without Ray."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from actors.registry import Registry
from actors.settings import CourierSettings, InstanceSettings, Settings, SupervisorSettings
from actors.store import Store
from actors.supervisor.supervisor import Supervisor
from tests.supervisor.fakes import MemoryCluster


@pytest.fixture
def settings(redis_url: str, prefix: str) -> Settings:
    return Settings(
        redis_url=redis_url,
        prefix=prefix,
        instance=InstanceSettings(lease_ttl=1.0),
        supervisor=SupervisorSettings(reconcile=0.05, sweep=0.05),
        courier=CourierSettings(count=2),
    )


@pytest.fixture
def registry(store: Store) -> Registry:
    return Registry(store)


@pytest.fixture
def cluster(store: Store) -> MemoryCluster:
    return MemoryCluster(store)


@pytest.fixture
async def supervise(
    settings: Settings, store: Store, cluster: MemoryCluster
) -> AsyncIterator[Callable[[], tuple[Supervisor, asyncio.Task[str]]]]:
    tasks: list[asyncio.Task[str]] = []

    def start() -> tuple[Supervisor, asyncio.Task[str]]:
        supervisor = Supervisor(settings, store, cluster)
        tasks.append(asyncio.create_task(supervisor.run()))
        return supervisor, tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
