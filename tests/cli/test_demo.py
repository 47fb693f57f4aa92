"""The demonstration as a user has it: watched, stopped, continued, and as a tour that ends by itself."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from deploy.engine import BUILT
from deploy.processes import alive
from tests.cli.command import Foreground, foreground, malote
from tests.wait import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.engine,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not (BUILT / "malote-engine-lab").exists(), reason="needs the engine: make engine"),
]


def exports(demo: Foreground) -> dict[str, str]:
    """What the demonstration tells the user to paste into another terminal."""
    pasted = [line.split()[1:] for line in demo.lines if line.startswith("  export ")]
    return dict(assignment.split("=", 1) for line in pasted for assignment in line)


def post(url: str, body: dict[str, str], key: str = "") -> object:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=60) as answer:
        return json.load(answer)


def get(url: str, key: str) -> dict[str, object]:
    with urlopen(Request(url, headers={"Authorization": f"Bearer {key}"}), timeout=60) as answer:
        shown: dict[str, object] = json.load(answer)
        return shown


async def test_a_third_account_by_hand_then_stopped_and_continued_as_a_tour(tmp_path: Path) -> None:
    with foreground("demo", cwd=tmp_path) as demo:
        demo.until("Ctrl-C ends everything")
        names = exports(demo)
        api, lab, key = names["API"], names["LAB"], names["KEY"]
        post(f"{api}/v1/instances", {"id": "third", "name": "Third"}, key)
        hook = {"url": f"{names['HOOK']}third", "secret": names["SECRET"]}
        post(f"{api}/v1/instances/third/webhooks", hook, key)
        post(f"{lab}/accounts", {"phone": "5511900000003", "name": "Third"})

        def state() -> str:
            shown = get(f"{api}/v1/instances/third", key)["state"]
            assert isinstance(shown, dict)
            return str(shown["connection"])

        await until(lambda: state() == "pairing", timeout=120)
        code = get(f"{api}/v1/instances/third/qr", key)
        post(f"{lab}/accounts/5511900000003/scan", {"code": str(code["code"])})
        await until(lambda: state() == "connected", timeout=120)
        text = "good morning, third"
        post(f"{lab}/contacts/5511955550001/messages", {"to": "5511900000003", "text": text})
        demo.until(f"third received: {text}")
        demo.process.send_signal(signal.SIGINT)
        demo.rest()
        assert demo.process.wait(timeout=60) == 0

    tour = malote("demo", "--once", cwd=tmp_path, timeout=600)
    assert tour.status == 0, tour.out + tour.err
    result = json.loads(tour.out.splitlines()[-1])
    assert result["paired"] == 2
    assert result["received"] == result["delivered"] > 0
    assert result["sent"] > 0
    assert result["lost"] == 0
    assert result["killed"] >= 3


async def test_sigkill_of_a_demonstration_leaves_nothing(tmp_path: Path) -> None:
    with foreground("demo", "--instances", "1", cwd=tmp_path) as demo:
        demo.until("demo-1 is connected")
        family = demo.family()
        assert sum(process.name.startswith("malote-engine") for process in family) >= 3
        demo.process.send_signal(signal.SIGKILL)
        demo.process.wait()
        await until(lambda: not any(alive(member) for member in family), what="the end of every process")
