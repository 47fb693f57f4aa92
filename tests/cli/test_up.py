"""``malote up`` as a whole: started, looked at, ended, killed and started again."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from actors.metrics_node import node_folder
from actors.settings import Settings
from deploy.engine import BUILT
from deploy.processes import Process, alive
from deploy.ray_local import LOOPBACK, ray_directory, session_directory
from tests.cli.command import Foreground, foreground, malote
from tests.wait import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not (BUILT / "malote-engine").exists(), reason="needs the engine: make engine"),
]


async def all_gone(family: list[Process]) -> None:
    await until(lambda: not any(alive(member) for member in family), what="the end of every process")


def api(url: str, key: str, path: str, body: dict[str, str] | None = None) -> dict[str, object]:
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urlopen(Request(url + path, data=data, headers=headers), timeout=30) as answer:
        answered: dict[str, object] = json.load(answer)
        return answered


def value(up: Foreground, label: str) -> str:
    """What a line that `up` printed says after its label."""
    line = next(line for line in up.lines if line.strip().startswith(label))
    return line.split(label)[1].split()[0]


async def test_up_status_down_and_again_with_the_data_kept(tmp_path: Path) -> None:
    with foreground("up", "--port", "0", cwd=tmp_path) as up:
        up.until("Ready.")
        url, key = value(up, "API").removesuffix("/v1"), value(up, "admin key")
        # Wanted disconnected: this is the production engine, which must not go looking for WhatsApp.
        made = api(url, key, "/v1/instances", {"id": "one", "name": "One", "desired": "disconnected"})
        assert made["id"] == "one"

        data = tmp_path / ".malote"
        # Ray opens what it is given to every user, whatever it was before.
        assert session_directory(Settings(data_dir=data)).stat().st_mode & 0o077 == 0
        assert (ray_directory(Settings(data_dir=data)) / "session_latest").exists()
        assert not [
            path for path in data.rglob("*") if path.lstat().st_mode & 0o077 and not path.is_symlink()
        ]
        assert json.loads((data / "ray.json").read_text())["address"].startswith(f"{LOOPBACK}:")

        status = malote("status", "--json", cwd=tmp_path)
        assert status.status == 0
        shown = json.loads(status.out)
        assert shown["running"]["pid"] == up.pid
        assert shown["running"]["gateway_url"] == url
        assert [instance["id"] for instance in shown["instances"]] == ["one"]
        names = " ".join(process["name"] for process in shown["processes"])
        for part in ("valkey-server", "gateway", "raylet", "gcs_server", "Supervisor"):
            assert part in names
        assert "redis://" not in status.out
        assert "one" in malote("status", cwd=tmp_path).out

        second = malote("up", "--port", "0", cwd=tmp_path)
        assert second.status == 4
        assert str(up.pid) in second.err

        family = up.family()
        assert len(family) > 5
        measured = node_folder(Settings(data_dir=tmp_path / ".malote"))
        assert measured.is_dir()
        down = malote("down", cwd=tmp_path, timeout=180)
        assert down.status == 0, down.out + down.err
        assert up.process.wait(timeout=30) == 0
        await all_gone(family)
        assert not measured.exists()
    assert malote("down", cwd=tmp_path).status == 3

    with foreground("up", "--port", "0", "--no-dashboard", cwd=tmp_path) as again:
        again.until("Ready.")
        assert not any("admin key" in line for line in again.lines)
        assert api(value(again, "API").removesuffix("/v1"), key, "/v1/instances/one")["name"] == "One"

        family = again.family()
        again.process.send_signal(signal.SIGKILL)
        again.process.wait()
        await all_gone(family)
    assert malote("status", cwd=tmp_path).status == 3


async def test_parts_that_are_killed_come_back_and_ctrl_c_ends_everything(tmp_path: Path) -> None:
    with foreground("up", "--port", "0", "--no-dashboard", cwd=tmp_path) as up:
        up.until("Ready.")
        url, key = value(up, "API").removesuffix("/v1"), value(up, "admin key")
        for part, name in (("valkey-server", "Valkey server"), ("raylet", "Ray cluster")):
            victim = next(process for process in up.family() if process.name == part)
            os.kill(victim.pid, signal.SIGKILL)
            up.until(f"The {name} ended")
            up.until(f"The {name} is back.")
        up.until("The gateway is back.")
        assert api(url, key, "/v1/instances")["items"] == []

        family = up.family()
        up.process.send_signal(signal.SIGINT)
        assert "Ending" in up.rest()
        assert up.process.wait(timeout=30) == 0
        await all_gone(family)
    assert not re.search(r"Traceback", "\n".join(up.lines))


async def test_a_redis_of_ones_own_is_used_and_left_alone(
    tmp_path: Path, redis_url: str, prefix: str
) -> None:
    settings = {"MALOTE_REDIS_URL": redis_url, "MALOTE_PREFIX": prefix, "MALOTE_ADMIN_KEY": "a key of my own"}
    with foreground("up", "--port", "0", "--no-dashboard", cwd=tmp_path, **settings) as up:
        up.until("Ready.")
        assert api(value(up, "API").removesuffix("/v1"), "a key of my own", "/v1/instances")["items"] == []
        assert not any(process.name == "valkey-server" for process in up.family())
        assert malote("down", cwd=tmp_path, timeout=180).status == 0
    assert not (tmp_path / ".malote" / "valkey").exists()
