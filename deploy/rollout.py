"""A roll-out of this process's code: begun, followed, steered. The supervisors carry it out."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from actors import version
from actors.settings import Settings
from actors.store import Store, StoreUnavailable
from actors.supervisor.office import Office, Offices
from actors.supervisor.rollout_record import Phase, Plan, Rollout
from deploy.errors import CommandError, Exit

T = TypeVar("T")

LOOK = 1.0
"""Seconds between two looks at how it goes."""

UNREACHED = "Repeat the command: the roll-out goes on meanwhile, and `status` tells of it."


def add_options(parser: argparse.ArgumentParser) -> None:
    """How a roll-out goes."""
    plan = Plan()
    parser.add_argument("--canary", type=_number, default=plan.canary, help="instances that go first")
    parser.add_argument(
        "--canary-watch", type=float, default=plan.canary_watch, help="seconds for which they are watched"
    )
    parser.add_argument("--batch", type=_positive, default=plan.batch, help="instances moved at a time")
    parser.add_argument(
        "--budget", type=_number, default=plan.budget, help="instances that may fail after the canary"
    )


@contextlib.contextmanager
def shipped(wanted: bool) -> Iterator[dict[str, Any] | None]:
    """A runtime environment for `ray.init` with the code that runs here; it is uploaded within the block.

    None if it is not wanted, or if this is a submitted job with a working directory: that one has the code.
    """
    from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR as SUBMITTED

    job = json.loads(os.environ.get(SUBMITTED, "{}"))
    if not wanted or "working_dir" in (job.get("runtime_env") or {}):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="malote-code-") as directory:
        # Nothing but what actors run; and not the tree itself, which may change while they do.
        shutil.copytree(
            version.PACKAGE, Path(directory) / "actors", ignore=shutil.ignore_patterns("__pycache__")
        )
        yield {"working_dir": directory}


def _number(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError("it cannot be below 0")
    return value


def _positive(text: str) -> int:
    value = _number(text)
    if value == 0:
        raise argparse.ArgumentTypeError("it cannot be 0")
    return value


def read_office(settings: Settings) -> Office | None:
    """Who is to lead, and the latest roll-out.

    Raises:
        CommandError: Redis does not answer.
    """
    return asyncio.run(_with(settings, lambda offices: offices.read()))


def roll_out(settings: Settings, plan: Plan) -> Exit:
    """Bring this code to every actor, or follow the roll-out that does it; a supervisor has to run already.

    Prints what happens; the last line is the `summary`.

    Raises:
        CommandError: another version is being rolled out, or Redis does not answer.
    """
    began, new = time.time(), version.of(settings)
    office = read_office(settings)
    if office is None:
        raise CommandError("no supervisor ever led", "`up` starts one.", status=Exit.NOT_RUNNING)
    if (rolling := office.rolling) is not None:
        if rolling.new != new or rolling.phase is Phase.ROLLING_BACK:
            raise CommandError(f"{described(rolling)}", "`status` tells of it, `rollback` ends it.")
        print(f"Version {new} is being rolled out already.")
        return follow(settings, rolling.id, Phase.DONE)
    if office.appointed == new:
        print(f"Version {new} is what runs.")
        print(json.dumps({"outcome": "done", "version": new, "moved": 0, "failed": 0, "seconds": 0.0}))
        return Exit.OK
    print(f"Version {office.appointed} is to be replaced by {new}.")
    if trouble := _start(settings):
        print(f"The supervisor of {new} does not start, so nothing was changed: {trouble}")
        told = {"outcome": "rolled_back", "version": new, "moved": 0, "failed": 0}
        print(json.dumps({**told, "seconds": round(time.time() - began, 3), "reason": trouble}))
        return Exit.FAILED
    rollout = Rollout(id=secrets.token_hex(6), old=office.appointed, new=new, plan=plan, began_at=time.time())

    def begin(found: Office | None) -> Office:
        if found is None or found.rolling is not None or found.appointed != rollout.old:
            raise CommandError("another roll-out began just now", "`status` tells of it.")
        return found.begin(rollout)

    asyncio.run(_with(settings, lambda offices: offices.change(begin)))
    return follow(settings, rollout.id, Phase.DONE)


def _start(settings: Settings) -> str:
    """Have the supervisor of this version stand by; returns why it does not, empty if it does."""
    import ray
    from ray.exceptions import RayError

    from actors import cluster
    from actors.supervisor.lifecycle import create

    handle = create(settings)
    try:
        ray.get(handle.ping.remote(), timeout=settings.supervisor.start_timeout)
    except RayError as error:
        cluster.kill(handle)
        return str(error).strip().splitlines()[-1]
    return ""


def follow(settings: Settings, rollout_id: str, wanted: Phase) -> Exit:
    """Print how a roll-out goes until it has ended; the exit status says whether it ended as wanted."""
    from actors.supervisor.lifecycle import create

    said = ""
    rollout = _wait_for(settings, rollout_id)
    while True:
        if (line := described(rollout)) != said:
            print(line, flush=True)
            said = line
        if rollout.ended:
            break
        if wanted is Phase.DONE and rollout.goal == version.of(settings):
            # One of an earlier attempt may have been about to end when it was found.
            create(settings)
        time.sleep(LOOK)
        rollout = _wait_for(settings, rollout_id)
    for one, why in sorted(rollout.failed.items()):
        print(f"{one} failed: {why}")
    print(json.dumps(summary(rollout)), flush=True)
    return Exit.OK if rollout.phase is wanted else Exit.FAILED


def _wait_for(settings: Settings, rollout_id: str) -> Rollout:
    """How it stands, once Redis says so."""
    while True:
        # However long Redis is away: the roll-out waits for it, too.
        with contextlib.suppress(CommandError):
            office = read_office(settings)
            break
        time.sleep(LOOK)
    if office is None or office.rollout is None or office.rollout.id != rollout_id:
        raise CommandError("another roll-out has begun meanwhile", "`status` tells of it.")
    return office.rollout


def roll_back(settings: Settings, options: argparse.Namespace) -> Exit:
    """Turn the roll-out that goes on round, and follow it to its end."""
    turned = steer(settings, lambda found: found.turned("it was asked for"))
    return follow(settings, turned.id, Phase.ROLLED_BACK)


def steer(settings: Settings, make: Callable[[Rollout], Rollout]) -> Rollout:
    """Change the roll-out that goes on.

    Raises:
        CommandError: none does, or Redis does not answer.
    """

    def change(found: Office | None) -> Office:
        rolling = found.rolling if found is not None else None
        if found is None or rolling is None:
            raise CommandError(
                "no roll-out goes on",
                "To go back after its end, roll the older code out: submit `rollout` from a tree of it.",
            )
        return found.follow(make(rolling))

    office = asyncio.run(_with(settings, lambda offices: offices.change(change)))
    assert office.rollout is not None
    return office.rollout


def described(rollout: Rollout) -> str:
    """A roll-out in one line, for people."""
    line = f"{rollout.old} -> {rollout.new}: {rollout.phase}, {len(rollout.moved)} moved"
    if rollout.failed:
        line += f", {len(rollout.failed)} failed"
    if rollout.paused:
        line += ", paused"
    return f"{line} ({rollout.reason})" if rollout.reason else line


def summary(rollout: Rollout) -> dict[str, Any]:
    """A roll-out for programs: ``outcome`` is its phase, ``seconds`` those until its end, or until now."""
    return {
        "outcome": rollout.phase,
        "version": rollout.new,
        "from": rollout.old,
        "moved": len(rollout.moved),
        "failed": len(rollout.failed),
        "paused": rollout.paused,
        "reason": rollout.reason,
        "seconds": round((rollout.ended_at or time.time()) - rollout.began_at, 3),
    }


async def _with(settings: Settings, work: Callable[[Offices], Awaitable[T]]) -> T:
    store = Store(settings.redis_url or "", settings.prefix)
    try:
        return await work(Offices(store))
    except StoreUnavailable as error:
        raise CommandError(f"Redis does not answer: {error}", UNREACHED) from error
    finally:
        await store.close()
