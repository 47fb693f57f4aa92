"""The tools of the fault tests do what they say; otherwise the tests that use them would prove nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError, TimeoutError

from actors.store import Store, connect
from tests.proxy import Proxy
from tests.valkey import Valkey


async def test_a_lost_reply_means_the_step_was_done(store: Store, proxied_store: Store, proxy: Proxy) -> None:
    key = store.keys.shared("n")
    assert await proxied_store.redis.incr(key) == 1
    proxy.lose_reply("INCR")
    with pytest.raises(ConnectionError):
        await proxied_store.redis.incr(key)
    assert proxy.lost == 1
    assert await store.redis.get(key) == "2"
    assert await proxied_store.redis.incr(key) == 3


async def test_a_lost_request_means_it_was_not(store: Store, proxied_store: Store, proxy: Proxy) -> None:
    key = store.keys.shared("n")
    proxy.lose_request("INCR", times=2)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await proxied_store.redis.incr(key)
    assert proxy.lost == 2
    assert await store.redis.get(key) is None
    assert await proxied_store.redis.incr(key) == 1


async def test_a_script_that_is_not_loaded_yet_is_not_a_lost_reply(
    store: Store, proxied_store: Store, proxy: Proxy, tmp_path: Path
) -> None:
    path = tmp_path / "once.lua"
    path.write_text(f"return redis.call('INCR', KEYS[1]) -- {store.keys.prefix}")
    proxy.lose_reply()
    key = store.keys.shared("n")
    assert await proxied_store.script(path, keys=[key], args=[]) == 2
    assert proxy.lost == 1


async def test_stall_refuse_and_cut(proxied_store: Store, proxy: Proxy) -> None:
    impatient = connect(proxy.url, socket_timeout=0.2)
    try:
        proxy.stall()
        with pytest.raises(TimeoutError):
            await impatient.ping()
        proxy.resume()
        assert await impatient.ping()
        await proxy.refuse()
        with pytest.raises(ConnectionError):
            await impatient.ping()
        await proxy.start()
        assert await impatient.ping()
        await proxy.cut()
        with pytest.raises(ConnectionError):
            await impatient.ping()
        assert await impatient.ping()
    finally:
        await impatient.aclose()


async def test_what_a_killed_valkey_acknowledged_is_there_again(
    own_valkey: Valkey, make_store: Callable[[str], Store]
) -> None:
    store = make_store(own_valkey.url)
    await store.redis.set(store.keys.shared("n"), "1")
    first = own_valkey.pid
    own_valkey.kill()
    own_valkey.start()
    assert own_valkey.pid != first
    assert await store.run(lambda: store.redis.get(store.keys.shared("n")), timeout=10) == "1"
