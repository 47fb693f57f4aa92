"""What tests of every room share: a real Valkey, stores in it, and faults between the two."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from actors.store import Store
from tests.proxy import Proxy
from tests.valkey import Valkey

# Tests start hundreds of Pythons. With this set, each compiles anew what it imports, which for one that joins
# a Ray cluster is most of its work.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# No test asserts a duration, and on a busy machine anything can take long.
hypothesis.settings.register_profile(
    "malote", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("malote")


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A Valkey for the whole run, without persistence. Do not stop it: `own_valkey` is for that."""
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of this test alone, started, durable: it may be stopped, killed, paused and restarted."""
    server = Valkey(tmp_path / "valkey", durable=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """Where the run's Valkey is reached."""
    return valkey.url


@pytest.fixture
def prefix() -> str:
    """A prefix of keys that no other test has."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
async def make_store(prefix: str) -> AsyncIterator[Callable[[str], Store]]:
    """Makes stores for a URL, under this test's prefix; they are closed at its end."""
    stores: list[Store] = []

    def make(url: str) -> Store:
        stores.append(Store(url, prefix))
        return stores[-1]

    yield make
    for store in stores:
        await store.close()


@pytest.fixture
async def store(redis_url: str, make_store: Callable[[str], Store]) -> Store:
    """A store of this test's own, empty."""
    return make_store(redis_url)


@pytest.fixture
async def proxy(redis_url: str) -> AsyncIterator[Proxy]:
    """A proxy in front of the run's Valkey, which fails on demand."""
    between = Proxy(redis_url)
    await between.start()
    yield between
    await between.close()


@pytest.fixture
async def proxied_store(proxy: Proxy, make_store: Callable[[str], Store]) -> Store:
    """A store that reaches Valkey through `proxy`, under the same prefix as `store`."""
    return make_store(proxy.url)
