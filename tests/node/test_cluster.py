"""Nodes as containers run them: they start, say whether they work, are emptied, and outlive their head.

All of it by TLS between nodes; other tests of nodes are without.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import signal
import socket
import ssl
from pathlib import Path

import aiohttp
import pytest

from actors.registry import Desired, InstanceRecord, Registry, new_token, now
from actors.store import Store
from deploy.engine import BUILT
from deploy.processes import alive
from tests.courier.authority import Authority
from tests.node.agent import TASK, Agent
from tests.node.containers import Containers
from tests.valkey import Valkey
from tests.wait import until

NAMES = ("one", "two")
HOSTS = ("127.0.0.3", "127.0.0.4")


AUTHORITY = Authority()


def certified(directory: Path) -> dict[str, str]:
    """What a node needs to talk by TLS; one certificate for all of them."""
    issued = AUTHORITY.issue("node", "127.0.0.1", "127.0.0.2", *HOSTS)
    given = {}
    for name, pem in (("cert", issued.certificate), ("key", issued.key), ("ca", AUTHORITY.pem)):
        file = directory / f"{name}.pem"
        file.touch(mode=0o600)
        file.write_text(pem)
        given[f"MALOTE_NODE_TLS_{name.upper()}"] = str(file)
    return given


def lets_in(address: str, *, files: dict[str, str] | None) -> bool:
    """Whether a head lets a client in: one with a certificate, or one without."""
    host, _, port = address.partition(":")
    context = ssl.create_default_context(cadata=AUTHORITY.pem)
    if files is not None:
        context.load_cert_chain(files["MALOTE_NODE_TLS_CERT"], files["MALOTE_NODE_TLS_KEY"])
    context.set_alpn_protocols(["h2"])
    try:
        with (
            socket.create_connection((host, int(port)), 10) as clear,
            context.wrap_socket(clear, server_hostname=host) as wire,
        ):
            return bool(wire.recv(1))  # the first bytes of HTTP/2, or an alert
    except OSError:
        return False


def task(host: str) -> dict[str, object]:
    """What ECS says of a task at this address."""
    described = copy.deepcopy(TASK)
    described["TaskARN"] += host.rpartition(".")[2]
    described["Containers"][0]["Networks"][0]["IPv4Addresses"] = [host]
    return described


@pytest.mark.cluster
@pytest.mark.timeout(600)
@pytest.mark.skipif(not (BUILT / "malote-engine").exists(), reason="needs the engine: make engine")
async def test_nodes_are_emptied_by_sigterm_and_outlive_the_head(
    tmp_path: Path, redis_url: str, prefix: str, store: Store, own_valkey: Valkey
) -> None:
    registry = Registry(store)
    for name in NAMES:
        record = InstanceRecord(id=name, name=name, created_at=now(), desired=Desired.DISCONNECTED)
        await registry.create(record, new_token())
    settings = {
        "MALOTE_REDIS_URL": redis_url,
        "MALOTE_PREFIX": prefix,
        "MALOTE_COURIER_COUNT": "1",
        "MALOTE_ENGINE": str(BUILT / "malote-engine"),
        "MALOTE_NODE_SLOTS": "2",
        "MALOTE_NODE_STOP_TIMEOUT": "90",
        "MALOTE_NODE_PROTECTION_LOOK": "0.2",
    } | (tls := certified(tmp_path))

    async def owners() -> dict[str, str] | None:
        """The node of each instance, once each has one."""
        found = {name: await registry.owner(name) for name in NAMES}
        states = [await registry.state(name) for name in NAMES]
        return {name: owner.node for name, owner in found.items() if owner} if all(states) else None

    async with (
        Containers(tmp_path / "cluster", own_valkey.url, **settings) as cluster,
        Agent(task(HOSTS[0])) as first_agent,
        Agent(task(HOSTS[1])) as second_agent,
    ):
        # The head has to have no slots here, or instances would die with it.
        head = cluster.head()
        head.settings["MALOTE_NODE_SLOTS"] = "0"
        await head.start()
        assert lets_in(cluster.address, files=tls)
        assert not lets_in(cluster.address, files=None)
        first = cluster.worker("first", **first_agent.environment, MALOTE_NODE_GATEWAY="true")
        await first.start()
        (told,) = [json.loads(line) for line in first.log.splitlines() if line.endswith(' is up"}')]
        assert told["level"] == "INFO", "lines of a node are JSON, as those of all others"
        # Through the dashboard, whose door opens to the token only.
        code, said = await cluster.job("up")
        assert code == 0, said
        before = await until(owners, timeout=180, what="an owner of each instance")
        await until(lambda: first_agent.protected, what="a node that owns instances is protected")

        await until(lambda: _serves(first.gateway), timeout=60, what="the node's gateway serves")

        second = cluster.worker("second", **second_agent.environment)
        await second.start()
        assert not second_agent.protected
        # Frozen is not healthy, although the process lives.
        os.kill(second.raylet.pid, signal.SIGSTOP)
        assert await second.health() != 0
        os.kill(second.raylet.pid, signal.SIGCONT)
        await until(lambda: _healthy(second), what="thawed")

        assert await first.terminate() == 0, first.log
        after = await owners()
        assert after is not None
        assert len(after) == len(NAMES)
        assert not {*before.values()} & {*after.values()}
        await until(lambda: second_agent.protected, what="who took them over is protected")

        raylet, epochs = second.raylet, [(await registry.owner(name)).epoch for name in NAMES]
        await head.kill()
        # A platform that held it for ill now would end all nodes together with their head.
        assert await second.health() == 0
        await head.start()
        assert await second.health() == 0
        assert alive(raylet)
        assert second.raylet == raylet
        assert [(await registry.owner(name)).epoch for name in NAMES] == epochs
        assert await owners() == after
        # Again does no harm, and neither does a supervisor that the head took with it.
        code, said = await cluster.job("up")
        assert code == 0, said
        code, said = await cluster.job("status")
        assert code == 0, said
        told = next(json.loads(line) for line in said.splitlines() if line.startswith('{"nodes"'))
        assert (told["instances"], told["draining"]) == (len(NAMES), [])


async def _serves(url: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{url}/readyz") as response,
        ):
            return response.status == 200
    return False


async def _healthy(container: object) -> bool:
    return await container.health() == 0  # type: ignore[attr-defined]
