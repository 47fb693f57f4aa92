"""`malote doctor` against real servers, well and badly configured."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from actors.courier.addresses import Guard
from actors.courier.endpoints import Endpoints
from actors.registry import InstanceRecord, Registry, now
from actors.settings import CourierSettings, InstanceSettings, MailboxSettings, Settings
from actors.store import Store
from deploy.doctor import endpoints, machine, postgres, ray, redis
from deploy.doctor import settings as settings_
from deploy.doctor.command import examine
from deploy.doctor.endpoints import Place
from deploy.doctor.finding import Area, Finding, Grade, clock
from deploy.lock import DataLock
from tests.cli.command import malote
from tests.courier.authority import Authority
from tests.courier.receiver import Receiver
from tests.engine.postgres import Postgres
from tests.valkey import Valkey, free_port


def grades(found: list[Finding]) -> dict[str, Grade]:
    return {finding.subject: finding.grade for finding in found}


def worst(found: list[Finding]) -> dict[str, Grade]:
    """What is not well; each says what to do."""
    bad = [finding for finding in found if finding.grade in (Grade.WARNING, Grade.PROBLEM)]
    assert all(finding.remedy for finding in bad)
    return grades(bad)


# ---- Redis ----------------------------------------------------------------------------------------------


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[..., Valkey]]:
    """Starts Valkey servers with options."""
    started: list[Valkey] = []

    def start(*options: str, durable: bool = False) -> Valkey:
        one = Valkey(tmp_path / f"valkey-{len(started)}", durable=durable, options=options)
        started.append(one)
        one.start()
        return one

    yield start
    for one in started:
        one.stop()


async def test_a_durable_redis_is_well(own_valkey: Valkey) -> None:
    found = await redis.examine(own_valkey.url)
    assert worst(found) == {}
    assert {"version", "persistence", "memory policy", "memory", "clock", "a write"} < set(grades(found))


async def test_a_redis_that_keeps_nothing_and_evicts_is_not(server: Callable[..., Valkey]) -> None:
    one = server("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    found = worst(await redis.examine(one.url))
    assert found == {"persistence": Grade.PROBLEM, "memory policy": Grade.PROBLEM}


async def test_a_redis_that_writes_to_disk_later_is_warned_of(server: Callable[..., Valkey]) -> None:
    one = server("--appendfsync", "everysec", durable=True)
    assert worst(await redis.examine(one.url)) == {"persistence": Grade.WARNING}


async def test_a_replica_is_found(server: Callable[..., Valkey], own_valkey: Valkey) -> None:
    one = server("--replicaof", "127.0.0.1", str(own_valkey.port), durable=True)
    found = worst(await redis.examine(one.url))
    assert found == {"role": Grade.PROBLEM, "a write": Grade.PROBLEM}


async def test_a_full_redis_is_found(server: Callable[..., Valkey]) -> None:
    one = server("--maxmemory", "1mb", "--maxmemory-policy", "noeviction", durable=True)
    assert worst(await redis.examine(one.url)) == {"memory": Grade.PROBLEM, "a write": Grade.PROBLEM}


async def test_a_redis_that_is_away_or_refuses_is_told_without_its_password(own_valkey: Valkey) -> None:
    with own_valkey.client() as client:
        client.config_set("requirepass", "another")
    for port in (free_port(), own_valkey.port):
        url = f"redis://:hush@127.0.0.1:{port}/0"
        (finding,) = await redis.examine(url)
        assert finding.grade is Grade.PROBLEM
        assert "hush" not in finding.model_dump_json()


def test_what_a_managed_redis_does_not_tell_is_a_warning() -> None:
    info = {"redis_version": "7.1.0", "aof_enabled": 1, "maxmemory_policy": "noeviction", "role": "master"}
    assert worst(list(redis.judge(info, None))) == {"persistence": Grade.WARNING}
    assert worst(list(redis.judge(info | {"redis_version": "6.0.16"}, {"appendfsync": "always"}))) == {
        "version": Grade.PROBLEM
    }


# ---- PostgreSQL -----------------------------------------------------------------------------------------


async def test_postgres_well_and_badly() -> None:
    server = Postgres()
    try:
        server.start()
        assert worst(await postgres.examine(server.url)) == {}
        server.query("CREATE ROLE guest LOGIN")
        guest = server.url.replace("postgres@", "guest@")
        assert worst(await postgres.examine(guest)) == {"rights": Grade.PROBLEM}
        wrong = server.url.replace("postgres@", "nobody:hush@")
        (finding,) = await postgres.examine(wrong)
        assert finding.grade is Grade.PROBLEM
        assert "hush" not in finding.model_dump_json()
        server.stop()
        assert [finding.grade for finding in await postgres.examine(server.url)] == [Grade.PROBLEM]
    finally:
        server.remove()


# ---- endpoints ------------------------------------------------------------------------------------------

LOCAL = Guard(allow=["127.0.0.0/8"])


async def reached(place: Place, guard: Guard = LOCAL) -> Grade:
    finding = await endpoints.reach(place, guard, 3.0)
    assert finding.remedy or finding.grade is Grade.OK
    return finding.grade


async def test_places_that_can_and_cannot_be_reached() -> None:
    receiver = Receiver()
    await receiver.start()
    try:
        here = Place("http", "127.0.0.1", receiver.port)
        assert await reached(here) is Grade.OK
        assert await reached(here, Guard()) is Grade.PROBLEM, "a private address, and nobody allowed it"
        assert await reached(Place("https", "127.0.0.1", receiver.port)) is Grade.PROBLEM, "it speaks no TLS"
        assert not receiver.got, "nothing is posted"
    finally:
        await receiver.stop()
    assert await reached(Place("http", "127.0.0.1", free_port())) is Grade.PROBLEM
    assert await reached(Place("http", "no-such-host.invalid", 80)) is Grade.PROBLEM


async def test_a_certificate_that_nobody_trusts_is_found() -> None:
    receiver = Receiver(tls=Authority().server())
    await receiver.start()
    try:
        finding = await endpoints.reach(Place("https", "127.0.0.1", receiver.port), LOCAL, 3.0)
        assert "certificate" in finding.said
    finally:
        await receiver.stop()


async def test_the_endpoints_of_all_instances_are_tried_once_a_place(
    store: Store, redis_url: str, prefix: str
) -> None:
    settings = Settings(prefix=prefix, allow_hosts=("127.0.0.0/8",))
    receiver = Receiver()
    await receiver.start()
    try:
        for name in ("one", "two"):
            record = InstanceRecord(id=name, name=name, created_at=now())
            await Registry(store).create(record, f"token-{name}")
            on = Endpoints(store, name, settings)
            await on.create(f"http://127.0.0.1:{receiver.port}/hook?key=hush")
            await on.create("https://example.com", enabled=False)
        found = await endpoints.examine(settings, redis_url)
    finally:
        await receiver.stop()
    assert grades(found) == {
        "switched off": Grade.WARNING,
        f"http://127.0.0.1:{receiver.port}": Grade.OK,
    }
    assert "hush" not in str(found)


async def test_what_runs_here_says_where_it_delivers(
    store: Store, redis_url: str, prefix: str, tmp_path: Path
) -> None:
    lock, receiver = DataLock(tmp_path), Receiver()
    await receiver.start()
    try:
        await Registry(store).create(InstanceRecord(id="one", name="one", created_at=now()), "token")
        local = Settings(prefix=prefix, allow_hosts=("127.0.0.0/8",))
        await Endpoints(store, "one", local).create(f"http://127.0.0.1:{receiver.port}/")
        lock.take("demo")
        lock.note(redis_url=redis_url, prefix=prefix, allow_hosts=local.allow_hosts)
        found = await examine(Settings(data_dir=tmp_path))
        assert grades(found)[f"http://127.0.0.1:{receiver.port}"] is Grade.OK
    finally:
        lock.release()
        await receiver.stop()


# ---- settings, machine, Ray, clocks ---------------------------------------------------------------------


def test_a_misspelt_setting_is_found_and_the_right_one_named() -> None:
    (finding,) = settings_.examine(Settings(), {"MALOTE_REDIS_ULR": "x", "MALOTE_PREFIX": "y", "PATH": "z"})
    assert (finding.subject, finding.grade) == ("MALOTE_REDIS_ULR", Grade.WARNING)
    assert "MALOTE_REDIS_URL" in finding.remedy


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        (
            {"mailbox": MailboxSettings(soft_bound=9, hard_bound=9, append_timeout=5)},
            "MALOTE_MAILBOX_SOFT_BOUND",
        ),
        ({"mailbox": MailboxSettings(append_timeout=60)}, "MALOTE_MAILBOX_APPEND_TIMEOUT"),
        ({"instance": InstanceSettings(lease_ttl=5, lease_renew=3)}, "MALOTE_INSTANCE_LEASE_RENEW"),
        ({"courier": CourierSettings(backlog=100_000)}, "MALOTE_COURIER_BACKLOG"),
        ({"courier": CourierSettings(connect_timeout=15)}, "MALOTE_COURIER_CONNECT_TIMEOUT"),
        ({"ray_address": "10.0.0.1:6379"}, "MALOTE_SESSION_STORE"),
    ],
)
def test_settings_that_do_not_fit_are_found(changes: dict[str, Any], subject: str) -> None:
    settings = Settings().model_copy(update=changes)
    assert worst(settings_.examine(settings, {}))[subject] is Grade.PROBLEM
    assert worst(settings_.examine(Settings(), {})) == {}


def test_a_key_that_can_be_guessed_is_warned_of() -> None:
    for key, found in (("secret", {"MALOTE_ADMIN_KEY": Grade.WARNING}), ("c" * 32, {})):
        settings = Settings(admin_key=SecretStr(key))
        assert worst(settings_.examine(settings, {})) == found


def test_a_disk_and_an_engine(tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.write_text("no folder")
    bad = Settings(data_dir=taken, engine=tmp_path / "none")
    assert worst(machine.examine(bad)) == {f"data in {taken}": Grade.PROBLEM, "engine": Grade.PROBLEM}
    gib = 2**30
    assert [machine.judge_room("disk", free * gib, 100 * gib).grade for free in (0, 5, 50)] == [
        Grade.PROBLEM,
        Grade.WARNING,
        Grade.OK,
    ]
    assert not [path for path in tmp_path.iterdir() if path != taken], "nothing is left behind"


def test_nodes() -> None:
    node = {"slots": 10, "instances": 3, "draining": False}
    assert worst(ray.judge([node])) == {}
    assert worst(ray.judge([node | {"instances": 10}])) == {"slots": Grade.WARNING}
    assert worst(ray.judge([node | {"draining": True}])) == {"nodes": Grade.WARNING, "slots": Grade.PROBLEM}


def test_clocks() -> None:
    grade = [clock(Area("x"), "clock", ahead).grade for ahead in (0.1, -1.9, 3.0, -61.0)]
    assert grade == [Grade.OK, Grade.OK, Grade.WARNING, Grade.PROBLEM]


# ---- the command ----------------------------------------------------------------------------------------


def test_the_command_says_what_to_do_and_its_status_tells(tmp_path: Path, own_valkey: Valkey) -> None:
    well = malote("doctor", "--json", cwd=tmp_path, MALOTE_REDIS_URL=own_valkey.url)
    assert well.status == 0, well.out + well.err
    found = json.loads(well.out)
    assert {"settings", "machine", "Redis", "PostgreSQL", "Ray", "endpoints"} == {
        one["area"] for one in found
    }
    assert not [one for one in found if one["grade"] in ("warning", "problem")]
    away = f"redis://127.0.0.1:{free_port()}/0"
    ray_away = f"127.0.0.1:{free_port()}"
    ill = malote("doctor", cwd=tmp_path, MALOTE_REDIS_URL=away, MALOTE_RAY_ADDRESS=ray_away)
    assert ill.status == 1
    assert "nothing answers at" in ill.out
    assert "→ See that it runs" in ill.out
    assert "problems found" in ill.err
    assert "Traceback" not in ill.err
