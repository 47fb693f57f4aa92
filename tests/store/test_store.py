"""How Redis is reached: deadlines, repetitions, cancellation; and names of keys that a cluster can serve."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from redis.crc import key_slot
from redis.exceptions import ResponseError

from actors.instance.mailbox import Mailbox
from actors.instance.outbox import Outbox
from actors.registry import InstanceState, Registry, new_token, now
from actors.settings import MailboxSettings, OutboxSettings
from actors.store import Keys, StaleEpoch, Store, StoreUnavailable, connect
from tests.proxy import Proxy
from tests.store.samples import INSTANCE, REQUEST, draft, grant, record
from tests.valkey import Valkey, free_port


async def test_a_step_is_repeated_while_redis_is_away(store: Store) -> None:
    outcomes: list[Exception | str] = [ConnectionRefusedError(), OSError("no route"), "done"]

    async def step() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert await store.run(step, timeout=10) == "done"
    assert outcomes == []


async def test_the_deadline_ends_a_step_that_hangs(store: Store) -> None:
    ended = asyncio.Event()

    async def step() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(StoreUnavailable):
        await store.run(step, timeout=0.05)
    assert ended.is_set()


async def test_an_attempt_that_hangs_is_not_the_last(proxied_store: Store, proxy: Proxy) -> None:
    """A connection that was cut without a word is found out within the deadline."""
    key = proxied_store.keys.shared("n")
    await proxied_store.redis.set(key, "1")
    hangs = [True, True, False]

    async def step() -> str:
        if hangs.pop(0):
            await asyncio.Event().wait()
        return str(await proxied_store.redis.get(key))

    assert await proxied_store.run(step, timeout=30, attempt=0.05) == "1"
    assert hangs == []


async def test_the_deadline_ends_repetitions(store: Store) -> None:
    calls = 0

    async def step() -> None:
        nonlocal calls
        calls += 1
        raise ConnectionRefusedError

    with pytest.raises(StoreUnavailable) as unavailable:
        await store.run(step, timeout=0.5)
    assert isinstance(unavailable.value.__cause__, ConnectionRefusedError)
    # With backoff: neither once nor in a tight loop.
    assert 2 <= calls <= 20


async def test_what_is_wrong_for_good_is_not_repeated(store: Store) -> None:
    calls = 0

    async def step() -> None:
        nonlocal calls
        calls += 1
        await store.redis.execute_command("NOSUCHCOMMAND")

    with pytest.raises(ResponseError):
        await store.run(step, timeout=10)
    assert calls == 1


async def test_a_cancelled_step_leaves_the_client_usable(
    store: Store, proxied_store: Store, proxy: Proxy
) -> None:
    """A reply that arrives after its caller has gone must not answer the next question."""
    keys = [store.keys.shared(f"n{n}") for n in range(20)]
    for n, key in enumerate(keys):
        await store.redis.set(key, n)

    def get(n: int) -> Callable[[], Awaitable[str]]:
        return lambda: proxied_store.redis.get(keys[n])

    for n in range(19):
        proxy.stall()
        asking = asyncio.create_task(proxied_store.run(get(n), timeout=30))
        for _ in range(n % 7):
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        proxy.resume()
        assert await proxied_store.run(get(n + 1), timeout=30) == str(n + 1)


async def test_a_timed_out_step_leaves_the_client_usable(
    proxied_store: Store, store: Store, proxy: Proxy
) -> None:
    key = store.keys.shared("n")
    await store.redis.set(key, "right")
    for _ in range(3):
        proxy.stall()
        with pytest.raises(StoreUnavailable):
            await proxied_store.run(lambda: proxied_store.redis.incr(store.keys.shared("m")), timeout=0.05)
        proxy.resume()
        assert await proxied_store.run(lambda: proxied_store.redis.get(key), timeout=30) == "right"


async def test_the_client_repeats_nothing_by_itself(store: Store, proxy: Proxy) -> None:
    client = connect(proxy.url)
    try:
        proxy.lose_reply("INCR")
        with pytest.raises(Exception, match="Connection closed"):
            await client.incr(store.keys.shared("n"))
    finally:
        await client.aclose()
    assert await store.redis.get(store.keys.shared("n")) == "1"


async def test_an_error_names_no_password(make_store: Callable[[str], Store]) -> None:
    closed = make_store("redis://user:secret@127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable) as unavailable:
        await closed.run(closed.redis.ping, timeout=0.1)
    assert "127.0.0.1:1" in str(unavailable.value)
    assert "secret" not in str(unavailable.value)


async def test_a_server_that_forgot_its_scripts(store: Store, tmp_path: Path) -> None:
    script = tmp_path / "script.lua"
    script.write_text("return ARGV[1]")
    assert await store.script(script, keys=[], args=["a"]) == "a"
    await store.redis.script_flush()
    assert await store.script(script, keys=[], args=["b"]) == "b"


@pytest.mark.parametrize(
    ("setting", "bad", "good"),
    [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")],
    ids=["out of memory", "too few replicas"],
)
async def test_a_redis_that_cannot_write_now_is_away(
    own_valkey: Valkey, make_store: Callable[[str], Store], setting: str, bad: str, good: str
) -> None:
    """It parks the instance and is over when the cause is gone; it is not an error of the event."""
    store = make_store(own_valkey.url)
    epoch = await grant(Registry(store))
    mailbox = Mailbox(store, INSTANCE, MailboxSettings(append_timeout=0.3))
    await mailbox.append(epoch, draft())
    await store.redis.config_set(setting, bad)
    with pytest.raises(StoreUnavailable):
        await mailbox.append(epoch, draft("late"))
    with pytest.raises(StoreUnavailable):
        await Registry(store).renew(INSTANCE, epoch, 10, timeout=0.3)
    await store.redis.config_set(setting, good)
    assert await mailbox.append(epoch, draft("late")) == 2
    assert [event.seq for event in await mailbox.read()] == [1, 2]


# ---- names of keys ----


def test_an_instance_is_in_one_slot_and_so_is_what_is_shared() -> None:
    keys = Keys("malote")
    assert len({key_slot(keys.instance("inst_1", name).encode()) for name in ("owner", "meta", "a:b")}) == 1
    assert len({key_slot(keys.shared(name).encode()) for name in ("instances", "tokens", "leader")}) == 1
    assert key_slot(keys.instance("inst_1").encode()) != key_slot(keys.instance("inst_2").encode())


def test_no_instance_has_a_name_that_is_shared() -> None:
    keys = Keys("malote")
    for instance_id in ("malote", "instances", "shared", ""):
        assert not keys.shared("instances").startswith(keys.instance(instance_id))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Valkey]:
    """One Valkey in cluster mode: it refuses what a cluster refuses, keys of two slots in one script."""
    server = Valkey(
        tmp_path / "cluster", options=["--cluster-enabled", "yes", "--cluster-port", str(free_port())]
    )
    server.start()
    with server.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    yield server
    server.stop()


async def test_every_script_runs_in_a_cluster(cluster: Valkey, make_store: Callable[[str], Store]) -> None:
    store = make_store(cluster.url)
    # A node that was just given its slots says CLUSTERDOWN for a moment: that is waited out, too.
    await store.run(lambda: store.redis.set(store.keys.shared("up"), "1"), timeout=60)
    registry = Registry(store)
    created = await registry.create(record(), new_token())
    await registry.change(created.model_copy(update={"name": "nova"}))
    await registry.rotate_token(INSTANCE, new_token())
    first = await grant(registry)
    epoch, _ = await registry.fence(
        INSTANCE, after=first, leader=1, actor="successor", node="node-b", known_dead=True
    )
    await registry.renew(INSTANCE, epoch, 10, timeout=5)
    await registry.write_state(INSTANCE, epoch, InstanceState(since=now()))
    mailbox = Mailbox(store, INSTANCE, MailboxSettings())
    outbox = Outbox(store, mailbox, OutboxSettings())
    message_id, _ = await outbox.enqueue(REQUEST, "key")
    await mailbox.append(epoch, draft(status_of={message_id: "read"}), aliases={"1@lid": "chat-1"})
    message = await outbox.head()
    assert message is not None
    await outbox.begin(epoch, message)
    await outbox.finish(epoch, message, "sent", {}, draft())
    await registry.release(INSTANCE, epoch)
    assert [event.seq for event in await mailbox.read()] == [1, 2]
    await registry.delete(INSTANCE)
    assert await registry.removals() == {INSTANCE}
    await registry.removed(INSTANCE)
    with pytest.raises(StaleEpoch):
        await mailbox.append(epoch, draft())
    await store.redis.delete(store.keys.shared("up"))
    left = [key async for key in store.redis.scan_iter(count=1000)]
    assert left == [store.keys.instance(INSTANCE, "owner")], "its epoch, for a while"
