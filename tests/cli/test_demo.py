"""The demonstration as a user has it: watched, stopped, continued, and as a tour that ends by itself."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from deploy.engine import BUILT
from deploy.processes import alive
from tests.cli.command import Foreground, foreground, malote
from tests.wait import until

ROOT = Path(__file__).resolve().parents[2]

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


def section(title: str) -> list[str]:
    """The commands under a heading of README.md, a block each."""
    text = (ROOT / "README.md").read_text().partition(f"## {title}\n")[2].partition("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def run(block: str, names: dict[str, str]) -> str:
    """Run commands as they stand there. Fails if one does, or if an interface answers with a problem."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block],
        env={"PATH": os.environ["PATH"]} | names,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"status":4' not in done.stdout.replace(" ", ""), done.stdout
    assert '"status":5' not in done.stdout.replace(" ", ""), done.stdout
    return done.stdout


def get(url: str, key: str) -> dict[str, object]:
    with urlopen(Request(url, headers={"Authorization": f"Bearer {key}"}), timeout=60) as answer:
        shown: dict[str, object] = json.load(answer)
        return shown


async def test_a_third_account_by_hand_then_stopped_and_continued_as_a_tour(tmp_path: Path) -> None:
    with foreground("demo", cwd=tmp_path) as demo:
        demo.until("Ctrl-C ends everything")
        names = exports(demo)

        def state() -> str:
            shown = get(f"{names['API']}/v1/instances/third", names["KEY"])["state"]
            assert isinstance(shown, dict)
            return str(shown["connection"])

        create, webhook, telephone, scan, write, answer = section("Pair a third account")
        run(create, names)
        run(webhook, names)
        await until(lambda: state() == "pairing", timeout=120)
        assert "█" in run(telephone, names)
        run(scan, names)
        await until(lambda: state() == "connected", timeout=120)
        run(write, names)
        demo.until("third received: Good morning!")
        # It says `queued` if that takes long: then the next one is quicker.
        await until(
            lambda: '"status":"sent"' in run(answer, names), timeout=120, what="an answer that was sent"
        )

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
